//! The file: `access.db` in the state folder, for its owner alone.

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Timestamp;
use rusqlite::Connection;
use store::{Durability, StoreError};

use crate::AccessError;

/// Name of the file.
const FILE: &str = "access.db";

/// One step each, never edited once released.
const STEPS: &[&str] = &["
    CREATE TABLE users (
        name        TEXT PRIMARY KEY,
        role        TEXT NOT NULL,
        prefixes    TEXT NOT NULL,      -- separated by spaces
        password    TEXT,               -- argon2id, PHC format; none: tokens only
        created_at  INTEGER NOT NULL    -- nanoseconds since 1970
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tokens (
        id          TEXT PRIMARY KEY,
        user        TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        role        TEXT,               -- none: the user's alone
        prefixes    TEXT NOT NULL,
        label       TEXT NOT NULL,
        hash        BLOB NOT NULL,      -- SHA-256 of the secret part
        created_at  INTEGER NOT NULL,
        expires_at  INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_by_user ON tokens (user, id);
    CREATE TABLE sessions (
        hash        BLOB PRIMARY KEY,   -- SHA-256 of the cookie
        user        TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        csrf        BLOB NOT NULL,      -- SHA-256 of the word
        created_at  INTEGER NOT NULL,
        expires_at  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_by_user ON sessions (user, created_at);
    CREATE TABLE audit (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        at          INTEGER NOT NULL,
        actor       TEXT NOT NULL,
        role        TEXT NOT NULL,
        via         TEXT NOT NULL,
        address     TEXT NOT NULL,
        action      TEXT NOT NULL,
        object      TEXT NOT NULL,
        reason      TEXT NOT NULL,
        before      TEXT                -- JSON
    ) STRICT;
    CREATE TABLE outcomes (
        number      INTEGER PRIMARY KEY REFERENCES audit,
        at          INTEGER NOT NULL,
        done        INTEGER NOT NULL,
        said        TEXT,               -- why it was refused
        after       TEXT                -- JSON
    ) STRICT;
    CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
    CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
    CREATE TRIGGER outcomes_stay BEFORE DELETE ON outcomes BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
    CREATE TRIGGER outcomes_keep BEFORE UPDATE ON outcomes BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END;
", "
    CREATE TABLE links (
        hash        BLOB PRIMARY KEY,   -- SHA-256 of the secret
        user        TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        expires_at  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX audit_by_object ON audit (action, object, number);
"];

/// Name of the file and the newest schema of it that this build knows.
pub const SCHEMA: (&str, usize) = (FILE, STEPS.len());

/// Users, tokens, sessions and the audit trail of one state folder.
#[derive(Debug)]
pub struct Access {
    db: Mutex<Connection>,
}

impl Access {
    /// Opens the file in this folder, made and migrated when needed.
    ///
    /// # Errors
    /// The file cannot be used, or was written by a newer build.
    pub fn open(folder: &Path) -> Result<Self, AccessError> {
        let path = folder.join(FILE);
        let open = |cause| StoreError::Open { path: path.clone(), cause };
        // SQLite gives its side files the mode of the file itself
        let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let made = made.and_then(|file| file.set_permissions(std::fs::Permissions::from_mode(0o600)));
        made.map_err(|cause| {
            AccessError::Wrong(format!("cannot open {}: {cause}; check `state_dir`", path.display()))
        })?;
        // who did what must not be lost with the power
        let db = store::open(&path, STEPS, Durability::Whole)?;
        db.pragma_update(None, "foreign_keys", true).map_err(open)?;
        Ok(Self { db: Mutex::new(db) })
    }

    pub(crate) fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SQLite's integers are signed; the clock reaches their end in the year 2262.
pub(crate) fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.nanos()).unwrap_or(i64::MAX)
}

/// The way back.
pub(crate) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
