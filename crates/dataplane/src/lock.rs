//! One command at a time changes an interface: who does holds the lock of its folder.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::error::Error;

/// How long one waits for the other, in seconds: an attach with a million entries takes less.
const WAIT_SECONDS: u32 = 10;
const TRIES_A_SECOND: u32 = 20;

/// Held until it is dropped, also by a process that is killed.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it frees the lock")] File);

/// Waits some seconds for the folder's lock; makes the folder where it is absent.
pub(crate) fn hold(folder: &Path) -> Result<Lock, Error> {
    for _ in 0..WAIT_SECONDS * TRIES_A_SECOND {
        std::fs::create_dir_all(folder).map_err(Error::system("making the folder of the pins"))?;
        if let Some(lock) = hold_now(folder)? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_secs(1) / TRIES_A_SECOND);
    }
    Err(Error::Busy { seconds: WAIT_SECONDS })
}

/// The folder's lock, if nobody has it; `None` too where the folder has just gone.
pub(crate) fn hold_now(folder: &Path) -> Result<Option<Lock>, Error> {
    let file = match File::open(folder) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::system("opening the folder of the pins")(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(Error::system("locking the folder of the pins")(error));
        }
    }
    // Whoever had it may have removed the folder, and another made it anew.
    let (ours, there) = (file.metadata(), std::fs::metadata(folder));
    let same = ours.is_ok_and(|ours| there.is_ok_and(|there| there.ino() == ours.ino()));
    Ok(same.then_some(Lock(file)))
}
