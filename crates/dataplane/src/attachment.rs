//! A data plane on an interface, held by pins: it stays when whoever made it is gone.
//!
//! The folder is made whole before the link is: without a link nothing is filtered, and a folder without one is a
//! leftover of somebody who was killed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use sys::bpf::{Info, attach_xdp, info, pin, pinned, replace};

use crate::error::Error;
use crate::fixed::{FIXED, Program};
use crate::host::Host;
use crate::maps::Maps;
use crate::plane::{Clock, Plane};
use crate::policy::Policy;
use crate::way::Installed;

/// Where BPF's file system belongs.
const BPFFS: &str = "/sys/fs/bpf";
const ENTRY: &str = "entry";
const LINK: &str = "link";

/// Where on the way of a packet the programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before the kernel spends anything on a packet.
    Native,
    /// In the kernel's common path, for drivers that have nothing better: slower.
    Generic,
}

impl Mode {
    /// `XDP_FLAGS_DRV_MODE`, `XDP_FLAGS_SKB_MODE`.
    const fn flags(self) -> u32 {
        match self {
            Self::Native => 1 << 2,
            Self::Generic => 1 << 1,
        }
    }

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// What an attach came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The new set.
    pub installed: Installed,
    /// How the programs were attached; `None` if they were there already.
    pub mode: Option<Mode>,
    /// Why the driver's own mode was not taken.
    pub no_native: Option<String>,
    /// Other programs took the place of those that were there.
    pub upgraded: bool,
    /// What answers to SYNs say of this host.
    pub host: Host,
    /// The fixed programs, as the kernel's verifier saw them.
    pub programs: Vec<Program>,
}

/// A data plane on an interface.
#[derive(Debug)]
pub struct Attachment {
    plane: Plane,
    link: OwnedFd,
}

/// What holds programs on an interface.
struct Held {
    link: OwnedFd,
    entry: OwnedFd,
    folder: PathBuf,
}

fn held(folder: &Path) -> Result<Option<Held>, Error> {
    let link = match pinned(&folder.join(LINK)) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::system("opening the pinned link")(error)),
    };
    let entry = pinned(&folder.join(ENTRY)).map_err(Error::system("opening the pinned program"))?;
    Ok(Some(Held { link, entry, folder: folder.to_owned() }))
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
    let there = sys::mount::is_bpf(Path::new(BPFFS)).unwrap_or(false);
    if there {
        return Ok(false);
    }
    std::fs::create_dir_all(BPFFS).map_err(Error::system("making /sys/fs/bpf"))?;
    sys::mount::bpf(Path::new(BPFFS))
        .map_err(Error::system("mounting the BPF file system on /sys/fs/bpf"))?;
    Ok(true)
}

impl Attachment {
    /// The data plane of an interface, where one is attached.
    ///
    /// # Errors
    /// When its pins cannot be opened.
    pub fn open(interface: &str) -> Result<Option<Self>, Error> {
        held(&folder(interface))?.map(Self::of).transpose()
    }

    fn of(held: Held) -> Result<Self, Error> {
        let mut fixed = Vec::new();
        for name in FIXED {
            fixed.push(pinned(&held.folder.join(name)).map_err(Error::system("opening a pinned program"))?);
        }
        let missing = |_| Error::Fixed("not all programs are pinned".into());
        let fixed = fixed.try_into().map_err(missing)?;
        let plane = Plane::with(held.entry, fixed, Maps::pinned(&held.folder)?, Clock::Kernel);
        Ok(Self { plane, link: held.link })
    }

    /// Puts a policy in force on an interface. Where programs are attached already, only the policy changes, and the
    /// programs where this binary has others or `reload` asks for it; without a packet between them.
    ///
    /// # Errors
    /// When the kernel refuses anything; what was in force stays.
    pub fn attach(interface: &str, policy: &Policy, modes: &[Mode], reload: bool) -> Result<Attached, Error> {
        let index = sys::net::index(interface).map_err(Error::system("finding the interface"))?;
        let host = Host::look(interface);
        if policy.challenges() {
            Host::check_cookies()?;
        }
        let plane = Plane::load()?;
        plane.set_host(host)?;
        let programs = plane.programs().to_vec();
        let folder = folder(interface);
        if let Some(old) = held(&folder)? {
            return update(old, plane, host, policy, reload);
        }
        remove(&folder)?;
        let installed = plane.install(policy)?;
        std::fs::create_dir_all(&folder).map_err(Error::system("making the folder of the pins"))?;
        pin_all(&plane, |name| folder.join(name))?;
        let mut no_native = None;
        for (tried, mode) in modes.iter().enumerate() {
            match attach_xdp(plane.entry.as_fd(), index, mode.flags()) {
                Ok(link) => {
                    pin(link.as_fd(), &folder.join(LINK)).map_err(Error::system("pinning the link"))?;
                    return Ok(Attached {
                        installed,
                        mode: Some(*mode),
                        no_native,
                        upgraded: false,
                        host,
                        programs,
                    });
                }
                Err(error) if tried + 1 < modes.len() && !is_taken(&error) => {
                    no_native = Some(error.to_string());
                }
                Err(cause) => {
                    remove(&folder)?;
                    return Err(if is_taken(&cause) {
                        Error::Taken
                    } else {
                        Error::system("attaching")(cause)
                    });
                }
            }
        }
        remove(&folder)?;
        Err(Error::system("attaching")(io::ErrorKind::Unsupported.into()))
    }

    /// The programs and maps.
    pub const fn plane(&self) -> &Plane {
        &self.plane
    }

    /// What the kernel knows of the entry program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn program(&self) -> Result<Info, Error> {
        info(self.plane.entry.as_fd()).map_err(Error::system("asking for a program"))
    }

    /// The index of the interface that the link holds; 0 when the interface is gone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn interface(&self) -> Result<u32, Error> {
        sys::bpf::interface_of(self.link.as_fd()).map_err(Error::system("asking for the link"))
    }
}

/// The names of all pins but the link's; the program's own goes last.
fn pins() -> impl Iterator<Item = &'static str> {
    Maps::names().into_iter().chain(FIXED).chain([ENTRY])
}

fn pin_all(plane: &Plane, place: impl Fn(&str) -> PathBuf) -> Result<(), Error> {
    plane.maps.pin(&place)?;
    for name in FIXED {
        pin(plane.fixed(name)?, &place(name)).map_err(Error::system("pinning a program"))?;
    }
    pin(plane.entry.as_fd(), &place(ENTRY)).map_err(Error::system("pinning the program"))
}

/// Another policy for programs that are there, and other programs where this binary has them.
fn update(old: Held, new: Plane, host: Host, policy: &Policy, reload: bool) -> Result<Attached, Error> {
    let tag = |fd: &OwnedFd| info(fd.as_fd()).map(|info| info.tag);
    let same = tag(&old.entry).and_then(|known| Ok(known == tag(&new.entry)?));
    let programs = new.programs().to_vec();
    // Older programs had fewer pins.
    let whole = pins().all(|name| old.folder.join(name).exists());
    let upgraded = reload || !whole || !same.map_err(Error::system("asking for a program"))?;
    let installed = if upgraded {
        let installed = new.install(policy)?;
        let fresh = |name: &str| old.folder.join(format!("new-{name}"));
        for name in pins() {
            unlink(&fresh(name))?;
        }
        pin_all(&new, fresh)?;
        replace(old.link.as_fd(), new.entry.as_fd()).map_err(Error::system("replacing the program"))?;
        // The program's own pin goes last: while it is the old one, the next attach does all this again.
        for name in pins() {
            std::fs::rename(fresh(name), old.folder.join(name)).map_err(Error::system("renaming a pin"))?;
        }
        installed
    } else {
        let there = Attachment::of(old)?;
        there.plane.set_host(host)?;
        there.plane.install(policy)?
    };
    Ok(Attached { installed, mode: None, no_native: None, upgraded, host, programs })
}

/// Takes the programs and all pins away; whether there were any.
///
/// # Errors
/// When a pin cannot be removed.
pub fn detach(interface: &str) -> Result<bool, Error> {
    remove(&folder(interface))
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

/// Another program sits there: `EBUSY`, or `EEXIST` in another mode.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::AlreadyExists)
}

fn unlink(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::system("removing a pin")(error)),
        _ => Ok(()),
    }
}

fn remove(folder: &Path) -> Result<bool, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::system("listing the pins")(error)),
    };
    // The link first: what it held ends with it, and the rest is a leftover.
    unlink(&folder.join(LINK))?;
    for entry in entries.flatten() {
        unlink(&entry.path())?;
    }
    std::fs::remove_dir(folder).map_err(Error::system("removing the folder of the pins"))?;
    Ok(true)
}
