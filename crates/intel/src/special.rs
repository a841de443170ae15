//! Addresses that no host on the Internet has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Share of all IPv4 addresses for which [`special`] holds: whoever draws addresses at random draws so many of these.
pub(crate) const SPECIAL_SHARE: f64 = 0.138_0;

/// First address and prefix length. RFC 6890 as updated by RFC 8190, RFC 1112 §4 (class E), RFC 5771 (multicast).
const V4: [(u32, u8); 13] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc000_0000, 24),
    (0xc000_0200, 24),
    (0xc0a8_0000, 16),
    (0xc612_0000, 15),
    (0xc633_6400, 24),
    (0xcb00_7100, 24),
    (0xe000_0000, 3),
];

/// Whether an address is of special-purpose space, so that it cannot have come from the Internet.
pub fn special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => special4(v4),
        IpAddr::V6(v6) => special6(v6),
    }
}

fn special4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    V4.iter().any(|(first, length)| (bits ^ first) >> (32 - length) == 0)
}

/// Whatever is not global unicast (RFC 4291 §2.4), and documentation (RFC 3849, RFC 9637) and ORCHID (RFC 7343) within it.
fn special6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] | [0x2001, 0x0020..=0x002f, ..] => true,
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

/// Whether an IPv4 address is multicast or class E: nine of ten special-purpose addresses are.
pub(crate) const fn beyond_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.to_bits() >= 0xe000_0000,
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_space_is_the_share_that_is_documented() {
        let all: f64 = V4.iter().map(|(_, length)| 0.5f64.powi(i32::from(*length))).sum();
        assert!((all - SPECIAL_SHARE).abs() < 1e-4, "{all}");
    }

    #[test]
    fn the_edges_of_special_space_are_where_the_registries_put_them() {
        for (text, is) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("11.0.0.0", false),
            ("100.63.255.255", false),
            ("100.64.0.0", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.0.1.0", false),
            ("198.20.0.0", false),
            ("198.19.255.255", true),
            ("223.255.255.255", false),
            ("224.0.0.0", true),
            ("255.255.255.255", true),
            ("2001:db8::1", true),
            ("2001:4860::1", false),
            ("fe80::1", true),
            ("::1", true),
            ("3fff:1000::", false),
        ] {
            assert_eq!(special(text.parse().unwrap()), is, "{text}");
        }
    }
}
