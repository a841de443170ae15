//! What a rule means: the reference evaluator, written from the text of RFC 8955 §4.2.2 and RFC 8956 §3.
//!
//! Compilers are checked against it, never the other way round.

use wire::packet::{ICMP, ICMP6, Parsed, TCP, Tcp, UDP};

use crate::rule::{Fragments, Match, Numbers, Payload, limits};

/// Whether `packet` has everything that `matches` asks.
pub fn matches(matches: &Match, packet: &Parsed<'_>) -> bool {
    let h = &packet.headers;
    asks(matches.protocol.as_ref(), |protocol| h.protocol == *protocol)
        && asks(matches.dst.as_ref(), |prefix| prefix.contains(h.dst))
        && asks(matches.src.as_ref(), |prefix| prefix.contains(h.src))
        && ports(matches, packet)
        && asks(matches.length.as_ref(), |n| n.contains(h.length))
        && asks(matches.tcp_flags.as_ref(), |tests| {
            tcp(packet).is_some_and(|tcp| tests.iter().any(|test| test.test(tcp.flags)))
        })
        && asks(matches.fragment.as_ref(), |kinds| fragment(*kinds, packet))
        && icmp(matches, packet)
        && asks(matches.dscp.as_ref(), |n| n.contains(u32::from(h.dscp)))
        && asks(matches.ttl.as_ref(), |n| n.contains(u32::from(h.ttl)))
        && asks(matches.window.as_ref(), |n| tcp(packet).is_some_and(|tcp| n.contains(u32::from(tcp.window))))
        && asks(matches.payload.as_ref(), |wanted| payload(wanted, packet))
        && asks(matches.tcp_options.as_ref(), |kinds| options(kinds, packet).is_some())
}

/// What is not asked holds.
fn asks<T>(wanted: Option<&T>, holds: impl FnOnce(&T) -> bool) -> bool {
    wanted.is_none_or(holds)
}

/// Types 4, 5 and 6: TCP and UDP only, never a fragment other than the first (RFC 8955 §4.2.2.4 to 4.2.2.6).
fn ports(matches: &Match, packet: &Parsed<'_>) -> bool {
    let asked = matches.port.is_some() || matches.src_port.is_some() || matches.dst_port.is_some();
    if !asked {
        return true;
    }
    let h = &packet.headers;
    if !matches!(h.protocol, TCP | UDP) || h.fragment.is_later() {
        return false;
    }
    let Some((src, dst)) = h.ports else { return false };
    let (src, dst) = (u32::from(src), u32::from(dst));
    let in_either = |n: &Numbers| n.contains(src) || n.contains(dst);
    asks(matches.src_port.as_ref(), |n| n.contains(src))
        && asks(matches.dst_port.as_ref(), |n| n.contains(dst))
        && asks(matches.port.as_ref(), in_either)
}

/// Types 7 and 8: ICMP in IPv4 (RFC 8955 §4.2.2.7), ICMPv6 in IPv6 (RFC 8956 §3.4), not in later fragments.
fn icmp(matches: &Match, packet: &Parsed<'_>) -> bool {
    if matches.icmp_type.is_none() && matches.icmp_code.is_none() {
        return true;
    }
    let h = &packet.headers;
    let of_family = if h.dst.is_ipv4() { ICMP } else { ICMP6 };
    if h.protocol != of_family || h.fragment.is_later() {
        return false;
    }
    let Some((kind, code)) = h.icmp else { return false };
    asks(matches.icmp_type.as_ref(), |n| n.contains(u32::from(kind)))
        && asks(matches.icmp_code.as_ref(), |n| n.contains(u32::from(code)))
}

/// The TCP header, where the packet is TCP and carries one.
fn tcp(packet: &Parsed<'_>) -> Option<Tcp> {
    let h = &packet.headers;
    if h.protocol == TCP && !h.fragment.is_later() { h.tcp } else { None }
}

/// Type 12 (RFC 8955 §4.2.2.12, RFC 8956 §3.7): an IPv6 fragment has no DF bit, an atomic one is none.
fn fragment(kinds: Fragments, packet: &Parsed<'_>) -> bool {
    let f = packet.headers.fragment;
    let later = f.is_later();
    let first = !later && f.more;
    (kinds.none && f.is_whole())
        || (kinds.is && later)
        || (kinds.first && first)
        || (kinds.last && later && !f.more)
        || (kinds.dont && f.dont && packet.headers.dst.is_ipv4())
}

fn payload(wanted: &Payload, packet: &Parsed<'_>) -> bool {
    let h = &packet.headers;
    if !matches!(h.protocol, TCP | UDP) || h.fragment.is_later() {
        return false;
    }
    let there = packet.payload.get(usize::from(wanted.offset)..).and_then(|p| p.get(..wanted.value.len()));
    let under_mask = |((octet, value), mask): ((&u8, &u8), &u8)| octet & mask == value & mask;
    there.is_some_and(|octets| octets.iter().zip(&wanted.value).zip(&wanted.mask).all(under_mask))
}

/// The kinds of all options in their order (RFC 9293 §3.2). Options that are cut, or of a length that cannot be, are no
/// list; what stands behind the end of the list is padding. Longer lists than rules may have hold for no packet.
fn options(kinds: &[u8], packet: &Parsed<'_>) -> Option<()> {
    let length = usize::from(tcp(packet)?.options_len);
    let mut rest = if length == 0 { &[] } else { packet.transport.get(20..20 + length)? };
    for (place, kind) in kinds.iter().enumerate() {
        let (found, behind) = rest.split_first().filter(|(found, _)| *found == kind)?;
        rest = match (found, behind.first()) {
            (0, _) if place + 1 == kinds.len() => &[],
            (0, _) => return None,
            (1, _) => behind,
            (_, Some(size)) if *size >= 2 => rest.get(usize::from(*size)..)?,
            _ => return None,
        };
    }
    (rest.is_empty() && kinds.len() <= limits::OPTIONS).then_some(())
}
