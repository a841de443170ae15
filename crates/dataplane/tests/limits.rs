//! Rates per source and per destination, with a clock that the test sets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Timestamp;
use dataplane::{Clock, Plane, Policy};
use rules::limit::{Fate, Limiter};
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane_with};
use crate::make::{self, Packet, udp};
use crate::near::Random;

const DROP: u32 = 1;
const SECOND: u64 = 1_000_000_000;

fn install(plane: &Plane, text: &str) -> Policy {
    let policy = Policy { rules: RuleSet::new(parse::rules(text).unwrap()), ..Policy::default() };
    plane.set_clock(SECOND).unwrap();
    plane.install(&policy).unwrap();
    policy
}

/// A packet from one address to another of its family.
fn packet(src: IpAddr, dst: u8) -> Vec<u8> {
    let to: IpAddr = match src {
        IpAddr::V4(_) => Ipv4Addr::new(198, 51, 100, dst).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, dst.into()).into(),
    };
    Packet { src, dst: to, ..udp() }.bytes()
}

fn v4(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(n).into()
}

#[test]
fn a_rate_per_source_or_destination_admits_what_the_reference_admits() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let mut random = Random(41);
    let mut now = SECOND;
    for rate in ["40pps", "3pps", "0pps", "20kbps", "1000pps"] {
        for per in ["source", "destination"] {
            let policy = install(&plane, &format!("r proto udp -> rate {rate} per {per}\n"));
            let mut reference = Limiter::new(&policy.rules);
            let (mut apart, mut dropped) = (0u32, 0u32);
            // What the case before has charged is over.
            now += 10 * SECOND;
            for _ in 0..4000 {
                now += u64::from(random.below(4_000_000));
                plane.set_clock(now).unwrap();
                // Few sources of both families: neighbours in their /64, /56 and /48.
                let n = u128::from(random.below(6));
                let src = match random.below(6) {
                    0 | 1 => v4(0xc000_0200 + random.below(6)),
                    2 => Ipv6Addr::from_bits(0x2001_0db8_0001 << 80 | n).into(),
                    3 => Ipv6Addr::from_bits(0x2001_0db8_0002 << 80 | n << 64).into(),
                    _ => Ipv6Addr::from_bits(0x2001_0db8_0003 << 80 | n << 74).into(),
                };
                let bytes = packet(src, u8::try_from(random.below(4)).unwrap());
                let parsed = make::parsed(&bytes);
                let wanted = reference.judge(&policy.rules, Timestamp::from_nanos(now), &parsed).fate;
                let got = plane.trace(&frame(&bytes)).unwrap().0;
                apart += u32::from((got == DROP) != (wanted == Fate::Dropped));
                dropped += u32::from(got == DROP);
            }
            println!("{rate} per {per}: {dropped} of 4000 dropped, {apart} told otherwise");
            // Integers here, floating point there.
            assert!(apart < 20, "{rate} per {per}: {apart}");
            assert!(dropped > 400 || rate == "1000pps", "{rate} per {per}: {dropped}");
        }
    }
}

/// Packets of `source` that pass of 250 a second for four seconds, under `spoofed` packets in all of as many new sources.
fn beside_a_flood(plane: &Plane, source: IpAddr, spoofed: u32) -> u32 {
    let (turns, mut passed) = (1000, 0);
    let own = frame(&packet(source, 1));
    for turn in 0..turns {
        plane.set_clock(2 * SECOND + u64::from(turn) * 4_000_000).unwrap();
        for n in 0..spoofed / turns {
            let src = v4(0x0b00_0000 + turn * (spoofed / turns) + n);
            plane.test_run(&frame(&packet(src, 1)), 1).unwrap();
        }
        passed += u32::from(plane.test_run(&own, 1).unwrap().returned != DROP);
    }
    passed
}

#[test]
fn a_flood_of_a_million_spoofed_sources_takes_nothing_from_a_proven_one() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    // A rate so low that the flood fills most cells: 250,000 packets/s, each for a tenth of a second.
    let rule = "r proto udp -> rate 10pps per source\n";
    install(&plane, rule);
    let honest: IpAddr = "192.0.2.77".parse().unwrap();
    let alone = beside_a_flood(&plane, honest, 0);
    assert!((40..=42).contains(&alone), "{alone} of 10 packets/s for four seconds");
    install(&plane, rule);
    let proven: IpAddr = "192.0.2.78".parse().unwrap();
    plane.prove(proven).unwrap();
    let proven = beside_a_flood(&plane, proven, 1_000_000);
    assert_eq!(proven, alone, "its full limit, and no more");
    let dropped = plane.counts().unwrap()[0].dropped;
    println!("{dropped} packets dropped, most of them spoofed ones that fell together");
}

#[test]
fn a_flood_that_turns_through_a_site_is_limited() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, "r proto udp -> rate 10pps per source\n");
    let site =
        |n: u32| IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8_0bad << 80 | u128::from(n & 0xffff) << 64));
    let mut passed = 0;
    for n in 0..20_000 {
        plane.set_clock(SECOND + u64::from(n) * 100_000).unwrap();
        passed += u32::from(plane.test_run(&frame(&packet(site(n * 7), 1)), 1).unwrap().returned != DROP);
    }
    // 16 times the rate for two seconds, and a burst of a tenth of a second.
    assert!((300..=345).contains(&passed), "{passed} of 20,000 passed");
    let other: IpAddr = "2001:db8:900d::1".parse().unwrap();
    assert_ne!(plane.test_run(&frame(&packet(other, 1)), 1).unwrap().returned, DROP, "another site");
}

#[test]
fn more_destinations_than_there_are_buckets_share_and_are_counted() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, "r proto udp -> rate 1pps per destination\n");
    let to = |n: u32| {
        let dst = Ipv6Addr::from_bits(0x2001_0db8_0001 << 80 | u128::from(n)).into();
        frame(&Packet { src: "2001:db8::1".parse().unwrap(), dst, ..udp() }.bytes())
    };
    let run = |n: u32| plane.test_run(&to(n), 1).unwrap().returned != DROP;
    assert!((0..65_536).all(run), "each destination has its own first packet");
    assert_eq!(plane.destinations_full().unwrap(), 0);
    assert!(!run(17), "and then none");
    let passed = (65_536..67_536).filter(|n| run(*n)).count();
    assert!((1500..2000).contains(&passed), "{passed} of 2,000 in 16,384 buckets");
    assert_eq!(plane.destinations_full().unwrap(), 2000);
    // A new set begins with empty buckets.
    install(&plane, "r proto udp -> rate 1pps per destination\n");
    assert!(run(17) && !run(17));
}
