//! Changing a frame without changing what it means.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wire::packet::{ICMP, ICMP6, Link};

use super::frames::Frame;

/// Where the outer IP header begins: the first place where version and both addresses stand as parsed.
fn ip_offset(frame: &Frame) -> Option<usize> {
    let headers = frame.parse()?.headers;
    let (version, at, len) = match headers.src {
        IpAddr::V4(_) => (4, 12, 4),
        IpAddr::V6(_) => (6, 8, 16),
    };
    let addresses = [octets(headers.src), octets(headers.dst)].concat();
    (0..frame.bytes.len()).find(|offset| {
        let header = &frame.bytes[*offset..];
        header[0] >> 4 == version && header.get(at..at + 2 * len) == Some(&addresses)
    })
}

/// Where the transport header begins.
fn transport_offset(frame: &Frame) -> Option<usize> {
    let parsed = frame.parse()?;
    frame
        .bytes
        .windows(parsed.transport.len().max(1))
        .position(|window| std::ptr::eq(window.as_ptr(), parsed.transport.as_ptr()))
}

/// Replaces both addresses by others of the same family.
pub(crate) fn set_addresses(frame: &mut Frame, map: impl Fn(IpAddr) -> IpAddr) {
    let Some(offset) = ip_offset(frame) else { return };
    let Some(parsed) = frame.parse() else { return };
    let new = [octets(map(parsed.headers.src)), octets(map(parsed.headers.dst))].concat();
    let at = offset + if parsed.headers.src.is_ipv4() { 12 } else { 8 };
    frame.bytes[at..at + new.len()].copy_from_slice(&new);
}

/// Replaces both ports, where there are any.
pub(crate) fn set_ports(frame: &mut Frame, map: impl Fn(u16) -> u16) {
    let Some((src, dst)) = frame.parse().and_then(|parsed| parsed.headers.ports) else { return };
    let Some(at) = transport_offset(frame) else { return };
    frame.bytes[at..at + 2].copy_from_slice(&map(src).to_be_bytes());
    frame.bytes[at + 2..at + 4].copy_from_slice(&map(dst).to_be_bytes());
}

/// Inserts an 802.1Q tag.
pub(crate) fn tag(frame: &mut Frame, vlan: u16) {
    if frame.link() == Link::Ethernet && frame.bytes.len() >= 14 {
        let tag = [0x8100u16.to_be_bytes(), vlan.to_be_bytes()].concat();
        frame.bytes.splice(12..12, tag);
        frame.original_len += 4;
    }
}

/// Rewrites an IPv4 packet on Ethernet or bare as IPv6, each host in a /64 of its own; `None` for other packets.
pub(crate) fn to_ipv6(frame: &Frame) -> Option<Frame> {
    let parsed = frame.parse()?;
    let h = parsed.headers;
    let (IpAddr::V4(_), IpAddr::V4(_)) = (h.src, h.dst) else { return None };
    let offset = ip_offset(frame)?;
    let header_len = usize::from(frame.bytes[offset] & 0x0f) * 4;
    let id = &frame.bytes[offset + 4..offset + 6];
    let mut body = frame.bytes.get(offset + header_len..)?.to_vec();
    let stored = frame.bytes.len() - offset;
    // what the IP header says, not the padding behind it
    body.truncate(usize::try_from(h.length).unwrap().saturating_sub(header_len));
    let protocol = if h.protocol == ICMP { ICMP6 } else { h.protocol };
    if h.protocol == ICMP
        && !h.fragment.is_later()
        && let Some(kind) = body.first_mut()
    {
        *kind = icmp6_type(*kind);
    }
    let whole = h.fragment.is_whole();
    let payload = u16::try_from(h.length).unwrap().saturating_sub(u16::try_from(header_len).unwrap());
    let payload = payload + if whole { 0 } else { 8 };
    let mut bytes = frame.bytes[..offset].to_vec();
    if frame.link() == Link::Ethernet {
        bytes.truncate(offset - 2);
        bytes.extend(0x86ddu16.to_be_bytes());
    }
    bytes.extend([0x60 | h.dscp >> 2, h.dscp << 6, 0, 0]);
    bytes.extend(payload.to_be_bytes());
    bytes.extend([if whole { protocol } else { 44 }, h.ttl]);
    bytes.extend(octets(wide(h.src)));
    bytes.extend(octets(wide(h.dst)));
    if !whole {
        bytes.extend([protocol, 0]);
        bytes.extend((h.fragment.offset << 3 | u16::from(h.fragment.more)).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(id);
    }
    bytes.extend(body);
    let cut = frame.original_len.saturating_sub(u32::try_from(offset + stored).unwrap());
    let original_len = u32::try_from(bytes.len()).unwrap() + cut;
    Some(Frame { bytes, original_len, ..frame.clone() })
}

/// A host's place in the other family: /32 becomes the first host of a /64, /24 becomes /56.
pub(crate) fn wide(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            Ipv6Addr::new(0x2001, 0xdb8, high, low, 0, 0, 0, 1).into()
        }
        v6 => v6,
    }
}

/// Another host of the same family, with neighbours staying neighbours.
pub(crate) fn elsewhere(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ 0x2715_0b43).into(),
        IpAddr::V6(v6) => {
            Ipv6Addr::from_bits(v6.to_bits() ^ 0x0000_0341_0000_0717_0000_0000_0000_0b43).into()
        }
    }
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The same message of the other family, RFC 7915 §4.2 in short.
fn icmp6_type(kind: u8) -> u8 {
    match kind {
        0 => 129,
        8 => 128,
        3 => 1,
        11 => 3,
        12 => 4,
        other => other,
    }
}
