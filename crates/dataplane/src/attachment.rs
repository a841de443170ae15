//! A data plane on an interface, held by pins: it stays when whoever made it is gone.
//!
//! The folder is made whole before the link is: without a link nothing is filtered, and a folder without one is a
//! leftover of somebody who was killed.

mod pins;
mod wanted;

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use sys::bpf::{Info, Kind, info, interface_of, pinned};

use crate::error::Error;
use crate::fixed::{FIXED, Program};
use crate::gateway::{self, Plan};
use crate::history;
use crate::host::Host;
use crate::lead;
use crate::lock;
use crate::maps::Maps;
use crate::optional::Lacking;
use crate::plane::{Clock, Plane};
use crate::policy::Policy;
use crate::privileges;
use crate::protection::Challenge;
use crate::returning::Return;
use crate::sampling::Sampler;
use crate::way::Installed;

use pins::{ENTRY, Held, held, remove};
pub use pins::{folder, interfaces, mount};
use wanted::{Local, Wanted, buffers, install, needs_gateway, put, update};

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
    /// Fixed programs that the kernel did not take: rules that need them are refused.
    pub lacking: Vec<Lacking>,
    /// Why no copy of the set was kept to which one could go back later.
    pub not_kept: Option<String>,
}

/// A data plane on an interface.
#[derive(Debug)]
pub struct Attachment {
    plane: Plane,
    link: OwnedFd,
    folder: PathBuf,
}

/// Whether this process may filter in the kernel at all.
///
/// # Errors
/// When it may not.
pub fn may_filter() -> Result<(), Error> {
    privileges::check()
}

/// Whether this kernel is set up for what the rules of a policy challenge with.
///
/// # Errors
/// When it is not: the setting, and what it should be.
pub fn check_challenges(interface: &str, policy: &Policy) -> Result<(), Error> {
    plan(interface, policy).map(|_| ())
}

/// What challenges come to here, where they are possible.
fn plan(interface: &str, policy: &Policy) -> Result<Plan, Error> {
    let plan = Plan::of(interface, policy)?;
    if policy.challenges() && matches!(plan.protection.challenge, Challenge::Auto | Challenge::Host) {
        Host::check_cookies()?;
    }
    Ok(plan)
}

/// Whether the kernel would find a way for what is led elsewhere or goes back.
fn check_ways(interface: &str, policy: &Policy) -> Result<(), Error> {
    let back = policy.returning.iter().flat_map(|returning| &returning.ways).map(Return::hop);
    let led = policy.leads().map(|(_, to)| to);
    if let Some(returning) = &policy.returning {
        let own = sys::net::addresses().map_err(Error::system("asking for the addresses of this host"))?;
        returning.check_ends(&own)?;
    }
    led.chain(back).try_for_each(|to| Host::check_forwarding(interface, to))
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
        let plan = plan(interface, policy)?;
        check_ways(interface, policy)?;
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

    /// Puts another policy in force with the programs that are there: quicker than [`Self::attach`], which also looks whether
    /// they are the newest, and refused for the same reasons.
    ///
    /// # Errors
    /// When the kernel refuses anything; what was in force stays.
    pub fn change(&self, interface: &str, policy: &Policy) -> Result<Installed, Error> {
        let plan = plan(interface, policy)?;
        check_ways(interface, policy)?;
        let _lock = lock::hold(&self.folder)?;
        if policy.challenges() {
            self.plane.set_host(Host::look(interface))?;
        }
        install(interface, policy, plan, &self.plane, false).map(|(installed, _)| installed)
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
        Ok(self.program()?.tag == Plane::entry_tag(self.plane.buffers()?)?)
    }

    /// The index of the interface that the link holds; 0 when the interface is gone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn interface(&self) -> Result<u32, Error> {
        interface_of(self.link.as_fd()).map_err(Error::system("asking for the link"))
    }
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
