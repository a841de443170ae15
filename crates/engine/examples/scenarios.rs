//! Runs the named worlds through the engine: for work on detection.
//! `scenarios capture [VECTOR…]`, `scenarios provider [NAME…]`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::or_fun_call,
    clippy::disallowed_methods,
    reason = "a tool of its developers, who may see it fail and take its time"
)]

use std::collections::BTreeMap;

use base::{Span, Timestamp, map::Seed};
use engine::report::{Attack, Severity};
use engine::{Output, Profile, Replay, Settings};
use sim::exporter::{Fleet, Format, Settings as Router};
use sim::scenario::{self, Case, Scale};
use telemetry::Record;
use telemetry::collector::Collector;
use wire::packet::{Link, parse};

fn show(name: &str, expected: &str, start: Timestamp, attacks: &BTreeMap<String, Attack>, verbose: bool) {
    println!("{name} (expected {expected}): {} incidents", attacks.len());
    for a in attacks.values() {
        let after = |at: Timestamp| at.nanos() as f64 / 1e9 - start.nanos() as f64 / 1e9;
        let (delay, begun) = (after(a.detected_at), after(a.started_at));
        println!(
            "   {:?} {:?} {} {:?} pps {} src {} {:?} delay {delay:.2}s, seen from {begun:.2}s",
            a.severity,
            a.direction,
            a.target,
            a.vectors
                .iter()
                .map(|v| format!("{} {:.2} {:?}>{:?}", v.name, v.share, v.src_port, v.dst_port))
                .collect::<Vec<_>>(),
            a.peak_pps,
            a.sources.count,
            a.sources.nature
        );
        if a.targets.len() > 1 {
            println!(
                "      {} targets {:?}",
                a.targets.len(),
                a.targets.iter().take(6).map(|t| t.to_string()).collect::<Vec<_>>()
            );
        }
        if verbose {
            for r in &a.rules {
                println!(
                    "      {} {:?}",
                    r.text,
                    r.collateral.map(|c| (c.packets, c.packets_upper95, c.peers_upper95))
                );
            }
            for e in &a.explain {
                println!("      {e}");
            }
        }
    }
}

fn drain(replay: &mut Replay, last: &mut BTreeMap<String, Attack>) {
    while let Some(Output::Attack { attack, .. }) = replay.poll_output() {
        last.insert(attack.id.clone(), *attack);
    }
}

fn main() {
    let verbose = std::env::var("V").is_ok();
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_default();
    let names: Vec<String> = args.collect();
    let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    if mode == "capture" {
        let own = std::env::var("OWN").is_ok();
        for vector in scenario::vectors() {
            if !names.is_empty() && !names.contains(&vector) {
                continue;
            }
            for case in [Case::Attack, Case::Peace, Case::LookAlike] {
                for v4 in [true, false] {
                    let Some(s) = scenario::build(&vector, case, Scale::Capture, v4, seed) else { continue };
                    let mut settings = Settings::of(Profile::Capture);
                    if own || vector == "scan" {
                        settings.networks = s.config.networks.clone();
                    }
                    let start = s.events[0].start;
                    let target = s.events[0].target;
                    let mut replay = Replay::new(settings, 1, &Seed::new(1));
                    let mut last = BTreeMap::new();
                    for (at, frame, _) in s.world().frames() {
                        if let Ok(p) = parse(Link::Ethernet, &frame, u32::try_from(frame.len()).unwrap()) {
                            replay.record(&Record::packet(at, &p));
                        }
                        drain(&mut replay, &mut last);
                    }
                    replay.finish();
                    drain(&mut replay, &mut last);
                    let found: Vec<_> = last.values().filter(|a| a.severity == Severity::Attack).collect();
                    let good = match case {
                        Case::Attack => {
                            found.len() == 1
                                && found[0].vectors[0].name == vector
                                && (found[0].target == target || vector == "scan")
                        }
                        _ => found.is_empty(),
                    };
                    if !good || verbose {
                        show(
                            &format!(
                                "{} {}{}",
                                if good { "ok  " } else { "BAD " },
                                s.name,
                                if v4 { "" } else { " v6" }
                            ),
                            &format!("{target}"),
                            start,
                            &last,
                            verbose,
                        );
                    } else {
                        println!("ok   {}", s.name);
                    }
                }
            }
        }
    } else {
        for name in scenario::MEASURED {
            if !names.is_empty() && !names.iter().any(|n| n == name) {
                continue;
            }
            let lead = Span::from_secs(std::env::var("LEAD").ok().and_then(|s| s.parse().ok()).unwrap_or(10));
            let Some(s) = scenario::measured(name, lead, seed) else { continue };
            let mut settings = Settings::of(Profile::Daemon);
            settings.networks = s.config.networks.clone();
            if std::env::var("FLOOR").is_ok_and(|floor| floor == "low") {
                settings.floor = engine::Floor::Low;
            }
            let start = s.events.first().map_or(s.config.start, |e| e.start);
            let expected =
                s.events.first().map_or("nothing".into(), |e| format!("{:?} {}", e.kind.vector(), e.target));
            let format = Format::named(&std::env::var("FORMAT").unwrap_or("sflow".into())).unwrap();
            // CACHE=60/15: active and inactive timeout of the routers' caches, in seconds; CACHE=prompt: none.
            let cache = std::env::var("CACHE").unwrap_or_default();
            let cached = |router: Router| match cache.split_once('/') {
                Some((active, inactive)) => router.cache(
                    Span::from_secs(active.parse().unwrap()),
                    Span::from_secs(inactive.parse().unwrap()),
                ),
                None if cache == "prompt" => router.prompt(),
                None => router,
            };
            let routers = (0..s.config.routers)
                .map(|n| Router {
                    address: [192, 0, 2, 1 + n as u8].into(),
                    domain: n.into(),
                    seed: seed.wrapping_add(n.into()),
                    ..cached(Router::new(format, 1000, s.config.start.minus(Span::from_secs(86_400))))
                })
                .collect();
            let mut replay = Replay::new(settings, 1, &Seed::new(1));
            let mut collector = Collector::new(telemetry::collector::Settings::default(), Seed::new(1));
            let mut last = BTreeMap::new();
            let mut records = 0u64;
            let begun = std::time::Instant::now();
            for sent in Fleet::new(s.world(), routers) {
                let exporter = [192, 0, 2, 1 + sent.router as u8].into();
                let mut all = vec![];
                collector.datagram(sent.at, exporter, &sent.bytes, &mut |_, record: Option<&Record>| {
                    all.extend(record.copied())
                });
                for r in &all {
                    records += 1;
                    replay.record(r);
                }
                drain(&mut replay, &mut last);
            }
            replay.finish();
            drain(&mut replay, &mut last);
            show(
                &format!("{} [{records} records, {:.1}s]", s.name, begun.elapsed().as_secs_f64()),
                &expected,
                start,
                &last,
                verbose,
            );
        }
    }
}
