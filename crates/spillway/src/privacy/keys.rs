//! A key for each day, in a file that can be destroyed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Day;
use intel::pseudonym::KEY_LEN;

/// In the state folder.
const FOLDER: &str = "keys";
/// Of a file's name, behind its day.
const SUFFIX: &str = ".key";

/// A day's key.
pub(crate) type Key = [u8; KEY_LEN];

/// The keys of a state folder. One process makes keys, the one that holds the folder's lock; any may destroy one.
#[derive(Clone, Debug)]
pub(crate) struct Keys(PathBuf);

impl Keys {
    /// In this state folder.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self(Self::folder(state_dir))
    }

    /// Where they are in it.
    pub(crate) fn folder(state_dir: &Path) -> PathBuf {
        state_dir.join(FOLDER)
    }

    /// A day's key; `None`: it was destroyed, or nothing was concealed on that day.
    ///
    /// # Errors
    /// It cannot be read, or is open to others.
    pub(crate) fn get(&self, day: Day) -> anyhow::Result<Option<Key>> {
        let path = self.path(day);
        let shown = path.display();
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause).with_context(|| format!("cannot read the key {shown}")),
        };
        if about.mode() & 0o077 != 0 {
            bail!("the key {shown} is open to others: `chmod 600 {shown}`");
        }
        let octets = fs::read(&path).with_context(|| format!("cannot read the key {shown}"))?;
        // One that was being destroyed is zeroes.
        Ok(Key::try_from(octets.as_slice()).ok().filter(|key| *key != [0; KEY_LEN]))
    }

    /// A day's key, made where there is none.
    ///
    /// # Errors
    /// It can be neither read nor written.
    pub(crate) fn get_or_make(&self, day: Day) -> anyhow::Result<Key> {
        if let Some(key) = self.get(day)? {
            return Ok(key);
        }
        let path = self.path(day);
        let what = || format!("cannot write the key {}", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).with_context(what)?;
        let key: Key = crate::ledger::random().with_context(what)?;
        let fresh = path.with_added_extension("new");
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        open.and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all())).with_context(what)?;
        fs::rename(&fresh, &path).and_then(|()| self.sync()).with_context(what)?;
        Ok(key)
    }

    /// The days that have a key, the first one first; leftovers of one that was not finished are counted to its day.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn days(&self) -> anyhow::Result<Vec<Day>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(cause).with_context(|| format!("cannot read {}", self.0.display())),
        };
        let mut days: Vec<Day> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.split_once(SUFFIX)?.0.parse().ok())
            .collect();
        days.sort_unstable();
        days.dedup();
        Ok(days)
    }

    /// Destroys a day's key: written over, on the disk, then removed. Done again after any interruption it ends the same.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(crate) fn destroy(&self, day: Day) -> anyhow::Result<()> {
        let path = self.path(day);
        for file in [path.with_added_extension("new"), path] {
            destroy(&file).with_context(|| format!("cannot destroy {}", file.display()))?;
        }
        self.sync().with_context(|| format!("cannot sync {}", self.0.display()))
    }

    fn path(&self, day: Day) -> PathBuf {
        self.0.join(format!("{day}{SUFFIX}"))
    }

    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// Writes zeroes over a file, and removes it.
fn destroy(path: &Path) -> std::io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(cause),
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    #[test]
    fn a_key_is_made_once_is_ours_alone_and_is_gone_when_destroyed() {
        let folder = Folder::new("spillway-keys").unwrap();
        let keys = Keys::new(folder.path());
        let day: Day = "2026-11-26".parse().unwrap();
        assert_eq!((keys.get(day).unwrap(), keys.days().unwrap()), (None, Vec::new()));
        let key = keys.get_or_make(day).unwrap();
        assert_eq!(keys.get_or_make(day).unwrap(), key);
        let path = folder.path().join("keys/2026-11-26.key");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(keys.days().unwrap(), [day]);
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        fs::set_permissions(&path, open).unwrap();
        assert!(keys.get_or_make(day).unwrap_err().to_string().contains("chmod 600"));
        // a process that was killed between writing over and removing
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        fs::write(&path, [0; KEY_LEN]).unwrap();
        fs::write(path.with_added_extension("new"), key).unwrap();
        assert_eq!(keys.get(day).unwrap(), None);
        assert_eq!(keys.days().unwrap(), [day]);
        keys.destroy(day).unwrap();
        keys.destroy(day).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("keys")).unwrap().count(), 0);
        assert_ne!(keys.get_or_make(day).unwrap(), key);
    }
}
