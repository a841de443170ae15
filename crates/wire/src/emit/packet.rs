//! Packets from their headers: what [`crate::packet::parse`] reads back unchanged.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{Writer, clip16, patch};
use crate::packet::{GRE, Headers, ICMP, ICMP6, TCP, UDP, flags};

/// What a packet says besides its [`Headers`]. Nothing here is ever judged by a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// IPv4 or fragment identification, ICMP identifier.
    pub id: u32,
    /// TCP sequence number.
    pub seq: u32,
    /// TCP acknowledgement number.
    pub ack: u32,
    /// Length of the UDP datagram of which this is the first fragment; 0 = what `payload_len` says.
    pub udp_len: u16,
}

/// The link layer in front of the IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ethernet {
    /// Who sends on this segment.
    pub src: [u8; 6],
    /// Who shall take it.
    pub dst: [u8; 6],
    /// 802.1Q tag.
    pub vlan: Option<u16>,
}

/// Shortest Ethernet frame without its check sequence.
const FRAME_MIN: u32 = 60;

/// Appends at most `snap` octets of an Ethernet frame to `out` and returns its length on the wire (without FCS).
pub fn ethernet(
    out: &mut Vec<u8>,
    link: &Ethernet,
    headers: &Headers,
    extra: Extra,
    payload: &[u8],
    snap: usize,
) -> u32 {
    let start = out.len();
    let kind = if headers.src.is_ipv4() { 0x0800 } else { 0x86dd };
    let mut w = Writer::new(out);
    w.bytes(&link.dst).bytes(&link.src);
    if let Some(vlan) = link.vlan {
        w.u16(0x8100).u16(vlan & 0x0fff);
    }
    w.u16(kind);
    let l2 = out.len() - start;
    let l3 = ip(out, headers, extra, payload, snap.saturating_sub(l2));
    let whole = l3.saturating_add(super::clip32(l2)).max(FRAME_MIN);
    let captured = snap.min(usize::try_from(whole).unwrap_or(usize::MAX));
    out.resize(start + captured, 0);
    whole
}

/// Appends at most `snap` octets of an IP packet to `out` and returns its whole length.
///
/// `payload` are the first octets behind the transport header (behind the IP headers for a later fragment or a protocol
/// without one); the rest up to `headers.length` is zeros, so that checksums hold for cut packets too.
pub fn ip(out: &mut Vec<u8>, headers: &Headers, extra: Extra, payload: &[u8], snap: usize) -> u32 {
    let start = out.len();
    match (headers.src, headers.dst) {
        (IpAddr::V4(_), IpAddr::V4(_)) => ipv4(out, headers, extra),
        _ => ipv6(out, headers, extra),
    }
    let transport = out.len();
    let whole = usize::try_from(headers.length).unwrap_or(usize::MAX);
    let room = whole.saturating_sub(transport - start);
    transport_header(out, headers, extra, room);
    let left = room.saturating_sub(out.len() - transport);
    out.extend_from_slice(payload.get(..left).unwrap_or(payload));
    checksum_transport(out, headers, transport, room);
    out.resize(start + whole.min(snap), 0);
    headers.length
}

/// RFC 791 §3.1.
fn ipv4(out: &mut Vec<u8>, headers: &Headers, extra: Extra) {
    let start = out.len();
    let f = headers.fragment;
    let word = f.offset & 0x1fff | u16::from(f.more) << 13 | u16::from(f.dont) << 14;
    let [_, _, id @ ..] = extra.id.to_be_bytes();
    let mut w = Writer::new(out);
    w.u8(0x45).u8(headers.dscp << 2).u16(u16::try_from(headers.length).unwrap_or(u16::MAX));
    w.bytes(&id).u16(word).u8(headers.ttl).u8(headers.protocol).u16(0);
    w.addr(headers.src).addr(headers.dst);
    let sum = fold(sum(out.get(start..).unwrap_or(&[]), 0));
    patch(out, start + 10, (!sum).to_be_bytes());
}

/// RFC 8200 §3; the fragment header (§4.5) stands only where there is something to say.
fn ipv6(out: &mut Vec<u8>, headers: &Headers, extra: Extra) {
    let f = headers.fragment;
    let next = if f.is_whole() { headers.protocol } else { 44 };
    let payload = u16::try_from(headers.length.saturating_sub(40)).unwrap_or(u16::MAX);
    let mut w = Writer::new(out);
    w.u32(6 << 28 | u32::from(headers.dscp & 0x3f) << 22).u16(payload).u8(next).u8(headers.ttl);
    for addr in [headers.src, headers.dst] {
        match addr {
            IpAddr::V4(v4) => w.bytes(&v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => w.bytes(&v6.octets()),
        };
    }
    if !f.is_whole() {
        w.u8(headers.protocol).u8(0).u16(f.offset << 3 | u16::from(f.more)).u32(extra.id);
    }
}

fn transport_header(out: &mut Vec<u8>, headers: &Headers, extra: Extra, room: usize) {
    if headers.fragment.is_later() {
        return;
    }
    let mut w = Writer::new(out);
    match (headers.protocol, headers.ports) {
        (TCP, Some((src, dst))) => {
            let tcp = headers.tcp.unwrap_or_default();
            let options = usize::from(tcp.options_len & 0x3c).min(40);
            let word = (5 + clip16(options / 4)) << 12 | tcp.flags & 0x0fff;
            w.u16(src).u16(dst).u32(extra.seq).u32(extra.ack).u16(word).u16(tcp.window).u32(0);
            tcp_options(&mut w, options, tcp.flags & flags::SYN != 0, extra);
        }
        (UDP, Some((src, dst))) => {
            let len = if extra.udp_len > 0 { extra.udp_len } else { clip16(room) };
            w.u16(src).u16(dst).u16(len).u16(0);
        }
        (ICMP | ICMP6, _) => {
            if let Some((kind, code)) = headers.icmp {
                let [a, b, c, d] = extra.id.to_be_bytes();
                w.u8(kind).u8(code).u16(0).bytes(&[a, b, c, d]);
            }
        }
        // RFC 2784 §2.1: no options, version 0, IPv4 inside.
        (GRE, _) => {
            w.u16(0).u16(0x0800);
        }
        _ => {}
    }
}

/// The usual layouts of 4, 8, 12, 20 and more octets (RFC 9293 §3.1, RFC 7323 §2 and §3, RFC 2018 §2), else NOPs.
fn tcp_options(w: &mut Writer<'_>, len: usize, syn: bool, extra: Extra) {
    const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];
    const SACK: [u8; 2] = [4, 2];
    const NOP: u8 = 1;
    let stamp = extra.seq.wrapping_mul(2_654_435_761);
    let used = match (len, syn) {
        (4, true) => {
            w.bytes(&MSS);
            4
        }
        (8, true) => {
            w.bytes(&MSS).bytes(&[NOP, NOP]).bytes(&SACK);
            8
        }
        (12, true) => {
            w.bytes(&MSS).bytes(&[NOP, 3, 3, 8, NOP, NOP]).bytes(&SACK);
            12
        }
        (20.., true) => {
            w.bytes(&MSS).bytes(&SACK).bytes(&[8, 10]).u32(stamp).u32(0).bytes(&[NOP, 3, 3, 7]);
            20
        }
        (12.., false) => {
            w.bytes(&[NOP, NOP, 8, 10]).u32(stamp).u32(!stamp);
            12
        }
        _ => 0,
    };
    for _ in used..len {
        w.u8(NOP);
    }
}

/// Fills in the checksum of TCP, UDP and ICMP where the whole datagram is in this packet (RFC 1071, RFC 8200 §8.1).
fn checksum_transport(out: &mut [u8], headers: &Headers, transport: usize, room: usize) {
    let at = match headers.protocol {
        TCP => 16,
        UDP => 6,
        ICMP | ICMP6 => 2,
        _ => return,
    };
    let Some(bytes) = out.get(transport..) else { return };
    if headers.fragment.is_later() || bytes.len() < at + 2 {
        return;
    }
    let pseudo = if headers.protocol == ICMP {
        0
    } else {
        let addresses = match (headers.src, headers.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => sum(&src.octets(), sum(&dst.octets(), 0)),
            (IpAddr::V6(src), IpAddr::V6(dst)) => sum(&src.octets(), sum(&dst.octets(), 0)),
            _ => return,
        };
        addresses + u32::from(headers.protocol) + super::clip32(room)
    };
    let check = match !fold(sum(bytes, pseudo)) {
        // RFC 768: 0 means "none", so the other zero is sent.
        0 if headers.protocol == UDP => 0xffff,
        check => check,
    };
    patch(out, transport + at, check.to_be_bytes());
}

fn sum(bytes: &[u8], start: u32) -> u32 {
    bytes.chunks(2).fold(start, |acc, pair| match pair {
        [a, b] => acc + u32::from(u16::from_be_bytes([*a, *b])),
        [a] => acc + (u32::from(*a) << 8),
        _ => acc,
    })
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    clip16(usize::try_from((once & 0xffff) + (once >> 16)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{ESP, Fragment, Link, Tcp, parse};
    use core::net::{Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;

    fn addresses() -> impl Strategy<Value = (IpAddr, IpAddr)> {
        prop_oneof![
            any::<(u32, u32)>().prop_map(|(a, b)| {
                (IpAddr::V4(Ipv4Addr::from_bits(a)), IpAddr::V4(Ipv4Addr::from_bits(b)))
            }),
            any::<(u128, u128)>().prop_map(|(a, b)| {
                (IpAddr::V6(Ipv6Addr::from_bits(a)), IpAddr::V6(Ipv6Addr::from_bits(b)))
            }),
        ]
    }

    prop_compose! {
        /// Headers as a whole packet can have them.
        fn headers()(
            (src, dst) in addresses(),
            protocol in prop_oneof![Just(TCP), Just(UDP), Just(ICMP), Just(GRE), Just(ESP), Just(99u8)],
            ttl in any::<u8>(), dscp in 0u8..64, data in 8u32..1400,
            (offset, more, dont) in (prop_oneof![3 => Just(0u16), 1 => 1u16..8000], any::<bool>(), any::<bool>()),
            ports in any::<(u16, u16)>(), icmp in any::<(u8, u8)>(),
            bits in 0u16..0x1000, window in any::<u16>(), options in 0u8..=10,
        ) -> Headers {
            let v4 = src.is_ipv4();
            let protocol = if protocol == ICMP && !v4 { ICMP6 } else { protocol };
            let fragment = Fragment { offset, more, dont: dont && v4 };
            let later = fragment.is_later();
            let transport = match protocol { TCP => 20 + 4 * u32::from(options), UDP | ICMP | ICMP6 => 8, _ => 0 };
            let ip = match (v4, fragment.is_whole()) { (true, _) => 20, (false, true) => 40, (false, false) => 48 };
            let known = !later && matches!(protocol, TCP | UDP | ICMP | ICMP6);
            Headers {
                src, dst, protocol, ttl, dscp, fragment,
                length: ip + transport + data,
                ports: (!later && matches!(protocol, TCP | UDP)).then_some(ports),
                icmp: (!later && matches!(protocol, ICMP | ICMP6)).then_some(icmp),
                tcp: (!later && protocol == TCP).then_some(Tcp { flags: bits, window, options_len: options * 4 }),
                payload_len: known.then_some(data),
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_emitted_is_read_back(
            h in headers(), payload in proptest::collection::vec(any::<u8>(), 0..8),
            vlan in proptest::option::of(0u16..4096), id in any::<u32>(), snap in 0usize..200,
        ) {
            let extra = Extra { id, seq: id, ack: !id, udp_len: 0 };
            let link = Ethernet { vlan, ..Ethernet::default() };
            let mut frame = Vec::new();
            let whole = ethernet(&mut frame, &link, &h, extra, &payload, usize::MAX);
            prop_assert_eq!(frame.len(), usize::try_from(whole).unwrap());
            let parsed = parse(Link::Ethernet, &frame, whole).unwrap();
            prop_assert_eq!(parsed.headers, h);
            prop_assert_eq!(parsed.vlan, vlan);
            if h.ports.is_some() {
                prop_assert!(parsed.payload.starts_with(&payload));
            }
            let mut cut = Vec::new();
            prop_assert_eq!(ethernet(&mut cut, &link, &h, extra, &payload, snap), whole);
            prop_assert_eq!(cut.as_slice(), &frame[..snap.min(frame.len())]);
        }
    }

    /// RFC 1071 §1: the sum over everything, checksum included, is all ones.
    #[test]
    fn checksums_hold_over_the_padding_too() {
        let h = Headers {
            src: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            dst: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
            protocol: UDP,
            length: 77,
            ttl: 61,
            dscp: 0,
            fragment: Fragment::default(),
            ports: Some((53, 40_000)),
            icmp: None,
            tcp: None,
            payload_len: Some(49),
        };
        let mut bytes = Vec::new();
        ip(&mut bytes, &h, Extra { id: 7, ..Extra::default() }, b"abc", usize::MAX);
        assert_eq!(bytes.len(), 77);
        assert_eq!(fold(sum(&bytes[..20], 0)), 0xffff);
        let pseudo = sum(&bytes[12..20], 17 + 57);
        assert_eq!(fold(sum(&bytes[20..], pseudo)), 0xffff);
    }
}
