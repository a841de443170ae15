//! What a FlowSpec route does with its packets, as extended communities (RFC 8955 §7, RFC 8956 §6, RFC 7674,
//! draft-ietf-idr-flowspec-redirect-ip).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Attributes;

/// One traffic filtering action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Traffic {
    /// At most so many octets a second; 0 drops all.
    RateBytes(f32),
    /// At most so many packets a second; 0 drops all.
    RatePackets(f32),
    /// What else is done.
    Action {
        /// Packets are sampled and logged.
        sample: bool,
        /// Later rules are asked too: the bit that the RFC calls terminal.
        goes_on: bool,
    },
    /// The DSCP becomes this.
    Marking(u8),
    /// Into the VRF that imports this route target of a two-octet AS.
    RedirectAs2(u16, u32),
    /// Into the VRF that imports this route target of an IPv4 address.
    RedirectIpv4(Ipv4Addr, u16),
    /// Into the VRF that imports this route target of a four-octet AS.
    RedirectAs4(u32, u16),
    /// Into the VRF that imports this route target of an IPv6 address.
    RedirectIpv6(Ipv6Addr, u16),
    /// To this address, as draft-ietf-idr-flowspec-redirect-ip has it.
    ToAddress {
        /// The address.
        to: IpAddr,
        /// A copy goes there, the packet itself goes on.
        copy: bool,
    },
    /// To the next hop of the route, as draft-simpson-idr-flowspec-redirect had it.
    ToNextHop {
        /// A copy goes there, the packet itself goes on.
        copy: bool,
    },
}

/// Type and subtype of each action.
pub mod kind {
    #![expect(missing_docs, reason = "the names are the registry's")]
    pub const RATE_BYTES: [u8; 2] = [0x80, 0x06];
    pub const ACTION: [u8; 2] = [0x80, 0x07];
    pub const REDIRECT_AS2: [u8; 2] = [0x80, 0x08];
    pub const MARKING: [u8; 2] = [0x80, 0x09];
    pub const RATE_PACKETS: [u8; 2] = [0x80, 0x0c];
    pub const REDIRECT_IPV4: [u8; 2] = [0x81, 0x08];
    pub const REDIRECT_AS4: [u8; 2] = [0x82, 0x08];
    pub const TO_IPV4: [u8; 2] = [0x01, 0x0c];
    pub const TO_NEXT_HOP: [u8; 2] = [0x08, 0x00];
    /// Of attribute 25, as the next.
    pub const TO_IPV6: [u8; 2] = [0x00, 0x0c];
    pub const REDIRECT_IPV6: [u8; 2] = [0x00, 0x0d];
}

impl Traffic {
    /// Appends it to a route's attributes.
    pub fn put(self, attributes: &mut Attributes) {
        match self {
            Self::RedirectIpv6(to, local) => attributes.extended6.push(long(kind::REDIRECT_IPV6, to, local)),
            Self::ToAddress { to: IpAddr::V6(to), copy } => {
                attributes.extended6.push(long(kind::TO_IPV6, to, u16::from(copy)));
            }
            Self::RateBytes(rate) => attributes.extended.push(short(kind::RATE_BYTES, as2(0, bits(rate)))),
            Self::RatePackets(rate) => {
                attributes.extended.push(short(kind::RATE_PACKETS, as2(0, bits(rate))));
            }
            Self::Action { sample, goes_on } => {
                let flags = u8::from(sample) << 1 | u8::from(goes_on);
                attributes.extended.push(short(kind::ACTION, [0, 0, 0, 0, 0, flags]));
            }
            Self::Marking(dscp) => {
                attributes.extended.push(short(kind::MARKING, [0, 0, 0, 0, 0, dscp & 0x3f]));
            }
            Self::RedirectAs2(asn, local) => {
                attributes.extended.push(short(kind::REDIRECT_AS2, as2(asn, local)));
            }
            Self::RedirectIpv4(to, local) => {
                attributes.extended.push(short(kind::REDIRECT_IPV4, as4(u32::from(to), local)));
            }
            Self::RedirectAs4(asn, local) => {
                attributes.extended.push(short(kind::REDIRECT_AS4, as4(asn, local)));
            }
            Self::ToAddress { to: IpAddr::V4(to), copy } => {
                attributes.extended.push(short(kind::TO_IPV4, as4(u32::from(to), u16::from(copy))));
            }
            Self::ToNextHop { copy } => {
                attributes.extended.push(short(kind::TO_NEXT_HOP, as4(0, u16::from(copy))));
            }
        }
    }

    /// The actions among a route's extended communities, in their order; others are left out.
    pub fn all(attributes: &Attributes) -> Vec<Self> {
        let short = attributes.extended.iter().filter_map(Self::of_short);
        short.chain(attributes.extended6.iter().filter_map(Self::of_long)).collect()
    }

    fn of_short(octets: &[u8; 8]) -> Option<Self> {
        let [high, low, a, b, c, d, e, f] = *octets;
        let (first2, last4) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]));
        let (first4, last2) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]));
        Some(match [high, low] {
            kind::RATE_BYTES => Self::RateBytes(f32::from_bits(last4)),
            kind::RATE_PACKETS => Self::RatePackets(f32::from_bits(last4)),
            kind::ACTION => Self::Action { sample: f & 2 != 0, goes_on: f & 1 != 0 },
            kind::MARKING => Self::Marking(f & 0x3f),
            kind::REDIRECT_AS2 => Self::RedirectAs2(first2, last4),
            kind::REDIRECT_IPV4 => Self::RedirectIpv4(Ipv4Addr::from(first4), last2),
            kind::REDIRECT_AS4 => Self::RedirectAs4(first4, last2),
            kind::TO_IPV4 => Self::ToAddress { to: Ipv4Addr::from(first4).into(), copy: last2 & 1 != 0 },
            kind::TO_NEXT_HOP => Self::ToNextHop { copy: last2 & 1 != 0 },
            _ => return None,
        })
    }

    fn of_long(octets: &[u8; 20]) -> Option<Self> {
        let [high, low, addr @ .., a, b] = octets;
        let addr: [u8; 16] = *addr;
        let (addr, local) = (Ipv6Addr::from(addr), u16::from_be_bytes([*a, *b]));
        match [*high, *low] {
            kind::TO_IPV6 => Some(Self::ToAddress { to: addr.into(), copy: local & 1 != 0 }),
            kind::REDIRECT_IPV6 => Some(Self::RedirectIpv6(addr, local)),
            _ => None,
        }
    }
}

const fn bits(rate: f32) -> u32 {
    rate.to_bits()
}

const fn as2(asn: u16, local: u32) -> [u8; 6] {
    let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), local.to_be_bytes());
    [a, b, c, d, e, f]
}

const fn as4(admin: u32, local: u16) -> [u8; 6] {
    let ([a, b, c, d], [e, f]) = (admin.to_be_bytes(), local.to_be_bytes());
    [a, b, c, d, e, f]
}

const fn short([high, low]: [u8; 2], [a, b, c, d, e, f]: [u8; 6]) -> [u8; 8] {
    [high, low, a, b, c, d, e, f]
}

fn long(kind: [u8; 2], to: Ipv6Addr, local: u16) -> [u8; 20] {
    let mut out = [0; 20];
    let octets = kind.into_iter().chain(to.octets()).chain(local.to_be_bytes());
    out.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_stand_in_their_octets_and_come_back() {
        let to = "2001:db8::1".parse().unwrap();
        let all = [
            Traffic::RateBytes(1e6),
            Traffic::RatePackets(100.0),
            Traffic::Action { sample: true, goes_on: false },
            Traffic::Action { sample: false, goes_on: true },
            Traffic::Marking(46),
            Traffic::RedirectAs2(65010, 7),
            Traffic::RedirectIpv4(Ipv4Addr::new(192, 0, 2, 1), 7),
            Traffic::RedirectAs4(4_200_000_000, 7),
            Traffic::ToAddress { to: Ipv4Addr::new(192, 0, 2, 9).into(), copy: true },
            Traffic::ToNextHop { copy: false },
            Traffic::RedirectIpv6(to, 7),
            Traffic::ToAddress { to: to.into(), copy: false },
        ];
        let mut attributes = Attributes::default();
        all.iter().for_each(|action| action.put(&mut attributes));
        assert_eq!(Traffic::all(&attributes), all);
        // By RFC 8955 §7: sample is bit 46 and terminal bit 47, counted from the left.
        assert_eq!(attributes.extended[2], [0x80, 7, 0, 0, 0, 0, 0, 2]);
        assert_eq!(attributes.extended[3], [0x80, 7, 0, 0, 0, 0, 0, 1]);
        assert_eq!(attributes.extended[0], [0x80, 6, 0, 0, 0x49, 0x74, 0x24, 0]);
        assert_eq!(attributes.extended[8], [1, 0x0c, 192, 0, 2, 9, 0, 1]);
        // What is no action is left out.
        attributes.extended.push([0, 2, 0xfd, 0xf2, 0, 0, 0, 7]);
        assert_eq!(Traffic::all(&attributes).len(), all.len());
    }
}
