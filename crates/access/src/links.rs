//! Links that open one session, once, within minutes: for a browser that shall not be asked for a password.

use base::{Span, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use crate::db::nanos;
use crate::users::{find, missing};
use crate::{Access, AccessError, secret};

/// How long a link can be used, in seconds.
pub const LINK_SECS: u64 = 600;
/// Links of one user at a time; those that end first go.
const LINKS_MAX: u32 = 8;

/// A link that was just made.
#[derive(Clone, Debug)]
pub struct Link {
    /// What opens the session; nothing shows it again.
    pub secret: String,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Access {
    /// Makes one for this user.
    ///
    /// # Errors
    /// There is no such user.
    pub fn make_link(&self, user: &str, now: Timestamp) -> Result<Link, AccessError> {
        let secret = secret::random::<32>()?;
        let expires_at = now.plus(Span::from_secs(LINK_SECS));
        let mut db = self.db();
        let tx = db.transaction()?;
        if find(&tx, user)?.is_none() {
            return Err(missing(user));
        }
        tx.execute("DELETE FROM links WHERE expires_at <= ?1", [nanos(now)])?;
        tx.execute(
            "DELETE FROM links WHERE user = ?1 AND hash NOT IN
             (SELECT hash FROM links WHERE user = ?1 ORDER BY expires_at DESC LIMIT ?2)",
            params![user, LINKS_MAX - 1],
        )?;
        let row = params![secret::hash(&secret), user, nanos(expires_at)];
        tx.execute("INSERT INTO links VALUES (?1, ?2, ?3)", row)?;
        tx.commit()?;
        Ok(Link { secret, expires_at })
    }

    /// Whose link this is, if it holds. It never does again.
    ///
    /// # Errors
    /// The database refuses.
    pub fn use_link(&self, secret: &str, now: Timestamp) -> Result<Option<String>, AccessError> {
        let found: Option<(String, i64)> = self
            .db()
            .prepare("DELETE FROM links WHERE hash = ?1 RETURNING user, expires_at")?
            .query_row(params![secret::hash(secret)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.filter(|(_, expires_at)| *expires_at > nanos(now)).map(|(user, _)| user))
    }
}
