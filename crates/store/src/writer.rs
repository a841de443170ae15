//! The one connection that writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::batch::{AttackRow, Ban, Batch, Snapshot};
use crate::{Durability, Reader, StoreError, schema};

/// Name of the database inside the state folder.
pub(crate) const FILE: &str = "spillway.db";
/// How long a statement waits for a lock that somebody else (a backup, a curious sqlite3) holds.
pub(crate) const BUSY_MAX: Duration = Duration::from_secs(2);
/// The write-ahead log is cut back to this at each checkpoint: a few snapshots.
const WAL_BYTES_MAX: u32 = 64 << 20;

/// The one writer of a state folder.
#[derive(Debug)]
pub struct Writer {
    pub(crate) db: Connection,
    path: PathBuf,
}

impl Writer {
    /// Opens the database in `folder`, made and migrated when needed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let open = |cause| StoreError::Open { path: path.clone(), cause };
        let db = schema::open(&path, schema::ATTACKS, Durability::Ordered)?;
        db.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_MAX, |_| Ok(())).map_err(open)?;
        Ok(Self { db, path })
    }

    /// Another pair of eyes on the same file.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// Writes all of it or nothing.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let tx = self.db.transaction()?;
        for row in &batch.attacks {
            put_attack(&tx, row)?;
        }
        for row in &batch.snapshots {
            put_snapshot(&tx, row)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Remembers a ban *before* the outside enforcer is called.
    pub fn ban(&mut self, ban: &Ban) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO bans VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (target, direction) DO UPDATE SET
             attack = excluded.attack, until = excluded.until, document = excluded.document",
            params![ban.target, ban.direction, ban.attack, nanos(ban.since), nanos(ban.until), ban.document],
        )?;
        Ok(())
    }

    /// Forgets a ban *after* the outside enforcer has undone it.
    pub fn unban(&mut self, target: &str, direction: &str) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM bans WHERE target = ?1 AND direction = ?2", [target, direction])?;
        // It was kept in the clear, for the call that undid it.
        self.forget_log()
    }

    /// Bans that were not undone, by target.
    pub fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        let mut query = self.db.prepare(
            "SELECT target, direction, attack, since, until, document FROM bans ORDER BY target, direction",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Ban {
                target: row.get(0)?,
                direction: row.get(1)?,
                attack: row.get(2)?,
                since: time(row.get(3)?),
                until: time(row.get(4)?),
                document: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The snapshot of this name.
    pub fn snapshot(&self, name: &str) -> Result<Option<Snapshot>, StoreError> {
        let found = self
            .db
            .query_row("SELECT taken_at, build, body FROM snapshots WHERE name = ?1", [name], |row| {
                Ok(Snapshot {
                    name: name.to_owned(),
                    taken_at: time(row.get(0)?),
                    build: row.get(1)?,
                    body: row.get(2)?,
                })
            })
            .optional()?;
        Ok(found)
    }

    /// All snapshots whose name begins with `prefix`, by name.
    pub fn snapshots(&self, prefix: &str) -> Result<Vec<Snapshot>, StoreError> {
        let mut query = self
            .db
            .prepare("SELECT name, taken_at, build, body FROM snapshots WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?;
        let rows = query.query_map([prefix], |row| {
            Ok(Snapshot {
                name: row.get(0)?,
                taken_at: time(row.get(1)?),
                build: row.get(2)?,
                body: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets the snapshots whose name begins with `prefix`.
    pub fn forget(&mut self, prefix: &str) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM snapshots WHERE substr(name, 1, length(?1)) = ?1", [prefix])?;
        Ok(())
    }
}

/// Rules of one attack that ended before it and are kept for what they dropped, the latest.
const ENDED_MAX: u32 = 64;
/// What a stored rule is known to have dropped.
const KEEP_WHAT_DROPPED: &str = "DELETE FROM rules WHERE attack = ?1
    AND CASE WHEN json_valid(document) THEN coalesce(json_extract(document, '$.dropped_packets'), 0) ELSE 0 END = 0";
/// Who ends has no numbers any more: the last ones stay.
const PUT_RULE: &str = "INSERT INTO rules VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET
    state = excluded.state, text = excluded.text, expires_at = excluded.expires_at,
    document = CASE WHEN json_valid(excluded.document) AND json_extract(excluded.document, '$.dropped_packets') IS NULL
        THEN json_set(excluded.document, '$.decided_packets', rules.document -> '$.decided_packets',
                      '$.dropped_packets', rules.document -> '$.dropped_packets', '$.dry', rules.document -> '$.dry')
        ELSE excluded.document END";
const BOUND_ENDED: &str = "DELETE FROM rules WHERE attack = ?1 AND id NOT IN
    (SELECT id FROM rules WHERE attack = ?1 ORDER BY expires_at DESC, id LIMIT ?2)";

fn put_attack(tx: &Transaction<'_>, row: &AttackRow) -> rusqlite::Result<()> {
    tx.prepare("INSERT OR REPLACE INTO attacks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(
        params![
            row.id,
            row.state,
            row.severity,
            row.target,
            row.direction,
            nanos(row.started_at),
            row.ended_at.map(nanos),
            nanos(row.updated_at),
            row.document
        ],
    )?;
    tx.prepare(KEEP_WHAT_DROPPED)?.execute([&row.id])?;
    let mut insert = tx.prepare(PUT_RULE)?;
    for rule in &row.rules {
        insert.execute(params![
            row.id,
            rule.id,
            rule.state,
            rule.text,
            rule.expires_at.map(nanos),
            rule.document
        ])?;
    }
    tx.prepare(BOUND_ENDED)?.execute(params![row.id, ENDED_MAX])?;
    Ok(())
}

fn put_snapshot(tx: &Transaction<'_>, row: &Snapshot) -> rusqlite::Result<()> {
    tx.prepare("INSERT OR REPLACE INTO snapshots VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        row.name,
        nanos(row.taken_at),
        row.build,
        row.body
    ])?;
    Ok(())
}

/// SQLite's integers are signed; the clock reaches their end in the year 2262.
pub(crate) fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.nanos()).unwrap_or(i64::MAX)
}

/// The way back.
pub(crate) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
