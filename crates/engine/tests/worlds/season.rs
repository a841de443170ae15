//! What is usual at an hour of the week.

use base::map::Seed;
use base::{Prefix, Span, Timestamp};
use engine::report::Severity;
use engine::{Engine, Input, Output, Profile, Settings, Shard};

use crate::world::datagram;

/// 2026-11-23, 0:00 UTC.
const MONDAY: Timestamp = Timestamp::from_secs(1_795_392_000);
/// Weeks are long: the tick of this engine is a window of its baselines.
const TICK: Span = Span::from_secs(20);
const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
/// Packets/s of a customer's whole network.
const QUIET: u64 = 2_000;
const RUSH: u64 = 20_000;

/// What a customer's network receives at this time: a rush on Monday morning, slow the first time, at once the second, and
/// the same again on the second Sunday.
fn rate(secs: u64) -> u64 {
    let (day, second) = (secs / DAY, secs % DAY);
    match (day, second / HOUR) {
        (0, 7) => QUIET + (RUSH - QUIET) * (second % HOUR) / HOUR,
        (0 | 7 | 13, 8) => RUSH,
        _ => QUIET,
    }
}

/// When the customer's network is called attacked, in seconds since the first Monday; saved and loaded in between.
fn alarms(customers: Vec<(String, Vec<Prefix>)>) -> Vec<u64> {
    let record = datagram();
    // The operator's networks are more than the customer's.
    let settings = Settings {
        networks: vec!["198.18.0.0/15".parse().unwrap()],
        customers,
        tick: TICK,
        ..Settings::of(Profile::Daemon)
    };
    let mut shard = Shard::new(settings.profile, &settings.networks, TICK, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let mut told = Vec::new();
    // The hours around the rush will do.
    let mornings = (0..14 * DAY).step_by(20).filter(|secs| (6..11).contains(&(secs % DAY / HOUR)));
    for secs in mornings {
        let until = MONDAY.plus(Span::from_secs(secs)).plus(TICK);
        let packets = rate(secs) * 20 / 64 / 1000;
        for host in 0u8..64 {
            let mut one = record;
            one.headers.dst = [198, 18, host, 7].into();
            one.headers.ports = Some((40_000 + u16::from(host), 9_000));
            for n in 0..u8::try_from(packets.max(u64::from(host % 8 < 5))).unwrap() {
                one.headers.src = [203, 0, host, n].into();
                one.at = until.minus(Span::from_millis(10 * u64::from(host) + u64::from(n) + 1));
                (one.start, one.end) = (one.at, one.at);
                shard.record(&one);
            }
        }
        if secs == 5 * DAY + 6 * HOUR {
            let saved = engine.snapshot();
            engine = Engine::restore(settings.clone(), Seed::new(2), &saved).unwrap();
        }
        engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        while let Some(Output::Attack { attack, .. }) = engine.poll_output() {
            let first = attack.detected_at == until && attack.severity == Severity::Attack;
            told.extend(first.then_some(secs));
        }
    }
    told
}

#[test]
fn a_customers_monday_rush_is_expected_on_mondays_and_counts_on_a_sunday() {
    let networks = vec!["198.18.0.0/18".parse().unwrap()];
    let told = alarms(vec![("acme".to_owned(), networks)]);
    assert_eq!(told.first().map(|secs| secs / HOUR), Some(13 * 24 + 8), "{told:?}");
}
