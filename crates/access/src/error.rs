//! What can go wrong, by what the reader of the message can do.

use store::StoreError;

/// Why something about access was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// What was asked for is wrong in itself.
    #[error("{0}")]
    Wrong(String),
    /// It is not there.
    #[error("{0}")]
    Missing(String),
    /// It does not go together with what is there.
    #[error("{0}")]
    Conflict(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers; nothing secret can be made")]
    Random,
}

impl From<rusqlite::Error> for AccessError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(cause))
    }
}
