//! The pins of an interface: a folder of BPF's file system.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use sys::bpf::{Kind, pin, pinned};

use crate::error::Error;
use crate::fixed::FIXED;
use crate::maps::Maps;
use crate::plane::Plane;
use crate::privileges;

/// Where BPF's file system belongs.
const BPFFS: &str = "/sys/fs/bpf";
pub(super) const ENTRY: &str = "entry";
pub(super) const LINK: &str = "link";

/// What holds programs on an interface.
pub(super) struct Held {
    pub(super) link: OwnedFd,
    pub(super) folder: PathBuf,
}

pub(super) fn held(folder: &Path) -> Result<Option<Held>, Error> {
    let link = match pinned(&folder.join(LINK)) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::system("opening the pinned link")(error)),
    };
    if sys::bpf::kind(link.as_fd()).is_some_and(|kind| kind != Kind::Link) {
        return Err(Error::Foreign(folder.join(LINK)));
    }
    Ok(Some(Held { link, folder: folder.to_owned() }))
}

/// The folder of an interface's pins. That file system allows no dots in names, and interfaces no colons.
pub fn folder(interface: &str) -> PathBuf {
    Path::new(BPFFS).join("spillway").join(interface.replace('.', ":"))
}

/// Mounts BPF's file system where it is absent; whether it was.
///
/// # Errors
/// What the kernel says.
pub fn mount() -> Result<bool, Error> {
    privileges::check()?;
    let there = sys::mount::is_bpf(Path::new(BPFFS)).unwrap_or(false);
    if there {
        return Ok(false);
    }
    std::fs::create_dir_all(BPFFS).map_err(Error::system("making /sys/fs/bpf"))?;
    sys::mount::bpf(Path::new(BPFFS))
        .map_err(Error::system("mounting the BPF file system on /sys/fs/bpf"))?;
    Ok(true)
}

/// The names of all pins but the link's; the program's own goes last.
pub(super) fn pins() -> impl Iterator<Item = &'static str> {
    Maps::names().into_iter().chain(FIXED).chain([ENTRY])
}

pub(super) fn pin_all(plane: &Plane, place: impl Fn(&str) -> PathBuf) -> Result<(), Error> {
    plane.maps.pin(&place)?;
    for name in FIXED {
        pin(plane.fixed(name)?, &place(name)).map_err(Error::system("pinning a program"))?;
    }
    pin(plane.entry.as_fd(), &place(ENTRY)).map_err(Error::system("pinning the program"))
}

pub(super) fn copy(fd: &OwnedFd) -> Result<OwnedFd, Error> {
    fd.try_clone().map_err(Error::system("copying a descriptor"))
}

/// The interfaces that have a folder.
///
/// # Errors
/// When the folders cannot be listed.
pub fn interfaces() -> Result<Vec<String>, Error> {
    let root = Path::new(BPFFS).join("spillway");
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::system("listing the pins")(error)),
    };
    let mut names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().replace(':', ".")).collect();
    names.sort_unstable();
    Ok(names)
}

pub(super) fn unlink(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::system("removing a pin")(error)),
        _ => Ok(()),
    }
}

pub(super) fn remove(folder: &Path) -> Result<bool, Error> {
    if !folder.exists() {
        return Ok(false);
    }
    empty(folder)?;
    std::fs::remove_dir(folder).map_err(Error::system("removing the folder of the pins"))?;
    Ok(true)
}

pub(super) fn empty(folder: &Path) -> Result<(), Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::system("listing the pins"))?;
    // The link first: what it held ends with it, and the rest is a leftover.
    unlink(&folder.join(LINK))?;
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        } else {
            unlink(&entry.path())?;
        }
    }
    Ok(())
}
