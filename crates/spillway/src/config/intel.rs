//! `[intel]`: files that tell where addresses are.

use std::path::PathBuf;

use serde::Deserialize;

/// What is known of addresses; without files nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intel {
    /// MaxMind DB files (country, city, network), asked in this order.
    pub mmdb: Vec<PathBuf>,
    /// Table dumps of routes in MRT form (`TABLE_DUMP_V2`), unpacked.
    pub mrt: Vec<PathBuf>,
}
