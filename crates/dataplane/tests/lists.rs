//! Lists: allowed beats blocked, blocked beats rules; prefixes of all lengths.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use base::Prefix;
use dataplane::{Plane, Policy};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane, runner};
use crate::make::{Packet, udp};

const DROP: u32 = 1;
const PASS: u32 = 2;

fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn fate(plane: &Plane, src: &str, dst: &str) -> u32 {
    let packet = Packet { src: src.parse().unwrap(), dst: dst.parse().unwrap(), ..udp() };
    plane.trace(&frame(&packet.bytes())).unwrap().0
}

#[test]
fn allowed_beats_blocked_and_blocked_beats_rules_for_protected_destinations_only() {
    let Some(plane) = plane() else { return };
    let policy = Policy {
        rules: RuleSet::new(parse::rules("web proto udp -> pass\n").unwrap()),
        allow: prefixes(&["192.0.2.7", "2001:db8:1::/64"]),
        block: prefixes(&["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]),
        protect: Some(prefixes(&["198.51.100.0/24", "2001:db8:ffff::/48"])),
        ..Policy::default()
    };
    plane.install(&policy).unwrap();
    for (sentence, src, dst, wanted) in [
        ("a blocked source is dropped though a rule passes it", "192.0.2.8", "198.51.100.1", DROP),
        ("an allowed one passes though its network is blocked", "192.0.2.7", "198.51.100.1", PASS),
        ("a short prefix blocks", "10.200.3.4", "198.51.100.1", DROP),
        ("its neighbour does not", "11.0.0.0", "198.51.100.1", PASS),
        ("a destination that is not protected gets all", "192.0.2.8", "198.51.101.1", PASS),
        ("IPv6 is blocked", "2001:db8:2::1", "2001:db8:ffff::1", DROP),
        ("IPv6 is allowed", "2001:db8:1::1", "2001:db8:ffff::1", PASS),
        ("IPv6 that is not protected", "2001:db8:2::1", "2001:db8:fffe::1", PASS),
        ("IPv6 that nobody listed", "2001:db9::1", "2001:db8:ffff::1", PASS),
    ] {
        assert_eq!(fate(&plane, src, dst), wanted, "{sentence}");
    }
    let dry = Policy { dry: true, ..policy };
    plane.install(&dry).unwrap();
    assert_eq!(fate(&plane, "192.0.2.8", "198.51.100.1"), PASS, "in a dry run everything passes");
    let blocked = plane.leaves().unwrap().into_iter().find(|tally| tally.place == "blocked").unwrap();
    assert_eq!(blocked.packets, 4, "and is counted");
}

#[test]
fn nothing_protected_is_not_all_protected() {
    let Some(plane) = plane() else { return };
    let block = prefixes(&["0.0.0.0/0", "::/0"]);
    let none = Policy { block: block.clone(), protect: Some(Vec::new()), ..Policy::default() };
    plane.install(&none).unwrap();
    assert_eq!(fate(&plane, "192.0.2.8", "198.51.100.1"), PASS);
    plane.install(&Policy { block, ..Policy::default() }).unwrap();
    assert_eq!(fate(&plane, "192.0.2.8", "198.51.100.1"), DROP);
    assert_eq!(fate(&plane, "2001:db8::1", "2001:db8::2"), DROP);
}

#[test]
fn random_lists_hold_what_they_hold() {
    let Some(plane) = plane() else { return };
    let mut runner = runner(21);
    for _ in 0..20 {
        let v4 = (any::<u32>(), 1u8..=32)
            .prop_map(|(a, bits)| Prefix::of(Ipv4Addr::from_bits(a & 0x0f0f_0f0f).into(), bits));
        let v6 = (any::<u128>(), 20u8..=128).prop_map(|(a, bits)| {
            Prefix::of(Ipv6Addr::from_bits(a & (0x0f0f << 96 | 0x0f0f << 80 | 0x03)).into(), bits)
        });
        let block: Vec<Prefix> =
            proptest::collection::vec(prop_oneof![v4, v6], 1..60).new_tree(&mut runner).unwrap().current();
        plane.install(&Policy { block: block.clone(), ..Policy::default() }).unwrap();
        for _ in 0..200 {
            // Half the sources begin as a prefix does, and end one beside its end.
            let from = block[(0..block.len()).new_tree(&mut runner).unwrap().current()];
            let (flip, v6) = ((0u8..128).new_tree(&mut runner).unwrap().current(), !from.is_ipv4());
            let src: std::net::IpAddr = match from.addr() {
                std::net::IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits() ^ (1 << (flip % 32))).into(),
                std::net::IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits() ^ (1 << flip)).into(),
            };
            let wanted = block.iter().any(|prefix| prefix.contains(src));
            let got = fate(&plane, &src.to_string(), if v6 { "2001:db8::1" } else { "198.51.100.1" });
            assert_eq!(got == DROP, wanted, "{src} and {block:?}");
        }
    }
}

#[test]
fn a_million_sources_of_each_family_are_blocked() {
    let Some(plane) = plane() else { return };
    let mut seen = BTreeSet::new();
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    while seen.len() < 1_000_000 {
        seen.insert(u32::try_from(next() & 0xffff_ffff).unwrap());
    }
    let v4 = seen.iter().map(|a| Prefix::host(Ipv4Addr::from_bits(*a).into()));
    let of6 = |a: u32| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(a) << 64 | u128::from(a));
    let block: Vec<Prefix> = v4.chain(seen.iter().map(|a| Prefix::host(of6(*a).into()))).collect();
    plane.install(&Policy { block, ..Policy::default() }).unwrap();
    for addr in seen.iter().step_by(5000) {
        let v4 = Ipv4Addr::from_bits(*addr).to_string();
        assert_eq!(fate(&plane, &v4, "198.51.100.1"), DROP, "{v4}");
        let v6 = of6(*addr).to_string();
        assert_eq!(fate(&plane, &v6, "2001:db8::1"), DROP, "{v6}");
        let other = addr ^ 1;
        if !seen.contains(&other) {
            assert_eq!(fate(&plane, &Ipv4Addr::from_bits(other).to_string(), "198.51.100.1"), PASS);
            assert_eq!(fate(&plane, &of6(other).to_string(), "2001:db8::1"), PASS);
        }
    }
}

#[test]
fn addresses_that_crowd_into_one_line_are_blocked_all_the_same() {
    let Some(plane) = plane() else { return };
    // The inverse of the lines' multiplier: these addresses are all meant for the first line.
    let inverse = (0..5).fold(1u32, |x, _| x.wrapping_mul(2u32.wrapping_sub(0x9e37_79b1u32.wrapping_mul(x))));
    let crowd = |n: u32| Ipv4Addr::from_bits(n.wrapping_mul(inverse));
    let mut block: Vec<Prefix> = (0..2000).map(|n| Prefix::host(crowd(n).into())).collect();
    block.extend((0..2000u32).map(|n| Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + n).into())));
    plane.install(&Policy { block, ..Policy::default() }).unwrap();
    assert_eq!(plane.in_force().unwrap().lists[1], Some(4000));
    for n in (0..2000).step_by(37) {
        assert_eq!(fate(&plane, &crowd(n).to_string(), "198.51.100.1"), DROP, "{}", crowd(n));
        assert_eq!(fate(&plane, &crowd(n + 2000).to_string(), "198.51.100.1"), PASS);
    }
    assert_eq!(fate(&plane, "0.0.0.0", "198.51.100.1"), DROP, "an address that looks like a free slot");
    assert_eq!(fate(&plane, "0.0.0.1", "198.51.100.1"), PASS);
    assert_eq!(fate(&plane, "10.0.7.207", "198.51.100.1"), DROP);
    assert_eq!(fate(&plane, "10.0.7.208", "198.51.100.1"), PASS);
    // A short list in its place.
    plane.install(&Policy::default()).unwrap();
    plane.install(&Policy { block: prefixes(&["192.0.2.1"]), ..Policy::default() }).unwrap();
    assert_eq!(fate(&plane, "10.0.7.207", "198.51.100.1"), PASS);
    assert_eq!(fate(&plane, "192.0.2.1", "198.51.100.1"), DROP);
}
