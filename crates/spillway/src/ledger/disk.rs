//! Files that are on the disk when we say so.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ::ledger::tile::{Files, Tile};

/// An error with the file that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

pub(super) fn of(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_path_buf();
    |cause| FileError { path, cause }
}

/// Writes below one folder, and remembers which folders have to be synced.
#[derive(Debug)]
pub(super) struct Disk {
    /// Whoever owns the folder owns what is written there, also where root writes.
    owner: (u32, u32),
    unsynced: BTreeSet<PathBuf>,
}

impl Disk {
    pub(super) fn new(folder: &Path) -> Result<Self, FileError> {
        let data = std::fs::metadata(folder).map_err(of(folder))?;
        Ok(Self { owner: (data.uid(), data.gid()), unsynced: BTreeSet::new() })
    }

    /// Writes a file and waits until its content is on the disk; its name is after [`Disk::sync`].
    pub(super) fn write(&mut self, path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
        self.folder_of(path)?;
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
        let mut file = open.map_err(of(path))?;
        self.own(&file, path)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(of(path))
    }

    /// Puts a file in the place of another in one step, on the disk.
    pub(super) fn replace(&mut self, path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        self.write(&new, content, mode)?;
        std::fs::rename(&new, path).map_err(of(path))?;
        self.sync()
    }

    /// Writes behind a file's end and waits until it is on the disk. Where that fails, what was written is taken off again.
    pub(super) fn extend(&mut self, path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
        self.folder_of(path)?;
        let open = OpenOptions::new().append(true).create(true).mode(mode).open(path);
        let mut file = open.map_err(of(path))?;
        self.own(&file, path)?;
        let before = file.metadata().map_err(of(path))?.len();
        let written = file.write_all(content).and_then(|()| file.sync_all());
        if written.is_err() {
            // What stays is read over: a line that is cut off, or of an entry that does not exist.
            let _ = file.set_len(before);
        }
        written.map_err(of(path))
    }

    /// Waits until the names of all that was written are on the disk.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        while let Some(folder) = self.unsynced.pop_first() {
            match File::open(&folder).and_then(|file| file.sync_all()) {
                // of an append that failed, and tidied away since
                Err(cause) if cause.kind() == ErrorKind::NotFound => {}
                synced => synced.map_err(of(&folder))?,
            }
        }
        Ok(())
    }

    /// Makes the folders above a file, the missing ones only.
    fn folder_of(&mut self, path: &Path) -> Result<(), FileError> {
        let Some(folder) = path.parent() else { return Ok(()) };
        if self.unsynced.insert(folder.to_path_buf()) && !folder.is_dir() {
            self.folder_of(folder)?;
            match DirBuilder::new().mode(0o700).create(folder) {
                Ok(()) => self.own(&File::open(folder).map_err(of(folder))?, folder)?,
                Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(of(folder)(cause)),
            }
        }
        Ok(())
    }

    fn own(&self, file: &File, path: &Path) -> Result<(), FileError> {
        let data = file.metadata().map_err(of(path))?;
        if (data.uid(), data.gid()) == self.owner {
            return Ok(());
        }
        std::os::unix::fs::fchown(file, Some(self.owner.0), Some(self.owner.1)).map_err(of(path))
    }
}

/// A log's files below a folder, for reading.
#[derive(Clone, Debug)]
pub(super) struct Below(pub(super) PathBuf);

impl Files for Below {
    type Error = String;

    fn read(&mut self, tile: Tile) -> Result<Vec<u8>, String> {
        match std::fs::read(self.0.join(tile.to_string())) {
            // a full one may have taken its place
            Err(cause) if cause.kind() == ErrorKind::NotFound && !tile.is_full() => {
                std::fs::read(self.0.join(tile.full().to_string())).map_err(|cause| cause.to_string())
            }
            read => read.map_err(|cause| cause.to_string()),
        }
    }
}
