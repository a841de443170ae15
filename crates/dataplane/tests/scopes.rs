//! Entries of lists with a scope or a ceiling, and the host's own addresses.

use std::net::IpAddr;

use dataplane::{Allow, Block, Ceiling, Clock, Plane, Policy, Scope};
use rules::{RuleSet, parse};
use wire::packet::{TCP, UDP};

use crate::agreement::{frame, plane, plane_with};
use crate::make::{Packet, udp};

const DROP: u32 = 1;
const PASS: u32 = 2;
const SECOND: u64 = 1_000_000_000;

fn run(plane: &Plane, src: &str, dst: &str, packet: &Packet) -> u32 {
    let packet = Packet { src: src.parse().unwrap(), dst: dst.parse().unwrap(), ..packet.clone() };
    plane.test_run(&frame(&packet.bytes()), 1).unwrap().returned
}

fn to(destination: &str) -> Scope {
    Scope { destination: Some(destination.parse().unwrap()), ..Scope::default() }
}

fn block(source: &str, scope: Scope) -> Block {
    Block { source: source.parse().unwrap(), scope }
}

fn allow(source: &str, scope: Scope, ceiling: Option<Ceiling>) -> Allow {
    Allow { source: source.parse().unwrap(), scope, ceiling }
}

#[test]
fn an_entry_holds_for_its_scope_only() {
    let Some(plane) = plane() else { return };
    let dns = Scope { protocol: Some(UDP), port: Some(53), ..Scope::default() };
    let policy = Policy {
        block: vec!["203.0.113.0/24".parse().unwrap()],
        block_within: vec![
            block("192.0.2.1/32", to("198.51.100.1/32")),
            block("192.0.2.1/32", to("198.51.101.0/24")),
            block("192.0.2.0/24", to("198.51.102.0/24")),
            block("2001:db8:1::/48", to("2001:db8:ffff::/64")),
            block("203.0.113.0/24", to("198.51.100.1/32")),
        ],
        allow_within: vec![allow("203.0.113.9/32", dns, None)],
        ..Policy::default()
    };
    plane.install(&policy).unwrap();
    let tcp = Packet { protocol: TCP, ..udp() };
    for (sentence, src, dst, packet, wanted) in [
        ("blocked for this destination", "192.0.2.1", "198.51.100.1", udp(), DROP),
        ("and for this network", "192.0.2.1", "198.51.101.9", udp(), DROP),
        ("not for others", "192.0.2.1", "198.51.100.2", udp(), PASS),
        ("its own entries are out of scope, its network's is not", "192.0.2.1", "198.51.102.1", udp(), DROP),
        ("its neighbour", "192.0.2.2", "198.51.102.1", udp(), DROP),
        ("its neighbour elsewhere", "192.0.2.2", "198.51.101.9", udp(), PASS),
        ("IPv6", "2001:db8:1::7", "2001:db8:ffff::9", udp(), DROP),
        ("IPv6 elsewhere", "2001:db8:1::7", "2001:db8:ffff:1::9", udp(), PASS),
        ("an entry without scope holds for all", "203.0.113.8", "198.51.109.1", udp(), DROP),
        ("allowed by protocol and port", "203.0.113.9", "198.51.100.1", udp(), PASS),
        ("another port", "203.0.113.9", "198.51.100.1", Packet { ports: (9, 54), ..udp() }, DROP),
        ("another protocol", "203.0.113.9", "198.51.100.1", tcp, DROP),
    ] {
        assert_eq!(run(&plane, src, dst, &packet), wanted, "{sentence}");
    }
}

#[test]
fn a_flood_spoofed_from_an_allowed_source_gets_the_ceiling_and_no_more() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    plane.set_clock(SECOND).unwrap();
    let rules = "rest proto udp -> drop\n";
    let policy = Policy {
        rules: RuleSet::new(parse::rules(rules).unwrap()),
        // The wider entry has no ceiling; the one that speaks of the source decides.
        allow: vec!["192.0.0.0/16".parse().unwrap()],
        allow_within: vec![
            allow("192.0.2.7/32", Scope::default(), Some(Ceiling::Packets(100.0))),
            allow("2001:db8::7/128", Scope::default(), Some(Ceiling::Bits(102_400.0))),
        ],
        ..Policy::default()
    };
    plane.install(&policy).unwrap();
    for (src, dst) in [("192.0.2.7", "198.51.100.1"), ("2001:db8::7", "2001:db8:ffff::1")] {
        let size = if src.contains(':') { 128 - 48 } else { 100 };
        let packet = Packet { payload: vec![0; size], ..udp() };
        let mut passed = 0;
        for n in 0..20_000u64 {
            plane.set_clock(SECOND + n * 100_000).unwrap();
            passed += u32::from(run(&plane, src, dst, &packet) == PASS);
        }
        assert!((205..=212).contains(&passed), "{passed} of 20,000 in two seconds from {src}");
    }
    assert_eq!(run(&plane, "192.0.2.8", "198.51.100.1", &udp()), PASS, "others are not limited");
    let tally = |name: &str| plane.leaves().unwrap().into_iter().find(|t| t.place == name).unwrap().packets;
    assert_eq!(tally("allowed") + tally("dropped"), 40_001);
    assert_eq!(plane.over_ceiling().unwrap(), tally("dropped"), "all of them were above a ceiling");
}

#[test]
fn scopes_that_cannot_be_are_refused_and_the_old_set_stays() {
    let Some(plane) = plane() else { return };
    let install = |block_within| plane.install(&Policy { block_within, ..Policy::default() });
    install(vec![block("192.0.2.1/32", to("198.51.100.1/32"))]).unwrap();
    let odd = install(vec![block("192.0.2.1/32", to("2001:db8::/32"))]).unwrap_err().to_string();
    assert_eq!(odd, "192.0.2.1/32: the destination is of the other address family; no packet has both");
    let nine = (0..9).map(|n| block("192.0.2.1/32", to(&format!("198.51.100.{n}/32")))).collect();
    let many = install(nine).unwrap_err().to_string();
    assert!(many.starts_with("192.0.2.1/32: a source may stand in a list with 8 scopes at most"), "{many}");
    assert_eq!(run(&plane, "192.0.2.1", "198.51.100.1", &udp()), DROP);
}

#[test]
fn own_addresses_are_neither_blocked_nor_limited() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    plane.set_clock(SECOND).unwrap();
    let own: Vec<IpAddr> = ["192.0.2.7", "2001:db8::7"].map(|text| text.parse().unwrap()).to_vec();
    plane.set_own(&["192.0.2.99".parse().unwrap()]).unwrap();
    plane.set_own(&own).unwrap();
    let mut known = plane.own().unwrap();
    known.sort_unstable();
    assert_eq!(known, own);
    let mut policy = Policy {
        block: ["192.0.2.0/24", "2001:db8::7/128", "2001:db8::8/128"].map(|t| t.parse().unwrap()).to_vec(),
        ..Policy::default()
    };
    plane.install(&policy).unwrap();
    let (v4, v6) = ("198.51.100.1", "2001:db8:ffff::1");
    assert_eq!(run(&plane, "192.0.2.7", v4, &udp()), PASS);
    assert_eq!(run(&plane, "192.0.2.99", v4, &udp()), DROP, "no longer an own address");
    assert_eq!(run(&plane, "2001:db8::7", v6, &udp()), PASS);
    assert_eq!(run(&plane, "2001:db8::8", v6, &udp()), DROP);
    policy.block.clear();
    policy.rules = RuleSet::new(parse::rules("r proto udp -> rate 10pps per source\n").unwrap());
    plane.install(&policy).unwrap();
    let passed = |src: &str, dst: &str| (0..100).filter(|_| run(&plane, src, dst, &udp()) == PASS).count();
    assert_eq!((passed("192.0.2.7", v4), passed("192.0.2.8", v4)), (100, 1));
    assert_eq!((passed("2001:db8::7", v6), passed("2001:db8:1::8", v6)), (100, 1));
    // A rule that names them still holds.
    policy.rules = RuleSet::new(parse::rules("r src 192.0.2.7/32 -> drop\n").unwrap());
    plane.install(&policy).unwrap();
    assert_eq!(run(&plane, "192.0.2.7", v4, &udp()), DROP);
}
