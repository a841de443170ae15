//! What can go wrong, by what the reader of the message can do.

use std::path::{Path, PathBuf};

use crate::filter::BadFilter;

/// Why history cannot be written or asked.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The operator must act: the folder cannot be used.
    #[error("{}: {cause}; check that the folder exists, is writable and its disk has room", path.display())]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// This one file is of no use: it is left out.
    #[error("{} is no whole segment: {why}; it is left out", path.display())]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Who asks must ask otherwise.
    #[error("filter: {0}")]
    Filter(#[from] BadFilter),
    /// Who asks must ask otherwise.
    #[error("{0}")]
    Question(String),
    /// The file of sums is of no use now.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl HistoryError {
    /// The disk refused.
    pub(crate) fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |cause| Self::Disk { path: path.to_owned(), cause }
    }

    /// The file is no segment.
    pub(crate) fn torn(path: &Path, why: impl ToString) -> Self {
        Self::Torn { path: path.to_owned(), why: why.to_string() }
    }
}
