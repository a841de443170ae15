//! The file: one writer, whole transactions.

use std::path::Path;

use base::{Span, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Statement, Transaction, params};
use store::{Durability, StoreError};

use super::minutes::{Lines, Shelf};
use super::{HOST, HOUR, MINUTE};
use crate::error::HistoryError;
use crate::query::Sum;
use crate::sample::Direction;

/// Name of the file inside a state folder, and the newest schema of it that this build knows.
pub const SCHEMA: (&str, usize) = ("rollups.db", STEPS.len());

/// One step each, never edited once released.
const STEPS: &[&str] = &["
    CREATE TABLE minutes (
        at          INTEGER NOT NULL,   -- its beginning, seconds since 1970
        bits        INTEGER NOT NULL,   -- of the target that are told apart; 128: a host
        target      BLOB NOT NULL,      -- 16 octets; IPv4 as ::ffff:a.b.c.d
        direction   INTEGER NOT NULL,   -- 0: towards the target, 1: from it
        protocol    INTEGER NOT NULL,
        class       TEXT NOT NULL,
        bytes       INTEGER NOT NULL,
        packets     INTEGER NOT NULL,
        records     INTEGER NOT NULL,
        PRIMARY KEY (at, bits, target, direction, protocol, class)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE hours (
        at          INTEGER NOT NULL,
        bits        INTEGER NOT NULL,
        target      BLOB NOT NULL,
        direction   INTEGER NOT NULL,
        protocol    INTEGER NOT NULL,
        class       TEXT NOT NULL,
        bytes       INTEGER NOT NULL,
        packets     INTEGER NOT NULL,
        records     INTEGER NOT NULL,
        PRIMARY KEY (at, bits, target, direction, protocol, class)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE marks (
        name        TEXT PRIMARY KEY,   -- 'since': the first minute; 'hours': before it hours are summed up
        at          INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// An hour is summed up so long after its end: its last minutes are written by then.
const GRACE: Span = Span::from_secs(180);
/// Hours that are summed up at once, after a long absence.
const HOURS_AT_ONCE: u32 = 24;
/// Lines that an hour keeps: beyond it hosts go to their networks.
const HOUR_HOSTS_MAX: u32 = 2_048;
/// Rows that are deleted at once.
const DELETED_AT_ONCE: u32 = 50_000;
/// No sum of one line is greater, so that those of all have room in SQLite's integers.
const SUM_MAX: u64 = 1 << 53;

/// How long sums are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// By minute.
    pub minutes: Span,
    /// By hour.
    pub hours: Span,
}

impl Default for Keep {
    fn default() -> Self {
        Self { minutes: Span::from_secs(48 * 3_600), hours: Span::from_secs(90 * 86_400) }
    }
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Lines of minutes written.
    pub written: u64,
    /// Hours summed up.
    pub hours: u64,
    /// Lines that were too old.
    pub deleted: u64,
}

/// The file's one writer.
#[derive(Debug)]
pub struct Book {
    db: Connection,
}

impl Book {
    /// Opens the file, made and migrated when needed.
    ///
    /// # Errors
    /// It cannot be used, or a newer build wrote it.
    pub fn open(file: &Path) -> Result<Self, HistoryError> {
        // A power cut may cost the last minutes, as it costs the last samples.
        Ok(Self { db: store::open(file, STEPS, Durability::Ordered)? })
    }

    /// Writes minutes that are over, sums hours up, deletes what is too old: each in a transaction, each whole or not at all.
    /// `all`: minutes that go on are written as well, for the end.
    ///
    /// # Errors
    /// The file refused; what was not written waits in memory.
    pub fn turn(
        &mut self,
        shelf: &Shelf,
        now: Timestamp,
        keep: Keep,
        all: bool,
    ) -> Result<Turned, HistoryError> {
        let mut turned = Turned::default();
        let waiting = {
            let mut minutes = shelf.minutes();
            minutes.close(if all { Timestamp::from_nanos(u64::MAX) } else { now });
            minutes.waiting()
        };
        if !waiting.is_empty() {
            let _moving = shelf.moving.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            turned.written = self.write(&waiting)?;
            shelf.minutes().written(&waiting);
        }
        turned.hours = self.sum_up(now)?;
        turned.deleted = self.delete("minutes", now.minus(keep.minutes))?;
        turned.deleted += self.delete("hours", now.minus(keep.hours))?;
        Ok(turned)
    }

    fn write(&mut self, minutes: &[(u64, Lines)]) -> Result<u64, StoreError> {
        let tx = self.db.transaction()?;
        let mut written = 0;
        // Minutes that waited for the disk while their hour was summed up are added to it.
        let summed = mark(&tx, "hours")?.unwrap_or(i64::MIN);
        let hour = i64::try_from(HOUR.secs()).unwrap_or(i64::MAX);
        {
            let mut put = tx.prepare(&upsert("minutes"))?;
            let mut late = tx.prepare(&upsert("hours"))?;
            let mut since = tx.prepare("INSERT INTO marks VALUES ('since', ?1) ON CONFLICT DO NOTHING")?;
            for (minute, lines) in minutes {
                let at = i64::try_from(minute.saturating_mul(MINUTE.secs())).unwrap_or(i64::MAX);
                since.execute([at])?;
                for (key, sum) in lines {
                    let (target, out) = (key.target.to_be_bytes(), u8::from(key.direction == Direction::Out));
                    let [bytes, packets, records] = [sum.bytes, sum.packets, sum.samples].map(clamped);
                    let (bits, protocol, class) = (key.bits, key.protocol, key.class);
                    put.execute(params![at, bits, target, out, protocol, class, bytes, packets, records])?;
                    if at < summed {
                        let at = at - at.rem_euclid(hour);
                        late.execute(params![
                            at, bits, target, out, protocol, class, bytes, packets, records
                        ])?;
                    }
                    written += 1;
                }
            }
        }
        tx.commit()?;
        Ok(written)
    }

    /// Hours that are over, from where the mark stands.
    fn sum_up(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let mut done = 0;
        for _ in 0..HOURS_AT_ONCE {
            let tx = self.db.transaction()?;
            let from = match mark(&tx, "hours")? {
                Some(at) => Some(at),
                None => {
                    tx.query_row("SELECT min(at) FROM minutes", [], |row| row.get::<_, Option<i64>>(0))?
                }
            };
            let hour = i64::try_from(HOUR.secs()).unwrap_or(i64::MAX);
            let Some(from) = from.map(|at| at - at.rem_euclid(hour)) else { break };
            let end = i64::try_from(now.minus(GRACE).secs()).unwrap_or(i64::MAX);
            if from.saturating_add(hour) > end {
                break;
            }
            // Over a long absence it goes on where there is something again.
            let next: Option<i64> = tx
                .query_row("SELECT min(at) FROM minutes WHERE at >= ?1", [from], |row| row.get(0))
                .optional()?
                .flatten();
            let last = end - end.rem_euclid(hour);
            let from = next.map_or(last, |next| (next - next.rem_euclid(hour)).min(last));
            let to = if from < last { from + hour } else { last };
            if from < last {
                one_hour(&tx, from, to)?;
                done += 1;
            }
            tx.execute(
                "INSERT INTO marks VALUES ('hours', ?1) ON CONFLICT DO UPDATE SET at = excluded.at",
                [to],
            )?;
            tx.commit()?;
            if from >= last {
                break;
            }
        }
        Ok(done)
    }

    fn delete(&self, table: &str, before: Timestamp) -> Result<u64, StoreError> {
        let at = i64::try_from(before.secs()).unwrap_or(i64::MAX);
        // What is deleted at once is bounded by whole instants.
        let last: Option<i64> = self
            .db
            .query_row(
                &format!("SELECT at FROM {table} WHERE at < ?1 ORDER BY at LIMIT 1 OFFSET {DELETED_AT_ONCE}"),
                [at],
                |row| row.get(0),
            )
            .optional()?;
        let sql = format!("DELETE FROM {table} WHERE at < ?1");
        let gone = self.db.execute(&sql, [last.map_or(at, |last| at.min(last.saturating_add(1)))])?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}

/// Sums the minutes of an hour up. Hosts without room go to the network whose lines may be there already.
fn one_hour(tx: &Transaction<'_>, from: i64, to: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM hours WHERE at = ?1", [from])?;
    tx.execute(
        "INSERT INTO hours
         SELECT ?1, bits, target, direction, protocol, class, sum(bytes), sum(packets), sum(records)
         FROM minutes WHERE at >= ?1 AND at < ?2 GROUP BY bits, target, direction, protocol, class",
        [from, to],
    )?;
    let rest = {
        let mut query = tx.prepare(
            "SELECT target, direction, protocol, class, bytes, packets, records FROM hours
             WHERE at = ?1 AND bits = ?2 ORDER BY bytes DESC, target, direction, protocol, class LIMIT -1 OFFSET ?3",
        )?;
        let rows = query.query_map(params![from, HOST, HOUR_HOSTS_MAX], |row| {
            Ok((
                row.get::<_, [u8; 16]>(0)?,
                row.get::<_, u8>(1)?,
                row.get::<_, u8>(2)?,
                row.get::<_, String>(3)?,
                [row.get::<_, i64>(4)?, row.get(5)?, row.get(6)?],
            ))
        })?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    let mut gone = tx.prepare(
        "DELETE FROM hours WHERE at = ?1 AND bits = ?2 AND target = ?3 AND direction = ?4 AND protocol = ?5 AND class = ?6",
    )?;
    let mut put = tx.prepare(&upsert("hours"))?;
    for (target, direction, protocol, class, [bytes, packets, records]) in rest {
        gone.execute(params![from, HOST, target, direction, protocol, class])?;
        let wide = u128::from_be_bytes(target);
        let bits: u8 = if wide >> 32 == 0xffff { 120 } else { 48 };
        let network = wide & u128::MAX.checked_shl(u32::from(HOST - bits)).unwrap_or(0);
        let network = network.to_be_bytes();
        put.execute(params![from, bits, network, direction, protocol, class, bytes, packets, records])?;
    }
    Ok(())
}

fn upsert(table: &str) -> String {
    format!(
        "INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes, packets = packets + excluded.packets,
         records = records + excluded.records"
    )
}

fn clamped(number: u64) -> i64 {
    i64::try_from(number.min(SUM_MAX)).unwrap_or(i64::MAX)
}

fn mark(db: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    Ok(db.query_row("SELECT at FROM marks WHERE name = ?1", [name], |row| row.get(0)).optional()?)
}

/// One line of the file.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) target: u128,
    pub(super) bits: u8,
    pub(super) direction: Direction,
    pub(super) protocol: u8,
    pub(super) class: String,
    pub(super) sum: Sum,
}

/// Somebody who looks on.
#[derive(Debug)]
pub(super) struct Reader {
    db: Connection,
}

/// What the file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The first minute that was ever written.
    pub(super) since: Option<Timestamp>,
    /// Before it, hours are summed up.
    pub(super) hours: Option<Timestamp>,
    /// The oldest and the newest minute that are there.
    pub(super) minutes: Option<(Timestamp, Timestamp)>,
    /// The oldest hour that is there.
    pub(super) oldest_hour: Option<Timestamp>,
}

impl Reader {
    /// Opens an existing file and stays with what it holds now.
    pub(super) fn open(file: &Path) -> Result<Self, StoreError> {
        let open = |cause| StoreError::Open { path: file.to_path_buf(), cause };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(file, flags).map_err(open)?;
        db.busy_timeout(std::time::Duration::from_millis(500)).map_err(open)?;
        db.execute_batch("BEGIN").map_err(open)?;
        Ok(Self { db })
    }

    pub(super) fn marks(&self) -> Result<Marks, StoreError> {
        let at = |secs: i64| Timestamp::from_secs(u64::try_from(secs).unwrap_or(0));
        let end = |of: &str| -> Result<Option<i64>, StoreError> {
            Ok(self.db.query_row(&format!("SELECT {of}"), [], |row| row.get(0)).optional()?.flatten())
        };
        // Each alone, for then it is one step down the index.
        let (first, last) = (end("min(at) FROM minutes")?, end("max(at) FROM minutes")?);
        Ok(Marks {
            since: mark(&self.db, "since")?.map(at),
            hours: mark(&self.db, "hours")?.map(at),
            minutes: first.map(at).zip(last.map(at)),
            oldest_hour: end("min(at) FROM hours")?.map(at),
        })
    }

    /// Who reads minutes, or hours.
    pub(super) fn cursor(&self, hours: bool) -> Result<Cursor<'_>, StoreError> {
        let table = if hours { "hours" } else { "minutes" };
        let select = "SELECT target, bits, direction, protocol, class, bytes, packets, records";
        Ok(Cursor {
            wide: self.db.prepare(&format!("{select} FROM {table} WHERE at = ?1 AND bits < {HOST}"))?,
            hosts: self.db.prepare(&format!(
                "{select} FROM {table} WHERE at = ?1 AND bits = {HOST} AND target BETWEEN ?2 AND ?3"
            ))?,
        })
    }
}

/// Reads lines instant by instant.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    wide: Statement<'a>,
    hosts: Statement<'a>,
}

impl Cursor<'_> {
    /// Lines of one instant: hosts within these ranges, and all that are no hosts.
    pub(super) fn lines(
        &mut self,
        at: Timestamp,
        ranges: &[(u128, u128)],
        show: &mut dyn FnMut(Line),
    ) -> Result<(), StoreError> {
        let at = i64::try_from(at.secs()).unwrap_or(i64::MAX);
        for line in self.wide.query_map([at], line)? {
            show(line?);
        }
        for (low, high) in ranges {
            for line in self.hosts.query_map(params![at, low.to_be_bytes(), high.to_be_bytes()], line)? {
                show(line?);
            }
        }
        Ok(())
    }
}

fn line(row: &rusqlite::Row<'_>) -> rusqlite::Result<Line> {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Line {
        target: u128::from_be_bytes(row.get(0)?),
        bits: row.get(1)?,
        direction: if row.get::<_, u8>(2)? == 0 { Direction::In } else { Direction::Out },
        protocol: row.get(3)?,
        class: row.get(4)?,
        sum: Sum { bytes: number(row.get(5)?), packets: number(row.get(6)?), samples: number(row.get(7)?) },
    })
}
