//! Looking on while the writer writes.

use std::path::Path;
use std::time::Duration;

use base::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::StoreError;
use crate::writer::{nanos, time};

/// How long a query waits for a checkpoint.
const BUSY_MAX: Duration = Duration::from_millis(500);

/// A place in the list of attacks, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Start of the last attack seen.
    pub started_at: Timestamp,
    /// Its id.
    pub id: String,
}

/// Which attacks are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those behind this place.
    pub after: Option<Cursor>,
}

/// A connection that only reads.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// Opens an existing database.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |cause| StoreError::Open { path: path.to_path_buf(), cause };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(open)?;
        db.busy_timeout(BUSY_MAX).map_err(open)?;
        Ok(Self { db })
    }

    /// At most `limit` attacks as (start, id, document), newest first.
    pub fn attacks(&self, filter: &Filter, limit: u32) -> Result<Vec<(Cursor, String)>, StoreError> {
        let (at, id) = filter
            .after
            .as_ref()
            .map_or((i64::MAX, ""), |cursor| (nanos(cursor.started_at), cursor.id.as_str()));
        let mut query = self.db.prepare(
            "SELECT started_at, id, document FROM attacks
             WHERE (started_at < ?1 OR (started_at = ?1 AND id > ?2)) AND (?3 IS NULL OR state = ?3)
             ORDER BY started_at DESC, id LIMIT ?4",
        )?;
        let rows = query.query_map(params![at, id, filter.state, limit], |row| {
            Ok((Cursor { started_at: time(row.get(0)?), id: row.get(1)? }, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One attack's document.
    pub fn attack(&self, id: &str) -> Result<Option<String>, StoreError> {
        let mut query = self.db.prepare("SELECT document FROM attacks WHERE id = ?1")?;
        Ok(query.query_row([id], |row| row.get(0)).optional()?)
    }

    /// Documents of the attacks that no end was stored for, by id.
    pub fn open_attacks(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut query =
            self.db.prepare("SELECT id, document FROM attacks WHERE state <> 'over' ORDER BY id")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Documents of the rules that one attack has or had in the kernel, by id.
    pub fn rules_of(&self, attack: &str) -> Result<Vec<String>, StoreError> {
        let mut query = self.db.prepare("SELECT document FROM rules WHERE attack = ?1 ORDER BY id")?;
        let rows = query.query_map([attack], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// At most `limit` rules as (attack, document), those with the latest end first.
    pub fn rules(&self, limit: u32) -> Result<Vec<(String, String)>, StoreError> {
        let mut query = self
            .db
            .prepare("SELECT attack, document FROM rules ORDER BY expires_at DESC, attack, id LIMIT ?1")?;
        let rows = query.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
