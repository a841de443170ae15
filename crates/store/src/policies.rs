//! What people decided while the daemon ran — modes, allowed sources, exceptions, rules of their own — in a file of its own: an
//! entry is on the disk before it holds, and is there again after a crash.

use std::path::Path;

use base::Timestamp;
use rusqlite::{Connection, params};

use crate::writer::nanos;
use crate::{Durability, StoreError, open};

/// Name of the file inside the state folder.
pub(crate) const FILE: &str = "policy.db";

/// One step each, never edited once released.
pub(crate) const STEPS: &[&str] = &["
    CREATE TABLE entries (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again
        until       INTEGER,                            -- nanoseconds since 1970; none: until somebody ends it
        document    TEXT NOT NULL                       -- JSON
    ) STRICT;
"];

/// Entries of one state folder.
#[derive(Debug)]
pub struct Policies {
    db: Connection,
}

impl Policies {
    /// Opens the file in this folder, made and migrated when needed.
    ///
    /// # Errors
    /// When the file cannot be used, or a newer build wrote it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        // what somebody was told to hold must not be lost with the power
        Ok(Self { db: open(&folder.join(FILE), STEPS, Durability::Whole)? })
    }

    /// All entries by number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn all(&self) -> Result<Vec<(u64, String)>, StoreError> {
        let mut query = self.db.prepare("SELECT id, document FROM entries ORDER BY id")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let read = rows.map(|row| row.map(|(id, document)| (id.unsigned_abs(), document)));
        Ok(read.collect::<Result<_, _>>()?)
    }

    /// Takes away the entries of `gone`, and adds one; gives its number.
    ///
    /// # Errors
    /// When the disk does not take it: then nothing has changed.
    pub fn add(&mut self, gone: &[u64], until: Option<Timestamp>, document: &str) -> Result<u64, StoreError> {
        let tx = self.db.transaction()?;
        for id in gone {
            tx.execute("DELETE FROM entries WHERE id = ?1", [signed(*id)])?;
        }
        tx.execute(
            "INSERT INTO entries (until, document) VALUES (?1, ?2)",
            params![until.map(nanos), document],
        )?;
        let id = tx.last_insert_rowid().unsigned_abs();
        tx.commit()?;
        Ok(id)
    }

    /// Writes an entry anew.
    ///
    /// # Errors
    /// When the disk does not take it: then nothing has changed.
    pub fn change(&mut self, id: u64, until: Option<Timestamp>, document: &str) -> Result<(), StoreError> {
        self.db.execute(
            "UPDATE entries SET until = ?2, document = ?3 WHERE id = ?1",
            params![signed(id), until.map(nanos), document],
        )?;
        Ok(())
    }

    /// Takes entries away.
    ///
    /// # Errors
    /// When the disk does not take it: then nothing has changed.
    pub fn remove(&mut self, gone: &[u64]) -> Result<(), StoreError> {
        let tx = self.db.transaction()?;
        for id in gone {
            tx.execute("DELETE FROM entries WHERE id = ?1", [signed(*id)])?;
        }
        Ok(tx.commit()?)
    }
}

/// SQLite's integers are signed, and it gave these numbers itself.
fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_again_and_numbers_are_not_used_twice() {
        let folder = std::env::temp_dir().join(format!("spillway-policies-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut file = Policies::open(&folder).unwrap();
        let until = Some(Timestamp::from_secs(9));
        assert_eq!((file.add(&[], None, "a").unwrap(), file.add(&[], until, "b").unwrap()), (1, 2));
        file.change(1, until, "c").unwrap();
        file.remove(&[2]).unwrap();
        drop(file);
        let mut file = Policies::open(&folder).unwrap();
        assert_eq!(file.all().unwrap(), [(1, "c".to_owned())]);
        assert_eq!(file.add(&[1], None, "d").unwrap(), 3);
        assert_eq!(file.all().unwrap(), [(3, "d".to_owned())]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
