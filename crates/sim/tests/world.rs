//! What a world promises: its rates, its truth, its order, and the same bytes for the same seed.

use std::collections::BTreeMap;

use base::{Prefix, Span, Timestamp};
use sim::attack::reflector::{REFLECTORS, named};
use sim::session;
use sim::{Config, Event, Kind, Nature, Packet, Shape, World};
use wire::packet::{Link, parse};

fn small(thin: u32, pps: f64) -> Config {
    Config {
        pps,
        thin,
        conversations: thin == 1,
        hosts: 2_000,
        span: Span::from_secs(10),
        diurnal: 0.0,
        share_out: None,
        ..Config::default()
    }
}

fn every_kind() -> Vec<Kind> {
    let mut kinds = vec![
        Kind::SynFlood { forged: true },
        Kind::SynFlood { forged: false },
        Kind::AckFlood,
        Kind::RstFinFlood,
        Kind::OddFlagsFlood,
        Kind::SynAckReflection,
        Kind::MiddleboxReflection,
        Kind::ConnectionFlood,
        Kind::Slow,
        Kind::TlsHandshakeFlood,
        Kind::HttpFlood,
        Kind::UdpFlood,
        Kind::UdpFragmentFlood,
        Kind::IpFragmentFlood,
        Kind::IcmpFlood,
        Kind::GreFlood,
        Kind::OtherProtocolFlood,
        Kind::QuicFlood,
        Kind::DnsQueryFlood,
        Kind::Scan,
        Kind::Crowd { session: session::Kind::Https, serves: true },
        Kind::Elephant { receives: true },
    ];
    kinds.extend(REFLECTORS.iter().map(Kind::Amplification));
    kinds
}

#[test]
fn every_kind_of_event_reads_back_has_its_rate_and_aims_at_its_target() {
    let targets: [Prefix; 3] =
        ["198.18.7.9/32", "198.18.64.0/24", "2001:db8:7::9/128"].map(|text| text.parse().unwrap());
    for (seed, kind) in (0..).zip(every_kind()) {
        for target in targets {
            for thin in [1, 5] {
                let config = Config { seed, span: Span::from_secs(2), ..small(thin, 0.0) };
                let rate = 2_000.0;
                let event = Event::new(kind, target, config.start, Span::from_secs(2), rate);
                let mut towards = 0u32;
                for packet in World::new(config, vec![event]) {
                    let mut bytes = Vec::new();
                    let whole = packet.frame(&mut bytes, 2_000);
                    let parsed = parse(Link::Ethernet, &bytes, whole).unwrap();
                    assert_eq!(parsed.headers, packet.headers, "{kind:?}");
                    assert!(whole <= 1_514, "{kind:?} {whole}");
                    let h = packet.headers;
                    assert!(target.contains(if packet.inbound { h.dst } else { h.src }), "{kind:?} {h:?}");
                    towards += u32::from(packet.inbound);
                    if packet.truth.nature == Nature::Attack {
                        assert!(packet.inbound, "{kind:?}: what the victim says is no attack");
                    }
                }
                let found = f64::from(towards * thin) / 2.0;
                // Conversations go on beyond the end of the world, a slow request longest.
                let least = match (kind, thin) {
                    (Kind::Slow, 1) => 0.03,
                    (Kind::Crowd { .. }, 1) => 0.3,
                    _ => 0.75,
                };
                assert!((rate * least..rate * 1.3).contains(&found), "{kind:?} 1:{thin}: {found} pps");
            }
        }
    }
}

#[test]
fn the_background_has_its_rate_whole_and_thinned() {
    for (thin, seed) in [(1, 1), (20, 3)] {
        let config = Config { seed, ..small(thin, 8_000.0) };
        let n = World::new(config, Vec::new()).count();
        let found = f64::from(u32::try_from(n).unwrap() * thin) / 10.0;
        assert!((6_000.0..11_000.0).contains(&found), "1:{thin}: {found} pps");
    }
}

#[test]
fn whole_and_thinned_worlds_look_alike() {
    let shares = |thin: u32| {
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        let mut all = 0.0;
        for packet in World::new(Config { span: Span::from_secs(12), ..small(thin, 6_000.0) }, Vec::new()) {
            let h = packet.headers;
            let syn = h.tcp.is_some_and(|tcp| tcp.flags == wire::packet::flags::SYN);
            for (name, holds) in [
                ("in", packet.inbound),
                ("tcp", h.protocol == wire::packet::TCP),
                ("udp", h.protocol == wire::packet::UDP),
                ("syn", syn),
                ("quic", h.ports.is_some_and(|(a, b)| h.protocol == 17 && (a == 443 || b == 443))),
                ("long", h.length > 1_000),
            ] {
                *counts.entry(name).or_default() += f64::from(u8::from(holds));
            }
            all += 1.0;
        }
        counts.values_mut().for_each(|count| *count /= all);
        counts
    };
    let (whole, thinned) = (shares(1), shares(20));
    for (name, share) in &whole {
        let other = thinned[name];
        assert!((share - other).abs() < 0.08 + 0.2 * share, "{name}: {share} whole, {other} thinned");
        println!("{name}: {share:.3} whole, {other:.3} thinned");
    }
    assert!(whole["syn"] > 0.004 && whole["syn"] < 0.05);
}

#[test]
fn the_same_seed_gives_the_same_packets_in_the_order_of_time() {
    let run = |seed: u64| -> Vec<(Timestamp, Vec<u8>)> {
        let config = Config { seed, span: Span::from_secs(3), ..small(1, 3_000.0) };
        let start = config.start.plus(Span::from_secs(1));
        let target = "198.18.1.1/32".parse().unwrap();
        let event = Event::new(Kind::SynFlood { forged: true }, target, start, Span::from_secs(1), 2_000.0);
        let frame = |packet: Packet| {
            let mut bytes = Vec::new();
            packet.frame(&mut bytes, 128);
            (packet.at, bytes)
        };
        World::new(config, vec![event]).map(frame).collect()
    };
    let first = run(4);
    assert!(first.is_sorted_by_key(|(at, _)| *at));
    assert_eq!(first, run(4));
    assert_ne!(first, run(5));
}

#[test]
fn pulses_are_on_when_they_should_be() {
    let config = small(1, 0.0);
    let shape = Shape::Pulses { on: Span::from_millis(300), period: Span::from_secs(2) };
    let target = "198.18.1.1/32".parse().unwrap();
    let start = config.start.plus(Span::from_millis(505));
    let kind = Kind::Amplification(named("ntp").unwrap());
    let event = Event::new(kind, target, start, Span::from_secs(6), 1_000.0).shape(shape);
    let on: Vec<u64> =
        World::new(config, vec![event]).map(|p| p.at.since(start).nanos() % 2_000_000_000).collect();
    assert!((700..1_100).contains(&on.len()), "{}", on.len());
    assert!(on.iter().all(|phase| *phase < 300_000_000));
}

#[test]
fn a_million_packets_a_second_cost_a_thousand_when_sampled() {
    let config = Config { pps: 1e6, ..Config::default() };
    let n = World::new(config, Vec::new()).count();
    assert!((50_000..70_000).contains(&n), "{n} samples of a minute");
}
