//! Who did what, and why: only added to. What was asked stands there before it is done, and what came of it after.

use base::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::db::{nanos, time};
use crate::{Access, AccessError, Actor};

/// Something that is about to be done.
#[derive(Clone, Debug, Default)]
pub struct Deed {
    /// From where.
    pub address: String,
    /// What, in a word or two: `mitigation.announce`.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why.
    pub reason: String,
    /// What was, as JSON.
    pub before: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// Whether it was done.
    pub done: bool,
    /// Why not.
    pub said: Option<String>,
    /// What is, as JSON.
    pub after: Option<String>,
}

/// A line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number.
    pub number: i64,
    /// When it was asked.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// In which role.
    pub role: String,
    /// How they made themselves known.
    pub via: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why.
    pub reason: String,
    /// What was, as JSON.
    pub before: Option<String>,
    /// What came of it; `None`: the process ended before it knew.
    pub outcome: Option<Outcome>,
}

impl Access {
    /// Writes down what is about to be done; its number is for [`Access::came_of`].
    ///
    /// # Errors
    /// The database refuses: then it should not be done.
    pub fn about_to(&self, actor: &Actor, deed: &Deed, now: Timestamp) -> Result<i64, AccessError> {
        let db = self.db();
        db.prepare(
            "INSERT INTO audit (at, actor, role, via, address, action, object, reason, before)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            nanos(now),
            actor.name,
            actor.role(),
            actor.via.name(),
            deed.address,
            deed.action,
            deed.object,
            deed.reason,
            deed.before
        ])?;
        Ok(db.last_insert_rowid())
    }

    /// Writes down what came of it.
    ///
    /// # Errors
    /// The database refuses, or it stands there already.
    pub fn came_of(&self, number: i64, outcome: &Outcome) -> Result<(), AccessError> {
        self.db().prepare("INSERT INTO outcomes VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            number,
            nanos(outcome.at),
            outcome.done,
            outcome.said,
            outcome.after
        ])?;
        Ok(())
    }

    /// At most `limit` lines before this number, newest first.
    ///
    /// # Errors
    /// The database refuses.
    pub fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<Entry>, AccessError> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT a.number, a.at, a.actor, a.role, a.via, a.address, a.action, a.object, a.reason, a.before,
                    o.at, o.done, o.said, o.after
             FROM audit a LEFT JOIN outcomes o ON o.number = a.number
             WHERE a.number < ?1 ORDER BY a.number DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![before.unwrap_or(i64::MAX), limit], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// At most `limit` lines about an object that were done, newest first.
    ///
    /// # Errors
    /// The database refuses.
    pub fn audited_of(&self, action: &str, object: &str, limit: u32) -> Result<Vec<Entry>, AccessError> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT a.number, a.at, a.actor, a.role, a.via, a.address, a.action, a.object, a.reason, a.before,
                    o.at, o.done, o.said, o.after
             FROM audit a JOIN outcomes o ON o.number = a.number
             WHERE a.action = ?1 AND a.object = ?2 AND o.done ORDER BY a.number DESC LIMIT ?3",
        )?;
        let rows = query.query_map(params![action, object, limit], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The last line's number.
    ///
    /// # Errors
    /// The database refuses.
    pub fn audited(&self) -> Result<i64, AccessError> {
        let last = self
            .db()
            .prepare("SELECT number FROM audit ORDER BY number DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(last.unwrap_or(0))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let outcome = match row.get::<_, Option<i64>>(10)? {
        None => None,
        Some(at) => {
            Some(Outcome { at: time(at), done: row.get(11)?, said: row.get(12)?, after: row.get(13)? })
        }
    };
    Ok(Entry {
        number: row.get(0)?,
        at: time(row.get(1)?),
        actor: row.get(2)?,
        role: row.get(3)?,
        via: row.get(4)?,
        address: row.get(5)?,
        action: row.get(6)?,
        object: row.get(7)?,
        reason: row.get(8)?,
        before: row.get(9)?,
        outcome,
    })
}
