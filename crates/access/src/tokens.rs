//! API tokens: `spw_ID_SECRET`, for programs. What is kept is the SHA-256 of the secret.

use base::{Prefix, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::db::{nanos, time};
use crate::role::Role;
use crate::users::{self, check_prefixes, find, role};
use crate::{Access, AccessError, Actor, Via, scope, secret};

/// How a token begins, so that scanners for lost secrets find it.
pub const TOKEN_PREFIX: &str = "spw_";
/// Tokens of one user at most.
const TOKENS_MAX: u32 = 100;
/// Octets of a label at most.
const LABEL_MAX: usize = 64;
/// Octets of `spw_ID_SECRET`.
const LENGTH: usize = TOKEN_PREFIX.len() + 16 + 1 + 64;

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its public part.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// A role within the user's; `None`: the user's own.
    pub role: Option<Role>,
    /// With the role customer: what it sees.
    pub prefixes: Vec<Prefix>,
    /// What it is for.
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; `None`: until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// What a token shall be.
#[derive(Clone, Debug, Default)]
pub struct Issue {
    /// Whose.
    pub user: String,
    /// Narrower than the user.
    pub role: Option<Role>,
    /// With the role customer.
    pub prefixes: Vec<Prefix>,
    /// What for.
    pub label: String,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// A new token.
#[derive(Clone, Debug)]
pub struct Issued {
    /// What is known of it.
    pub token: Token,
    /// All of it, which nothing shows again.
    pub secret: String,
}

impl Access {
    /// Makes one.
    ///
    /// # Errors
    /// There is no such user, it has too many, or what is asked for is wrong.
    pub fn issue(&self, issue: &Issue, now: Timestamp) -> Result<Issued, AccessError> {
        check_prefixes(issue.role, &issue.prefixes)?;
        if issue.label.len() > LABEL_MAX || issue.label.contains(|c: char| c.is_control()) {
            return Err(AccessError::Wrong(format!("a label has at most {LABEL_MAX} octets, on one line")));
        }
        if issue.expires_at.is_some_and(|at| at <= now) {
            return Err(AccessError::Wrong("a token that is over already is of no use".to_owned()));
        }
        let (id, key) = (secret::random::<8>()?, secret::random::<32>()?);
        let db = self.db();
        if find(&db, &issue.user)?.is_none() {
            return Err(users::missing(&issue.user));
        }
        let count: u32 =
            db.query_row("SELECT count(*) FROM tokens WHERE user = ?1", [&issue.user], |row| row.get(0))?;
        if count >= TOKENS_MAX {
            let message = format!("{} has {TOKENS_MAX} tokens already: revoke some", issue.user);
            return Err(AccessError::Conflict(message));
        }
        db.execute(
            "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                id,
                issue.user,
                issue.role.map(Role::name),
                scope::text(&issue.prefixes),
                issue.label,
                secret::hash(&key),
                nanos(now),
                issue.expires_at.map(nanos)
            ],
        )?;
        let secret = format!("{TOKEN_PREFIX}{id}_{key}");
        let token = Token {
            id,
            user: issue.user.clone(),
            role: issue.role,
            prefixes: issue.prefixes.clone(),
            label: issue.label.clone(),
            created_at: now,
            expires_at: issue.expires_at,
        };
        Ok(Issued { token, secret })
    }

    /// Ends one; `user`: only if it is this one's.
    ///
    /// # Errors
    /// There is no such token.
    pub fn revoke(&self, id: &str, user: Option<&str>) -> Result<Token, AccessError> {
        let missing = || AccessError::Missing(format!("there is no token {id}"));
        let token = self.token(id, user)?.ok_or_else(missing)?;
        if self.db().execute("DELETE FROM tokens WHERE id = ?1", [id])? == 0 {
            return Err(missing());
        }
        Ok(token)
    }

    /// One of them; `user`: only if it is this one's.
    ///
    /// # Errors
    /// The database refuses.
    pub fn token(&self, id: &str, user: Option<&str>) -> Result<Option<Token>, AccessError> {
        let db = self.db();
        let mut query = db.prepare(&format!("{SELECT} WHERE id = ?1 AND (?2 IS NULL OR user = ?2)"))?;
        query.query_row(params![id, user], |row| Ok(read(row))).optional()?.transpose()
    }

    /// At most `limit` tokens behind this id, by id; `user`: this one's alone.
    ///
    /// # Errors
    /// The database refuses.
    pub fn tokens(&self, user: Option<&str>, after: &str, limit: u32) -> Result<Vec<Token>, AccessError> {
        let db = self.db();
        let mut query = db
            .prepare(&format!("{SELECT} WHERE id > ?1 AND (?2 IS NULL OR user = ?2) ORDER BY id LIMIT ?3"))?;
        let rows = query.query_map(params![after, user, limit], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Who comes with this token, if it holds.
    ///
    /// # Errors
    /// The database refuses.
    pub fn by_token(&self, text: &str, now: Timestamp) -> Result<Option<Actor>, AccessError> {
        let parts = text.strip_prefix(TOKEN_PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, key)) = parts.filter(|_| text.len() == LENGTH) else { return Ok(None) };
        let db = self.db();
        let kept: Option<(Vec<u8>, Result<Token, AccessError>)> = db
            .prepare(
                "SELECT id, user, role, prefixes, label, created_at, expires_at, hash FROM tokens WHERE id = ?1",
            )?
            .query_row([id], |row| Ok((row.get(7)?, read(row))))
            .optional()?;
        let Some((hash, token)) = kept else { return Ok(None) };
        let token = token?;
        let over = token.expires_at.is_some_and(|at| at <= now);
        if over || !secret::is(&hash, key) {
            return Ok(None);
        }
        let Some(user) = find(&db, &token.user)? else { return Ok(None) };
        let actor = Actor::new(user.name, Via::Token(token.id), user.role, user.prefixes);
        Ok(Some(match token.role {
            Some(role) => actor.narrowed(role, token.prefixes),
            None => actor,
        }))
    }
}

const SELECT: &str = "SELECT id, user, role, prefixes, label, created_at, expires_at FROM tokens";

fn read(row: &Row<'_>) -> Result<Token, AccessError> {
    let own: Option<String> = row.get(2)?;
    Ok(Token {
        id: row.get(0)?,
        user: row.get(1)?,
        role: own.as_deref().map(role).transpose()?,
        prefixes: scope::parse(&row.get::<_, String>(3)?),
        label: row.get(4)?,
        created_at: time(row.get(5)?),
        expires_at: row.get::<_, Option<i64>>(6)?.map(time),
    })
}
