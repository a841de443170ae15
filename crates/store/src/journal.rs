//! The journal of mitigations: who wanted what, when and why, on the disk before it is done.

use std::path::Path;

use base::Timestamp;
use rusqlite::{Connection, params};

use crate::writer::{nanos, time};
use crate::{Durability, StoreError, schema};

/// Name of the file inside the state folder.
pub(crate) const FILE: &str = "routing.db";
/// Lines that are kept. Beyond them the oldest of mitigations that ended go, a tenth at a time; what holds, the last freeze
/// and the highest number always stay.
const LINES_MAX: u64 = 100_000;

/// A line of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1; given by the journal.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Number of the mitigation that it is about.
    pub mitigation: Option<u64>,
    /// `proposed`, `started`, `ended`, …
    pub event: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What: a prefix, a rule, a neighbour; may be empty.
    pub what: String,
    /// What the book reads again, as JSON; `None`: it is for people alone.
    pub entry: Option<String>,
}

/// The one writer of the journal.
#[derive(Debug)]
pub struct Journal {
    pub(crate) db: Connection,
    pub(crate) lines: u64,
    lines_max: u64,
}

impl Journal {
    /// Opens it in `folder`, made and migrated when needed.
    ///
    /// # Errors
    /// When the file cannot be used, or a newer build wrote it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, LINES_MAX)
    }

    /// Opens a journal of the same form, of something else, under this name.
    ///
    /// # Errors
    /// Likewise.
    pub fn open_file(folder: &Path, file: &str) -> Result<Self, StoreError> {
        Self::open_at(&folder.join(file), LINES_MAX)
    }

    /// Likewise, with another cap on its lines.
    ///
    /// # Errors
    /// Likewise.
    pub fn open_with(folder: &Path, lines_max: u64) -> Result<Self, StoreError> {
        Self::open_at(&folder.join(FILE), lines_max)
    }

    fn open_at(path: &Path, lines_max: u64) -> Result<Self, StoreError> {
        // A committed line outlives a power cut, not only a kill.
        let db = schema::open(path, schema::JOURNAL, Durability::Whole)?;
        let lines = db.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?;
        Ok(Self { db, lines: unsigned(lines), lines_max })
    }

    /// Writes all of these lines or none; they are on the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), StoreError> {
        let tx = self.db.transaction()?;
        let mut insert = tx.prepare(
            "INSERT INTO journal (at, mitigation, event, actor, reason, what, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for line in lines {
            let Line { event, actor, reason, what, entry, .. } = line;
            let mitigation = line.mitigation.map(signed);
            insert.execute(params![nanos(line.at), mitigation, event, actor, reason, what, entry])?;
        }
        drop(insert);
        tx.commit()?;
        self.lines += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.lines > self.lines_max { self.prune() } else { Ok(()) }
    }

    /// What the book reads again after a restart, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entries(&self) -> Result<Vec<String>, StoreError> {
        let mut query =
            self.db.prepare("SELECT entry FROM journal WHERE entry IS NOT NULL ORDER BY number")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The last lines, newest first, of one mitigation or of all.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn history(&self, mitigation: Option<u64>, limit: u32) -> Result<Vec<Line>, StoreError> {
        let mut query = self.db.prepare(
            "SELECT number, at, mitigation, event, actor, reason, what FROM journal
             WHERE ?1 IS NULL OR mitigation = ?1 ORDER BY number DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![mitigation.map(signed), limit], |row| {
            Ok(Line {
                number: unsigned(row.get(0)?),
                at: time(row.get(1)?),
                mitigation: row.get::<_, Option<i64>>(2)?.map(unsigned),
                event: row.get(3)?,
                actor: row.get(4)?,
                reason: row.get(5)?,
                what: row.get(6)?,
                entry: None,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Lets the oldest lines go that nothing depends on.
    fn prune(&mut self) -> Result<(), StoreError> {
        let surplus = self.lines.saturating_sub(self.lines_max) + self.lines_max / 10;
        let gone = self.db.execute(
            "DELETE FROM journal WHERE number IN (
                SELECT number FROM journal AS line
                WHERE CASE
                    WHEN mitigation IS NULL THEN entry IS NULL
                        OR number < (SELECT max(number) FROM journal WHERE mitigation IS NULL AND entry IS NOT NULL)
                    ELSE mitigation < (SELECT max(mitigation) FROM journal)
                        AND EXISTS (SELECT 1 FROM journal AS end
                                    WHERE end.mitigation = line.mitigation AND end.event = 'ended')
                END
                ORDER BY number LIMIT ?1)",
            [signed(surplus)],
        )?;
        self.lines = self.lines.saturating_sub(u64::try_from(gone).unwrap_or(u64::MAX));
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
