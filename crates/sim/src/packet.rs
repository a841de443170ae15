//! A packet and the truth about it.

use std::net::IpAddr;

use base::{Span, Timestamp};
use serde::Serialize;
use wire::Headers;
use wire::emit::packet::{Ethernet, Extra};
use wire::packet::{Fragment, GRE, ICMP, ICMP6, Parsed, TCP, Tcp, UDP};

/// Payload octets that carry meaning; what follows is zeros.
pub const DATA_MAX: usize = 64;

/// What a packet really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Nature {
    /// Somebody wanted it.
    Benign,
    /// Part of an attack.
    Attack,
    /// What a victim answers to an attack: no attack on whoever receives it.
    Answer,
}

/// The truth about a packet: what it is, and of which event of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What it is.
    pub nature: Nature,
    /// Index of the event that made it; `None` for the background.
    pub event: Option<u16>,
}

impl Truth {
    /// Of the background.
    pub const BENIGN: Self = Self { nature: Nature::Benign, event: None };
}

/// First payload octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    bytes: [u8; DATA_MAX],
    len: u8,
}

impl Data {
    /// Nothing (which is zeros on the wire, as long as the packet is).
    pub const EMPTY: Self = Self { bytes: [0; DATA_MAX], len: 0 };

    /// The front of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut data = Self::EMPTY;
        data.push(bytes);
        data
    }

    /// Appends what fits.
    pub fn push(&mut self, bytes: &[u8]) {
        let at = usize::from(self.len);
        let n = bytes.len().min(DATA_MAX - at);
        if let (Some(to), Some(from)) = (self.bytes.get_mut(at..at + n), bytes.get(..n)) {
            to.copy_from_slice(from);
        }
        self.len = u8::try_from(at + n).unwrap_or(64);
    }

    /// The octets.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// One packet at the border of the network.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// When it passes.
    pub at: Timestamp,
    /// Its headers.
    pub headers: Headers,
    /// Sequence numbers and identification.
    pub extra: Extra,
    /// First payload octets.
    pub data: Data,
    /// What it really is.
    pub truth: Truth,
    /// Whether it enters the protected networks (else it leaves them).
    pub inbound: bool,
    /// Number of the border router that sees it.
    pub router: u16,
    /// Interface by which it comes to that router.
    pub input_if: u16,
    /// Interface by which it leaves it.
    pub output_if: u16,
    /// A filter of that router stops it: it goes no further, and is told as dropped where the format can say so.
    pub dropped: bool,
}

impl Packet {
    /// A packet that was not made here but read, as `parsed`; it passes router 0.
    pub fn read(at: Timestamp, parsed: &Parsed<'_>, truth: Truth, inbound: bool) -> Self {
        let headers = parsed.headers;
        // Behind the header that is written anew from `headers`.
        let behind = match headers.protocol {
            _ if headers.fragment.is_later() => parsed.transport,
            TCP | UDP => parsed.payload,
            ICMP | ICMP6 => parsed.transport.get(8..).unwrap_or_default(),
            GRE => parsed.transport.get(4..).unwrap_or_default(),
            _ => parsed.transport,
        };
        let (input_if, output_if) = if inbound { (1, 101) } else { (101, 1) };
        let (extra, data) = (Extra::default(), Data::of(behind));
        Self { at, headers, extra, data, truth, inbound, router: 0, input_if, output_if, dropped: false }
    }

    /// Appends at most `snap` octets of the Ethernet frame to `out`; gives the frame's length on the wire, without FCS.
    pub fn frame(&self, out: &mut Vec<u8>, snap: usize) -> u32 {
        let mac = |port: u16| {
            let [a, b] = port.to_be_bytes();
            [0x02, 0x53, 0x50, 0x57, a, b]
        };
        let link = Ethernet { src: mac(self.input_if), dst: mac(0), vlan: None };
        wire::emit::packet::ethernet(out, &link, &self.headers, self.extra, self.data.bytes(), snap)
    }

    /// Layer-3 octets.
    pub const fn octets(&self) -> u64 {
        self.headers.length as u64
    }
}

/// A packet being written: who to whom, when; the method that names the protocol finishes it.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    /// When it passes.
    pub at: Timestamp,
    /// Source.
    pub src: IpAddr,
    /// Destination.
    pub dst: IpAddr,
    /// Time to live where we see it.
    pub ttl: u8,
    /// Whether it enters the protected networks.
    pub inbound: bool,
    /// The truth.
    pub truth: Truth,
}

/// What a TCP packet says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    /// Source and destination port.
    pub ports: (u16, u16),
    /// See [`wire::packet::flags`].
    pub flags: u16,
    /// Receive window.
    pub window: u16,
    /// Octets of options, a multiple of 4.
    pub options_len: u8,
    /// Octets of payload.
    pub payload_len: u32,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
}

impl Draft {
    /// A TCP segment.
    pub fn tcp(self, segment: Segment, data: Data) -> Packet {
        let Segment { ports, flags, window, options_len, payload_len, seq, ack } = segment;
        let transport = 20 + u32::from(options_len);
        let mut packet = self.any(TCP, transport + payload_len, data);
        packet.headers.ports = Some(ports);
        packet.headers.tcp = Some(Tcp { flags, window, options_len });
        packet.headers.payload_len = Some(payload_len);
        packet.headers.fragment.dont = self.src.is_ipv4();
        packet.extra.seq = seq;
        packet.extra.ack = ack;
        packet.extra.id = seq.rotate_left(7) ^ ack;
        packet
    }

    /// A UDP datagram.
    pub fn udp(self, ports: (u16, u16), payload_len: u32, data: Data) -> Packet {
        let mut packet = self.any(UDP, 8 + payload_len, data);
        packet.headers.ports = Some(ports);
        packet.headers.payload_len = Some(payload_len);
        packet
    }

    /// An ICMP message (of version 6 between IPv6 addresses).
    pub fn icmp(self, kind: u8, code: u8, payload_len: u32, data: Data) -> Packet {
        let protocol = if self.src.is_ipv4() { ICMP } else { ICMP6 };
        let mut packet = self.any(protocol, 8 + payload_len, data);
        packet.headers.icmp = Some((kind, code));
        packet.headers.payload_len = Some(payload_len);
        packet
    }

    /// A packet of another protocol with `octets` behind the IP header.
    pub fn any(self, protocol: u8, octets: u32, data: Data) -> Packet {
        let ip = if self.src.is_ipv4() { 20 } else { 40 };
        let headers = Headers {
            src: self.src,
            dst: self.dst,
            protocol,
            length: ip + octets,
            ttl: self.ttl,
            dscp: 0,
            fragment: Fragment::default(),
            ports: None,
            icmp: None,
            tcp: None,
            payload_len: None,
        };
        let extra = Extra::default();
        let Self { at, truth, inbound, .. } = self;
        let (router, input_if, output_if, dropped) = (0, 0, 0, false);
        Packet { at, headers, extra, data, truth, inbound, router, input_if, output_if, dropped }
    }

    /// The fragments of a UDP datagram with `payload_len` octets, as a link of 1500 octets makes them.
    pub fn udp_fragments(
        self,
        ports: (u16, u16),
        payload_len: u32,
        data: Data,
        id: u32,
        out: &mut Vec<Packet>,
    ) {
        let (ip, fragment_header) = if self.src.is_ipv4() { (20, 0) } else { (40, 8) };
        let whole = 8 + payload_len;
        if ip + whole <= MTU {
            let mut packet = self.udp(ports, payload_len, data);
            packet.extra.id = id;
            return out.push(packet);
        }
        let room = (MTU - ip - fragment_header) / 8 * 8;
        let mut done = 0;
        while done < whole {
            let octets = room.min(whole - done);
            let filler = Data::of(&[0x5a; 16]);
            let mut packet = self.any(UDP, fragment_header + octets, if done == 0 { data } else { filler });
            packet.at = self.at.plus(Span::from_nanos(u64::from(done) * 800));
            packet.extra.id = id;
            let offset = u16::try_from(done / 8).unwrap_or(0);
            packet.headers.fragment = Fragment { offset, more: done + octets < whole, dont: false };
            if done == 0 {
                packet.headers.ports = Some(ports);
                packet.headers.payload_len = Some(octets.saturating_sub(8));
                packet.extra.udp_len = u16::try_from(whole).unwrap_or(u16::MAX);
            }
            out.push(packet);
            done += octets;
        }
    }
}

/// Largest IP packet on the links of this world.
const MTU: u32 = 1500;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use wire::packet::{Link, parse};

    /// Whatever is drafted reads back as its headers say.
    #[test]
    fn fragments_complete_their_datagram_and_read_back() {
        let v4 = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1)));
        let v6 = (IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::from_bits(7)));
        for (src, dst) in [v4, v6] {
            let draft = Draft { at: Timestamp::ZERO, src, dst, ttl: 60, inbound: true, truth: Truth::BENIGN };
            let mut out = Vec::new();
            draft.udp_fragments((53, 4444), 4000, Data::of(b"x"), 9, &mut out);
            assert_eq!(out.len(), 3);
            for packet in &out {
                let mut bytes = Vec::new();
                let whole = packet.frame(&mut bytes, usize::MAX);
                let parsed = parse(Link::Ethernet, &bytes, whole).unwrap();
                assert_eq!(parsed.headers, packet.headers);
                let again = Packet::read(packet.at, &parsed, Truth::BENIGN, true);
                assert_eq!(again.headers, packet.headers);
                assert!(again.data.bytes().starts_with(packet.data.bytes()));
            }
            assert!(out[1].headers.fragment.is_later() && !out[2].headers.fragment.more);
        }
    }
}
