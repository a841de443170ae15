//! The outbox of notifications: what is to be told stands here before it is sent, and until somebody took it.

use std::collections::BTreeMap;
use std::path::Path;

use base::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Transaction, params};

use crate::writer::{BUSY_MAX, nanos, time};
use crate::{Durability, StoreError, schema};

/// Name of the file inside the state folder.
const FILE: &str = "notify.db";
/// Messages that could not be delivered and are kept to be looked at, by channel; the oldest go first.
const DEAD_MAX: u32 = 100;

/// Something that a channel is to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRow {
    /// Its number, from 1; given by the outbox.
    pub number: u64,
    /// Who is to hear of it.
    pub channel: String,
    /// When it happened.
    pub at: Timestamp,
    /// What is kept longest when there is no room: the highest.
    pub rank: u8,
    /// It takes the place of a waiting event of the channel that says the same here.
    pub replaces: Option<String>,
    /// The event as JSON.
    pub document: String,
}

/// What was told of an attack that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRow {
    /// The attack's id.
    pub attack: String,
    /// The highest severity that was told.
    pub severity: String,
    /// When.
    pub at: Timestamp,
    /// What was told, as JSON.
    pub document: String,
}

/// A message on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageRow {
    /// Its number; given by the outbox.
    pub number: u64,
    /// By which channel it goes.
    pub channel: String,
    /// Its id, the same for good.
    pub id: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The highest of its events'.
    pub rank: u8,
    /// Attempts that failed.
    pub attempts: u32,
    /// Not before.
    pub next_at: Timestamp,
    /// The first failure.
    pub failed_since: Option<Timestamp>,
    /// When it was given up.
    pub dead_at: Option<Timestamp>,
    /// What the other side, or the network, said last.
    pub answer: Option<String>,
    /// The message as JSON.
    pub document: String,
}

/// What waits for a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Events that are in no message yet.
    pub events: u64,
    /// Messages on their way.
    pub messages: u64,
    /// Messages that were given up.
    pub dead: u64,
}

/// The one writer of the outbox.
#[derive(Debug)]
pub struct Outbox {
    db: Connection,
}

impl Outbox {
    /// Opens it in `folder`, made and migrated when needed.
    ///
    /// # Errors
    /// When the file cannot be used, or a newer build wrote it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { db: schema::open(&folder.join(FILE), schema::OUTBOX, Durability::Ordered)? })
    }

    /// Another pair of eyes on an outbox that is there; `None`: nothing was ever to be told.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let open = |cause| StoreError::Open { path: path.clone(), cause };
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(open)?;
        db.busy_timeout(BUSY_MAX).map_err(open)?;
        Ok(Some(Self { db }))
    }

    /// Writes events and what is told of attacks, all of it or nothing. Where a channel has more waiting than its cap, what
    /// has the lowest rank goes, the oldest first; gives how much of each channel went.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put(
        &mut self,
        events: &[EventRow],
        told: &[ToldRow],
        forgotten: &[String],
        caps: &BTreeMap<String, u64>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let tx = self.db.transaction()?;
        for event in events {
            if let Some(replaces) = &event.replaces {
                tx.execute(
                    "DELETE FROM events WHERE channel = ?1 AND replaces = ?2",
                    [&event.channel, replaces],
                )?;
            }
            tx.execute(
                "INSERT INTO events (channel, at, rank, replaces, document) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![event.channel, nanos(event.at), event.rank, event.replaces, event.document],
            )?;
        }
        for row in told {
            tx.execute(
                "INSERT OR REPLACE INTO told VALUES (?1, ?2, ?3, ?4)",
                params![row.attack, row.severity, nanos(row.at), row.document],
            )?;
        }
        for attack in forgotten {
            tx.execute("DELETE FROM told WHERE attack = ?1", [attack])?;
        }
        let mut dropped = BTreeMap::new();
        for (channel, cap) in caps {
            let gone = trim(&tx, channel, *cap)?;
            if gone > 0 {
                dropped.insert(channel.clone(), gone);
            }
        }
        tx.commit()?;
        Ok(dropped)
    }

    /// What was told of attacks that go on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn told(&self) -> Result<Vec<ToldRow>, StoreError> {
        let mut query = self.db.prepare("SELECT attack, severity, at, document FROM told ORDER BY attack")?;
        let rows = query.query_map([], |row| {
            Ok(ToldRow {
                attack: row.get(0)?,
                severity: row.get(1)?,
                at: time(row.get(2)?),
                document: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Events of a channel that are in no message yet, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn events(&self, channel: &str, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let mut query = self.db.prepare(
            "SELECT number, channel, at, rank, replaces, document FROM events
             WHERE channel = ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = query.query_map(params![channel, limit], |row| {
            Ok(EventRow {
                number: unsigned(row.get(0)?),
                channel: row.get(1)?,
                at: time(row.get(2)?),
                rank: row.get(3)?,
                replaces: row.get(4)?,
                document: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// These events become these messages.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn form(&mut self, events: &[u64], messages: &[MessageRow]) -> Result<(), StoreError> {
        let tx = self.db.transaction()?;
        for number in events {
            tx.execute("DELETE FROM events WHERE number = ?1", [signed(*number)])?;
        }
        for message in messages {
            insert(&tx, message)?;
        }
        Ok(tx.commit()?)
    }

    /// The message of a channel that goes next; nothing else may overtake it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn head(&self, channel: &str) -> Result<Option<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {MESSAGE} FROM messages WHERE channel = ?1 AND dead_at IS NULL ORDER BY number LIMIT 1"
        );
        Ok(self.db.query_row(&sql, [channel], message).optional()?)
    }

    /// It arrived.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sent(&mut self, number: u64) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM messages WHERE number = ?1", [signed(number)])?;
        Ok(())
    }

    /// It did not, or it is given up: its attempts, times, answer and document are written as they are in `row`.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn failed(&mut self, row: &MessageRow) -> Result<(), StoreError> {
        let tx = self.db.transaction()?;
        tx.execute(
            "UPDATE messages SET attempts = ?2, next_at = ?3, failed_since = ?4, dead_at = ?5, answer = ?6, document = ?7
             WHERE number = ?1",
            params![
                signed(row.number),
                row.attempts,
                nanos(row.next_at),
                row.failed_since.map(nanos),
                row.dead_at.map(nanos),
                row.answer,
                row.document
            ],
        )?;
        if row.dead_at.is_some() {
            tx.execute(
                "DELETE FROM messages WHERE channel = ?1 AND dead_at IS NOT NULL AND number NOT IN
                 (SELECT number FROM messages WHERE channel = ?1 AND dead_at IS NOT NULL
                  ORDER BY number DESC LIMIT ?2)",
                params![row.channel, DEAD_MAX],
            )?;
        }
        Ok(tx.commit()?)
    }

    /// It goes by another channel from now on, with its id; gives how much went there for lack of room.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn hand_over(
        &mut self,
        row: &MessageRow,
        to: &str,
        now: Timestamp,
        cap: u64,
    ) -> Result<u64, StoreError> {
        let tx = self.db.transaction()?;
        tx.execute("DELETE FROM messages WHERE number = ?1", [signed(row.number)])?;
        let fresh = MessageRow {
            channel: to.to_owned(),
            attempts: 0,
            next_at: now,
            failed_since: None,
            dead_at: None,
            ..row.clone()
        };
        insert(&tx, &fresh)?;
        let gone = trim(&tx, to, cap)?;
        tx.commit()?;
        Ok(gone)
    }

    /// Lets go of messages that were given up before this time; gives how many.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn expire(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = self.db.execute("DELETE FROM messages WHERE dead_at < ?1", [nanos(before)])?;
        // The log still has what they said.
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Messages of a channel that were given up, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn dead(&self, channel: &str) -> Result<Vec<MessageRow>, StoreError> {
        let sql = format!(
            "SELECT {MESSAGE} FROM messages WHERE channel = ?1 AND dead_at IS NOT NULL ORDER BY number DESC"
        );
        let mut query = self.db.prepare(&sql)?;
        let rows = query.query_map([channel], message)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What waits, by channel.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn waiting(&self) -> Result<BTreeMap<String, Waiting>, StoreError> {
        let mut out: BTreeMap<String, Waiting> = BTreeMap::new();
        let mut query = self.db.prepare(
            "SELECT channel, 0, count(*) FROM events GROUP BY channel
             UNION ALL SELECT channel, 1 + (dead_at IS NOT NULL), count(*) FROM messages
             GROUP BY channel, dead_at IS NOT NULL",
        )?;
        let rows = query.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u8>(1)?, unsigned(row.get(2)?)))
        })?;
        for row in rows {
            let (channel, what, count) = row?;
            let waiting = out.entry(channel).or_default();
            match what {
                0 => waiting.events = count,
                1 => waiting.messages = count,
                _ => waiting.dead = count,
            }
        }
        Ok(out)
    }

    /// Forgets what waits for channels that are not among these; gives how much that was.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn keep(&mut self, channels: &[&str]) -> Result<u64, StoreError> {
        let known = self.waiting()?;
        let mut gone = 0;
        for (channel, waiting) in known.iter().filter(|(name, _)| !channels.contains(&name.as_str())) {
            self.db.execute("DELETE FROM events WHERE channel = ?1", [channel])?;
            self.db.execute("DELETE FROM messages WHERE channel = ?1", [channel])?;
            gone += waiting.events + waiting.messages;
        }
        Ok(gone)
    }
}

const MESSAGE: &str =
    "number, channel, id, made_at, rank, attempts, next_at, failed_since, dead_at, answer, document";

fn message(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    Ok(MessageRow {
        number: unsigned(row.get(0)?),
        channel: row.get(1)?,
        id: row.get(2)?,
        made_at: time(row.get(3)?),
        rank: row.get(4)?,
        attempts: row.get(5)?,
        next_at: time(row.get(6)?),
        failed_since: row.get::<_, Option<i64>>(7)?.map(time),
        dead_at: row.get::<_, Option<i64>>(8)?.map(time),
        answer: row.get(9)?,
        document: row.get(10)?,
    })
}

fn insert(tx: &Transaction<'_>, row: &MessageRow) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO messages (channel, id, made_at, rank, attempts, next_at, failed_since, dead_at, answer, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            row.channel,
            row.id,
            nanos(row.made_at),
            row.rank,
            row.attempts,
            nanos(row.next_at),
            row.failed_since.map(nanos),
            row.dead_at.map(nanos),
            row.answer,
            row.document
        ],
    )?;
    Ok(())
}

/// Lets go of what a channel has beyond its cap: events before messages, low ranks before high ones, the oldest first.
fn trim(tx: &Transaction<'_>, channel: &str, cap: u64) -> rusqlite::Result<u64> {
    let waiting: i64 = tx.query_row(
        "SELECT (SELECT count(*) FROM events WHERE channel = ?1)
              + (SELECT count(*) FROM messages WHERE channel = ?1 AND dead_at IS NULL)",
        [channel],
        |row| row.get(0),
    )?;
    let surplus = unsigned(waiting).saturating_sub(cap);
    if surplus == 0 {
        return Ok(0);
    }
    let gone = tx.execute(
        "DELETE FROM events WHERE number IN
         (SELECT number FROM events WHERE channel = ?1 ORDER BY rank, number LIMIT ?2)",
        params![channel, signed(surplus)],
    )?;
    let gone = u64::try_from(gone).unwrap_or(u64::MAX);
    let rest = tx.execute(
        "DELETE FROM messages WHERE number IN
         (SELECT number FROM messages WHERE channel = ?1 AND dead_at IS NULL ORDER BY rank, number LIMIT ?2)",
        params![channel, signed(surplus.saturating_sub(gone))],
    )?;
    Ok(gone + u64::try_from(rest).unwrap_or(u64::MAX))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
