//! The files of `[intel]` that tell where addresses are, opened.

use std::fmt::Display;
use std::path::Path;

use anyhow::Context as _;
use intel::enrich::{Files, Lists, Mmdb, Rib, Table};

use crate::config::Intel;

/// Opens all of them, without the lists of others; the first that cannot be used is an error with its name, the place in it and the reason.
pub fn open(section: &Intel) -> anyhow::Result<Files> {
    let databases = section.mmdb.iter().map(|path| read(path, Mmdb::open));
    let routes = section.mrt.iter().map(|path| read(path, |octets| Rib::read(&octets)));
    let tables =
        section.places.iter().map(|path| read(path, |octets| Table::read(&String::from_utf8_lossy(&octets))));
    Ok(Files {
        databases: databases.collect::<Result<_, _>>()?,
        routes: routes.collect::<Result<_, _>>()?,
        tables: tables.collect::<Result<_, _>>()?,
        lists: Lists::default(),
    })
}

fn read<T, E: Display>(path: &Path, open: impl Fn(Vec<u8>) -> Result<T, E>) -> anyhow::Result<T> {
    let name = path.display();
    let octets = std::fs::read(path)
        .with_context(|| format!("{name}: cannot be read; name a file of [intel] that can"))?;
    open(octets).map_err(|wrong| anyhow::anyhow!("{name}: {wrong}"))
}
