//! What is kept of a packet as evidence: its headers. What it carries is its sender's and its receiver's business, so it is kept only
//! of packets that match a rule of the attack, and of these a little, where somebody has named for what and by which right.

use rules::Rule;
use rules::eval::matches;
use wire::packet::{Parsed, TCP, UDP};

use crate::capture::Packet;
use crate::config::Named;

/// Octets behind the transport header that are kept at most, of packets that match a rule.
pub const OCTETS_MAX: usize = 64;

/// What may be kept.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    rules: Vec<Rule>,
    named: Option<Named>,
}

impl Payload {
    /// Of packets that match one of these rules, where it is `named` what allows it; else of none.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a str>, named: Option<&Named>) -> Self {
        // A rule that is not understood, of another version, allows nothing.
        let read = rules.into_iter().filter_map(|text| rules::parse::rules(text).ok()).flatten();
        Self { rules: read.collect(), named: named.cloned() }
    }

    /// The packet as it is kept.
    pub fn cut<'a>(&self, packet: &Packet<'a>, parsed: &Parsed<'a>) -> Packet<'a> {
        let may = self.named.is_some() && self.rules.iter().any(|rule| matches(&rule.matches, parsed));
        let beyond = behind(packet.bytes, parsed);
        let kept = packet.bytes.len() - beyond + beyond.min(if may { OCTETS_MAX } else { 0 });
        Packet { bytes: packet.bytes.get(..kept).unwrap_or(packet.bytes), ..*packet }
    }

    /// In words, for the chain of custody.
    pub fn explain(&self) -> String {
        match &self.named {
            None => "packets end with their transport header".to_owned(),
            Some(Named { purpose, legal_basis }) => format!(
                "packets end with their transport header, or {OCTETS_MAX} octets behind it where they match a rule; purpose: {purpose}; legal basis: {legal_basis}"
            ),
        }
    }
}

/// Octets of a frame behind the transport header, what the link added at its end among them.
fn behind(frame: &[u8], parsed: &Parsed<'_>) -> usize {
    let transport = parsed.transport;
    // Where the transport header begins in the frame: `transport` is a part of it.
    let begin = transport.as_ptr().addr().checked_sub(frame.as_ptr().addr());
    let begin = begin.filter(|begin| !transport.is_empty() && begin + transport.len() <= frame.len());
    // Nothing behind the IP header was captured, or it lies elsewhere: the longest headers of IPv4 in a frame with two tags.
    let Some(begin) = begin else { return frame.len().saturating_sub(HEADERS) };
    let header = match parsed.headers.protocol {
        _ if parsed.headers.fragment.is_later() => 0,
        TCP => transport.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4).max(20),
        UDP => 8,
        // The type, code and number of ICMP, the flags and key of GRE, the index and number of ESP.
        _ => 8,
    };
    frame.len() - (begin + header).min(frame.len())
}

/// Ethernet with two tags, and an IPv4 header with all its options.
const HEADERS: usize = 22 + 60;

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use wire::packet::Link;

    use super::*;

    const SECRET: &[u8] =
        b"Authorization: Basic c2VjcmV0OnNlY3JldA== and more that nobody has to know of it, for it is long";

    fn named() -> Named {
        Named { purpose: "proof".to_owned(), legal_basis: "GDPR 6(1)(f)".to_owned() }
    }

    fn ipv4(protocol: u8, fragment: u16, transport: &[u8]) -> Vec<u8> {
        let total = u16::try_from(20 + transport.len()).unwrap().to_be_bytes();
        let offset = fragment.to_be_bytes();
        let header = [
            0x45, 0, total[0], total[1], 0, 1, offset[0], offset[1], 64, protocol, 0, 0, 203, 0, 113, 9, 198,
            51, 100, 7,
        ];
        [&header[..], transport].concat()
    }

    fn ipv6(next: u8, transport: &[u8]) -> Vec<u8> {
        let length = u16::try_from(transport.len()).unwrap().to_be_bytes();
        let mut out = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
        out.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        out.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        out.extend(transport);
        out
    }

    fn udp() -> Vec<u8> {
        let length = u16::try_from(8 + SECRET.len()).unwrap().to_be_bytes();
        [&[0, 53, 0x30, 0x39, length[0], length[1], 0, 0][..], SECRET].concat()
    }

    /// With twelve octets of options.
    fn tcp() -> Vec<u8> {
        let mut header = [0; 32];
        header[..4].copy_from_slice(&[0x30, 0x39, 1, 187]);
        (header[12], header[13]) = (0x80, 0x18);
        header[20..32].fill(1);
        [&header[..], SECRET].concat()
    }

    fn kept(payload: &Payload, bytes: &[u8], link: Link) -> usize {
        let original_len = u32::try_from(bytes.len()).unwrap();
        let packet = Packet {
            number: 1,
            at: Timestamp::ZERO,
            link,
            link_number: 101,
            original_len,
            interface: 0,
            bytes,
        };
        let cut = payload.cut(&packet, &packet.parse().unwrap());
        assert_eq!(cut.original_len, original_len);
        assert!(bytes.starts_with(cut.bytes));
        cut.bytes.len()
    }

    #[test]
    fn packets_end_with_their_transport_header() {
        let icmp = [&[3, 3, 0, 0, 0, 0, 0, 0][..], SECRET].concat();
        for (what, packet, headers) in [
            ("UDP", ipv4(17, 0, &udp()), 28),
            ("TCP with options", ipv4(6, 0, &tcp()), 52),
            ("ICMP", ipv4(1, 0, &icmp), 28),
            ("a later fragment", ipv4(17, 40, &udp()), 20),
            ("UDP in IPv6", ipv6(17, &udp()), 48),
            ("TCP in IPv6", ipv6(6, &tcp()), 72),
        ] {
            assert_eq!(kept(&Payload::default(), &packet, Link::Ip), headers, "{what}");
            let unnamed = Payload::new(["r @1 proto udp -> drop"], None);
            assert_eq!(kept(&unnamed, &packet, Link::Ip), headers, "{what}: nobody named anything");
            let padded = [
                &[0; 12][..],
                if what.contains("IPv6") { &[0x86, 0xdd] } else { &[8, 0] },
                &packet,
                &[0xee; 9],
            ]
            .concat();
            assert_eq!(kept(&Payload::default(), &padded, Link::Ethernet), 14 + headers, "{what} in a frame");
            for length in 60..padded.len() {
                let cut = kept(&Payload::default(), &padded[..length], Link::Ethernet);
                assert!(cut <= 14 + headers.max(60), "{what}, captured to {length}");
            }
        }
    }

    #[test]
    fn a_little_is_kept_of_what_matches_a_rule_where_it_is_named_why() {
        let payload =
            Payload::new(["r @1 dst 198.51.100.0/24 proto udp src-port 53 -> drop", "!"], Some(&named()));
        assert_eq!(kept(&payload, &ipv4(17, 0, &udp()), Link::Ip), 28 + OCTETS_MAX);
        assert_eq!(kept(&payload, &ipv4(6, 0, &tcp()), Link::Ip), 52, "no rule matches");
        assert_eq!(kept(&payload, &ipv6(17, &udp()), Link::Ip), 48, "no rule matches");
        assert_eq!(kept(&payload, &ipv4(17, 0, &udp()[..20]), Link::Ip), 40, "there is no more");
        assert!(payload.explain().contains("legal basis: GDPR 6(1)(f)"));
    }
}
