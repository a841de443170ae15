//! The lab's network: five namespaces, a pair of virtual interfaces from the router to each of the others.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use base::Prefix;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::namespace::{NAMESPACES, Namespace, ip};
use super::reroute;

/// Held by whoever plays.
const LOCK: &str = "/run/spillway-lab.lock";
/// Longest tag: names of interfaces have 15 octets.
const TAG_MAX: usize = 8;
/// Where honest visitors come from, routed to the clients' namespace: the second half of what RFC 2544 sets apart, and
/// documentation addresses.
pub(super) const VISITORS: [&str; 2] = ["198.19.0.0/16", "2001:db8:cc::/48"];

/// One of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// Where attacks come from.
    Attackers,
    /// Honest clients.
    Clients,
    /// Servers that answer whoever asks, and whoever is said to ask.
    Reflectors,
    /// Between all of them.
    Router,
    /// What is protected.
    Server,
}

impl Site {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Attackers, Self::Clients, Self::Reflectors, Self::Router, Self::Server];
    /// All but the router: one pair of interfaces each.
    pub const LEAVES: [Self; 4] = [Self::Attackers, Self::Clients, Self::Reflectors, Self::Server];

    /// As in the name of the namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attackers => "attackers",
            Self::Clients => "clients",
            Self::Reflectors => "reflectors",
            Self::Router => "router",
            Self::Server => "server",
        }
    }

    /// As in the names of interfaces.
    const fn short(self) -> &'static str {
        match self {
            Self::Attackers => "att",
            Self::Clients => "cli",
            Self::Reflectors => "ref",
            Self::Router => "rtr",
            Self::Server => "srv",
        }
    }

    /// Its network: TEST-NET-3, -2 and -1 of RFC 5737, and a part of what RFC 2544 sets apart for benchmarks.
    pub const fn network4(self) -> [u8; 3] {
        match self {
            Self::Attackers | Self::Router => [203, 0, 113],
            Self::Clients => [198, 51, 100],
            Self::Reflectors => [198, 18, 53],
            Self::Server => [192, 0, 2],
        }
    }

    /// Its IPv6 network, in what RFC 3849 sets apart for documentation.
    pub const fn network6(self) -> u16 {
        match self {
            Self::Attackers | Self::Router => 0xa,
            Self::Clients => 0xc,
            Self::Reflectors => 0xf,
            Self::Server => 0x5,
        }
    }

    /// Its address with this last part.
    pub const fn v4(self, last: u8) -> IpAddr {
        let [a, b, c] = self.network4();
        IpAddr::V4(Ipv4Addr::new(a, b, c, last))
    }

    /// Its IPv6 address with this last part.
    pub const fn v6(self, last: u8) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, self.network6(), 0, 0, 0, 0, last as u16))
    }

    /// Its networks.
    pub fn networks(self) -> [Prefix; 2] {
        [Prefix::of(self.v4(0), 24), Prefix::of(self.v6(0), 64)]
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An honest visitor: neighbours in number are none in address, and of so many none comes back soon.
pub fn visitor(number: u32, over_ipv6: bool) -> IpAddr {
    // An odd factor visits every residue.
    let [_, _, c, d] = number.wrapping_mul(40_503).to_be_bytes();
    if over_ipv6 {
        let [a, b, ..] = number.wrapping_mul(2_654_435_761).to_be_bytes();
        let network = u16::from_be_bytes([a, b]);
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xcc, network, 0, 0, 0, u16::from_be_bytes([c, d])))
    } else {
        IpAddr::V4(Ipv4Addr::new(198, 19, c, d.clamp(1, 254)))
    }
}

/// The namespaces, as long as this lives.
#[derive(Debug)]
pub struct Network {
    tag: String,
    /// Whether they stay when this goes.
    stays: bool,
}

/// Whether this process may make namespaces; if not, a line that says what to do.
///
/// # Errors
/// Without root.
pub fn running_as_root() -> anyhow::Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    bail!("the lab needs root, for its network namespaces: try `sudo spillway lab …`")
}

/// Held as long as one plays: the command's lab is there once. Folders of killed ones go now.
///
/// # Errors
/// When another process holds it.
pub fn exclusive() -> anyhow::Result<Flock<fs::File>> {
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(LOCK)
        .with_context(|| format!("cannot open {LOCK}"))?;
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
        anyhow::anyhow!("a lab is being played already ({LOCK}: {error}); wait for its end")
    })?;
    crate::folder::sweep("spillway-lab");
    Ok(held)
}

impl Network {
    /// Builds it, after what a killed one of this tag has left.
    ///
    /// # Errors
    /// Without root or iproute2, or when the kernel lacks virtual interfaces; nothing is left then.
    pub fn build(tag: &str) -> anyhow::Result<Self> {
        running_as_root()?;
        if tag.is_empty() || tag.len() > TAG_MAX {
            bail!("`{tag}`: the tag of a lab has 1 to {TAG_MAX} letters");
        }
        remove(tag)?;
        let network = Self { tag: tag.into(), stays: false };
        for site in Site::ALL {
            network.at(site).add()?;
        }
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            network.set(Site::Router, key, "1")?;
        }
        for site in Site::LEAVES {
            network.connect(site)?;
        }
        // Visitors have addresses that no interface of theirs has.
        network.set(Site::Clients, "net.ipv6.ip_nonlocal_bind", "1")?;
        // Whatever has no place in the lab ends here, without a word.
        network.run(Site::Router, "ip", &["route", "add", "blackhole", "default"])?;
        network.run(Site::Router, "ip", &["-6", "route", "add", "blackhole", "default"])?;
        for (family, prefix, via) in
            [("-4", VISITORS[0], Site::Clients.v4(2)), ("-6", VISITORS[1], Site::Clients.v6(2))]
        {
            network.run(Site::Router, "ip", &[family, "route", "add", prefix, "via", &via.to_string()])?;
            // The whole prefix is this host: whoever binds may be any of it.
            network.run(Site::Clients, "ip", &[family, "route", "add", "local", prefix, "dev", "lo"])?;
        }
        Ok(network)
    }

    /// Lets the namespaces stay when this value goes; `remove` ends them.
    pub fn keep(mut self) {
        self.stays = true;
    }

    fn connect(&self, site: Site) -> anyhow::Result<()> {
        let (own, up) = (self.interface(site), self.uplink(site));
        let namespace = self.namespace(site);
        let pair = ["link", "add", &up, "type", "veth", "peer", "name", &own, "netns", &namespace];
        self.run(Site::Router, "ip", &pair)?;
        for (at, name, last) in [(Site::Router, &up, 1), (site, &own, 2)] {
            let v4 = format!("{}/24", site.v4(last));
            self.run(at, "ip", &["address", "add", &v4, "dev", name])?;
            let v6 = format!("{}/64", site.v6(last));
            self.run(at, "ip", &["address", "add", &v6, "dev", name, "nodad"])?;
            self.run(at, "ip", &["link", "set", name, "up"])?;
        }
        self.run(site, "ip", &["route", "add", "default", "via", &site.v4(1).to_string()])?;
        self.run(site, "ip", &["-6", "route", "add", "default", "via", &site.v6(1).to_string()])?;
        Ok(())
    }

    /// The name of a site's namespace.
    pub fn namespace(&self, site: Site) -> String {
        format!("{}{site}", prefix(&self.tag))
    }

    /// Its file.
    pub fn path(&self, site: Site) -> PathBuf {
        self.at(site).path()
    }

    /// The site's own end of its pair.
    pub fn interface(&self, site: Site) -> String {
        format!("{}-{}", self.tag, site.short())
    }

    /// The router's end.
    pub fn uplink(&self, site: Site) -> String {
        format!("{}-{}r", self.tag, site.short())
    }

    /// A program in a namespace. It is killed when the thread that starts it ends, and is out of reach of Ctrl-C.
    pub fn command(&self, site: Site, program: &str) -> Command {
        self.at(site).command(program)
    }

    /// Runs a program to its end; its standard output.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn run(&self, site: Site, program: &str, args: &[&str]) -> anyhow::Result<String> {
        self.at(site).run(program, args)
    }

    /// Sets a kernel setting of a namespace, named as `sysctl` does.
    ///
    /// # Errors
    /// When there is none of that name, or the value does not fit.
    pub fn set(&self, site: Site, key: &str, value: &str) -> anyhow::Result<()> {
        self.at(site).set(key, value)
    }

    /// A site's namespace.
    pub(super) fn at(&self, site: Site) -> Namespace {
        Namespace::named(self.namespace(site))
    }

    /// The hardware address of the router's end of a pair.
    ///
    /// # Errors
    /// When `ip` does not tell.
    pub fn router_mac(&self, site: Site) -> anyhow::Result<[u8; 6]> {
        self.at(Site::Router).mac(&self.uplink(site))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !self.stays {
            // What cannot be removed is removed by the next.
            let _ = remove(&self.tag);
        }
    }
}

/// How the names of a lab's namespaces begin.
pub(super) fn prefix(tag: &str) -> String {
    format!("spillway-{tag}-")
}

/// Ends everything that runs in the namespaces of a lab, by process, and removes them; how many there were.
///
/// # Errors
/// When one cannot be removed.
pub fn remove(tag: &str) -> anyhow::Result<usize> {
    let names = match fs::read_dir(NAMESPACES) {
        Ok(entries) => entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).context(NAMESPACES),
    };
    let prefix = prefix(tag);
    let places = || Site::ALL.iter().map(|site| site.name()).chain(reroute::NAMES.iter().copied());
    let is_ours = |name: &String| places().any(|place| format!("{prefix}{place}") == *name);
    let ours: Vec<String> = names.filter(is_ours).collect();
    for name in &ours {
        let processes = ip(&["netns", "pids", name])?;
        for pid in processes.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            // It may have ended just now.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    for site in Site::LEAVES {
        for end in ["", "r"] {
            dataplane::attachment::detach(&format!("{tag}-{}{end}", site.short()))?;
        }
    }
    for name in reroute::interfaces(tag) {
        dataplane::attachment::detach(&name)?;
    }
    for name in &ours {
        ip(&["netns", "del", name])?;
    }
    Ok(ours.len())
}
