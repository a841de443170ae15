//! What can go wrong, by what the reader of the message can do.

use std::path::PathBuf;

/// Why the store cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operator must act: the folder or the file cannot be used.
    #[error("cannot open {}: {cause}; check that `state_dir` exists and is writable", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The operator must act: a newer build wrote this file.
    #[error(
        "{} was written by a newer build (schema {found}, this one knows {known}); install that build again or restore a backup",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema number.
        found: u32,
        /// The highest one known here.
        known: u32,
    },
    /// The operator must act: the file is not what it was.
    #[error("{} is damaged: {said}; restore a backup", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite found first.
        said: String,
    },
    /// We retry.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
