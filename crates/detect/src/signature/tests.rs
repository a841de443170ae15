//! The miner on made-up windows: each a sentence, an attack, honest traffic and what must come out.

mod elsewhere;
mod search;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::hash::Mixer;
use base::{Prefix, Timestamp};
use proptest::prelude::*;
use rules::{Action, Match, Rule};
use telemetry::record::{Detail, Snip};
use wire::Headers;
use wire::packet::{Fragment, GRE, ICMP, ICMP6, TCP, Tcp, UDP, flags};

use super::row::{Row, Unknown, holds};
use super::{Derived, Kin, Request, Sample, derive};

/// Random numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 += 1;
        (Mixer::new(7).with(self.0).finish() % u64::from(n)) as u32
    }

    fn port(&mut self) -> u16 {
        (1024 + self.below(64_000)) as u16
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }
}

/// Addresses by number, in either family.
fn host(v6: bool, n: u32) -> IpAddr {
    if v6 {
        Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n) << 64 | 1).into()
    } else {
        Ipv4Addr::from_bits(n).into()
    }
}

const VICTIM: u32 = 0xc633_6407;

fn sample(v6: bool, i: usize, src: u32, protocol: u8, length: u32) -> Sample {
    Sample {
        class: crate::class::Class::OTHER,
        several: false,
        at: Timestamp::from_nanos(1_000_000_000 + i as u64 * 100_000),
        last: Timestamp::from_nanos(1_000_000_000 + i as u64 * 100_000),
        headers: Headers {
            src: host(v6, src),
            dst: host(v6, VICTIM),
            protocol,
            length,
            ttl: 60,
            dscp: 0,
            fragment: Fragment::default(),
            ports: None,
            icmp: None,
            tcp: None,
            payload_len: None,
        },
        detail: Detail::Packet,
        snip: Snip::EMPTY,
        packets: 1,
        bytes: u64::from(length),
        entry: (0, None),
        outgoing: false,
        unsolicited: false,
        lasting: crate::cell::Lasting::default(),
        unscaled: false,
        doubtful: false,
    }
}

fn tcp(mut s: Sample, ports: (u16, u16), flags: u16, window: u16) -> Sample {
    s.headers.ports = Some(ports);
    s.headers.tcp = Some(Tcp { flags, window, options_len: 0 });
    s
}

fn udp(mut s: Sample, ports: (u16, u16)) -> Sample {
    s.headers.ports = Some(ports);
    s
}

/// `n` samples of `make`.
fn many(n: usize, mut make: impl FnMut(&mut Dice, usize) -> Sample) -> Vec<Sample> {
    let mut dice = Dice(n as u64 * 1_000_003);
    (0..n).map(|i| make(&mut dice, i)).collect()
}

/// A web server's visitors: opening segments with options, data, acknowledgements, DNS answers.
fn visitors(v6: bool, n: usize) -> Vec<Sample> {
    many(n, |d, i| {
        let src = 0x0a00_0000 + d.below(60);
        let port = d.port();
        let more = if v6 { 20 } else { 0 };
        let mut s = sample(v6, i, src, TCP, 40 + more);
        s.headers.ttl = d.pick(&[52, 56, 115, 118]);
        match d.below(10) {
            0 => {
                s.headers.length = d.pick(&[52, 60, 64]) + more;
                tcp(s, (port, 443), flags::SYN, d.pick(&[64_240, 65_535]))
            }
            1 => {
                s.headers.protocol = UDP;
                s.headers.length = 100 + d.below(300);
                udp(s, (53, port))
            }
            2..6 => {
                s.headers.length = 60 + d.below(1400);
                tcp(s, (port, 443), flags::ACK | flags::PSH, d.port())
            }
            _ => tcp(s, (port, 443), flags::ACK, d.port()),
        }
    })
}

fn target(v6: bool) -> Prefix {
    Prefix::host(host(v6, VICTIM))
}

fn solve(v6: bool, attack: &[Sample], benign: &[Sample]) -> Derived {
    derive(&Request::new(attack, benign, &[target(v6)]))
}

fn hit(derived: &Derived, s: &Sample) -> bool {
    let row = Row::of(s);
    derived
        .rules
        .iter()
        .find(|r| holds(&r.matches, &row, Unknown::Misses))
        .is_some_and(|r| r.action == Action::Drop)
}

fn part(derived: &Derived, samples: &[Sample]) -> f64 {
    samples.iter().filter(|s| hit(derived, s)).count() as f64 / samples.len() as f64
}

fn text(m: &Match) -> String {
    format!("{m}")
}

fn texts(derived: &Derived) -> Vec<String> {
    derived.rules.iter().map(|r| text(&r.matches)).collect()
}

fn syn_flood(v6: bool, n: usize) -> Vec<Sample> {
    many(n, |d, i| {
        let mut s = sample(v6, i, d.below(u32::MAX), TCP, if v6 { 60 } else { 40 });
        s.headers.ttl = d.pick(&[242, 244]);
        tcp(s, (d.port(), 443), flags::SYN, 0)
    })
}

#[test]
fn a_spoofed_syn_flood_is_told_from_honest_openings_by_its_length() {
    for v6 in [false, true] {
        let (attack, honest) = (syn_flood(v6, 3000), visitors(v6, 2000));
        let derived = solve(v6, &attack, &honest);
        assert!(part(&derived, &attack) > 0.99, "{:?}", texts(&derived));
        assert!(part(&derived, &honest) == 0.0, "{:?}", texts(&derived));
        let m = &derived.rules[0].matches;
        assert!(m.ttl.is_none() && m.window.is_none() && m.src.is_none(), "FlowSpec can say it: {}", text(m));
        assert!(derived.stability >= 0.9);
        assert!(derived.collateral.is_some_and(|c| c.packets.estimate == 0.0 && c.packets.upper95 > 0.0));
    }
}

#[test]
fn rules_for_routers_ask_for_nothing_that_flowspec_cannot_say() {
    // Ports of one half are all below 2048; TTL tells all of it.
    let flood = |low: bool| {
        many(2000, move |d, i| {
            let mut s = sample(false, i, d.below(u32::MAX), TCP, 60);
            s.headers.ttl = 242;
            let port = if low && i % 10 > 0 { 1080 } else { d.port() };
            tcp(s, (port, 443), flags::SYN, 64_240)
        })
    };
    let honest = visitors(false, 3000);
    let targets = [target(false)];
    for (attack, least) in [(flood(true), 0.85), (flood(false), 0.0)] {
        let request = Request::new(&attack, &honest, &targets);
        let best = derive(&request);
        assert!(best.rules.iter().any(|rule| rule.matches.ttl.is_some()), "{:?}", texts(&best));
        assert!(best.covered > 0.95);
        let said = derive(&Request { flowspec: true, stability: Some(1.0), ..request });
        for rule in &said.rules {
            let m = &rule.matches;
            assert!(m.ttl.is_none() && m.window.is_none() && m.payload.is_none(), "{}", text(m));
        }
        assert!(said.covered >= least, "{:?}", texts(&said));
        // Within the same bound as any rule, or nothing is dropped.
        assert!(part(&said, &honest) <= 0.01, "{:?}", texts(&said));
        assert_eq!(said.covered > 0.0, said.rules.iter().any(|rule| rule.action == Action::Drop));
        assert_eq!(said.covered > 0.0, least > 0.0, "{:?}", texts(&said));
    }
}

#[test]
fn a_flood_that_opens_like_a_visitor_is_told_by_window_or_ttl_or_limited() {
    let flood = |window: u16, ttl: u8| {
        many(2000, |d, i| {
            let mut s = sample(false, i, d.below(u32::MAX), TCP, 60);
            s.headers.ttl = ttl;
            tcp(s, (d.port(), 443), flags::SYN, window)
        })
    };
    let honest = visitors(false, 3000);
    let derived = solve(false, &flood(1024, 60), &honest);
    assert!(
        part(&derived, &flood(1024, 60)) > 0.99 && part(&derived, &honest) == 0.0,
        "{:?}",
        texts(&derived)
    );
    // Exactly as honest ones: nothing separates them, so nothing is dropped.
    let twin = flood(64_240, 52);
    let derived = solve(false, &twin, &honest);
    assert!(part(&derived, &honest) <= 0.01, "{:?}", texts(&derived));
    assert!(derived.rules.iter().any(|r| matches!(r.action, Action::RatePackets(pps) if pps >= 100.0)));
}

/// First fragments with ports, later ones without, of different reflectors.
fn dns_amplification(v6: bool, n: usize) -> Vec<Sample> {
    many(n, |d, i| {
        let mut s = sample(v6, i, 0x5000_0000 + d.below(300), UDP, 1500);
        s.headers.ttl = d.pick(&[50, 51, 53, 57, 111]);
        match d.below(3) {
            0 => {
                s.headers.fragment.more = true;
                udp(s, (53, 4444))
            }
            1 => {
                s.headers.fragment = Fragment { offset: 185, more: true, dont: false };
                s
            }
            _ => {
                s.headers.length = 900 + 8 * d.below(40);
                s.headers.fragment = Fragment { offset: 370, more: false, dont: false };
                s
            }
        }
    })
}

#[test]
fn the_fragments_of_an_amplification_fall_and_honest_answers_do_not() {
    for v6 in [false, true] {
        let (attack, honest) = (dns_amplification(v6, 3000), visitors(v6, 2000));
        let derived = solve(v6, &attack, &honest);
        assert!(part(&derived, &attack) > 0.97, "{:?}", texts(&derived));
        assert_eq!(part(&derived, &honest), 0.0, "{:?}", texts(&derived));
        assert!(derived.rules.iter().any(|r| r.matches.fragment.is_some_and(|f| f.is)));
        assert!(derived.rules.iter().any(|r| r.matches.src_port.is_some()));
        // Rules of the first hundred packets hold for the rest.
        let derived = solve(v6, &attack[..100], &[]);
        assert!(part(&derived, &attack) > 0.95, "{:?}", texts(&derived));
    }
}

#[test]
fn one_unspoofed_source_is_named() {
    let attack = many(1000, |d, i| {
        let mut s = tcp(sample(false, i, 0x0b00_00d2, TCP, 60), (d.port(), 443), flags::SYN, 64_240);
        s.headers.ttl = 52;
        s
    });
    let derived = solve(false, &attack, &visitors(false, 2000));
    assert_eq!(derived.rules.len(), 1);
    assert_eq!(derived.rules[0].matches.src, Some(Prefix::host(host(false, 0x0b00_00d2))));
    assert_eq!(part(&derived, &attack), 1.0);
}

#[test]
fn random_ports_and_sources_are_never_listed() {
    for v6 in [false, true] {
        let attack = many(3000, |d, i| {
            let s = sample(v6, i, d.below(u32::MAX), UDP, 29 + d.below(1400));
            udp(s, (d.port(), d.port()))
        });
        let honest: Vec<Sample> =
            visitors(v6, 2000).into_iter().filter(|s| s.headers.protocol == TCP).collect();
        let derived = solve(v6, &attack, &honest);
        assert!(part(&derived, &attack) > 0.95, "{:?}", texts(&derived));
        assert_eq!(part(&derived, &honest), 0.0);
        let m = &derived.rules[0].matches;
        assert!(m.src.is_none() && m.src_port.is_none() && m.dst_port.is_none(), "{}", text(m));
        assert_eq!(m.protocol, Some(UDP));
    }
}

#[test]
fn ports_that_climb_are_not_taken_for_a_range() {
    let attack =
        many(2000, |d, i| udp(sample(false, i, d.below(u32::MAX), UDP, 540), (d.port(), 2000 + (i as u16))));
    let derived = solve(false, &attack[..500], &[]);
    assert!(part(&derived, &attack) > 0.99, "{:?}", texts(&derived));
}

#[test]
fn carpet_bombing_gets_its_prefixes_and_no_more() {
    let targets: [Prefix; 2] = ["198.51.100.0/24".parse().unwrap(), "198.51.103.0/25".parse().unwrap()];
    let attack = many(3000, |d, i| {
        let mut s = udp(sample(false, i, 0x5000_0000 + d.below(5000), UDP, 468), (123, d.port()));
        let (net, size) = d.pick(&[(0xc633_6400u32, 256), (0xc633_6700, 128)]);
        s.headers.dst = host(false, net + d.below(size));
        s
    });
    let derived = derive(&Request::new(&attack, &[], &targets));
    assert!(part(&derived, &attack) > 0.99);
    assert!(derived.rules.len() <= 8 && derived.collateral.is_none());
    assert!(derived.rules.iter().all(|r| r.matches.dst.is_some_and(|p| targets.contains(&p))));
}

#[test]
fn an_outgoing_flood_names_the_own_host() {
    let own: [Prefix; 1] = ["10.1.0.0/16".parse().unwrap()];
    let attack = many(500, |d, i| udp(sample(false, i, 0x0a01_0203, UDP, 1400), (d.port(), 80)));
    let request = Request { own: &own, ..Request::new(&attack, &[], &[]) };
    let targets = [target(false)];
    let derived = derive(&Request { targets: &targets, ..request });
    assert_eq!(part(&derived, &attack), 1.0);
    assert_eq!(derived.rules[0].matches.src, Some(Prefix::host(host(false, 0x0a01_0203))));
    assert_eq!(derived.rules[0].matches.dst, Some(target(false)));
}

#[test]
fn protocols_without_ports_are_held_by_what_they_have() {
    let gre = many(500, |d, i| sample(false, i, d.below(u32::MAX), GRE, 544));
    let echo = |v6: bool| {
        many(500, move |d, i| {
            let mut s = sample(v6, i, d.below(u32::MAX), if v6 { ICMP6 } else { ICMP }, 1428);
            s.headers.icmp = Some(if v6 { (128, 0) } else { (8, 0) });
            s
        })
    };
    for (v6, attack) in [(false, gre), (false, echo(false)), (true, echo(true))] {
        let derived = solve(v6, &attack, &visitors(v6, 500));
        assert_eq!(part(&derived, &attack), 1.0, "{:?}", texts(&derived));
        assert_eq!(derived.rules.len(), 1);
        assert_eq!(derived.rules[0].matches.protocol, Some(attack[0].headers.protocol));
    }
}

#[test]
fn random_flags_fit_into_the_budget() {
    let attack = many(4000, |d, i| {
        let flags = d.below(64) as u16;
        tcp(sample(false, i, d.below(u32::MAX), TCP, 48), (d.port(), 80), flags, 512)
    });
    let derived = solve(false, &attack, &visitors(false, 2000));
    assert!(derived.rules.len() <= 8, "{:?}", texts(&derived));
    assert!(part(&derived, &attack) > 0.95, "{} {:?}", part(&derived, &attack), texts(&derived));
    assert_eq!(part(&derived, &visitors(false, 2000)), 0.0);
}

#[test]
fn what_is_kept_passes_first() {
    let attack =
        many(500, |d, i| udp(sample(false, i, 0x5000_0000 + d.below(300), UDP, 1400), (53, d.port())));
    let resolver = host(false, 0x5000_0007);
    let keep = [Match { src: Some(Prefix::host(resolver)), protocol: Some(UDP), ..Match::default() }];
    let targets = [target(false)];
    let derived = derive(&Request { keep: &keep, ..Request::new(&attack, &[], &targets) });
    assert_eq!(derived.rules[0].action, Action::Pass);
    assert!(attack.iter().all(|s| hit(&derived, s) == (s.headers.src != resolver)));
}

#[test]
fn flows_are_asked_only_what_they_tell() {
    let as_flow = |mut s: Sample| {
        s.detail = Detail::Flow;
        s.packets = 1000;
        s
    };
    let attack: Vec<Sample> = syn_flood(false, 1000).into_iter().map(as_flow).collect();
    let derived = solve(false, &attack, &[]);
    assert!(part(&derived, &attack) > 0.99);
    for rule in &derived.rules {
        let m = &rule.matches;
        assert!(m.ttl.is_none() && m.window.is_none() && m.payload.is_none() && m.fragment.is_none());
    }
}

#[test]
fn the_few_honest_among_the_attack_are_not_chased() {
    let mut attack = syn_flood(false, 2000);
    attack.extend(
        visitors(false, 400).into_iter().filter(|s| s.headers.tcp.is_some_and(|t| t.flags == flags::SYN)),
    );
    let derived = solve(false, &attack, &[]);
    assert!(part(&derived, &attack[..2000]) > 0.99);
    assert_eq!(part(&derived, &attack[2000..]), 0.0, "{:?}", texts(&derived));
}

#[test]
fn nothing_in_nothing_out() {
    assert_eq!(derive(&Request::new(&[], &[], &[target(false)])), Derived::default());
}

prop_compose! {
    fn any_sample(v6: bool)(
        i in 0usize..4000, src in prop_oneof![0u32..40, any::<u32>()],
        protocol in prop::sample::select(alloc::vec![TCP, UDP, ICMP, GRE]),
        length in prop_oneof![Just(40u32), Just(1500), 28u32..1500], ttl in prop_oneof![Just(64u8), any::<u8>()],
        ports in (prop_oneof![Just(53u16), Just(443), any::<u16>()], prop_oneof![Just(80u16), any::<u16>()]),
        flags in 0u16..64, window in prop_oneof![Just(0u16), any::<u16>()],
        offset in prop_oneof![4 => Just(0u16), 1 => Just(185)], flow in prop::bool::weighted(0.2), packets in 1u64..4,
    ) -> Sample {
        let mut s = sample(v6, i, src, protocol, length.max(if v6 { 40 } else { 20 }));
        s.headers.ttl = ttl;
        s.headers.fragment.offset = offset;
        s.packets = packets;
        if flow { s.detail = Detail::Flow; }
        match protocol {
            _ if offset != 0 => s,
            TCP => tcp(s, ports, flags, window),
            UDP => udp(s, ports),
            ICMP => { s.headers.icmp = Some(((ports.0 % 12) as u8, 0)); s }
            _ => s,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_reads_back_and_is_priced(
        attack in prop::collection::vec(any_sample(false), 0..200),
        benign in prop::collection::vec(any_sample(false), 0..200),
    ) {
        let derived = solve(false, &attack, &benign);
        prop_assert!(derived.rules.len() <= 8);
        prop_assert!(derived.rules.iter().all(|r| r.matches.dst == Some(target(false))));
        for (i, rule) in derived.rules.iter().enumerate() {
            let rule = Rule {
                id: format!("r{i}"), precedence: 1, matches: rule.matches.clone(), action: rule.action,
                per: rules::Per::Rule, sample: None, lease: None,
            };
            let text = format!("{rule}");
            let read = rules::parse::rules(&text);
            prop_assert!(read.is_ok(), "{text}");
            prop_assert_eq!(format!("{}", read.unwrap()[0]), text);
        }
        // Never more than the bound, and never unpriced.
        let lost = benign.iter().filter(|s| hit(&derived, s)).count();
        prop_assert!(lost as f64 <= 0.01 * benign.len() as f64, "{lost} {:?}", texts(&derived));
        prop_assert_eq!(derived.collateral.is_none(), benign.is_empty() || attack.is_empty());
    }

    #[test]
    fn the_order_of_the_samples_does_not_matter(
        attack in prop::collection::vec(any_sample(true), 1..200), benign in prop::collection::vec(any_sample(true), 0..100),
    ) {
        // Times are made different: samples of one instant have no order of their own.
        let stamp = |of: &[Sample]| -> Vec<Sample> {
            of.iter().enumerate().map(|(i, s)| Sample { at: Timestamp::from_nanos(i as u64), ..*s }).collect()
        };
        let (attack, benign) = (stamp(&attack), stamp(&benign));
        let turned = |of: &[Sample]| of.iter().rev().copied().collect::<Vec<_>>();
        prop_assert_eq!(solve(true, &attack, &benign), solve(true, &turned(&attack), &turned(&benign)));
    }
}

#[test]
fn ports_that_a_few_samples_happen_to_show_or_to_leave_out_are_not_named() {
    // Each looks like a visitor's; ports are drawn anew each time, and samples stand for unequal numbers of packets.
    let opening = |d: &mut Dice, i: usize, src: u32| {
        let mut s = sample(false, i, src, TCP, 60);
        s.headers.ttl = d.pick(&[52, 56]);
        tcp(s, ((32_768 + d.below(28_232)) as u16, 443), flags::SYN, 64_240)
    };
    let flood = |n: usize, heavy: bool| {
        many(n, move |d, i| {
            let source = d.below(u32::MAX);
            let packets = if heavy { d.pick(&[1, 3, 9, 30]) } else { 1 };
            Sample { packets, ..opening(d, i, source) }
        })
    };
    let next = flood(5_001, false);
    let clients = many(300, |d, i| {
        let source = 0x0a00_0000 + d.below(60);
        opening(d, i, source)
    });
    for honest in [visitors(false, 3000), clients] {
        for n in [20, 60, 130, 250, 500, 700, 1_000, 2_000, 4_000] {
            for heavy in [false, true] {
                let derived = solve(false, &flood(n, heavy), &honest);
                let (said, is) = (derived.covered, part(&derived, &next));
                assert!(said < 0.01 || is > 0.9 * said, "{n} {heavy}: {said}, {is}: {:?}", texts(&derived));
            }
        }
    }
}

#[test]
fn a_flow_of_many_packets_is_more_than_one_packet_that_stands_for_many() {
    // Four flows of one port each among rare others: what a flow shows was seen again and again.
    let attack = |several: bool| {
        many(60, move |d, i| {
            let mut s = udp(sample(false, i, d.below(u32::MAX), UDP, 900), (d.port(), 4444));
            s.detail = Detail::Flow;
            if i % 15 == 0 {
                s.headers.ports = Some((7000 + 100 * (i / 15) as u16, 4444));
                (s.packets, s.several) = (10_000, several);
            }
            s
        })
    };
    let honest =
        many(500, |d, i| udp(sample(false, i, 0x0a00_0000 + d.below(60), UDP, 900), (d.port(), 4444)));
    let named = |several: bool| {
        let derived = solve(false, &attack(several), &honest);
        let names = |m: &Match| m.src_port.is_some() || m.src.is_some();
        (
            derived.rules.iter().any(|rule| rule.action == Action::Drop && names(&rule.matches)),
            texts(&derived),
        )
    };
    let (once, often) = (named(false), named(true));
    assert!(often.0 && !once.0, "{once:?} {often:?}");
}
