//! The tables, as a list of steps; `PRAGMA user_version` says how many were taken.

use std::path::Path;

use rusqlite::Connection;

use crate::writer::BUSY_MAX;
use crate::{StoreError, expiry};

/// One step each, never edited once released: a change is a new step at the end.
pub(crate) const ATTACKS: &[&str] = &["
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

/// Likewise, for the journal of mitigations.
pub(crate) const JOURNAL: &[&str] = &[
    "
    CREATE TABLE journal (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        at          INTEGER NOT NULL,   -- nanoseconds since 1970
        mitigation  INTEGER,            -- none: it is about all of them, or about a neighbour
        event       TEXT NOT NULL,
        actor       TEXT NOT NULL,
        reason      TEXT NOT NULL,
        what        TEXT NOT NULL,
        entry       TEXT                -- what the book reads again after a restart, as JSON
    ) STRICT;
    CREATE INDEX journal_by_mitigation ON journal (mitigation, event);
",
    "
    CREATE TABLE drills (
        neighbor    TEXT NOT NULL,
        class       TEXT NOT NULL,
        ipv4        INTEGER NOT NULL,
        prefix      TEXT NOT NULL,
        at          INTEGER NOT NULL,   -- nanoseconds since 1970
        witness     TEXT NOT NULL,
        wrong       TEXT,               -- none: it passed
        acted       INTEGER,            -- nanoseconds
        cleared     INTEGER,            -- nanoseconds
        PRIMARY KEY (neighbor, class, ipv4)
    ) STRICT, WITHOUT ROWID;
",
];

/// Likewise, for the outbox of notifications.
pub(crate) const OUTBOX: &[&str] = &["
    CREATE TABLE events (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        channel     TEXT NOT NULL,
        at          INTEGER NOT NULL,   -- nanoseconds since 1970
        rank        INTEGER NOT NULL,   -- what goes last when there is no room
        replaces    TEXT,
        document    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_channel ON events (channel, number);
    CREATE TABLE messages (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        channel     TEXT NOT NULL,
        id          TEXT NOT NULL,
        made_at     INTEGER NOT NULL,
        rank        INTEGER NOT NULL,
        attempts    INTEGER NOT NULL,
        next_at     INTEGER NOT NULL,
        failed_since INTEGER,
        dead_at     INTEGER,            -- none: it is on its way
        answer      TEXT,
        document    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_channel ON messages (channel, dead_at, number);
    CREATE TABLE told (
        attack      TEXT PRIMARY KEY,
        severity    TEXT NOT NULL,
        at          INTEGER NOT NULL,
        document    TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// What a power cut may cost; a killed process loses nothing either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The last transactions, and never their order.
    Ordered,
    /// Nothing that was committed.
    Whole,
}

/// Opens a file for its one writer, made and migrated by these steps when needed: in WAL mode, and what is deleted is written over.
///
/// # Errors
/// When the file cannot be used, or a newer build wrote it.
pub fn open(path: &Path, steps: &[&str], durability: Durability) -> Result<Connection, StoreError> {
    let open = |cause| StoreError::Open { path: path.to_path_buf(), cause };
    let mut db = Connection::open(path).map_err(open)?;
    db.busy_timeout(BUSY_MAX).map_err(open)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(open)?;
    let synchronous = match durability {
        Durability::Ordered => "NORMAL",
        Durability::Whole => "FULL",
    };
    db.pragma_update(None, "synchronous", synchronous).map_err(open)?;
    expiry::forgetful(&db).map_err(open)?;
    migrate(&mut db, path, steps)?;
    Ok(db)
}

/// Brings the file to the newest schema of these steps; refuses one from the future.
fn migrate(db: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_path_buf(), found, known });
    }
    let taken = usize::try_from(found).unwrap_or(usize::MAX);
    for (step, sql) in (1u32..).zip(steps).skip(taken) {
        let tx = db.transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", step)?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a table is, by name.
    fn tables(db: &Connection) -> Vec<(String, String)> {
        let mut query =
            db.prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").unwrap();
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    /// The first table with something in each of its columns, as far as SQLite has to be told.
    fn fill(db: &Connection) -> String {
        let name: String = db
            .query_row("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid LIMIT 1", [], |row| row.get(0))
            .unwrap();
        let mut query = db.prepare(&format!("SELECT name, type FROM pragma_table_info('{name}')")).unwrap();
        let columns: Vec<(String, String)> =
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        let value = |kind: &str| match kind {
            "INTEGER" => "7",
            "BLOB" => "x'07'",
            _ => "'seven'",
        };
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<&str> = columns.iter().map(|(_, kind)| value(kind)).collect();
        db.execute(&format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), values.join(", ")), [])
            .unwrap();
        name
    }

    #[test]
    fn a_database_of_each_older_version_becomes_todays_and_keeps_what_is_in_it() {
        let folder = std::env::temp_dir().join(format!("spillway-migrate-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("old.db");
        let clear = || {
            ["old.db", "old.db-wal", "old.db-shm"]
                .iter()
                .for_each(|name| drop(std::fs::remove_file(folder.join(name))))
        };
        for steps in [ATTACKS, JOURNAL, OUTBOX] {
            clear();
            let fresh = tables(&open(&path, steps, Durability::Whole).unwrap());
            for taken in 0..=steps.len() {
                clear();
                let old = open(&path, steps.get(..taken).unwrap(), Durability::Whole).unwrap();
                let filled = (taken > 0).then(|| fill(&old));
                drop(old);
                let now = open(&path, steps, Durability::Whole).unwrap();
                assert_eq!(tables(&now), fresh, "from version {taken}");
                let version: i64 = now.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
                assert_eq!(usize::try_from(version).unwrap(), steps.len());
                if let Some(table) = filled {
                    let count: i64 = now
                        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
                        .unwrap();
                    assert_eq!(count, 1, "{table} from version {taken}");
                }
                drop(now);
                if taken < steps.len() {
                    // an older build leaves alone what is newer
                    let refused = open(&path, steps.get(..taken).unwrap(), Durability::Whole).unwrap_err();
                    assert!(matches!(refused, StoreError::Newer { .. }), "{refused}");
                }
            }
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
