//! A data plane on an interface, held by pins: it stays when whoever made it is gone.
//!
//! The folder is made whole before the link is: without a link nothing is filtered, and a folder without one is a
//! leftover of somebody who was killed.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use sys::bpf::{Info, Kind, attach_xdp, info, interface_of, pin, pinned, replace};

use crate::abi::SETS;
use crate::error::Error;
use crate::fixed::{FIXED, Program};
use crate::gateway::{self, Plan};
use crate::history;
use crate::host::Host;
use crate::lead;
use crate::lock;
use crate::maps::Maps;
use crate::object::Buffers;
use crate::plane::{Clock, Plane};
use crate::policy::Policy;
use crate::privileges;
use crate::protection::{Challenge, GATEWAY_AT};
use crate::sampling::Sampler;
use crate::sessions::Session;
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
    /// Sessions of the administrator that are not cut.
    pub sessions: usize,
    /// The kernel's SYN proxy stands behind the challenges; whether it tracks connections only from now on.
    pub proxy: Option<bool>,
    /// The fixed programs, as the kernel's verifier saw them.
    pub programs: Vec<Program>,
    /// Why no copy of the set was kept to which one could go back later.
    pub not_kept: Option<String>,
}

/// What the programs have to know of this host.
#[derive(Debug)]
struct Local {
    host: Host,
    own: Vec<IpAddr>,
    sessions: Vec<Session>,
}

impl Local {
    fn look(interface: &str, policy: &Policy) -> Result<Self, Error> {
        let host = Host::look(interface);
        let own = sys::net::addresses().map_err(Error::system("asking for the addresses of this host"))?;
        Ok(Self { host, own, sessions: Session::look(&policy.management) })
    }

    fn tell(&self, plane: &Plane) -> Result<(), Error> {
        plane.set_host(self.host)?;
        plane.set_own(&self.own)?;
        plane.set_sessions(&self.sessions)
    }

    /// Programs that know it.
    fn load(&self, buffers: Buffers) -> Result<Plane, Error> {
        let plane = Plane::load_for(Clock::Kernel, buffers)?;
        self.tell(&plane)?;
        Ok(plane)
    }
}

/// What shall be on an interface.
struct Wanted<'a> {
    interface: &'a str,
    policy: &'a Policy,
    plan: Plan,
    local: Local,
}

impl Wanted<'_> {
    /// The report, of programs that were there already unless a mode is given.
    fn attached(
        self,
        plane: &Plane,
        (installed, proxy): (Installed, Option<bool>),
        mode: Option<Mode>,
    ) -> Attached {
        Attached {
            installed,
            mode,
            no_native: None,
            upgraded: false,
            host: self.local.host,
            sessions: self.local.sessions.len(),
            proxy,
            programs: plane.programs().to_vec(),
            not_kept: None,
        }
    }

    /// Puts the policy into the next set of these programs, and the kernel's SYN proxy behind it or away. `first`: nothing
    /// was behind it before.
    fn install(&self, plane: &Plane, first: bool) -> Result<(Installed, Option<bool>), Error> {
        let (interface, set) = (self.interface, plane.next()?);
        let proxy = if self.plan.gateway {
            let rules = self.policy.rules.rules();
            Some(gateway::install(interface, set, rules, &self.plan.protection)?)
        } else {
            if !first && plane.needs_gateway(set)? {
                gateway::remove(interface, &[set])?;
            }
            None
        };
        Ok((plane.install_as(self.policy, self.plan)?, proxy))
    }
}

/// A data plane on an interface.
#[derive(Debug)]
pub struct Attachment {
    plane: Plane,
    link: OwnedFd,
    folder: PathBuf,
}

/// What holds programs on an interface.
struct Held {
    link: OwnedFd,
    folder: PathBuf,
}

fn held(folder: &Path) -> Result<Option<Held>, Error> {
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

/// Whether this process may filter in the kernel at all.
///
/// # Errors
/// When it may not.
pub fn may_filter() -> Result<(), Error> {
    privileges::check()
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

impl Attachment {
    /// The data plane of an interface, where one is attached.
    ///
    /// # Errors
    /// When its pins cannot be opened.
    pub fn open(interface: &str) -> Result<Option<Self>, Error> {
        privileges::check()?;
        held(&folder(interface))?.map(Self::of).transpose()
    }

    fn of(held: Held) -> Result<Self, Error> {
        let path = held.folder.join(ENTRY);
        let damaged = |cause| Error::Damaged { pin: path.clone(), cause };
        let entry = pinned(&path).map_err(damaged)?;
        if sys::bpf::kind(entry.as_fd()).is_some_and(|kind| kind != Kind::Program) {
            return Err(Error::Foreign(path));
        }
        let mut fixed = Vec::new();
        for name in FIXED {
            let pin = held.folder.join(name);
            fixed.push(pinned(&pin).map_err(|cause| Error::Damaged { pin, cause })?);
        }
        let missing = |_| Error::Fixed("not all programs are pinned".into());
        let fixed = fixed.try_into().map_err(missing)?;
        let plane = Plane::with(entry, fixed, Maps::pinned(&held.folder)?, Clock::Kernel);
        Ok(Self { plane, link: held.link, folder: held.folder })
    }

    /// Puts a policy in force on an interface. Where programs are attached already, only the policy changes, and the
    /// programs where this binary has others or `reload` asks for it; without a packet between them.
    ///
    /// # Errors
    /// When the kernel refuses anything; what was in force stays.
    pub fn attach(interface: &str, policy: &Policy, modes: &[Mode], reload: bool) -> Result<Attached, Error> {
        privileges::check()?;
        let index = sys::net::index(interface)
            .map_err(|cause| Error::NoInterface { interface: interface.to_owned(), cause })?;
        let plan = Plan::of(interface, policy)?;
        if policy.challenges() && matches!(plan.protection.challenge, Challenge::Auto | Challenge::Host) {
            Host::check_cookies()?;
        }
        for (_, to) in policy.leads() {
            Host::check_forwarding(interface, to)?;
        }
        policy.check()?;
        let wanted = Wanted { interface, policy, plan, local: Local::look(interface, policy)? };
        let buffers = buffers(interface);
        let plane = wanted.local.load(buffers[0])?;
        let folder = folder(interface);
        let _lock = lock::hold(&folder)?;
        let attached = match held(&folder) {
            Ok(Some(old)) => match interface_of(old.link.as_fd()) {
                Ok(held) if held == index => update(old, plane, wanted, reload),
                // The interface went, and one of its name came.
                Ok(0) => put(&folder, index, (plane, buffers), wanted, modes),
                _ => Err(Error::Elsewhere(folder.clone())),
            },
            Ok(None) => put(&folder, index, (plane, buffers), wanted, modes),
            Err(error) => Err(error),
        };
        let mut attached = attached?;
        lead::wake(policy);
        attached.not_kept = history::note(interface, policy).err().map(|error| error.to_string());
        Ok(attached)
    }

    /// The programs and maps.
    pub const fn plane(&self) -> &Plane {
        &self.plane
    }

    /// Puts the set before this one in force again; whether there was one.
    ///
    /// # Errors
    /// When somebody else changes the interface for long, or a map cannot be written.
    pub fn roll_back(&self) -> Result<bool, Error> {
        let _lock = lock::hold(&self.folder)?;
        self.plane.roll_back()
    }

    /// Begins to sample: so many packets a second of each class at most, of all or of one rule.
    ///
    /// # Errors
    /// When somebody else does, there is no such rule, or a map cannot be opened.
    pub fn sampler(&self, budget: [u32; 2], rule: Option<&str>) -> Result<Sampler<'_>, Error> {
        Sampler::new(&self.plane, Some(self.folder.clone()), budget, rule)
    }

    /// What the kernel knows of the entry program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn program(&self) -> Result<Info, Error> {
        info(self.plane.entry.as_fd()).map_err(Error::system("asking for a program"))
    }

    /// Whether the programs are those that this binary would load.
    ///
    /// # Errors
    /// When the kernel does not take them, or cannot be asked.
    pub fn is_current(&self) -> Result<bool, Error> {
        let ours = Plane::load_for(Clock::Kernel, self.plane.buffers()?)?;
        let ours = info(ours.entry.as_fd()).map_err(Error::system("asking for a program"))?;
        Ok(self.program()?.tag == ours.tag)
    }

    /// The index of the interface that the link holds; 0 when the interface is gone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn interface(&self) -> Result<u32, Error> {
        interface_of(self.link.as_fd()).map_err(Error::system("asking for the link"))
    }
}

/// Octets of the longest packet that every driver gives in one buffer.
const ONE_BUFFER: u32 = 1500;
/// Octets of a packet that no driver with pages of 4 KiB does.
const SEVERAL_BUFFERS: u32 = 3500;

/// In how many buffers the driver may give a frame: what is tried first, then the other.
fn buffers(interface: &str) -> [Buffers; 2] {
    match Host::mtu(interface) {
        mtu if mtu > SEVERAL_BUFFERS => [Buffers::Several, Buffers::One],
        mtu if mtu > ONE_BUFFER => [Buffers::One, Buffers::Several],
        _ => [Buffers::One; 2],
    }
}

/// Programs where there are none yet.
fn put(
    folder: &Path,
    index: u32,
    (plane, buffers): (Plane, [Buffers; 2]),
    wanted: Wanted<'_>,
    modes: &[Mode],
) -> Result<Attached, Error> {
    let mut no_native = None;
    let mut plane = Some(plane);
    let mut last = Error::system("attaching")(io::ErrorKind::Unsupported.into());
    // Both for one mode, then for the next.
    let ways = modes.iter().flat_map(|mode| buffers.map(|buffers| (*mode, buffers)));
    let mut tried = Vec::new();
    for way in ways {
        if tried.contains(&way) {
            continue;
        }
        tried.push(way);
        let (mode, buffers) = way;
        let fits = plane.take_if(|plane| plane.buffers().is_ok_and(|has| has == buffers));
        let attached = fits.map_or_else(|| wanted.local.load(buffers), Ok).and_then(|plane| {
            empty(folder)?;
            let installed = begin(folder, index, &plane, &wanted, mode)?;
            Ok((plane, installed))
        });
        match attached {
            Ok((plane, installed)) => {
                return Ok(Attached { no_native, ..wanted.attached(&plane, installed, Some(mode)) });
            }
            Err(Error::System { what: ATTACHING, cause }) => {
                if mode == Mode::Native {
                    no_native = Some(cause.to_string());
                }
                last = Error::System { what: ATTACHING, cause };
            }
            // Old kernels know frames in one buffer only.
            Err(Error::Fixed(_)) if buffers == Buffers::Several => {}
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    // Nothing holds what is pinned there.
    let _ = remove(folder);
    if wanted.plan.gateway {
        gateway::remove(wanted.interface, &[0, 1])?;
    }
    Err(last)
}

/// What is said when the driver or the kernel refuses a mode.
const ATTACHING: &str = "attaching";

fn begin(
    folder: &Path,
    index: u32,
    plane: &Plane,
    wanted: &Wanted<'_>,
    mode: Mode,
) -> Result<(Installed, Option<bool>), Error> {
    let installed = wanted.install(plane, true)?;
    pin_all(plane, |name| folder.join(name))?;
    let link = attach_xdp(plane.entry.as_fd(), index, mode.flags());
    let link = link.map_err(|cause| match is_taken(&cause) {
        true => Error::Taken(taken_by(index)),
        false => Error::system(ATTACHING)(cause),
    })?;
    pin(link.as_fd(), &folder.join(LINK)).map_err(Error::system("pinning the link"))?;
    Ok(installed)
}

/// The program that sits on an interface, as `bpftool` would name it.
fn taken_by(index: u32) -> String {
    let Some(id) = sys::net::link(index).ok().and_then(|link| link.program) else { return String::new() };
    let name = sys::bpf::program(id).and_then(|fd| info(fd.as_fd())).map(|info| info.name);
    name.map_or_else(|_| format!(" (id {id})"), |name| format!(" (id {id}, `{name}`)"))
}

/// Whether one of the sets that are pinned there needs the kernel's SYN proxy.
fn needs_gateway(folder: &Path) -> Result<bool, Error> {
    let maps = Maps::pinned(folder)?;
    let all = (0..SETS).map(|set| maps.read("protections", set)).collect::<Result<Vec<_>, Error>>()?;
    Ok(all.iter().any(|one| one.get(GATEWAY_AT).is_some_and(|flag| *flag != 0)))
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
fn update(old: Held, new: Plane, wanted: Wanted<'_>, reload: bool) -> Result<Attached, Error> {
    let tag =
        |fd: &OwnedFd| info(fd.as_fd()).map(|info| info.tag).map_err(Error::system("asking for a program"));
    let new = match Attachment::of(Held { link: copy(&old.link)?, folder: old.folder.clone() }) {
        Ok(there) if there.plane.buffers()? != new.buffers()? => wanted.local.load(there.plane.buffers()?)?,
        _ => new,
    };
    let ours = tag(&new.entry)?;
    // Pins that are damaged are made anew, as if the programs were others.
    let there = Attachment::of(Held { link: copy(&old.link)?, folder: old.folder.clone() }).ok();
    let there = there.filter(|there| !reload && tag(&there.plane.entry).is_ok_and(|tag| tag == ours));
    if let Some(there) = there {
        wanted.local.tell(&there.plane)?;
        let installed = wanted.install(&there.plane, false)?;
        // What the verifier saw is known of those just loaded, which are the same.
        return Ok(wanted.attached(&new, installed, None));
    }
    let needed = needs_gateway(&old.folder).unwrap_or(true);
    let installed = wanted.install(&new, false)?;
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
    // The other set was one of the old programs.
    if needed {
        gateway::remove(wanted.interface, if wanted.plan.gateway { &[0] } else { &[0, 1] })?;
    }
    Ok(Attached { upgraded: true, ..wanted.attached(&new, installed, None) })
}

/// Takes the programs and all pins away; whether there were any.
///
/// # Errors
/// When a pin cannot be removed.
pub fn detach(interface: &str) -> Result<bool, Error> {
    privileges::check()?;
    let folder = folder(interface);
    history::forget(interface)?;
    if !folder.exists() {
        return Ok(false);
    }
    let _lock = lock::hold(&folder)?;
    let needed = needs_gateway(&folder);
    let there = remove(&folder)?;
    // Who was killed halfway has left a chain and no pins.
    if needed.unwrap_or(true) {
        gateway::remove(interface, &[0, 1])?;
    }
    Ok(there)
}

fn copy(fd: &OwnedFd) -> Result<OwnedFd, Error> {
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
    if !folder.exists() {
        return Ok(false);
    }
    empty(folder)?;
    std::fs::remove_dir(folder).map_err(Error::system("removing the folder of the pins"))?;
    Ok(true)
}

fn empty(folder: &Path) -> Result<(), Error> {
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
