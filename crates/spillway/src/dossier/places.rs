//! The files of `[intel]` that tell where addresses are, opened: one by one, so that a bad one takes none of the others away.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use base::Prefix;
use intel::enrich::{Files, Lists, Mmdb, Rib, Table};
use toml::Spanned;

use crate::config::{Config, Intel};

/// What of a configuration says what is looked for in routes.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// Neighbours whose cone is looked for: those of interfaces where nobody else may come in.
    pub neighbours: Vec<u32>,
    /// Own networks.
    pub networks: Vec<Prefix>,
}

impl Home {
    /// As a configuration says.
    pub fn of(config: &Config) -> Self {
        let interfaces = config.exporters.iter().flat_map(|(_, section)| section.interfaces.values());
        let neighbours =
            interfaces.filter(|interface| interface.cone()).filter_map(|interface| interface.asn);
        Self { neighbours: neighbours.collect(), networks: config.networks.clone() }
    }
}

/// The files that could be used, by name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    databases: Vec<(PathBuf, Arc<Mmdb>)>,
    routes: Vec<(PathBuf, Arc<Rib>)>,
    tables: Vec<(PathBuf, Arc<Table>)>,
}

/// A file that cannot be used.
#[derive(Debug)]
pub struct Refused {
    /// Where the configuration names it: the octet of its text.
    pub named: usize,
    /// The file, the place in it and the reason.
    pub cause: anyhow::Error,
    /// Whether what was known of it before holds on.
    pub held: bool,
}

impl Shelf {
    /// Opens all of them, without the lists of others; of one that cannot be used, what `before` had of it holds on.
    pub fn open(section: &Intel, home: &Home, before: &Self) -> (Self, Vec<Refused>) {
        let mut refused = Vec::new();
        let neighbours = || home.neighbours.iter().copied();
        let shelf = Self {
            databases: each(&section.mmdb, &before.databases, &mut refused, Mmdb::open),
            routes: each(&section.mrt, &before.routes, &mut refused, |octets| {
                Rib::read(&octets, neighbours())
            }),
            tables: each(&section.places, &before.tables, &mut refused, |octets| {
                Table::read(&String::from_utf8_lossy(&octets))
            }),
        };
        (shelf, refused)
    }

    /// As they are asked.
    pub fn files(&self, home: &Home) -> Files {
        Files {
            databases: opened(&self.databases),
            routes: opened(&self.routes),
            tables: opened(&self.tables),
            lists: Lists::default(),
            own: home.networks.clone(),
        }
    }
}

/// Opens all of them, without the lists of others.
///
/// # Errors
/// The first that cannot be used, with its name, the place in it and the reason.
pub fn open(section: &Intel, home: &Home) -> anyhow::Result<Files> {
    let (shelf, refused) = Shelf::open(section, home, &Shelf::default());
    refused.into_iter().next().map_or_else(|| Ok(shelf.files(home)), |refused| Err(refused.cause))
}

fn opened<T>(all: &[(PathBuf, Arc<T>)]) -> Vec<Arc<T>> {
    all.iter().map(|(_, one)| Arc::clone(one)).collect()
}

fn each<T, E: Display>(
    paths: &[Spanned<PathBuf>],
    before: &[(PathBuf, Arc<T>)],
    refused: &mut Vec<Refused>,
    open: impl Fn(Vec<u8>) -> Result<T, E>,
) -> Vec<(PathBuf, Arc<T>)> {
    let mut one = |path: &Spanned<PathBuf>| match read(path.get_ref(), &open) {
        Ok(new) => Some((path.get_ref().clone(), Arc::new(new))),
        Err(cause) => {
            let held = before.iter().find(|(known, _)| known == path.get_ref()).cloned();
            refused.push(Refused { named: path.span().start, cause, held: held.is_some() });
            held
        }
    };
    paths.iter().filter_map(&mut one).collect()
}

fn read<T, E: Display>(path: &Path, open: impl Fn(Vec<u8>) -> Result<T, E>) -> anyhow::Result<T> {
    let name = path.display();
    let octets = std::fs::read(path)
        .with_context(|| format!("{name}: cannot be read; name a file of [intel] that can"))?;
    open(octets).map_err(|wrong| anyhow::anyhow!("{name}: {wrong}"))
}
