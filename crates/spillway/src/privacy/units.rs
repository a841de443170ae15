//! Evidence as retention sees it: what lies in a folder, each as old as the newest file in it.

use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base::Timestamp;

use super::hold;

/// Folders within folders that are looked into; what lies deeper is not seen.
const DEPTH_MAX: usize = 16;
/// What was removed in part, by a process that was killed: it is removed by the next one, whatever its age.
const GOING: &str = ".going";

/// A folder or file that comes and goes as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Where it is.
    pub(super) path: PathBuf,
    /// When something in it was written last.
    pub(super) last: Timestamp,
    /// Whether somebody holds it.
    pub(super) held: bool,
    /// Whether its removal was begun.
    pub(super) going: bool,
}

impl Unit {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_suffix(GOING).unwrap_or(&name).to_owned()
    }

    /// Removes it. First its name changes, so that a removal that was interrupted is gone on with.
    pub(super) fn remove(&self) -> io::Result<()> {
        let parent = self.path.parent().unwrap_or(&self.path);
        let mut going = self.path.as_os_str().to_owned();
        if !self.going {
            going.push(GOING);
            fs::rename(&self.path, &going)?;
            File::open(parent)?.sync_all()?;
        }
        let going = PathBuf::from(going);
        if fs::symlink_metadata(&going)?.is_dir() {
            fs::remove_dir_all(&going)?
        } else {
            fs::remove_file(&going)?
        }
        File::open(parent)?.sync_all()
    }
}

/// What lies in a folder, by name; nothing where there is no such folder.
pub(super) fn units(folder: &Path) -> io::Result<Vec<Unit>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    let mut units = entries.map(|entry| unit(&entry?)).collect::<io::Result<Vec<_>>>()?;
    units.retain(|unit| !unit.name().ends_with(hold::SUFFIX));
    units.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(units)
}

/// Files below a folder that were written last before this time, removed; says how many.
pub(super) fn remove_files(folder: &Path, before: Timestamp) -> io::Result<u64> {
    let mut gone = 0;
    for unit in units(folder)? {
        if unit.path.is_dir() && !unit.path.is_symlink() {
            gone += remove_files(&unit.path, before)?;
        } else if unit.last < before {
            fs::remove_file(&unit.path)?;
            gone += 1;
        }
    }
    Ok(gone)
}

fn unit(entry: &DirEntry) -> io::Result<Unit> {
    let path = entry.path();
    let mut unit = Unit {
        last: Timestamp::ZERO,
        held: hold::beside(&path).exists(),
        going: path.to_string_lossy().ends_with(GOING),
        path,
    };
    let mut files = 0;
    look(&unit.path.clone(), DEPTH_MAX, &mut unit, &mut files)?;
    if files == 0 {
        unit.last = written(&unit.path)?;
    }
    Ok(unit)
}

fn look(path: &Path, depth: usize, unit: &mut Unit, files: &mut u64) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        *files += 1;
        unit.last = unit.last.max(written(path)?);
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        unit.held |= hold::is_hold(&entry.file_name().to_string_lossy());
        look(&entry.path(), depth - 1, unit, files)?;
    }
    Ok(())
}

fn written(path: &Path) -> io::Result<Timestamp> {
    fs::symlink_metadata(path)?.modified().map(time)
}

/// As we count.
pub(super) fn time(at: SystemTime) -> Timestamp {
    let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX))
}
