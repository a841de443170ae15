//! What this machine is like, asked once.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use api::{Finding, Gravity};
use base::Timestamp;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{User, geteuid};

use super::facts::{Facts, Host, Interface, State};
use super::ports;
use crate::config::{Config, Problem};

/// Everything that can be known without the daemon.
pub(crate) fn gather(config: &Config, now: Timestamp, unheard: Option<String>) -> Facts {
    let user = match &config.user {
        Some(name) => User::from_name(name).ok().flatten().map(|user| user.uid.as_raw()),
        None => Some(geteuid().as_raw()),
    };
    let mut host = host(config, user);
    if unheard.is_none() {
        host.taken = ports::taken(config);
    }
    Facts { config: config.clone(), now, host, running: None, unheard }
}

/// A configuration that cannot be used.
pub(crate) fn unread(problems: &[Problem]) -> Vec<Finding> {
    let found = problems.iter().map(|problem| {
        Finding::new("configuration", Gravity::Error, problem.to_string())
            .why("the daemon does not start with it, and a running one keeps the old one")
            .cure("mend what it names; `spillway check -c FILE` tells whether it is right")
    });
    found.collect()
}

/// This machine, for a daemon that runs as this user.
pub(super) fn host(config: &Config, user: Option<u32>) -> Host {
    let folder = &config.state_dir;
    let disk = statvfs(&existing(folder)).ok();
    let meta = std::fs::metadata(folder).ok();
    let state = State {
        exists: meta.is_some(),
        owner: meta.as_ref().map(|meta| (meta.uid(), meta.mode())),
        user,
        read_only: disk.as_ref().is_some_and(|disk| disk.flags().contains(FsFlags::ST_RDONLY)),
    };
    let interfaces = config.dataplane.interfaces.iter().map(|name| {
        let link = sys::net::index(name).and_then(sys::net::link).ok();
        Interface {
            name: name.clone(),
            exists: link.is_some(),
            xdp: link.and_then(|link| link.xdp).map(|xdp| match xdp {
                sys::net::Xdp::Native => "native",
                sys::net::Xdp::Generic => "generic",
                sys::net::Xdp::Offloaded => "offloaded",
            }),
            lro: sys::net::joins(name).is_ok_and(|joins| joins.lro),
        }
    });
    Host {
        rmem_max: number("/proc/sys/net/core/rmem_max"),
        clock: sys::clock::kept(),
        disk: disk.map(|disk| {
            let size = disk.fragment_size();
            (size.saturating_mul(disk.blocks_available()), size.saturating_mul(disk.blocks()))
        }),
        state,
        taken: Vec::new(),
        interfaces: interfaces.collect(),
        capabilities: capabilities(),
    }
}

/// The folder, or the nearest above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let above = folder.ancestors().find(|one| !one.as_os_str().is_empty() && one.exists());
    above.unwrap_or_else(|| Path::new("/")).to_owned()
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Effective capabilities of this process.
fn capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(effective.trim(), 16).ok()
}
