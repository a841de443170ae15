//! Backups: one file with all that a daemon needs to go on elsewhere, made while it runs.
//!
//! ```text
//! backup.json          format, build, time, and the schemas of the databases
//! state/…              copies of the databases, each of one instant; the ledger, held still meanwhile; the rest as it is
//! configuration/…      the configuration
//! SHA256SUMS           of all before it, as `sha256sum -c` reads it; the last entry
//! ```
//! It is a tar archive, so that it can be opened without us. Keys are in it only where that was asked for; then so are the
//! secrets of the configuration. It has its name only once it is whole and on the disk.

mod archive;
mod contents;
mod create;
mod restore;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use archive::verify;
pub use create::{Made, create, create_in};
pub use restore::{Restored, restore};

/// In a state folder that is being restored.
pub(crate) const UNFINISHED: &str = ".restoring";
/// Backups that the daemon makes itself are here, in the state folder.
pub(crate) const FOLDER: &str = "backups";
/// Number of the format.
const FORMAT: u32 = 1;
/// The first entry.
const HEAD: &str = "backup.json";
/// The last one.
const SUMS: &str = "SHA256SUMS";
const STATE: &str = "state";
const CONFIGURATION: &str = "configuration";

/// What is taken besides what always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Keys, and secrets of the configuration.
    pub keys: bool,
    /// Flow samples.
    pub flows: bool,
    /// Evidence of attacks.
    pub evidence: bool,
}

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the format; a newer one is refused.
    pub format: u32,
    /// The build that made it.
    pub build: String,
    /// When, RFC 3339.
    pub made_at: String,
    /// What it has.
    #[serde(flatten)]
    pub extent: Extent,
    /// Schemas of the databases, by name.
    pub databases: BTreeMap<String, u32>,
}

/// The newest schema of a database that this build knows.
fn known(name: &str) -> Option<u32> {
    let elsewhere = [access::SCHEMA, ::history::rollup::SCHEMA];
    match elsewhere.into_iter().find(|(file, _)| *file == name) {
        Some((_, steps)) => u32::try_from(steps).ok(),
        None => store::known(name),
    }
}
