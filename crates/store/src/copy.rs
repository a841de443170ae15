//! Copies of databases that others write meanwhile, and what is known of their schemas.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::writer::BUSY_MAX;
use crate::{StoreError, policies, schema};

/// Copies a database into a new file, as it is at one instant: readers and its writer go on. Gives the number of its schema.
///
/// # Errors
/// The database cannot be read, or the new file is there already or cannot be written.
pub fn copy(from: &Path, to: &Path) -> Result<u32, StoreError> {
    let db = look(from)?;
    let target = to.to_string_lossy();
    db.execute("VACUUM INTO ?1", [target.as_ref()])?;
    version(&db)
}

/// Reads all of a database: the number of its schema, or what is wrong with it.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn examine(path: &Path) -> Result<u32, StoreError> {
    let db = look(path)?;
    let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { version(&db) } else { Err(StoreError::Damaged { path: path.to_path_buf(), said }) }
}

/// The newest schema of a file of this name that this build knows; `None`: it knows no such file.
pub fn known(name: &str) -> Option<u32> {
    let steps = match name {
        "spillway.db" => schema::ATTACKS,
        "routing.db" | "dns.db" => schema::JOURNAL,
        "notify.db" => schema::OUTBOX,
        policies::FILE => policies::STEPS,
        _ => return None,
    };
    u32::try_from(steps.len()).ok()
}

fn look(path: &Path) -> Result<Connection, StoreError> {
    let open = |cause| StoreError::Open { path: path.to_path_buf(), cause };
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(open)?;
    db.busy_timeout(BUSY_MAX).map_err(open)?;
    Ok(db)
}

fn version(db: &Connection) -> Result<u32, StoreError> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}
