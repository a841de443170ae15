//! What no rule and no list may cut: neighbour discovery, and the administrator's sessions.

use std::net::IpAddr;

use dataplane::{Clock, Plane, Policy, Session};
use rules::{RuleSet, parse};
use wire::packet::{ICMP6, TCP};

use crate::agreement::{frame, plane_with};
use crate::make::{Packet, udp};

const DROP: u32 = 1;
const SECOND: u64 = 1_000_000_000;

fn dropped(plane: &Plane, packet: &Packet) -> bool {
    plane.test_run(&frame(&packet.bytes()), 1).unwrap().returned == DROP
}

fn tally(plane: &Plane, name: &str) -> u64 {
    plane.leaves().unwrap().into_iter().find(|t| t.place == name).unwrap().packets
}

/// Everything is dropped: by the list, and by a rule.
fn harsh() -> [Policy; 2] {
    let block = ["0.0.0.0/0", "::/0"].map(|text| text.parse().unwrap()).to_vec();
    let rules = RuleSet::new(parse::rules("all -> drop\n").unwrap());
    [Policy { block, ..Policy::default() }, Policy { rules, ..Policy::default() }]
}

#[test]
fn neighbour_discovery_of_the_link_is_never_dropped() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let own: IpAddr = "2001:db8::7".parse().unwrap();
    plane.set_own(&[own]).unwrap();
    for policy in harsh() {
        plane.install(&policy).unwrap();
        let before = tally(&plane, "neighbour");
        let solicitation = Packet {
            src: "2001:db8::1".parse().unwrap(),
            dst: "ff02::1:ff00:7".parse().unwrap(),
            protocol: ICMP6,
            icmp: (135, 0),
            ttl: 255,
            ..udp()
        };
        let to = |dst: &str| Packet { dst: dst.parse().unwrap(), ..solicitation.clone() };
        for (sentence, packet, wanted) in [
            ("a solicitation", solicitation.clone(), false),
            ("an advertisement to us", Packet { icmp: (136, 0), ..to("2001:db8::7") }, false),
            ("to our link-local address", to("fe80::7"), false),
            ("an advertisement of a router", Packet { icmp: (134, 0), ..to("ff02::1") }, false),
            ("from beyond the link", Packet { ttl: 254, ..solicitation.clone() }, true),
            ("to somebody else", to("2001:db8::8"), true),
            ("an echo request", Packet { icmp: (128, 0), ..to("2001:db8::7") }, true),
            ("ICMPv6 in IPv4", Packet { protocol: ICMP6, icmp: (135, 0), ttl: 255, ..udp() }, true),
        ] {
            assert_eq!(dropped(&plane, &packet), wanted, "{sentence}");
        }
        assert_eq!(tally(&plane, "neighbour") - before, 4);
    }
    assert_eq!(plane.counts().unwrap()[0].dropped, 4, "what was spared is not counted as dropped");
}

#[test]
fn a_session_of_the_administrator_is_never_cut_up_to_its_ceiling() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    plane.set_clock(SECOND).unwrap();
    let session = |remote: &str, local: &str| Session {
        remote: remote.parse().unwrap(),
        local: local.parse().unwrap(),
    };
    plane.set_sessions(&[session("192.0.2.9:1", "198.51.100.7:22")]).unwrap();
    plane
        .set_sessions(&[
            session("192.0.2.1:40000", "198.51.100.7:22"),
            session("[2001:db8::1]:40000", "[2001:db8::7]:2222"),
        ])
        .unwrap();
    let v4 = Packet { protocol: TCP, ports: (40_000, 22), flags: 0x18, ..udp() };
    let (src, dst) = ("2001:db8::1".parse().unwrap(), "2001:db8::7".parse().unwrap());
    let v6 = Packet { src, dst, ports: (40_000, 2222), ..v4.clone() };
    for (round, policy) in (1u64..).zip(harsh()) {
        plane.install(&policy).unwrap();
        plane.set_clock(round * 100 * SECOND).unwrap();
        for (sentence, packet, wanted) in [
            ("IPv4", v4.clone(), false),
            ("IPv6", v6.clone(), false),
            ("another port", Packet { ports: (40_001, 22), ..v4.clone() }, true),
            ("another address", Packet { src: "192.0.2.2".parse().unwrap(), ..v4.clone() }, true),
            (
                "a session that is over",
                Packet { src: "192.0.2.9".parse().unwrap(), ports: (1, 22), ..v4.clone() },
                true,
            ),
            ("a SYN", Packet { flags: 0x02, ..v4.clone() }, true),
        ] {
            assert_eq!(dropped(&plane, &packet), wanted, "{sentence}");
        }
        // A flood with the session's numbers: a burst of a hundred, of which one is gone, then a thousand a second.
        plane.set_clock((round * 100 + 50) * SECOND).unwrap();
        let passed = (0..5000).filter(|_| !dropped(&plane, &v4)).count();
        assert_eq!(passed, 100);
        assert!(!dropped(&plane, &v6), "each session has its own ceiling");
    }
    assert_eq!(tally(&plane, "administrator"), 2 * (2 + 100 + 1));
    plane.set_sessions(&[]).unwrap();
    assert!(dropped(&plane, &v6));
}
