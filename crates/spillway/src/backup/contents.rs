//! What of a state folder goes into a backup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Extent, FOLDER};

/// A file and its name in the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    pub(super) name: PathBuf,
    pub(super) path: PathBuf,
}

/// Names below the state folder, in the order in which they are taken.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// To be copied at one instant each.
    pub(super) databases: Vec<Item>,
    /// To be read while nobody appends.
    pub(super) ledger: Vec<Item>,
    /// Whole at any time.
    pub(super) files: Vec<Item>,
}

/// The log of decisions, and its head beside it.
const LEDGER: [&str; 2] = ["ledger", "ledger.head"];

impl Contents {
    /// Looks at a folder.
    pub(super) fn of(folder: &Path, extent: Extent) -> io::Result<Self> {
        let mut all = Vec::new();
        walk(folder, Path::new(""), &mut all)?;
        all.sort();
        let mut out = Self::default();
        for item in all {
            let top = item.name.iter().next().unwrap_or_default();
            let is = |name: &str| top == name;
            let left_out = is(FOLDER)
                || is(crate::privacy::SAMPLES) && !extent.flows
                || is(crate::privacy::EVIDENCE) && !extent.evidence
                || is_key(&item.name) && !extent.keys
                || is_passing(&item.name);
            if left_out {
                continue;
            }
            if item.name.extension().is_some_and(|end| end == "db") {
                out.databases.push(item);
            } else if LEDGER.iter().any(|name| is(name)) {
                out.ledger.push(item);
            } else {
                out.files.push(item);
            }
        }
        Ok(out)
    }
}

/// Whatever signs, opens or reveals.
fn is_key(name: &Path) -> bool {
    let file = name.file_name().unwrap_or_default();
    name.extension().is_some_and(|end| end == "key") || file == "key" || file == "tags"
}

/// Locks, logs, and what a writer or SQLite keeps beside its file.
fn is_passing(name: &Path) -> bool {
    let file = name.file_name().unwrap_or_default().to_string_lossy();
    let end = |end: &&str| file.ends_with(end);
    file == "lock" || [".db-wal", ".db-shm", ".db-journal", ".new", ".part", ".log"].iter().any(end)
}

/// Regular files alone: nothing is followed out of the folder.
fn walk(root: &Path, below: &Path, out: &mut Vec<Item>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            match walk(root, &name, out) {
                // retention was here meanwhile
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                walked => walked?,
            }
        } else if kind.is_file() {
            out.push(Item { path: root.join(&name), name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_flows_and_evidence_are_taken_only_where_they_are_asked_for() {
        let folder = crate::folder::Folder::new("spillway-contents").unwrap();
        let names = [
            "access.db",
            "access.db-wal",
            "api.crt",
            "api.key",
            "control.log",
            "evidence.key",
            "evidence/1/attack.json",
            "backups/old.tar",
            "flows/h.parquet",
            "keys/2026-01-01.key",
            "ledger.head",
            "ledger/key",
            "ledger/lock",
            "ledger/log/checkpoint",
            "ledger/tags",
            "lock",
            "peace",
        ];
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let taken = |extent| {
            let Contents { databases, ledger, files } = Contents::of(folder.path(), extent).unwrap();
            let names = [databases, ledger, files].concat().into_iter().map(|item| item.name);
            names.map(|name| name.display().to_string()).collect::<Vec<_>>()
        };
        let little = ["access.db", "ledger/log/checkpoint", "ledger.head", "api.crt", "peace"];
        assert_eq!(taken(Extent::default()), little);
        let all = taken(Extent { keys: true, flows: true, evidence: true });
        assert_eq!(all.len(), little.len() + 7, "{all:?}");
    }
}
