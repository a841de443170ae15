//! The files of `[intel]` that tell where addresses are, opened: one by one, so that a bad one takes none of the others away.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use api::metrics::FileNumbers;
use base::{Prefix, Timestamp};
use intel::enrich::{Files, Lists, Mmdb, Rib, Table};
use toml::Spanned;

use super::whole;
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

/// The files of `[intel]`, without the lists of others.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    databases: Vec<File<Mmdb>>,
    routes: Vec<File<Rib>>,
    tables: Vec<File<Table>>,
}

/// A file, and what holds of it.
#[derive(Debug)]
struct File<T> {
    path: PathBuf,
    /// It could not be used when it was read last.
    refused: bool,
    /// When what holds was changed last, and what that is.
    holds: Option<(Timestamp, Arc<T>)>,
}

impl<T> Clone for File<T> {
    fn clone(&self) -> Self {
        Self { path: self.path.clone(), refused: self.refused, holds: self.holds.clone() }
    }
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
    /// Opens all of them; of one that cannot be used, what `before` had of it holds on.
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

    /// Which hold, and since when.
    pub fn told(&self) -> Vec<FileNumbers> {
        let databases = self.databases.iter().map(|file| file.told("mmdb"));
        let routes = self.routes.iter().map(|file| file.told("mrt"));
        databases.chain(routes).chain(self.tables.iter().map(|file| file.told("places"))).collect()
    }
}

impl<T> File<T> {
    fn told(&self, kind: &'static str) -> FileNumbers {
        let modified = self.holds.as_ref().map_or(0, |(modified, _)| modified.secs());
        FileNumbers { path: self.path.display().to_string(), kind, modified, refused: self.refused }
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

fn opened<T>(all: &[File<T>]) -> Vec<Arc<T>> {
    all.iter().filter_map(|file| file.holds.as_ref()).map(|(_, holds)| Arc::clone(holds)).collect()
}

fn each<T, E: Display>(
    paths: &[Spanned<PathBuf>],
    before: &[File<T>],
    refused: &mut Vec<Refused>,
    open: impl Fn(Vec<u8>) -> Result<T, E>,
) -> Vec<File<T>> {
    let mut one = |named: &Spanned<PathBuf>| {
        let path = named.get_ref().clone();
        match read(&path, &open) {
            Ok((modified, new)) => File { path, refused: false, holds: Some((modified, Arc::new(new))) },
            Err(cause) => {
                let holds =
                    before.iter().find(|known| known.path == path).and_then(|known| known.holds.clone());
                refused.push(Refused { named: named.span().start, cause, held: holds.is_some() });
                File { path, refused: true, holds }
            }
        }
    };
    paths.iter().map(&mut one).collect()
}

/// With when it was changed last.
fn read<T, E: Display>(
    path: &Path,
    open: impl Fn(Vec<u8>) -> Result<T, E>,
) -> anyhow::Result<(Timestamp, T)> {
    let name = path.display();
    let (modified, octets) = whole::read(path, u64::MAX)
        .with_context(|| format!("{name}: cannot be read; name a file of [intel] that can"))?;
    let holds = open(octets).map_err(|wrong| anyhow::anyhow!("{name}: {wrong}"))?;
    Ok((modified, holds))
}
