//! What the engine costs a record at a live load: 65,536 busy hosts at 1:1000. `load [RECORDS_PER_SECOND [SECONDS]]`, 120,000
//! for ten seconds without arguments. Processor time of this thread, so that what else runs does not show.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench for developers: it stops at the first surprise"
)]

use base::{Prefix, Span, Timestamp, map::Seed};
use engine::{Engine, Input, Output, Profile, Settings, Shard};
use sim::{Config, World};
use telemetry::Record;
use telemetry::record::Sampling;
use wire::packet::{Link, parse};

/// Seconds that this thread has run.
fn clock() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<f64>().unwrap());
    let (rate, seconds) = (args.next().unwrap_or(120e3), args.next().unwrap_or(10.0));
    let span = Span::from_millis((seconds * 1e3) as u64);
    let config = Config { pps: rate * 1e3, thin: 1000, span, ..Config::default() };
    let networks: Vec<Prefix> = config.networks.clone();
    let mut records: Vec<Record> = Vec::new();
    for (at, frame, _) in World::new(config, Vec::new()).frames() {
        if let Ok(p) = parse(Link::Ethernet, &frame, frame.len() as u32) {
            let mut r = Record::packet(at, &p);
            r.sampling = Sampling { rate: Some(1000), ..Sampling::EVERY };
            records.push(r);
        }
    }
    let settings = Settings { networks, ..Settings::of(Profile::Daemon) };
    let passes = std::env::var("PASSES").map_or(3, |n| n.parse().unwrap());
    for _ in 0..passes {
        run(&settings, &records);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}, of which {} MB records",
        status.lines().find(|l| l.starts_with("VmHWM")).unwrap(),
        records.len() * size_of::<Record>() / 1_000_000
    );
}

fn run(settings: &Settings, records: &[Record]) {
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (mut counting, mut closing, mut deciding, mut longest) = (0.0, 0.0, 0.0, 0.0f64);
    let (mut tick, mut ticks, mut told) = (0, 0, 0);
    let mut begun = clock();
    for r in records {
        let now = r.at.tick(settings.tick);
        if now != tick {
            let counted = clock();
            tick = now;
            ticks += 1;
            let until = Timestamp::ZERO.plus(settings.tick.times(tick));
            let shards = vec![shard.close()];
            let closed = clock();
            engine.handle(until, Input::Tick { until, shards });
            while let Some(Output::Attack { attack, .. }) = engine.poll_output() {
                told += 1;
                if std::env::var("V").is_ok() {
                    println!("{:?} {} {:?}", attack.severity, attack.target, attack.explain);
                }
            }
            let decided = clock();
            counting += counted - begun;
            closing += closed - counted;
            deciding += decided - closed;
            longest = longest.max(decided - closed);
            begun = decided;
        }
        shard.record(r);
    }
    let each = |seconds: f64| seconds / records.len() as f64 * 1e9;
    println!(
        "{} records, {ticks} ticks, {told} outputs, {} targets: counting {:.0}, closing {:.0}, deciding {:.0} ns/record ({:.1} ms a tick, {:.1} at most)",
        records.len(),
        engine.tracked_targets(),
        each(counting),
        each(closing),
        each(deciding),
        deciding / f64::from(ticks) * 1e3,
        longest * 1e3,
    );
}
