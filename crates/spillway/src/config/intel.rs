//! `[intel]`: files that tell where addresses are, and how many attacks the daemon looks at by their sources.

use std::path::PathBuf;

use serde::Deserialize;

/// What is known of addresses; without files nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intel {
    /// MaxMind DB files (country, city, network), asked in this order.
    pub mmdb: Vec<PathBuf>,
    /// Tables of one's own, asked before those: a line `prefix,asn,country,city,latitude,longitude` per network; own networks
    /// that stand there are on the map.
    pub places: Vec<PathBuf>,
    /// Table dumps of routes in MRT form (`TABLE_DUMP_V2`), unpacked.
    pub mrt: Vec<PathBuf>,
    /// Attacks whose sources the daemon follows at once, some 25 MB each at most; 0: none.
    pub attacks: usize,
}

impl Default for Intel {
    fn default() -> Self {
        Self { mmdb: Vec::new(), places: Vec::new(), mrt: Vec::new(), attacks: 8 }
    }
}
