//! Whether one packet can match two rules.

use alloc::vec::Vec;

use wire::packet::{TCP, UDP};

use crate::family::Family;
use crate::rule::{Flags, Fragments, Match, Numbers, Payload, Range, limits};

/// Whether a packet of either family may match both. Never `false` for two rules that share a packet.
pub fn shares(a: &Match, b: &Match) -> bool {
    let both =
        |family: &Family| Family::of(a).any(|of| of == *family) && Family::of(b).any(|of| of == *family);
    Family::ALL.iter().filter(|family| both(family)).any(|family| may_share(a, b, *family))
}

/// Whether a packet of this family may match both. Never `false` for two rules that share a packet.
pub(crate) fn may_share(a: &Match, b: &Match, family: Family) -> bool {
    prefixes(a, b)
        && protocols(a, b, family)
        && fragments(a, b, family)
        && ports(a, b)
        && numbers(&a.icmp_type, &b.icmp_type, limits::OCTET)
        && numbers(&a.icmp_code, &b.icmp_code, limits::OCTET)
        && numbers(&a.length, &b.length, limits::LENGTH)
        && numbers(&a.dscp, &b.dscp, limits::DSCP)
        && numbers(&a.ttl, &b.ttl, limits::OCTET)
        && numbers(&a.window, &b.window, limits::PORT)
        && flags(a.tcp_flags.as_deref(), b.tcp_flags.as_deref())
        && payloads(a.payload.as_ref(), b.payload.as_ref())
        && a.tcp_options.as_ref().is_none_or(|x| b.tcp_options.as_ref().is_none_or(|y| x == y))
}

/// Whether the protocol is one that this match can meet, by all its parts.
pub(crate) fn allows(m: &Match, family: Family, protocol: u8) -> bool {
    let with_ports = m.port.is_some() || m.src_port.is_some() || m.dst_port.is_some() || m.payload.is_some();
    let only_tcp = m.tcp_flags.is_some() || m.window.is_some() || m.tcp_options.is_some();
    let icmp = m.icmp_type.is_some() || m.icmp_code.is_some();
    m.protocol.is_none_or(|wanted| wanted == protocol)
        && (!with_ports || matches!(protocol, TCP | UDP))
        && (!only_tcp || protocol == TCP)
        && (!icmp || protocol == family.icmp())
}

/// Whether the match needs the header behind IP, which a later fragment does not carry.
pub(crate) const fn needs_transport(m: &Match) -> bool {
    m.port.is_some()
        || m.src_port.is_some()
        || m.dst_port.is_some()
        || m.payload.is_some()
        || m.tcp_flags.is_some()
        || m.window.is_some()
        || m.tcp_options.is_some()
        || m.icmp_type.is_some()
        || m.icmp_code.is_some()
}

/// Ranges that lie in both; both rising and disjoint.
pub(crate) fn common(a: &[Range], b: &[Range]) -> Vec<Range> {
    let cut = |x: &Range, y: &Range| Range { from: x.from.max(y.from), to: x.to.min(y.to) };
    a.iter().flat_map(|x| b.iter().map(move |y| cut(x, y))).filter(|r| r.from <= r.to).collect()
}

fn prefixes(a: &Match, b: &Match) -> bool {
    [(a.dst, b.dst), (a.src, b.src)].into_iter().all(|pair| match pair {
        (Some(x), Some(y)) => x.covers(&y) || y.covers(&x),
        _ => true,
    })
}

fn protocols(a: &Match, b: &Match, family: Family) -> bool {
    // All protocols that no part of a rule names behave alike; 255 stands for them.
    let named = [TCP, UDP, family.icmp(), 255].into_iter().chain(a.protocol).chain(b.protocol);
    named.into_iter().any(|protocol| allows(a, family, protocol) && allows(b, family, protocol))
}

fn fragments(a: &Match, b: &Match, family: Family) -> bool {
    // Whole, first, middle, last; each with DF and without.
    let states = (0..8u8).map(|bits| (bits & 3, bits & 4 != 0));
    let fits = |m: &Match, kind: u8, dont: bool| {
        let asked = m.fragment.is_none_or(|f: Fragments| {
            (f.none && kind == 0)
                || (f.first && kind == 1)
                || (f.is && kind >= 2)
                || (f.last && kind == 3)
                || (f.dont && dont)
        });
        asked && (kind < 2 || !needs_transport(m))
    };
    states
        .filter(|(_, dont)| !dont || family == Family::V4)
        .any(|(kind, dont)| fits(a, kind, dont) && fits(b, kind, dont))
}

fn numbers(a: &Option<Numbers>, b: &Option<Numbers>, max: u32) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => !common(&a.merged(max), &b.merged(max)).is_empty(),
        _ => true,
    }
}

/// There is a source and a destination port such that all six lists hold. An either-port list holds by one of them;
/// each way is tried.
fn ports(a: &Match, b: &Match) -> bool {
    let list = |n: &Option<Numbers>| {
        let all = [Range { from: 0, to: limits::PORT }];
        n.as_ref().map_or_else(|| Vec::from(all), |n| n.merged(limits::PORT))
    };
    let src = common(&list(&a.src_port), &list(&b.src_port));
    let dst = common(&list(&a.dst_port), &list(&b.dst_port));
    let (either_a, either_b) = (list(&a.port), list(&b.port));
    [(true, true), (true, false), (false, true), (false, false)].into_iter().any(|(a_by_src, b_by_src)| {
        let cut = |ports: &[Range], by_a: bool, by_b: bool| {
            let ports = if by_a { common(ports, &either_a) } else { ports.to_vec() };
            if by_b { common(&ports, &either_b) } else { ports }
        };
        !cut(&src, a_by_src, b_by_src).is_empty() && !cut(&dst, !a_by_src, !b_by_src).is_empty()
    })
}

fn flags(a: Option<&[Flags]>, b: Option<&[Flags]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            let agree = |x: &Flags, y: &Flags| (x.value ^ y.value) & x.mask & y.mask == 0;
            a.iter().any(|x| b.iter().any(|y| agree(x, y)))
        }
        _ => true,
    }
}

fn payloads(a: Option<&Payload>, b: Option<&Payload>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return true };
    let octets = |p: &Payload| {
        let places: Vec<(usize, u8, u8)> = (usize::from(p.offset)..)
            .zip(p.value.iter().zip(&p.mask))
            .map(|(place, (value, mask))| (place, *value, *mask))
            .collect();
        places
    };
    let of_b = octets(b);
    octets(a).into_iter().all(|(place, value, mask)| {
        of_b.iter().all(|(other, v, m)| *other != place || (value ^ v) & mask & m == 0)
    })
}
