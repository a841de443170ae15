//! What shall be on an interface, and how it gets there.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use sys::bpf::{attach_xdp, info, pin, replace};

use super::pins::{Held, LINK, copy, empty, pin_all, pins, remove, unlink};
use super::{Attached, Attachment, Mode};
use crate::abi::SETS;
use crate::error::Error;
use crate::gateway::{self, Plan};
use crate::host::Host;
use crate::maps::Maps;
use crate::object::Buffers;
use crate::plane::{Clock, Plane};
use crate::policy::Policy;
use crate::protection::GATEWAY_AT;
use crate::sessions::Session;
use crate::way::Installed;

/// What the programs have to know of this host.
#[derive(Debug)]
pub(super) struct Local {
    host: Host,
    own: Vec<IpAddr>,
    sessions: Vec<Session>,
}

impl Local {
    pub(super) fn look(interface: &str, policy: &Policy) -> Result<Self, Error> {
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
    pub(super) fn load(&self, buffers: Buffers) -> Result<Plane, Error> {
        let plane = Plane::load_for(Clock::Kernel, buffers)?;
        self.tell(&plane)?;
        Ok(plane)
    }
}

/// What shall be on an interface.
pub(super) struct Wanted<'a> {
    pub(super) interface: &'a str,
    pub(super) policy: &'a Policy,
    pub(super) plan: Plan,
    pub(super) local: Local,
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
            lacking: plane.lacking().to_vec(),
            not_kept: None,
        }
    }

    fn install(&self, plane: &Plane, first: bool) -> Result<(Installed, Option<bool>), Error> {
        install(self.interface, self.policy, self.plan, plane, first)
    }
}

/// Puts a policy into the next set of these programs, and the kernel's SYN proxy behind it or away; whether the proxy is there
/// and was not before. `first`: nothing was behind it before.
pub(super) fn install(
    interface: &str,
    policy: &Policy,
    plan: Plan,
    plane: &Plane,
    first: bool,
) -> Result<(Installed, Option<bool>), Error> {
    // Before anything else is touched.
    plane.check_programs(policy.rules.rules())?;
    plane.check_returning(policy)?;
    let set = plane.next()?;
    let proxy = if plan.gateway {
        Some(gateway::install(interface, set, policy.rules.rules(), &plan.protection)?)
    } else {
        if !first && plane.needs_gateway(set)? {
            gateway::remove(interface, &[set])?;
        }
        None
    };
    Ok((plane.install_as(policy, plan)?, proxy))
}

/// Octets of the longest packet that every driver gives in one buffer.
const ONE_BUFFER: u32 = 1500;
/// Octets of a packet that no driver with pages of 4 KiB does.
const SEVERAL_BUFFERS: u32 = 3500;

/// In how many buffers the driver may give a frame: what is tried first, then the other.
pub(super) fn buffers(interface: &str) -> [Buffers; 2] {
    match Host::mtu(interface) {
        mtu if mtu > SEVERAL_BUFFERS => [Buffers::Several, Buffers::One],
        mtu if mtu > ONE_BUFFER => [Buffers::One, Buffers::Several],
        _ => [Buffers::One; 2],
    }
}

/// Programs where there are none yet.
pub(super) fn put(
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
pub(super) fn needs_gateway(folder: &Path) -> Result<bool, Error> {
    let maps = Maps::pinned(folder)?;
    let all = (0..SETS).map(|set| maps.read("protections", set)).collect::<Result<Vec<_>, Error>>()?;
    Ok(all.iter().any(|one| one.get(GATEWAY_AT).is_some_and(|flag| *flag != 0)))
}

/// Another policy for programs that are there, and other programs where this binary has them.
pub(super) fn update(old: Held, new: Plane, wanted: Wanted<'_>, reload: bool) -> Result<Attached, Error> {
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

/// Another program sits there: `EBUSY`, or `EEXIST` in another mode.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::AlreadyExists)
}
