//! What the engine costs a record at a live load: 65,536 busy hosts, 120,000 records a second at 1:1000.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a bench for developers: it measures time and stops at the first surprise"
)]

use base::{Prefix, Timestamp, map::Seed};
use engine::{Engine, Input, Profile, Settings, Shard};
use sim::{Config, World};
use telemetry::Record;
use telemetry::record::Sampling;
use wire::packet::{Link, parse};

fn main() {
    let config = Config { pps: 120e6, thin: 1000, span: base::Span::from_secs(10), ..Config::default() };
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
    let seed = Seed::new(1);
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7, seed.clone());
    let mut engine = Engine::new(settings.clone(), seed);
    let (mut counting, mut closing, mut deciding) = (0.0, 0.0, 0.0);
    let (mut tick, mut ticks, mut attacks) = (0, 0, 0);
    let mut begun = std::time::Instant::now();
    for r in &records {
        let now = r.at.tick(settings.tick);
        if now != tick {
            counting += begun.elapsed().as_secs_f64();
            tick = now;
            ticks += 1;
            let until = Timestamp::ZERO.plus(settings.tick.times(tick));
            begun = std::time::Instant::now();
            let closed = shard.close();
            closing += begun.elapsed().as_secs_f64();
            begun = std::time::Instant::now();
            engine.handle(until, Input::Tick { until, shards: vec![closed] });
            while let Some(engine::Output::Attack { attack, .. }) = engine.poll_output() {
                attacks += 1;
                if std::env::var("V").is_ok() {
                    println!(
                        "{:?} {} {:?} {:?}",
                        attack.severity, attack.target, attack.vectors, attack.explain
                    );
                }
            }
            deciding += begun.elapsed().as_secs_f64();
            begun = std::time::Instant::now();
        }
        shard.record(r);
    }
    let n = records.len() as f64;
    println!("{n} records, {ticks} ticks, {attacks} outputs, {} targets", engine.tracked_targets());
    println!(
        "counting {:.0} ns/record, closing {:.0} ns/record, deciding {:.0} ns/record ({:.1} ms a tick)",
        counting / n * 1e9,
        closing / n * 1e9,
        deciding / n * 1e9,
        deciding / ticks as f64 * 1e3
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
