//! Sessions of browsers: a cookie that scripts cannot read, and a word that other sites cannot know.

use base::{Span, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use crate::db::nanos;
use crate::users::{find, missing};
use crate::{Access, AccessError, Actor, Via, secret};

/// How long a session lasts, in seconds.
pub const SESSION_SECS: u64 = 12 * 3_600;
/// Sessions of one user at a time; the oldest ends.
const SESSIONS_MAX: u32 = 20;

/// A session that was just opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// For the cookie.
    pub cookie: String,
    /// For the header of requests that change something.
    pub csrf: String,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Access {
    /// Opens one. Who it is was checked before.
    ///
    /// # Errors
    /// There is no such user.
    pub fn open_session(&self, user: &str, now: Timestamp) -> Result<Opened, AccessError> {
        let (cookie, csrf) = (secret::random::<32>()?, secret::random::<32>()?);
        let expires_at = now.plus(Span::from_secs(SESSION_SECS));
        let mut db = self.db();
        let tx = db.transaction()?;
        if find(&tx, user)?.is_none() {
            return Err(missing(user));
        }
        tx.execute("DELETE FROM sessions WHERE expires_at <= ?1", [nanos(now)])?;
        tx.execute(
            "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5)",
            params![secret::hash(&cookie), user, secret::hash(&csrf), nanos(now), nanos(expires_at)],
        )?;
        tx.execute(
            "DELETE FROM sessions WHERE user = ?1 AND hash NOT IN
             (SELECT hash FROM sessions WHERE user = ?1 ORDER BY created_at DESC LIMIT ?2)",
            params![user, SESSIONS_MAX],
        )?;
        tx.commit()?;
        Ok(Opened { cookie, csrf, expires_at })
    }

    /// Who comes with this cookie, if it holds.
    ///
    /// # Errors
    /// The database refuses.
    pub fn by_session(&self, cookie: &str, now: Timestamp) -> Result<Option<Actor>, AccessError> {
        let db = self.db();
        let found: Option<(String, [u8; 32])> = db
            .prepare("SELECT user, csrf FROM sessions WHERE hash = ?1 AND expires_at > ?2")?
            .query_row(params![secret::hash(cookie), nanos(now)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((name, csrf)) = found else { return Ok(None) };
        let user = find(&db, &name)?;
        Ok(user.map(|user| Actor::new(user.name, Via::Session { csrf }, user.role, user.prefixes)))
    }

    /// Ends one.
    ///
    /// # Errors
    /// The database refuses.
    pub fn close_session(&self, cookie: &str) -> Result<(), AccessError> {
        self.db().execute("DELETE FROM sessions WHERE hash = ?1", params![secret::hash(cookie)])?;
        Ok(())
    }
}

impl Actor {
    /// Whether a request of this actor that changes something was made on purpose: a browser sends cookies by itself, so there
    /// the word must come, too.
    pub fn meant_it(&self, word: Option<&str>) -> bool {
        match &self.via {
            Via::Session { csrf } => word.is_some_and(|word| secret::is(csrf, word)),
            Via::Anonymous | Via::Token(_) | Via::Local => true,
        }
    }
}
