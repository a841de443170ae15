//! The kernel's SYN proxy behind the gateway's cookies: table `inet spillway_gateway` of nftables.
//!
//! The programs answer SYNs. The ACK that brings a cookie back belongs to no connection the kernel knows, and meets the
//! proxy here; it opens the connection to the server and translates numbers from then on. What passes unasked is tracked
//! and forwarded as ever. Each of the two sets of an interface has a chain of its own, so that one can go back to the other.

use std::path::Path;

use rules::compile::nftables;
use rules::{Action, Match, Rule};

use crate::error::Error;
use crate::host::{Host, sysctl};
use crate::nft::{self, Failed};
use crate::policy::Policy;
use crate::protection::{Challenge, Protection};

const TABLE: &str = "inet spillway_gateway";
/// Whether connections are picked up in the middle: then the kernel would take a cookie's ACK for one.
const LOOSE: &str = "net.netfilter.nf_conntrack_tcp_loose";
const TCP: u8 = 6;

/// What challenges come to on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// With `Auto` only where both are possible.
    pub(crate) protection: Protection,
    /// Whether the proxy is needed.
    pub(crate) gateway: bool,
    /// Whether the kernel would forward, and cut, packets that have an address of this box as their source.
    pub(crate) cuts: bool,
}

/// Whether packets that arrive on an interface are forwarded.
fn forwards(interface: &str) -> bool {
    ["ipv4", "ipv6"].iter().any(|family| {
        ["all", interface].iter().any(|name| {
            let path = Path::new("/proc/sys/net").join(family).join("conf").join(name).join("forwarding");
            std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
        })
    })
}

impl Plan {
    /// Looks at what is asked and what this machine does.
    pub(crate) fn of(interface: &str, policy: &Policy) -> Result<Self, Error> {
        let mut protection = policy.protection;
        let cuts = policy.returning.is_some() && Host::accepts_own(interface);
        if !policy.challenges() {
            return Ok(Self { protection, gateway: false, cuts });
        }
        let forwards = forwards(interface);
        match protection.challenge {
            Challenge::Gateway if !forwards => return Err(Error::Router),
            Challenge::Auto if !forwards => protection.challenge = Challenge::Host,
            _ => {}
        }
        let gateway = matches!(protection.challenge, Challenge::Auto | Challenge::Gateway);
        Ok(Self { protection, gateway, cuts })
    }
}

/// The name of the chain of a set. Names of interfaces may hold what names of chains may not.
fn chain(interface: &str, set: u32) -> String {
    let plain: String = interface
        .bytes()
        .map(|octet| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(octet).to_string(),
            _ => format!("_{octet:02x}"),
        })
        .collect();
    format!("forward-{plain}-{set}")
}

/// What is left of a match for a packet that is no SYN: addresses and ports.
fn flow(m: &Match) -> Match {
    Match {
        dst: m.dst,
        src: m.src,
        protocol: Some(TCP),
        port: m.port.clone(),
        src_port: m.src_port.clone(),
        dst_port: m.dst_port.clone(),
        ..Match::default()
    }
}

/// The lines of a chain.
fn lines(interface: &str, rules: &[Rule], protection: &Protection) -> Result<Vec<String>, Error> {
    let mut out = Vec::new();
    for rule in rules.iter().filter(|rule| matches!(rule.action, Action::Challenge(_))) {
        let asked = rule.matches.protocol.is_none_or(|protocol| protocol == TCP);
        if !asked {
            continue;
        }
        let ways = nftables::ways(&flow(&rule.matches))
            .map_err(|reason| Error::Gateway(format!("rule {}: {reason}", rule.id)))?;
        for way in ways {
            for (family, mss) in ["ipv4", "ipv6"].into_iter().zip(protection.gateway_mss) {
                let said = way.contains("meta nfproto ");
                let name = format!("meta nfproto {family}");
                if said && !way.contains(&name) {
                    continue;
                }
                let name = if said { String::new() } else { format!("{name} ") };
                out.push(format!(
                    "iifname \"{interface}\" {name}{way} ct state invalid \
                     tcp flags & (fin | syn | rst | ack) == ack synproxy mss {mss} wscale {} timestamp sack-perm",
                    protection.gateway_scale
                ));
            }
        }
    }
    Ok(out)
}

/// Puts the proxy behind a set of an interface; whether there was no table before.
pub(crate) fn install(
    interface: &str,
    set: u32,
    rules: &[Rule],
    protection: &Protection,
) -> Result<bool, Error> {
    let chain = chain(interface, set);
    let lines = lines(interface, rules, protection)?;
    let before = sysctl(LOOSE).and_then(|numbers| numbers.first().map(u64::to_string));
    let fresh = table()?.is_none();
    let mut script = String::new();
    if fresh {
        // What the setting was is written where it is found again.
        let was = before.as_deref().unwrap_or("1");
        script.push_str(&format!("add table {TABLE} {{ comment \"{LOOSE} was {was}\" ; }}\n"));
    }
    script.push_str(&format!(
        "add chain {TABLE} {chain} {{ type filter hook forward priority filter ; policy accept ; }}\n\
         flush chain {TABLE} {chain}\n"
    ));
    for line in lines {
        script.push_str(&format!("add rule {TABLE} {chain} {line}\n"));
    }
    run(&script)?;
    // The kernel shows the setting once it tracks connections.
    set_loose("0").map_err(|cause| Error::Gateway(format!("{LOOSE} cannot be set to 0: {cause}")))?;
    Ok(fresh)
}

/// Takes the proxy of an interface away: of one set, or of both. What was set before the first came is set again.
pub(crate) fn remove(interface: &str, sets: &[u32]) -> Result<(), Error> {
    let Ok(Some(table)) = table() else { return Ok(()) };
    let mut left = table.matches("chain forward-").count();
    let mut script = String::new();
    for set in sets {
        let chain = chain(interface, *set);
        if table.contains(&format!("chain {chain} ")) {
            script.push_str(&format!("flush chain {TABLE} {chain}\ndelete chain {TABLE} {chain}\n"));
            left -= 1;
        }
    }
    if left > 0 {
        return if script.is_empty() { Ok(()) } else { run(&script) };
    }
    run(&format!("delete table {TABLE}\n"))?;
    let was = table.split(&format!("{LOOSE} was ")).nth(1).and_then(|rest| rest.split('"').next());
    set_loose(was.unwrap_or("1")).map_err(|cause| Error::Gateway(format!("{LOOSE}: {cause}")))
}

fn set_loose(value: &str) -> std::io::Result<()> {
    std::fs::write(Path::new("/proc/sys").join(LOOSE.replace('.', "/")), value)
}

/// The table as it stands; `None` if there is none.
fn table() -> Result<Option<String>, Error> {
    let listed = nft::table("spillway_gateway", false).map_err(|cause| Error::Gateway(cause.to_string()))?;
    Ok(listed.map(|text| String::from_utf8_lossy(&text).into_owned()))
}

/// Runs a script: all of it holds, or nothing.
fn run(script: &str) -> Result<(), Error> {
    nft::run(script).map_err(|failed| {
        Error::Gateway(match failed {
            Failed::Missing(_) => failed.to_string(),
            Failed::Refused(why) => format!(
                "nft refuses the SYN proxy ({why}): the kernel needs CONFIG_NFT_SYNPROXY, or take `--challenge reset`"
            ),
        })
    })
}
