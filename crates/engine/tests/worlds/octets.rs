//! Floods that are large in one measure and ordinary in the other.

use std::net::IpAddr;

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity};
use engine::{Engine, Input, Output, Profile, Settings, Shard};

use crate::world::datagram;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const HOST: [u8; 4] = [198, 18, 7, 7];

/// Packets/s and their length, each alike.
type Stream = (u64, u32);

/// What is found where a host is used to the one and gets the other as well, from second 60 on; one of
/// `rate` packets is seen.
fn found(rate: u32, usual: Stream, flood: Stream) -> Vec<(Timestamp, Attack)> {
    let networks = vec!["198.18.0.0/15".parse().unwrap()];
    let settings = Settings { networks, ..Settings::of(Profile::Daemon) };
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (record, mut told, mut number) = (datagram(), Vec::new(), 0u32);
    for tick in 0u64..400 {
        let until = START.plus(settings.tick.times(tick + 1));
        for (pps, length) in [Some(usual), (tick >= 240).then_some(flood)].into_iter().flatten() {
            let samples = |tick: u64| pps * tick / 4 / u64::from(rate);
            for n in 0..samples(tick + 1) - samples(tick) {
                number += 1;
                let mut one = record;
                one.sampling.rate = Some(rate);
                one.headers.src = IpAddr::from((0xcb00_0000 + number % 5_000).to_be_bytes());
                (one.headers.dst, one.headers.length, one.bytes) = (HOST.into(), length, length.into());
                one.at = until.minus(Span::from_millis(1 + 7 * n % 240));
                (one.start, one.end) = (one.at, one.at);
                shard.record(&one);
            }
        }
        engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        while let Some(Output::Attack { at, attack }) = engine.poll_output() {
            told.extend((attack.severity == Severity::Attack).then_some((at, *attack)));
        }
    }
    let mut first: Vec<(Timestamp, Attack)> = Vec::new();
    for (at, attack) in told {
        if !first.iter().any(|(_, known)| known.id == attack.id) {
            first.push((at, attack));
        }
    }
    first
}

/// The one attack, how late it is found, and the line that says why.
fn judged(rate: u32, usual: Stream, flood: Stream) -> (Span, String) {
    let found = found(rate, usual, flood);
    let [(at, attack)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(attack.target.addr(), IpAddr::from(HOST));
    let why = attack.explain.iter().find(|line| line.contains("sequential test")).unwrap();
    (at.since(START.plus(Span::from_secs(60))), why.clone())
}

#[test]
fn a_flood_of_large_packets_is_found_among_many_small_ones() {
    // Twelve times the octets, half as many packets again.
    let (late, why) = judged(1000, (100_000, 60), (50_000, 1_500));
    assert!(late < Span::from_secs(2), "{late}");
    assert!(why.contains("sequential test of octets"), "{why}");
}

#[test]
fn a_flood_of_small_packets_is_found_among_many_large_ones() {
    // More than four times the packets, an eighth more octets.
    let (late, why) = judged(1000, (50_000, 1_500), (160_000, 60));
    assert!(late < Span::from_secs(2), "{late}");
    assert!(why.contains("sequential test of packets"), "{why}");
}

#[test]
fn what_is_usual_in_both_measures_is_no_flood() {
    assert_eq!(found(1000, (100_000, 700), (10_000, 1_500)), []);
    assert_eq!(found(1000, (100_000, 700), (20_000, 60)), []);
}

#[test]
fn few_large_packets_harm_by_their_octets() {
    // 2,000 packets/s are harmless, 96 Mbit/s are not; 12 Mbit/s are.
    let (late, why) = judged(100, (400, 60), (2_000, 6_000));
    assert!(late < Span::from_secs(4), "{late}");
    assert!(why.contains("sequential test of octets"), "{why}");
    assert_eq!(found(100, (400, 60), (2_000, 750)), []);
}
