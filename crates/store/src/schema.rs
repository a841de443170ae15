//! The tables, as a list of steps; `PRAGMA user_version` says how many were taken.

use std::path::Path;

use rusqlite::Connection;

use crate::StoreError;

/// One step each, never edited once released: a change is a new step at the end.
const STEPS: &[&str] = &["
    CREATE TABLE attacks (
        id          TEXT PRIMARY KEY,
        state       TEXT NOT NULL,
        severity    TEXT NOT NULL,
        target      TEXT NOT NULL,
        direction   TEXT NOT NULL,
        started_at  INTEGER NOT NULL,   -- nanoseconds since 1970
        ended_at    INTEGER,
        updated_at  INTEGER NOT NULL,
        document    TEXT NOT NULL       -- the attack as the interface prints it
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attacks_by_start ON attacks (started_at DESC, id);
    CREATE TABLE rules (
        attack      TEXT NOT NULL,
        id          TEXT NOT NULL,
        state       TEXT NOT NULL,
        text        TEXT NOT NULL,
        expires_at  INTEGER,
        document    TEXT NOT NULL,
        PRIMARY KEY (attack, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE snapshots (
        name        TEXT PRIMARY KEY,
        taken_at    INTEGER NOT NULL,
        build       TEXT NOT NULL,
        body        BLOB NOT NULL
    ) STRICT;
    CREATE TABLE bans (
        target      TEXT NOT NULL,
        direction   TEXT NOT NULL,
        attack      TEXT NOT NULL,
        since       INTEGER NOT NULL,
        until       INTEGER NOT NULL,
        document    TEXT NOT NULL,
        PRIMARY KEY (target, direction)
    ) STRICT, WITHOUT ROWID;
"];

/// The schema that this build writes.
pub(crate) fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Brings the file to the newest schema; refuses one from the future.
pub(crate) fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known() {
        return Err(StoreError::Newer { path: path.to_path_buf(), found, known: known() });
    }
    let taken = usize::try_from(found).unwrap_or(usize::MAX);
    for (step, sql) in (1u32..).zip(STEPS).skip(taken) {
        let tx = db.transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", step)?;
        tx.commit()?;
    }
    Ok(())
}
