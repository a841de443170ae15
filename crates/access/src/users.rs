//! Who there is.

use base::{Prefix, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::db::{nanos, time};
use crate::role::Role;
use crate::{Access, AccessError, Issue, check_name, password, scope};

/// Users at most.
const USERS_MAX: u32 = 10_000;
/// Prefixes of one user at most.
const PREFIXES_MAX: usize = 1_000;

/// Somebody, or some program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What a customer sees.
    pub prefixes: Vec<Prefix>,
    /// Whether it can log in; without a password it has tokens only.
    pub password: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// The administrator that a fresh file gets.
#[derive(Clone, Debug)]
pub struct First {
    /// Its name.
    pub user: &'static str,
    /// A token of its own, which nothing shows again.
    pub token: String,
}

impl Access {
    /// Where there is no user yet: an administrator with a token.
    ///
    /// # Errors
    /// The database refuses.
    pub fn first(&self, now: Timestamp) -> Result<Option<First>, AccessError> {
        let any: bool = self.db().query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |row| row.get(0))?;
        if any {
            return Ok(None);
        }
        self.add_user("admin", Role::Admin, &[], None, now)?;
        let issue = Issue { user: "admin".to_owned(), label: "first run".to_owned(), ..Issue::default() };
        Ok(Some(First { user: "admin", token: self.issue(&issue, now)?.secret }))
    }

    /// Adds one.
    ///
    /// # Errors
    /// The name is none or taken, a customer without prefixes, or prefixes without a customer.
    pub fn add_user(
        &self,
        name: &str,
        role: Role,
        prefixes: &[Prefix],
        password: Option<&str>,
        now: Timestamp,
    ) -> Result<User, AccessError> {
        check_name(name)?;
        check_prefixes(Some(role), prefixes)?;
        let hash = password.map(password::hash).transpose()?;
        let db = self.db();
        let count: u32 = db.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
        if count >= USERS_MAX {
            return Err(AccessError::Conflict(format!("there are {USERS_MAX} users already: remove some")));
        }
        let added = db.execute(
            "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            params![name, role.name(), scope::text(prefixes), hash, nanos(now)],
        )?;
        if added == 0 {
            return Err(AccessError::Conflict(format!("there is a user {name} already")));
        }
        let prefixes = prefixes.to_vec();
        Ok(User { name: name.to_owned(), role, prefixes, password: hash.is_some(), created_at: now })
    }

    /// Gives another password; sessions of the user end.
    ///
    /// # Errors
    /// There is no such user, or the password is none.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), AccessError> {
        let hash = password::hash(password)?;
        let mut db = self.db();
        let tx = db.transaction()?;
        if tx.execute("UPDATE users SET password = ?2 WHERE name = ?1", [name, &hash])? == 0 {
            return Err(missing(name));
        }
        tx.execute("DELETE FROM sessions WHERE user = ?1", [name])?;
        Ok(tx.commit()?)
    }

    /// Gives another role; sessions of the user end. The last administrator stays one.
    ///
    /// # Errors
    /// There is no such user, a customer without prefixes, prefixes without a customer, or nobody would be left who can add one.
    pub fn set_role(&self, name: &str, role: Role, prefixes: &[Prefix]) -> Result<User, AccessError> {
        check_prefixes(Some(role), prefixes)?;
        let mut db = self.db();
        let tx = db.transaction()?;
        let user = find(&tx, name)?.ok_or_else(|| missing(name))?;
        if role != Role::Admin {
            stays(&tx, &user)?;
        }
        tx.execute(
            "UPDATE users SET role = ?2, prefixes = ?3 WHERE name = ?1",
            [name, role.name(), &scope::text(prefixes)],
        )?;
        tx.execute("DELETE FROM sessions WHERE user = ?1", [name])?;
        tx.commit()?;
        Ok(User { role, prefixes: prefixes.to_vec(), ..user })
    }

    /// Removes one with all its tokens and sessions. The last administrator stays.
    ///
    /// # Errors
    /// There is no such user, or nobody would be left who can add one.
    pub fn remove_user(&self, name: &str) -> Result<User, AccessError> {
        let mut db = self.db();
        let tx = db.transaction()?;
        let user = find(&tx, name)?.ok_or_else(|| missing(name))?;
        stays(&tx, &user)?;
        tx.execute("DELETE FROM users WHERE name = ?1", [name])?;
        tx.commit()?;
        Ok(user)
    }

    /// One of them.
    ///
    /// # Errors
    /// The database refuses.
    pub fn user(&self, name: &str) -> Result<Option<User>, AccessError> {
        find(&self.db(), name)
    }

    /// At most `limit` of them behind this name, by name.
    ///
    /// # Errors
    /// The database refuses.
    pub fn users(&self, after: &str, limit: u32) -> Result<Vec<User>, AccessError> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT name, role, prefixes, password IS NOT NULL, created_at FROM users WHERE name > ?1 ORDER BY name LIMIT ?2",
        )?;
        let rows = query.query_map(params![after, limit], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Whether this is the user's password. Costs the same whoever is named.
    ///
    /// # Errors
    /// The database refuses.
    pub fn is_password(&self, name: &str, guess: &str) -> Result<bool, AccessError> {
        let kept: Option<String> = self
            .db()
            .prepare("SELECT password FROM users WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?
            .flatten();
        // not under the lock: it takes tens of milliseconds
        Ok(password::is(kept.as_deref(), guess))
    }
}

pub(crate) fn missing(name: &str) -> AccessError {
    AccessError::Missing(format!("there is no user {name}"))
}

/// A customer has prefixes, and nobody else has.
pub(crate) fn check_prefixes(role: Option<Role>, prefixes: &[Prefix]) -> Result<(), AccessError> {
    let scoped = role.is_some_and(Role::is_scoped);
    match (scoped, prefixes.len()) {
        (true, 0) => {
            Err(AccessError::Conflict("a customer sees prefixes of its own: name at least one".to_owned()))
        }
        (false, 1..) => {
            Err(AccessError::Conflict("only a customer has prefixes; others see everything".to_owned()))
        }
        (_, count) if count > PREFIXES_MAX => {
            Err(AccessError::Conflict(format!("at most {PREFIXES_MAX} prefixes; name covering ones")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn find(db: &Connection, name: &str) -> Result<Option<User>, AccessError> {
    let mut query = db.prepare(
        "SELECT name, role, prefixes, password IS NOT NULL, created_at FROM users WHERE name = ?1",
    )?;
    query.query_row([name], |row| Ok(read(row))).optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<User, AccessError> {
    Ok(User {
        name: row.get(0)?,
        role: role(&row.get::<_, String>(1)?)?,
        prefixes: scope::parse(&row.get::<_, String>(2)?),
        password: row.get(3)?,
        created_at: time(row.get(4)?),
    })
}

pub(crate) fn role(text: &str) -> Result<Role, AccessError> {
    text.parse().map_err(AccessError::Wrong)
}

/// Somebody is left who can add users, where this one is an administrator no longer.
fn stays(db: &Connection, user: &User) -> Result<(), AccessError> {
    let others: u32 = db.query_row(
        "SELECT count(*) FROM users WHERE role = ?1 AND name <> ?2",
        [Role::Admin.name(), &user.name],
        |row| row.get(0),
    )?;
    if user.role == Role::Admin && others == 0 {
        return Err(AccessError::Conflict(format!(
            "{} is the last administrator: add another one first",
            user.name
        )));
    }
    Ok(())
}
