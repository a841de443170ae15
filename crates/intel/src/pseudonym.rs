//! Pseudonyms of addresses that keep prefixes: two addresses of one /24 have pseudonyms of one /24, so that statistics of networks
//! still work, and whoever has not the key learns nothing else.
//!
//! The cipher is `ipcrypt-pfx` (draft-denis-ipcrypt-deterministic; after Xu and others, "Prefix-preserving IP address anonymization",
//! 2002), of 32 octets of key. Own and special addresses are [`Clear`]: they stay, and no pseudonym is ever one of them: a pseudonym
//! that would be is encrypted once more until it is not (cycle walking, Black and Rogaway 2002), which can be undone as well.

mod pfx;
pub mod text;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;
use base::prefix::{narrow, wide};
use pfx::Pfx;

pub use pfx::KEY_LEN;

/// Steps of a walk out of clear space. Where nearly everything is clear some pseudonym may be a clear address after so many; it is
/// undone all the same.
const WALK_MAX: usize = 1 << 10;

/// Addresses that name nobody: this network, loopback, link-local, multicast, broadcast.
const NOBODY: [(IpAddr, u8); 9] = [
    (IpAddr::V4(Ipv4Addr::new(0, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4),
    (IpAddr::V4(Ipv4Addr::BROADCAST), 32),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8),
];

/// Addresses that are never replaced: own ones, those of configured neighbours, and those that name nobody.
#[derive(Clone, Debug)]
pub struct Clear {
    /// First and last address of what follows each other without a gap, in order.
    ranges: Vec<(u128, u128)>,
}

impl Clear {
    /// These, and those that name nobody.
    pub fn new(own: impl IntoIterator<Item = Prefix>) -> Self {
        let nobody = NOBODY.iter().map(|(address, bits)| Prefix::of(*address, *bits));
        let mut all: Vec<(u128, u128)> = own.into_iter().chain(nobody).map(|prefix| range(&prefix)).collect();
        all.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for (first, last) in all {
            match ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }

    /// Whether one of these is in it.
    pub fn meets(&self, prefix: &Prefix) -> bool {
        let (first, last) = range(prefix);
        let at = self.ranges.partition_point(|(_, end)| *end < first);
        self.ranges.get(at).is_some_and(|(begin, _)| *begin <= last)
    }
}

/// First and last address, as [`wide`] has them.
fn range(prefix: &Prefix) -> (u128, u128) {
    let first = wide(prefix.addr());
    let free = if prefix.is_ipv4() { 32 } else { 128 } - u32::from(prefix.bits());
    (first, first | u128::MAX.checked_shr(128 - free).unwrap_or(0))
}

/// The pseudonyms of one key.
pub struct Pseudonyms {
    cipher: Pfx,
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Nothing that tells of the key.
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// Of this key; `None` where its halves are equal, which a random key's are not.
    pub fn new(key: [u8; KEY_LEN]) -> Option<Self> {
        Some(Self { cipher: Pfx::new(&key)? })
    }

    /// The pseudonym of a prefix, or of a host as a prefix. What meets clear space stays as it is.
    #[must_use]
    pub fn conceal(&self, clear: &Clear, prefix: Prefix) -> Prefix {
        walk(clear, prefix, |address| self.cipher.encrypt(address))
    }

    /// What was concealed, under the same key and with the same clear space.
    #[must_use]
    pub fn reveal(&self, clear: &Clear, pseudonym: Prefix) -> Prefix {
        walk(clear, pseudonym, |address| self.cipher.decrypt(address))
    }
}

fn walk(clear: &Clear, prefix: Prefix, step: impl Fn(IpAddr) -> IpAddr) -> Prefix {
    // IPv6 that stands for IPv4 is IPv4.
    let mut at = if prefix.is_host() { Prefix::host(narrow(wide(prefix.addr()))) } else { prefix };
    if clear.meets(&at) {
        return prefix;
    }
    for _ in 0..WALK_MAX {
        at = Prefix::of(step(at.addr()), at.bits());
        if !clear.meets(&at) {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clear() -> Clear {
        Clear::new(["198.18.0.0/15", "128.0.0.0/2", "2001:db8::/32"].map(|text| text.parse().unwrap()))
    }

    fn key(seed: u8) -> Pseudonyms {
        let octet = |at| seed.wrapping_mul(31).wrapping_add(u8::try_from(at).unwrap()).rotate_left(3);
        Pseudonyms::new(std::array::from_fn(octet)).unwrap()
    }

    fn host() -> impl Strategy<Value = IpAddr> {
        let v6 = (0x2000_u16..0x4000, any::<u128>())
            .prop_map(|(top, rest)| IpAddr::V6(Ipv6Addr::from_bits(u128::from(top) << 112 | rest >> 16)));
        prop_oneof![any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))), v6]
    }

    #[test]
    fn the_vectors_of_the_draft_hold() {
        let key = |hex: &str| -> [u8; KEY_LEN] {
            std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        };
        let first =
            Pseudonyms::new(key("0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301")).unwrap();
        let second =
            Pseudonyms::new(key("2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a")).unwrap();
        for (key, address, pseudonym) in [
            (&first, "192.0.2.1", "100.115.72.131"),
            (&first, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
            (&second, "10.0.0.47", "19.214.210.244"),
            (&second, "10.0.0.129", "19.214.210.80"),
            (&second, "10.0.0.0/24", "19.214.210.0/24"),
        ] {
            let prefix =
                |text: &str| text.parse::<IpAddr>().map_or_else(|_| text.parse().unwrap(), Prefix::host);
            let clear = Clear::new([]);
            assert_eq!(key.conceal(&clear, prefix(address)), prefix(pseudonym), "{address}");
            assert_eq!(key.reveal(&clear, prefix(pseudonym)), prefix(address), "{address}");
        }
        assert!(Pseudonyms::new([7; KEY_LEN]).is_none(), "equal halves");
    }

    #[test]
    fn clear_space_stays_and_is_met_from_both_sides() {
        let clear = clear();
        for text in [
            "198.18.7.7/32",
            "198.0.0.0/8",
            "0.0.0.0/0",
            "127.0.0.1/32",
            "255.255.255.255/32",
            "2001:db8::/64",
            "ff02::1/128",
        ] {
            let prefix: Prefix = text.parse().unwrap();
            assert_eq!(key(1).conceal(&clear, prefix), prefix, "{text}");
        }
        for text in ["198.17.255.255/32", "198.20.0.0/32", "1.0.0.0/32", "2001:db9::/128", "2001:db7::/32"] {
            let prefix: Prefix = text.parse().unwrap();
            assert_ne!(key(1).conceal(&clear, prefix), prefix, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_concealed_is_revealed_and_is_never_an_own_address(address in host(), seed in any::<u8>(), bits in 9_u8..=128) {
            let (clear, key, host) = (clear(), key(seed), Prefix::host(address));
            for prefix in [host, Prefix::of(address, bits)] {
                let pseudonym = key.conceal(&clear, prefix);
                prop_assert_eq!(key.reveal(&clear, pseudonym), prefix);
                prop_assert_eq!(pseudonym.bits(), prefix.bits());
                prop_assert_eq!(pseudonym.is_ipv4(), prefix.is_ipv4());
                prop_assert_eq!(clear.meets(&pseudonym), clear.meets(&prefix));
            }
        }

        #[test]
        fn neighbours_have_neighbouring_pseudonyms(address in host(), other in any::<u32>(), common in 16_u8..=32) {
            let (clear, key) = (clear(), key(9));
            let flipped = narrow(wide(address) ^ (u128::from(other) & (u128::MAX >> 96 >> common.min(31))));
            let (a, b) = (Prefix::host(address), Prefix::host(flipped));
            prop_assume!(!clear.meets(&a) && !clear.meets(&b));
            let shared = a.join(&b).unwrap().bits();
            let met = key.conceal(&clear, a).join(&key.conceal(&clear, b)).unwrap().bits();
            prop_assert_eq!(met, shared, "neither fewer nor more bits in common");
        }
    }
}
