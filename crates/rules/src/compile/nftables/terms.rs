//! The match part of a line of nftables.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base::Prefix;
use wire::packet::{TCP, UDP};

use crate::family::Family;
use crate::overlap;
use crate::rule::{Fragments, Match, Numbers, Payload, Range, limits};

/// Lines for one rule at most; more would make a walk of a lookup.
const WAYS_MAX: usize = 256;
/// The kernel keeps a payload offset in one octet.
const OFFSET_MAX: usize = 255;
/// Octets of a TCP header without options.
const TCP_LEN: usize = 20;
/// Upper-layer protocols to the kernel, extension headers to RFC 8200 and us: mobility, HIP, shim6.
const EXTENSIONS_TO_US: [u8; 3] = [135, 139, 140];

/// All ways to match, each a line; any of them will do. None for a match that no packet meets.
///
/// # Errors
/// What nftables cannot say, with the reason.
pub fn ways(m: &Match) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for family in Family::of(m) {
        if !overlap::may_share(m, m, family) {
            continue;
        }
        let both = Family::of(m).count() == 2 && !differs_by_family(m);
        let mut ways = alloc::vec![String::new()];
        for alternatives in parts(m, (!both).then_some(family))? {
            if ways.len() * alternatives.len() > WAYS_MAX {
                return Err(format!("it needs more than {WAYS_MAX} lines of nftables; split the rule"));
            }
            let with = |way: &String| {
                let blank = if way.is_empty() { "" } else { " " };
                let each: Vec<String> = alternatives.iter().map(|a| format!("{way}{blank}{a}")).collect();
                each
            };
            ways = ways.iter().flat_map(with).collect();
        }
        out.extend(ways);
        if both {
            break;
        }
    }
    Ok(out)
}

/// Whether a rule without prefix has to be said once for each family.
fn differs_by_family(m: &Match) -> bool {
    let icmp = m.icmp_type.is_some() || m.icmp_code.is_some();
    let extension = m.protocol.is_some_and(|protocol| EXTENSIONS_TO_US.contains(&protocol));
    m.dscp.is_some() || m.ttl.is_some() || m.fragment.is_some() || icmp || extension
}

/// What has to hold, each with its alternatives. Without a family, what is asked must not depend on it.
fn parts(m: &Match, family: Option<Family>) -> Result<Vec<Vec<String>>, String> {
    let mut out = Vec::new();
    if let Some(family) = family {
        out.push(alloc::vec![addresses(m, family)]);
    }
    if let Some(protocols) = protocols(m, family)? {
        out.push(alloc::vec![protocols]);
    }
    let mut list = |name: &str, numbers: &Option<Numbers>, max: u32| {
        if let Some(numbers) = numbers {
            out.push(alloc::vec![format!("{name} {}", set(&numbers.merged(max)))]);
        }
    };
    list("th sport", &m.src_port, limits::PORT);
    list("th dport", &m.dst_port, limits::PORT);
    list("meta length", &m.length, limits::LENGTH);
    list("tcp window", &m.window, limits::PORT);
    let (icmp, dscp, ttl) = match family {
        Some(Family::V6) => ("icmpv6", "ip6 dscp", "ip6 hoplimit"),
        _ => ("icmp", "ip dscp", "ip ttl"),
    };
    list(&format!("{icmp} type"), &m.icmp_type, limits::OCTET);
    list(&format!("{icmp} code"), &m.icmp_code, limits::OCTET);
    list(dscp, &m.dscp, limits::DSCP);
    list(ttl, &m.ttl, limits::OCTET);
    if let Some(ports) = &m.port {
        let ports = set(&ports.merged(limits::PORT));
        out.push(alloc::vec![format!("th sport {ports}"), format!("th dport {ports}")]);
    }
    if let Some(tests) = &m.tcp_flags {
        // Octets 12 and 13: data offset, then twelve bits of flags.
        let line = |mask: u16, value: u16| format!("@th,96,16 & {mask:#06x} == {value:#06x}");
        out.push(tests.iter().map(|test| line(test.mask, test.value)).collect());
    }
    if let (Some(kinds), Some(family)) = (m.fragment, family) {
        out.push(fragments(kinds, family));
    }
    match m.tcp_options.as_deref() {
        None => {}
        // A data offset of less than five words counts as five.
        Some([]) => out.push(alloc::vec!["@th,96,8 < 0x60".into()]),
        Some(_) => return Err("nftables cannot compare the order of TCP options".into()),
    }
    if let Some(wanted) = &m.payload {
        out.push(payload(wanted, m, family.unwrap_or(Family::V4))?);
    }
    Ok(out)
}

fn addresses(m: &Match, family: Family) -> String {
    let (name, ip) = match family {
        Family::V4 => ("ipv4", "ip"),
        Family::V6 => ("ipv6", "ip6"),
    };
    let mut out = format!("meta nfproto {name}");
    let asked = |prefix: Option<Prefix>| prefix.filter(|prefix| prefix.bits() > 0);
    for (field, prefix) in [("daddr", asked(m.dst)), ("saddr", asked(m.src))] {
        if let Some(prefix) = prefix {
            let text = if prefix.is_host() { prefix.addr().to_string() } else { prefix.to_string() };
            out.push_str(&format!(" {ip} {field} {text}"));
        }
    }
    out
}

/// The protocol asked for, or those that the other parts belong to.
fn protocols(m: &Match, family: Option<Family>) -> Result<Option<String>, String> {
    if let Some(protocol) = m.protocol {
        if family == Some(Family::V6) && EXTENSIONS_TO_US.contains(&protocol) {
            return Err(format!(
                "nftables takes IPv6 extension header {protocol} for the upper-layer protocol"
            ));
        }
        return Ok(Some(format!("meta l4proto {protocol}")));
    }
    if !overlap::needs_transport(m) {
        return Ok(None);
    }
    let allowed = |protocol: &u8| {
        let allows = |family| overlap::allows(m, family, *protocol);
        family.map_or_else(|| allows(Family::V4), allows)
    };
    let icmp = family.unwrap_or(Family::V4).icmp();
    let ranges: Vec<Range> =
        [icmp, TCP, UDP].iter().filter(|p| allowed(p)).map(|p| Range::one(u32::from(*p))).collect();
    Ok(Some(format!("meta l4proto {}", set(&ranges))))
}

/// `53`, `468-1500` or `{ 53, 468-1500 }`.
fn set(ranges: &[Range]) -> String {
    let one = |r: &Range| if r.from == r.to { r.from.to_string() } else { format!("{}-{}", r.from, r.to) };
    match ranges {
        [range] => one(range),
        _ => format!("{{ {} }}", ranges.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

fn fragments(kinds: Fragments, family: Family) -> Vec<String> {
    let v4 = [
        (kinds.none, "ip frag-off & 0x3fff == 0"),
        (kinds.first, "ip frag-off & 0x3fff == 0x2000"),
        (kinds.is, "ip frag-off & 0x1fff != 0"),
        (kinds.last && !kinds.is, "ip frag-off & 0x1fff != 0 ip frag-off & 0x2000 == 0"),
        (kinds.dont, "ip frag-off & 0x4000 != 0"),
    ];
    // Octets 2 and 3 of the fragment header: 13 bits of offset, 2 reserved, more fragments.
    let v6 = [
        (kinds.none, "exthdr frag missing"),
        (kinds.none, "frag frag-off 0 frag more-fragments 0"),
        (kinds.first, "frag frag-off 0 frag more-fragments 1"),
        (kinds.is, "frag frag-off != 0"),
        (kinds.last && !kinds.is, "frag frag-off != 0 frag more-fragments 0"),
    ];
    let lines = match family {
        Family::V4 => v4,
        Family::V6 => v6,
    };
    lines.into_iter().filter(|(asked, _)| *asked).map(|(_, line)| line.to_string()).collect()
}

/// Behind the UDP header; behind the TCP header as its data offset tells, or behind 20 octets where that tells less.
fn payload(wanted: &Payload, m: &Match, family: Family) -> Result<Vec<String>, String> {
    let end = usize::from(wanted.offset) + wanted.value.len();
    if end + TCP_LEN > OFFSET_MAX {
        let most = OFFSET_MAX - TCP_LEN;
        return Err(format!("nftables reaches {most} octets into the payload, and the rule asks for {end}"));
    }
    let mut out = Vec::new();
    if overlap::allows(m, family, UDP) {
        out.push(format!("meta l4proto 17 {}", octets(wanted, "@ih", 0)));
    }
    if overlap::allows(m, family, TCP) {
        out.push(format!("meta l4proto 6 @th,96,8 >= 0x50 {}", octets(wanted, "@ih", 0)));
        out.push(format!("meta l4proto 6 @th,96,8 < 0x50 {}", octets(wanted, "@th", TCP_LEN)));
    }
    Ok(out)
}

/// Comparisons of single octets. The last one is compared even under an empty mask: it has to be there.
fn octets(wanted: &Payload, base: &str, before: usize) -> String {
    let last = wanted.value.len().saturating_sub(1);
    let line = |(i, (value, mask)): (usize, (&u8, &u8))| {
        let bits = (before + usize::from(wanted.offset) + i) * 8;
        match mask {
            0xff => Some(format!("{base},{bits},8 {value:#04x}")),
            0 if i != last => None,
            mask => Some(format!("{base},{bits},8 & {mask:#04x} == {:#04x}", value & mask)),
        }
    };
    let lines: Vec<String> = wanted.value.iter().zip(&wanted.mask).enumerate().filter_map(line).collect();
    lines.join(" ")
}
