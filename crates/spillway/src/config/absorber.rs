//! The configuration of an absorber: a file of its own, for `spillway absorb`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use base::Prefix;
use dataplane::decap::PEERS_MAX;
use serde::Deserialize;
use steer::absorb::word::{Back, Declared, Kind, Load, NAME_MAX, PREFIXES_MAX};
use toml::Spanned;

use super::check::Problems;
use super::values::{Address, Bits, Packets};
use super::{Log, Problem};
use crate::absorb::keys::Fingerprint;
use crate::absorb::way::Way;

/// Where it listens when the file does not say.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 8647);
/// Rules at one time, when the file does not say.
const RULES: usize = 1024;
/// Octets of a packet inside GRE on a path of 1500, with IPv4 outside.
const MTU: u16 = 1476;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    listen: Option<Address>,
    key: PathBuf,
    state_dir: Option<PathBuf>,
    #[serde(default)]
    kind: Kind,
    interface: Option<String>,
    tunnels_from: Option<Spanned<Vec<Prefix>>>,
    samples: Option<Spanned<Address>>,
    capacity: Bits,
    packets: Option<Packets>,
    rules: Option<usize>,
    held: Option<usize>,
    brains: Spanned<BTreeMap<String, Fingerprint>>,
    prefixes: BTreeMap<Spanned<String>, PrefixSection>,
    #[serde(default)]
    log: Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrefixSection {
    #[serde(default, rename = "return")]
    back: Back,
    local: Option<IpAddr>,
    remote: Option<IpAddr>,
    mtu: Option<Spanned<u16>>,
}

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Absorbing {
    /// Its name.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Its key.
    pub(crate) key: PathBuf,
    /// Where it is kept what is held; `None`: one that is started again holds nothing until it is asked.
    pub(crate) state_dir: Option<PathBuf>,
    /// The interface through which traffic comes; `None`: no rules are taken.
    pub(crate) interface: Option<String>,
    /// Outer sources of GRE and IP in IP to this machine, of which the inside is meant.
    pub(crate) tunnels_from: Vec<Prefix>,
    /// Where a part of what comes is told of, in sFlow.
    pub(crate) samples: Option<SocketAddr>,
    /// What it may take.
    pub(crate) declared: Declared,
    /// How what is clean goes back.
    pub(crate) ways: Vec<Way>,
    /// Who may ask, by key.
    pub(crate) brains: BTreeMap<Fingerprint, String>,
    /// How the log looks.
    pub(crate) log: Log,
}

impl Absorbing {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| vec![Problem::unreadable(path, &cause, "spillway absorb init")])?;
        Self::parse(path, &text)
    }

    /// Checks a text as if it stood in `path`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let file: File = toml::from_str(text).map_err(|wrong| vec![Problem::of_toml(path, text, &wrong)])?;
        let mut problems = Problems::new(path, text);
        let name = file.name.get_ref().clone();
        if name.is_empty() || name.len() > NAME_MAX {
            problems.at(file.name.span().start, format!("a name has 1 to {NAME_MAX} octets"));
        }
        if file.brains.get_ref().is_empty() {
            let message = "[brains] names nobody who may ask; add a line like main = \"sha256:…\", what `spillway absorb keys FILE` prints there";
            problems.at(file.brains.span().start, message.to_owned());
        }
        let mut brains = BTreeMap::new();
        for (brain, key) in file.brains.get_ref() {
            if let Some(other) = brains.insert(*key, brain.clone()) {
                let message = format!("brains `{other}` and `{brain}` have one key; keep one of them");
                problems.at(file.brains.span().start, message);
            }
        }
        if let Some(samples) = file.samples.as_ref().filter(|_| file.interface.is_none()) {
            let message = "samples are of what comes through an interface; name it with `interface`";
            problems.at(samples.span().start, message.to_owned());
        }
        if let Some(peers) = &file.tunnels_from {
            if file.interface.is_none() {
                let message = "tunnels end at an interface's kernel programs; name it with `interface`";
                problems.at(peers.span().start, message.to_owned());
            }
            if peers.get_ref().len() > PEERS_MAX {
                let message = format!("at most {PEERS_MAX} prefixes of tunnel ends; name what covers them");
                problems.at(peers.span().start, message);
            }
        }
        if file.prefixes.is_empty() {
            let message = "no prefix may come here; add a section [prefixes.\"198.51.100.0/24\"]";
            problems.at(text.find("prefixes").unwrap_or(0), message.to_owned());
        }
        if file.prefixes.len() > PREFIXES_MAX {
            problems.at(0, format!("more than {PREFIXES_MAX} prefixes; declare what covers them"));
        }
        let ways: Vec<Way> = file
            .prefixes
            .iter()
            .filter_map(|(prefix, section)| way(&mut problems, prefix, section))
            .collect();
        swallowed(&mut problems, &file.prefixes, &ways);
        problems.done()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate above 0; too large is the most"
        )]
        let whole = |rate: f64| rate as u64;
        let declared = Declared {
            kind: file.kind,
            prefixes: ways.iter().map(|way| (way.prefix, way.back)).collect(),
            capacity: Load {
                bps: whole(file.capacity.0),
                pps: file.packets.map_or(u64::MAX, |packets| whole(packets.0)),
            },
            rules: file.rules.unwrap_or(RULES),
            held: file.held.unwrap_or(PREFIXES_MAX),
            counts: file.interface.is_some(),
        };
        Ok(Self {
            name,
            listen: file.listen.map_or(LISTEN, |address| address.0),
            key: file.key,
            state_dir: file.state_dir,
            interface: file.interface,
            tunnels_from: file.tunnels_from.map(Spanned::into_inner).unwrap_or_default(),
            samples: file.samples.map(|address| address.get_ref().0),
            declared,
            ways,
            brains,
            log: file.log,
        })
    }
}

/// Finds tunnels that end inside what may come here for another prefix: once that is diverted, they run into themselves.
fn swallowed(problems: &mut Problems<'_>, sections: &BTreeMap<Spanned<String>, PrefixSection>, ways: &[Way]) {
    for (key, section) in sections {
        for end in section.local.into_iter().chain(section.remote) {
            let own = key.get_ref().parse::<Prefix>().ok();
            // Of its own prefix the far end was said already.
            let is_said = |prefix: &Prefix| Some(*prefix) == own && section.remote == Some(end);
            let around =
                ways.iter().map(|way| way.prefix).find(|prefix| prefix.contains(end) && !is_said(prefix));
            if let Some(around) = around {
                let message = format!(
                    "{}: the tunnel's end {end} lies inside {around}, which may be diverted here: it would run into itself; end it at another address",
                    key.get_ref()
                );
                problems.at(key.span().start, message);
            }
        }
    }
}

fn way(problems: &mut Problems<'_>, key: &Spanned<String>, section: &PrefixSection) -> Option<Way> {
    let at = key.span().start;
    let prefix = match key.get_ref().parse::<Prefix>() {
        Ok(prefix) => prefix,
        Err(wrong) => {
            problems.at(at, format!("`{}` is not a prefix: {wrong}", key.get_ref()));
            return None;
        }
    };
    let is_tunnel = matches!(section.back, Back::Gre | Back::Ipip);
    match (is_tunnel, section.local, section.remote) {
        (true, Some(local), Some(remote)) => {
            if local.is_ipv4() != remote.is_ipv4() || local == remote {
                let message = format!(
                    "{prefix}: `local` and `remote` are the two ends of one tunnel, both IPv4 or both IPv6"
                );
                problems.at(at, message);
            }
            if prefix.contains(remote) {
                let message = format!(
                    "{prefix}: the tunnel ends at {remote}, inside what is diverted: it would run into itself; end it at another address"
                );
                problems.at(at, message);
            }
        }
        (true, ..) => {
            let message = format!("{prefix}: a tunnel needs `local` and `remote`, the addresses of its ends");
            problems.at(at, message);
        }
        (false, None, None) => {}
        (false, ..) => {
            let message = format!("{prefix}: `local` and `remote` are for return = \"gre\" or \"ipip\"");
            problems.at(at, message);
        }
    }
    if let Some(mtu) = section.mtu.as_ref().filter(|mtu| !(576..=9000).contains(mtu.get_ref())) {
        problems.at(mtu.span().start, "mtu must be 576 to 9000 octets".to_owned());
    }
    let mtu = section.mtu.as_ref().map(|mtu| *mtu.get_ref()).or_else(|| is_tunnel.then_some(MTU));
    Some(Way { prefix, back: section.back, local: section.local, remote: section.remote, mtu })
}

/// What `spillway absorb init` writes.
pub(crate) const ABSORBER: &str = r##"# An absorber of Spillway. Check it with `spillway absorb -c FILE --check`, start with `spillway absorb -c FILE`.

# As the brain shows it.
name = "scrub-1"

# Where the brain connects to: TLS 1.3, both ends by the fingerprints of their keys.
#listen = "[::]:8647"
key = "/etc/spillway/absorb.key"

# What is held is kept here, so that a restart of this program changes nothing. Without it the brain asks anew.
state_dir = "/var/lib/spillway-absorb"

# scrub: filter by the brain's rules, give back what is clean.  null: count and discard.
#kind = "scrub"

# Through which diverted traffic comes; rules are in force there. Without it prefixes are taken, and no rules.
#   interface = "eth0"

# Who leads traffic here in GRE or IP in IP, to any address of this machine: the inside meets the rules and goes back. What is
# routed here needs nothing. Addresses that this machine gets later count after a restart.
#   tunnels_from = ["192.0.2.0/24", "2001:db8:1::/48"]

# A collector of sFlow that is told of a part of what comes: HOST:PORT. It tells of packets that routers may tell of too.
#   samples = "192.0.2.1:6343"

# What comes in at most: more is refused.
capacity = "10 Gbps"
#   packets = "5 Mpps"
#rules = 1024
# Prefixes at one time.
#held = 256

# Who may ask: what `spillway absorb keys FILE` prints on the brain's machine.
[brains]
main = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

# What may be diverted here, and how what is clean goes back: routed (by this machine's own routes), gre, ipip or none.
[prefixes."198.51.100.0/24"]
return = "gre"
local = "203.0.113.1"
remote = "203.0.113.2"
# Octets of a packet inside the tunnel.
#mtu = 1476

[log]
#format = "text"
#level = "info"
"##;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Absorbing, String> {
        let first = |problems: Vec<Problem>| problems.first().map(ToString::to_string).unwrap_or_default();
        Absorbing::parse(Path::new("f"), text).map_err(first)
    }

    #[test]
    fn the_starter_is_whole_and_shows_the_defaults() {
        let shown = parse(ABSORBER).unwrap();
        let lines = ABSORBER.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
            _ => line,
        });
        let spelt = parse(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(format!("{spelt:?}"), format!("{shown:?}"));
        assert_eq!(shown.ways.len(), 1);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_line_and_what_to_do() {
        for (from, to, word) in [
            ("capacity = \"10 Gbps\"", "capacity = 10", "a rate with its unit"),
            ("capacity = \"10 Gbps\"\n", "", "missing key `capacity`"),
            ("return = \"gre\"", "retrun = \"gre\"", "did you mean `return`"),
            ("return = \"gre\"", "return = \"routed\"", "are for return"),
            ("remote = \"203.0.113.2\"\n", "", "needs `local` and `remote`"),
            ("remote = \"203.0.113.2\"", "remote = \"198.51.100.2\"", "run into itself"),
            ("remote = \"203.0.113.2\"", "remote = \"2001:db8::1\"", "both IPv4 or both IPv6"),
            ("[log]", "[prefixes.\"203.0.113.0/30\"]\n[log]", "203.0.113.1 lies inside 203.0.113.0/30"),
            ("[log]", "[prefixes.\"203.0.113.2/32\"]\n[log]", "203.0.113.2 lies inside 203.0.113.2/32"),
            ("main = \"sha256:0000", "main = \"sha256:", "is no fingerprint"),
            ("main = ", "#main = ", "names nobody"),
            ("#kind =", "samples = \"192.0.2.1:6343\"\n#kind =", "name it with `interface`"),
            ("#mtu = 1476", "mtu = 100", "mtu must be"),
            ("#kind =", "tunnels_from = [\"192.0.2.0/24\"]\n#kind =", "name it with `interface`"),
            ("name = \"scrub-1\"", "name = \"\"", "a name has"),
            ("198.51.100.0/24", "198.51.100.1/24", "is not a prefix"),
        ] {
            assert!(ABSORBER.contains(from), "{from}");
            let wrong = parse(&ABSORBER.replacen(from, to, 1)).unwrap_err();
            assert!(wrong.contains(word), "{word}: {wrong}");
        }
    }
}
