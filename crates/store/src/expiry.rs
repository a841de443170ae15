//! What is over goes: rows whose time has come, and every octet of them in the file.
//!
//! `secure_delete` writes zeroes over what is deleted, and a checkpoint empties the write-ahead log, where older states of pages
//! stand. Moving cells between pages may leave copies in the gaps of pages; where that matters ([`Journal`]) the file is written anew
//! (`VACUUM`), whose own temporary file is in memory.

use std::path::Path;

use base::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::journal::unsigned;
use crate::writer::{BUSY_MAX, nanos, time};
use crate::{AttackRow, Journal, RuleRow, StoreError, Writer};

/// Rows of one transaction: nobody waits long for the lock.
const AT_ONCE: u32 = 500;

/// How much of something is there, and from when to when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Rows.
    pub count: u64,
    /// The earliest.
    pub first: Option<Timestamp>,
    /// The latest.
    pub last: Option<Timestamp>,
}

/// Deleted and replaced content is overwritten from now on, and temporary files are in memory.
pub(crate) fn forgetful(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    db.pragma_update(None, "temp_store", "MEMORY")
}

/// Empties the write-ahead log; where a reader is in the way it is emptied the next time.
fn checkpoint(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

impl Writer {
    /// Lets attacks go whose last state is from before this time, with their rules; says how many.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn expire_attacks(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let tx = self.db.transaction()?;
            let ids = "SELECT id FROM attacks WHERE updated_at < ?1 ORDER BY id LIMIT ?2";
            tx.execute(
                &format!("DELETE FROM rules WHERE attack IN ({ids})"),
                params![nanos(before), AT_ONCE],
            )?;
            let some = tx.execute(
                &format!("DELETE FROM attacks WHERE id IN ({ids})"),
                params![nanos(before), AT_ONCE],
            )?;
            tx.commit()?;
            gone += u64::try_from(some).unwrap_or(u64::MAX);
            if some == 0 {
                return Ok(gone);
            }
        }
    }

    /// Lets the snapshots of these names go that are from before this time; says how many.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn expire_snapshots(&mut self, names: &[&str], before: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        for name in names {
            let delete = "DELETE FROM snapshots WHERE name = ?1 AND taken_at < ?2";
            gone += self.db.execute(delete, params![name, nanos(before)])?;
        }
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Some attacks whose document has not this key, with their rules.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn without_key(&self, key: &str) -> Result<Vec<AttackRow>, StoreError> {
        let mut query = self.db.prepare(
            "SELECT id, state, severity, target, direction, started_at, ended_at, updated_at, document FROM attacks
             WHERE instr(document, ?1) = 0 ORDER BY id LIMIT ?2",
        )?;
        let rows = query.query_map(params![format!("\"{key}\":"), AT_ONCE], |row| {
            Ok(AttackRow {
                id: row.get(0)?,
                state: row.get(1)?,
                severity: row.get(2)?,
                target: row.get(3)?,
                direction: row.get(4)?,
                started_at: time(row.get(5)?),
                ended_at: row.get::<_, Option<i64>>(6)?.map(time),
                updated_at: time(row.get(7)?),
                document: row.get(8)?,
                rules: Vec::new(),
            })
        })?;
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        let mut query =
            self.db.prepare("SELECT id, state, text, expires_at, document FROM rules WHERE attack = ?1")?;
        for row in &mut rows {
            let rules = query.query_map([&row.id], |row| {
                Ok(RuleRow {
                    id: row.get(0)?,
                    state: row.get(1)?,
                    text: row.get(2)?,
                    expires_at: row.get::<_, Option<i64>>(3)?.map(time),
                    document: row.get(4)?,
                })
            })?;
            row.rules = rules.collect::<Result<_, _>>()?;
        }
        Ok(rows)
    }

    /// Empties the write-ahead log, so that older states of what was changed are nowhere.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn forget_log(&mut self) -> Result<(), StoreError> {
        Ok(checkpoint(&self.db)?)
    }

    /// Writes the file anew, without anything that was deleted.
    ///
    /// # Errors
    /// When the disk does not take it, or somebody is in the way.
    pub fn rewrite(&mut self) -> Result<(), StoreError> {
        self.db.execute_batch("VACUUM")?;
        self.forget_log()
    }
}

impl Journal {
    /// Lets lines go that are from before this time and that nothing depends on: those of mitigations that ended, all of one at a
    /// time. The last mitigation stays, for its number. Says how many.
    ///
    /// # Errors
    /// When the disk does not take it, or somebody is in the way.
    pub fn expire(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = self.db.execute(
            "DELETE FROM journal WHERE at < ?1 AND CASE
                WHEN mitigation IS NULL THEN entry IS NULL
                    OR number < (SELECT max(number) FROM journal WHERE mitigation IS NULL AND entry IS NOT NULL)
                ELSE mitigation < (SELECT max(mitigation) FROM journal)
                    AND mitigation IN (SELECT mitigation FROM journal WHERE event = 'ended')
                    AND mitigation NOT IN (SELECT mitigation FROM journal WHERE at >= ?1 AND mitigation IS NOT NULL)
            END",
            [nanos(before)],
        )?;
        self.lines = self.lines.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        // Also what was let go before, by this or by the cap, where nobody could write the file anew then.
        let free: i64 = self.db.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        if gone > 0 || free > 0 {
            self.db.execute_batch("VACUUM")?;
        }
        checkpoint(&self.db)?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}

/// What there is of attacks in a state folder.
///
/// # Errors
/// When the file cannot be read.
pub fn attacks_held(folder: &Path) -> Result<Held, StoreError> {
    held(&folder.join(crate::writer::FILE), "SELECT count(*), min(updated_at), max(updated_at) FROM attacks")
}

/// What there is of lines in this journal of a state folder; `None`: the one of mitigations.
///
/// # Errors
/// When the file cannot be read.
pub fn lines_held(folder: &Path, file: Option<&str>) -> Result<Held, StoreError> {
    let file = folder.join(file.unwrap_or(crate::journal::FILE));
    held(&file, "SELECT count(*), min(at), max(at) FROM journal")
}

fn held(path: &Path, query: &str) -> Result<Held, StoreError> {
    if !path.exists() {
        return Ok(Held::default());
    }
    let open = |cause| StoreError::Open { path: path.to_path_buf(), cause };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(open)?;
    db.busy_timeout(BUSY_MAX).map_err(open)?;
    let at = |nanos: Option<i64>| nanos.map(time);
    Ok(db.query_row(query, [], |row| {
        Ok(Held { count: unsigned(row.get(0)?), first: at(row.get(1)?), last: at(row.get(2)?) })
    })?)
}
