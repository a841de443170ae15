//! Packet headers, from the link layer to the first octet of payload.
//!
//! One walk serves captures, sFlow raw headers, IPFIX frames (IE 315) and the reference evaluator of the rules.
//! A header that the capture cut short gives what is there; what is missing is `None`, never zero.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::reader::{Fault, Reader};

/// ICMP for IPv4 (RFC 792).
pub const ICMP: u8 = 1;
/// TCP (RFC 9293).
pub const TCP: u8 = 6;
/// UDP (RFC 768).
pub const UDP: u8 = 17;
/// IPv6 in IPv4 or IPv6 (RFC 4213).
pub const IPV6_IN_IP: u8 = 41;
/// Generic routing encapsulation (RFC 2784).
pub const GRE: u8 = 47;
/// Encapsulating security payload (RFC 4303).
pub const ESP: u8 = 50;
/// ICMP for IPv6 (RFC 4443).
pub const ICMP6: u8 = 58;
/// IPv4 in IPv4 or IPv6 (RFC 2003).
pub const IPV4_IN_IP: u8 = 4;

/// TCP flag bits as they stand in octets 12 and 13 of the header (RFC 9293 §3.1), data offset masked away.
pub mod flags {
    /// No more data from sender.
    pub const FIN: u16 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u16 = 0x02;
    /// Reset the connection.
    pub const RST: u16 = 0x04;
    /// Push function.
    pub const PSH: u16 = 0x08;
    /// Acknowledgement field is significant.
    pub const ACK: u16 = 0x10;
    /// Urgent pointer field is significant.
    pub const URG: u16 = 0x20;
    /// ECN echo (RFC 3168).
    pub const ECE: u16 = 0x40;
    /// Congestion window reduced (RFC 3168).
    pub const CWR: u16 = 0x80;
}

/// How the octets of a capture or sample begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet II or 802.3 with SNAP, VLAN tags, MPLS, PPPoE.
    Ethernet,
    /// An IP header at once; the version nibble tells which.
    Ip,
    /// BSD loopback: four octets of address family in either byte order.
    Null,
    /// Linux cooked capture v1 (16 octets).
    LinuxSll,
    /// Linux cooked capture v2 (20 octets).
    LinuxSll2,
    /// PPP with or without HDLC framing.
    Ppp,
    /// An MPLS label stack at once.
    Mpls,
}

/// Fragmentation fields of IPv4, or of the IPv6 fragment header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// In units of eight octets.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// Do not fragment; IPv4 only.
    pub dont: bool,
}

impl Fragment {
    /// Neither a first nor a later fragment (an IPv6 atomic fragment is whole, RFC 6946).
    pub const fn is_whole(self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Carries no transport header.
    pub const fn is_later(self) -> bool {
        self.offset != 0
    }
}

/// What the TCP header says besides its ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// See [`flags`].
    pub flags: u16,
    /// Receive window as sent, unscaled.
    pub window: u16,
    /// Octets of options behind the fixed 20.
    pub options_len: u8,
}

/// Everything a rule may ask about, of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Upper-layer protocol: behind the extension headers for IPv6.
    pub protocol: u8,
    /// IPv4 total length, or IPv6 payload length + 40; where that field is 0, the original frame less layer 2.
    pub length: u32,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Differentiated services code point.
    pub dscp: u8,
    /// Fragmentation.
    pub fragment: Fragment,
    /// Source and destination port of TCP and UDP; `None` for later fragments and cut headers.
    pub ports: Option<(u16, u16)>,
    /// ICMP or ICMPv6 type and code.
    pub icmp: Option<(u8, u8)>,
    /// TCP fields.
    pub tcp: Option<Tcp>,
    /// Octets behind the transport header by the IP length, whether captured or not. `None` where there is no
    /// transport header that we know.
    pub payload_len: Option<u32>,
}

impl Headers {
    /// A place to parse into.
    pub const NOTHING: Self = Self {
        src: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        dst: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        protocol: 0,
        length: 0,
        ttl: 0,
        dscp: 0,
        fragment: Fragment { offset: 0, more: false, dont: false },
        ports: None,
        icmp: None,
        tcp: None,
        payload_len: None,
    };

    /// Source port, where there is one.
    pub const fn src_port(&self) -> Option<u16> {
        match self.ports {
            Some((src, _)) => Some(src),
            None => None,
        }
    }

    /// Destination port, where there is one.
    pub const fn dst_port(&self) -> Option<u16> {
        match self.ports {
            Some((_, dst)) => Some(dst),
            None => None,
        }
    }
}

/// Headers and what follows them.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<'a> {
    /// The headers.
    pub headers: Headers,
    /// Captured octets behind the TCP or UDP header; empty for other protocols and later fragments.
    pub payload: &'a [u8],
    /// Captured octets behind the IP headers (transport header included).
    pub transport: &'a [u8],
    /// Outermost VLAN id, where tagged.
    pub vlan: Option<u16>,
}

/// What follows the headers: see [`Parsed`].
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// Captured octets behind the TCP or UDP header.
    pub payload: &'a [u8],
    /// Captured octets behind the IP headers.
    pub transport: &'a [u8],
    /// Outermost VLAN id, where tagged.
    pub vlan: Option<u16>,
}

impl<'a> Behind<'a> {
    /// A place to parse into.
    pub const NOTHING: Self = Self { payload: &[], transport: &[], vlan: None };

    /// Together with the headers.
    pub const fn with(self, headers: Headers) -> Parsed<'a> {
        Parsed { headers, payload: self.payload, transport: self.transport, vlan: self.vlan }
    }
}

/// Labels, tags and extension headers walked at most; deeper ones make the packet "not IP" to us.
const NESTING_MAX: usize = 12;

/// Parses a frame. `original_len` is its length on the wire, of which `bytes` is the captured front.
#[inline]
pub fn parse(link: Link, bytes: &[u8], original_len: u32) -> Result<Parsed<'_>, Fault> {
    let mut headers = Headers::NOTHING;
    let mut behind = Behind::NOTHING;
    parse_into(link, bytes, original_len, &mut headers, &mut behind)?;
    Ok(behind.with(headers))
}

/// Like [`parse`], with everything written to where it shall stay. After a fault nothing there is to be believed.
///
/// Headers are some eighty octets of small fields. Moving them reads them as wide words right after they were written
/// as narrow ones, and the processor waits for its own stores: eight nanoseconds a packet, measured with sFlow samples.
#[inline(always)]
pub fn parse_into<'a>(
    link: Link,
    bytes: &'a [u8],
    original_len: u32,
    headers: &mut Headers,
    behind: &mut Behind<'a>,
) -> Result<(), Fault> {
    let mut r = Reader::new(bytes);
    behind.vlan = match link {
        Link::Ip => None,
        Link::Ethernet => ethernet(&mut r)?,
        other => uncommon(other, &mut r)?,
    };
    let l2_len = u32::try_from(r.position()).unwrap_or(u32::MAX);
    ip(r.rest(), original_len.saturating_sub(l2_len), headers, behind)
}

/// Layer 2 of captures and of rare samples.
fn uncommon(link: Link, r: &mut Reader<'_>) -> Result<Option<u16>, Fault> {
    match link {
        Link::Ip => Ok(None),
        Link::Ethernet => ethernet(r),
        Link::Null => r.skip("address family", 4).map(|()| None),
        Link::LinuxSll => {
            r.skip("cooked header", 14)?;
            let kind = r.u16("protocol type")?;
            network(r, kind)
        }
        Link::LinuxSll2 => {
            let kind = r.u16("protocol type")?;
            r.skip("cooked header", 18)?;
            network(r, kind)
        }
        Link::Ppp => {
            if r.rest().starts_with(&[0xff, 0x03]) {
                r.skip("HDLC address and control", 2)?;
            }
            ppp(r).map(|()| None)
        }
        Link::Mpls => mpls(r).map(|()| None),
    }
}

/// The packet inside a GRE, IP-in-IP or VXLAN packet, where there is one.
pub fn parse_inner<'a>(outer: &Parsed<'a>) -> Option<Parsed<'a>> {
    let left = |r: &Reader<'_>| {
        let header = outer.transport.len().saturating_sub(r.len());
        let l3 = outer.headers.length.saturating_sub(ip_header_len(outer));
        l3.saturating_sub(u32::try_from(header).unwrap_or(u32::MAX))
    };
    if outer.headers.fragment.is_later() {
        return None;
    }
    let mut r = Reader::new(outer.transport);
    match outer.headers.protocol {
        IPV4_IN_IP | IPV6_IN_IP => inner_ip(r.rest(), left(&r), outer.vlan),
        GRE => {
            let bits = r.u16("GRE flags").ok()?;
            let kind = r.u16("GRE protocol type").ok()?;
            // RFC 2890 §2: checksum, key and sequence number, four octets each.
            let options = (bits & 0xb000).count_ones();
            r.skip("GRE options", 4 * usize::try_from(options).ok()?).ok()?;
            match kind {
                0x0800 | 0x86dd => inner_ip(r.rest(), left(&r), outer.vlan),
                0x6558 => parse(Link::Ethernet, r.rest(), left(&r)).ok(),
                _ => None,
            }
        }
        // RFC 7348 §5: the I flag, then the VNI, then an Ethernet frame.
        UDP if outer.headers.dst_port() == Some(4789) => {
            let mut r = Reader::new(outer.payload);
            let [bits, ..] = r.array::<8>("VXLAN header").ok()?;
            (bits & 0x08 != 0).then_some(())?;
            parse(Link::Ethernet, r.rest(), outer.headers.payload_len?.saturating_sub(8)).ok()
        }
        _ => None,
    }
}

fn inner_ip(bytes: &[u8], l3_len: u32, vlan: Option<u16>) -> Option<Parsed<'_>> {
    let mut headers = Headers::NOTHING;
    let mut behind = Behind { vlan, ..Behind::NOTHING };
    ip(bytes, l3_len, &mut headers, &mut behind).ok()?;
    Some(behind.with(headers))
}

/// Octets of IP header, as far as lengths tell: total length less what the transport part is known to hold.
fn ip_header_len(parsed: &Parsed<'_>) -> u32 {
    if parsed.headers.src.is_ipv4() { 20 } else { 40 }
}

#[inline]
fn ethernet(r: &mut Reader<'_>) -> Result<Option<u16>, Fault> {
    let mut header = r.sub("Ethernet header", 14)?;
    header.skip("MAC addresses", 12)?;
    match header.u16("EtherType")? {
        0x0800 | 0x86dd => Ok(None),
        kind => network(r, kind),
    }
}

/// Walks tags and labels until an IP header stands in front.
fn network(r: &mut Reader<'_>, mut kind: u16) -> Result<Option<u16>, Fault> {
    let mut vlan = None;
    for _ in 0..NESTING_MAX {
        match kind {
            0x0800 | 0x86dd => return Ok(vlan),
            // 802.1Q, 802.1ad and the older QinQ types.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let tag = r.u16("VLAN tag")?;
                vlan = vlan.or(Some(tag & 0x0fff));
                kind = r.u16("EtherType")?;
            }
            0x8847 | 0x8848 => {
                mpls(r)?;
                return Ok(vlan);
            }
            // PPPoE session (RFC 2516 §4): version/type, code, session, length, then PPP.
            0x8864 => {
                r.skip("PPPoE header", 6)?;
                ppp(r)?;
                return Ok(vlan);
            }
            // 802.3 length: LLC/SNAP carries an EtherType.
            0..=0x05dc => {
                let llc = r.array::<6>("LLC/SNAP")?;
                if llc != [0xaa, 0xaa, 0x03, 0, 0, 0] {
                    return Err(Fault::Value { what: "LLC header", found: u64::from(llc[0]) });
                }
                kind = r.u16("EtherType")?;
            }
            other => return Err(Fault::Value { what: "EtherType", found: u64::from(other) }),
        }
    }
    Err(Fault::Length { what: "tag nesting", found: NESTING_MAX })
}

fn ppp(r: &mut Reader<'_>) -> Result<(), Fault> {
    // RFC 1661 §6.5: the protocol field may be compressed to one octet.
    let protocol = match r.rest().first() {
        Some(first) if first & 1 == 1 => u16::from(r.u8("PPP protocol")?),
        _ => r.u16("PPP protocol")?,
    };
    match protocol {
        0x0021 | 0x0057 => Ok(()),
        other => Err(Fault::Value { what: "PPP protocol", found: u64::from(other) }),
    }
}

/// RFC 3032: labels until the bottom-of-stack bit; then IP, or Ethernet with or without a control word (RFC 4448).
fn mpls(r: &mut Reader<'_>) -> Result<(), Fault> {
    for _ in 0..NESTING_MAX {
        let entry = r.u32("MPLS label")?;
        if entry & 0x100 == 0 {
            continue;
        }
        return match r.rest().first().map(|b| b >> 4) {
            Some(4 | 6) if inner_ip_plausible(r.rest()) => Ok(()),
            Some(0) if r.rest().starts_with(&[0, 0]) || r.len() > 18 => {
                let mut with_word = *r;
                with_word.skip("control word", 4)?;
                let plain = ethernet(&mut with_word).is_ok() && inner_ip_plausible(with_word.rest());
                if plain {
                    *r = with_word;
                    return Ok(());
                }
                ethernet(r).map(|_| ())
            }
            _ => ethernet(r).map(|_| ()),
        };
    }
    Err(Fault::Length { what: "MPLS label stack", found: NESTING_MAX })
}

/// Whether this begins like an IP header rather than a MAC address that happens to start with 4 or 6.
fn inner_ip_plausible(bytes: &[u8]) -> bool {
    match bytes {
        [first, _, hi, lo, ..] if first >> 4 == 4 => {
            first & 0x0f >= 5 && u16::from_be_bytes([*hi, *lo]) >= 20
        }
        [first, ..] => first >> 4 == 6,
        [] => false,
    }
}

/// Parses from the IP header on. `l3_len` is what the frame leaves for layer 3, used where the length field is 0.
#[inline(always)]
fn ip<'a>(bytes: &'a [u8], l3_len: u32, headers: &mut Headers, behind: &mut Behind<'a>) -> Result<(), Fault> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => ipv4(bytes, l3_len, headers, behind),
        Some(6) => ipv6(bytes, l3_len, headers, behind),
        Some(other) => Err(Fault::Version { found: u32::from(other) }),
        None => Err(Fault::Truncated { what: "IP version", at: 0, needed: 1, had: 0 }),
    }
}

/// RFC 791 §3.1.
#[inline(always)]
fn ipv4<'a>(
    bytes: &'a [u8],
    l3_len: u32,
    headers: &mut Headers,
    behind: &mut Behind<'a>,
) -> Result<(), Fault> {
    let mut whole = Reader::new(bytes);
    // Looked at once whether it is all there.
    let mut r = whole.sub("IPv4 header", 20)?;
    let [first, tos] = r.array::<2>("version and type of service")?;
    let ihl = usize::from(first & 0x0f) * 4;
    if ihl < 20 {
        return Err(Fault::Length { what: "IHL", found: ihl });
    }
    let total = u32::from(r.u16("total length")?);
    r.skip("identification", 2)?;
    let frag = r.u16("flags and fragment offset")?;
    let [ttl, protocol] = r.array::<2>("time to live and protocol")?;
    r.skip("header checksum", 2)?;
    let src = IpAddr::V4(Ipv4Addr::from(r.array::<4>("source address")?));
    let dst = IpAddr::V4(Ipv4Addr::from(r.array::<4>("destination address")?));
    // Options may be cut off by the capture; then there is no transport part either.
    let cut = whole.skip("options", ihl - 20).is_err();
    let length = if total == 0 { l3_len } else { total };
    *headers = Headers {
        src,
        dst,
        protocol,
        length,
        ttl,
        dscp: tos >> 2,
        fragment: Fragment { offset: frag & 0x1fff, more: frag & 0x2000 != 0, dont: frag & 0x4000 != 0 },
        ports: None,
        icmp: None,
        tcp: None,
        payload_len: None,
    };
    let ihl = u32::try_from(ihl).unwrap_or(60);
    let rest: &[u8] = if cut { &[] } else { clip(whole.rest(), length.saturating_sub(ihl)) };
    transport(headers, behind, rest, length.saturating_sub(ihl));
    Ok(())
}

/// RFC 8200 §3 and §4: the extension headers are walked to the upper layer.
fn ipv6<'a>(
    bytes: &'a [u8],
    l3_len: u32,
    headers: &mut Headers,
    behind: &mut Behind<'a>,
) -> Result<(), Fault> {
    let mut r = Reader::new(bytes);
    let mut fixed = r.sub("IPv6 header", 40)?;
    let word = fixed.u32("version, class and flow label")?;
    let payload = u32::from(fixed.u16("payload length")?);
    let [mut next, ttl] = fixed.array::<2>("next header and hop limit")?;
    let src = IpAddr::V6(Ipv6Addr::from(fixed.array::<16>("source address")?));
    let dst = IpAddr::V6(Ipv6Addr::from(fixed.array::<16>("destination address")?));
    // A payload length of 0 is a jumbogram (RFC 2675) or segmentation offload: the frame tells.
    let length = if payload == 0 && l3_len > 40 { l3_len } else { payload + 40 };
    let mut fragment = Fragment::default();
    let mut after = length.saturating_sub(40);
    let mut cut = false;
    for _ in 0..NESTING_MAX {
        let step = match next {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: length in units of 8 less one.
            0 | 43 | 60 | 135 | 139 | 140 => extension(&mut r, |len| (usize::from(len) + 1) * 8),
            // Authentication header (RFC 4302 §2.2): length in units of 4 less two.
            51 => extension(&mut r, |len| (usize::from(len) + 2) * 4),
            44 => {
                let start = r.position();
                match fragment_header(&mut r) {
                    Ok((upper, found)) => {
                        fragment = found;
                        Some((upper, r.position() - start))
                    }
                    Err(_) => None,
                }
            }
            _ => break,
        };
        let Some((upper, len)) = step else {
            cut = true;
            break;
        };
        next = upper;
        after = after.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));
        if fragment.is_later() {
            break;
        }
    }
    *headers = Headers {
        src,
        dst,
        protocol: next,
        length,
        ttl,
        dscp: u8::try_from(word >> 22 & 0x3f).unwrap_or(0),
        fragment,
        ports: None,
        icmp: None,
        tcp: None,
        payload_len: None,
    };
    let rest: &[u8] = if cut { &[] } else { clip(r.rest(), after) };
    transport(headers, behind, rest, after);
    Ok(())
}

fn extension(r: &mut Reader<'_>, octets: impl Fn(u8) -> usize) -> Option<(u8, usize)> {
    let [next, len] = r.array::<2>("extension header").ok()?;
    let total = octets(len);
    r.skip("extension header", total.checked_sub(2)?).ok()?;
    Some((next, total))
}

/// RFC 8200 §4.5.
fn fragment_header(r: &mut Reader<'_>) -> Result<(u8, Fragment), Fault> {
    let [next, _] = r.array::<2>("fragment header")?;
    let word = r.u16("fragment offset")?;
    r.skip("identification", 4)?;
    Ok((next, Fragment { offset: word >> 3, more: word & 1 != 0, dont: false }))
}

/// Not more than the IP length says: the rest is Ethernet padding.
#[inline]
fn clip(bytes: &[u8], len: u32) -> &[u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    bytes.get(..len).unwrap_or(bytes)
}

#[inline(always)]
fn transport<'a>(headers: &mut Headers, behind: &mut Behind<'a>, bytes: &'a [u8], len: u32) {
    behind.transport = bytes;
    behind.payload = &[];
    if headers.fragment.is_later() {
        return;
    }
    match headers.protocol {
        TCP => {
            headers.ports = ports(bytes);
            if let Some(tcp) = tcp_header(bytes) {
                let header_len = 20 + tcp.options_len;
                headers.payload_len = Some(len.saturating_sub(u32::from(header_len)));
                headers.tcp = Some(tcp);
                behind.payload = bytes.get(usize::from(header_len)..).unwrap_or(&[]);
            }
        }
        UDP => {
            headers.ports = ports(bytes);
            if headers.ports.is_some() {
                headers.payload_len = Some(len.saturating_sub(8));
                behind.payload = bytes.get(8..).unwrap_or(&[]);
            }
        }
        ICMP | ICMP6 => {
            if let Some([kind, code]) = bytes.first_chunk::<2>() {
                headers.icmp = Some((*kind, *code));
                headers.payload_len = Some(len.saturating_sub(8));
            }
        }
        _ => {}
    }
}

#[inline]
fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *bytes.first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// RFC 9293 §3.1. Where the header is cut behind its flags, the window is 0.
#[inline(always)]
fn tcp_header(bytes: &[u8]) -> Option<Tcp> {
    let (word, window) = if let Some([.., a, b, c, d]) = bytes.first_chunk::<16>() {
        (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
    } else {
        let [.., a, b] = bytes.first_chunk::<14>()?;
        (u16::from_be_bytes([*a, *b]), 0)
    };
    let words = word >> 12;
    let options_len = u8::try_from(words.saturating_sub(5) * 4).unwrap_or(40);
    Some(Tcp { flags: word & 0x0fff, window, options_len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn udp4(payload: &[u8]) -> Vec<u8> {
        let total = u16::try_from(28 + payload.len()).unwrap().to_be_bytes();
        let mut b = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        b.extend([0, 53, 0x30, 0x39, 0, 0, 0, 0]);
        b.extend(payload);
        b
    }

    #[test]
    fn ethernet_padding_is_not_payload() {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend(udp4(b"ab"));
        frame.resize(60, 0);
        let p = parse(Link::Ethernet, &frame, 60).unwrap();
        assert_eq!(p.payload, b"ab");
        assert_eq!(p.headers.ports, Some((53, 12345)));
        assert_eq!(p.headers.payload_len, Some(2));
    }

    #[test]
    fn two_vlan_tags_of_the_same_type_are_walked() {
        let mut frame = vec![0; 12];
        frame.extend([0x81, 0x00, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06, 0x08, 0x00]);
        frame.extend(udp4(b""));
        let p = parse(Link::Ethernet, &frame, 60).unwrap();
        assert_eq!(p.vlan, Some(5));
        assert_eq!(p.headers.protocol, UDP);
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        let mut b = udp4(b"abcdefgh");
        b[7] = 1;
        let p = parse(Link::Ip, &b, 36).unwrap();
        assert_eq!(p.headers.ports, None);
        assert!(p.headers.fragment.is_later());
        assert!(p.payload.is_empty());
    }

    #[test]
    fn a_cut_at_each_octet_never_panics_and_invents_nothing() {
        let whole = udp4(b"hello");
        for cut in 0..whole.len() {
            if let Ok(p) = parse(Link::Ip, &whole[..cut], 33) {
                assert!(cut >= 20);
                assert_eq!(p.headers.ports.is_some(), cut >= 24, "cut at {cut}");
            }
        }
    }

    #[test]
    fn ipv6_extension_headers_lead_to_the_upper_layer() {
        let mut b = vec![0x60, 0, 0, 0, 0, 24, 0, 9];
        b.extend([0x20; 32]);
        b.extend([44, 0, 0, 0, 0, 0, 0, 0]); // hop-by-hop, then a fragment header
        b.extend([17, 0, 0, 0, 0, 0, 0, 1]); // atomic fragment, then UDP
        b.extend([0, 123, 0, 80, 0, 8, 0, 0]);
        let p = parse(Link::Ip, &b, 64).unwrap();
        assert_eq!(p.headers.protocol, UDP);
        assert_eq!(p.headers.ports, Some((123, 80)));
        assert!(p.headers.fragment.is_whole());
        assert_eq!(p.headers.length, 64);
    }

    #[test]
    fn the_inner_packet_of_gre_and_ipip_is_found() {
        let inner = udp4(b"x");
        let outer = |protocol: u8, head: &[u8]| {
            let total = u16::try_from(20 + head.len() + inner.len()).unwrap().to_be_bytes();
            let mut b =
                vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
            b.extend(head);
            b.extend(&inner);
            b
        };
        for (protocol, head) in
            [(IPV4_IN_IP, &[][..]), (GRE, &[0, 0, 8, 0]), (GRE, &[0x20, 0, 8, 0, 1, 2, 3, 4])]
        {
            let bytes = outer(protocol, head);
            let p = parse(Link::Ip, &bytes, 100).unwrap();
            assert_eq!(parse_inner(&p).unwrap().headers.ports, Some((53, 12345)));
        }
    }
}
