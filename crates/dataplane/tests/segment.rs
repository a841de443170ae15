//! TCP segments with the options that a test wants, and what answers say.

use std::net::IpAddr;

/// A TCP packet in a frame.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) ports: (u16, u16),
    pub(crate) sequence: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) options: Vec<u8>,
    /// VLAN tags.
    pub(crate) tags: usize,
}

pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// MSS, SACK, timestamps, window scale, as Linux orders them.
pub(crate) const LINUX: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7];

impl Segment {
    /// A SYN over IPv4, or over IPv6.
    pub(crate) fn syn(six: bool) -> Self {
        let (src, dst) = if six { ("2001:db8::9", "2001:db8:1::7") } else { ("198.51.100.9", "203.0.113.7") };
        Self {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            ports: (40_000, 443),
            sequence: 0x0102_0304,
            ack: 0,
            flags: SYN,
            options: Vec::new(),
            tags: 0,
        }
    }

    /// As a frame, without Ethernet's padding.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.ports.0.to_be_bytes());
        tcp.extend(self.ports.1.to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        let length = u8::try_from(20 + self.options.len()).unwrap();
        tcp.extend([length << 2, self.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        tcp.extend(&self.options);
        let sum = checksum(&[&self.pseudo(tcp.len()), &tcp]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut b = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for _ in 0..self.tags {
            b.extend([0x81, 0, 0, 5]);
        }
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let mut ip = vec![0x45, 0, 0, 20 + length, 0, 1, 0x40, 0, 57, 6, 0, 0];
                ip.extend(src.octets());
                ip.extend(dst.octets());
                let sum = checksum(&[&ip]);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                b.extend([8, 0]);
                b.extend(ip);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                b.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 6, 57]);
                b.extend(src.octets());
                b.extend(dst.octets());
            }
            _ => unreachable!("a packet has one family"),
        }
        b.extend(tcp);
        b
    }

    fn pseudo(&self, length: usize) -> Vec<u8> {
        let mut b = Vec::new();
        for address in [self.src, self.dst] {
            match address {
                IpAddr::V4(address) => b.extend(address.octets()),
                IpAddr::V6(address) => b.extend(address.octets()),
            }
        }
        b.extend(u32::try_from(length).unwrap().to_be_bytes());
        b.extend([0, 0, 0, 6]);
        b
    }

    /// Reads an answer to this, and asserts that it is whole: addresses and ports turned round, both checksums right.
    pub(crate) fn answered(&self, frame: &[u8]) -> Self {
        let mut at = 12 + 4 * self.tags;
        assert_eq!(frame[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], "the way back");
        let six = frame[at..at + 2] == [0x86, 0xdd];
        at += 2;
        let (ip, tcp) = frame[at..].split_at(if six { 40 } else { 20 });
        let (src, dst): (IpAddr, IpAddr) = if six {
            assert_eq!((ip[0], ip[6], usize::from(u16::from_be_bytes([ip[4], ip[5]]))), (0x60, 6, tcp.len()));
            (
                <[u8; 16]>::try_from(&ip[8..24]).unwrap().into(),
                <[u8; 16]>::try_from(&ip[24..]).unwrap().into(),
            )
        } else {
            assert_eq!(checksum(&[ip]), 0, "the header's checksum");
            assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), frame.len() - at);
            (<[u8; 4]>::try_from(&ip[12..16]).unwrap().into(), <[u8; 4]>::try_from(&ip[16..]).unwrap().into())
        };
        let short = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        let long = |at: usize| u32::from_be_bytes(tcp[at..at + 4].try_into().unwrap());
        let answer = Self {
            src,
            dst,
            ports: (short(0), short(2)),
            sequence: long(4),
            ack: long(8),
            flags: tcp[13],
            options: tcp[20..].to_vec(),
            tags: self.tags,
        };
        assert_eq!((answer.src, answer.dst), (self.dst, self.src));
        assert_eq!(answer.ports, (self.ports.1, self.ports.0));
        assert_eq!(usize::from(tcp[12] >> 4) * 4, tcp.len());
        assert_eq!(checksum(&[&answer.pseudo(tcp.len()), tcp]), 0, "the segment's checksum");
        answer
    }
}

/// RFC 1071.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
