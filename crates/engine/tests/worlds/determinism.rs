//! The same input gives the same decisions, whatever the shards, the seed and the order of completion.

use base::map::Seed;
use engine::{Engine, Input, Output, Profile, Settings, Shard};
use sim::scenario::{self, Case, Scale};

use crate::world::{measured, outputs, packets, records};

#[test]
fn shards_and_seeds_change_nothing_in_a_capture() {
    let scenario = scenario::build("udp-amplification-dns", Case::Attack, Scale::Capture, true, 5).unwrap();
    let packets = packets(&scenario);
    let settings = || Settings::of(Profile::Capture);
    let one = outputs(&packets, settings(), 1, 1);
    assert!(!one.is_empty());
    for (shards, seed) in [(2, 1), (7, 2), (1, 3)] {
        assert_eq!(outputs(&packets, settings(), shards, seed), one, "{shards} shards, seed {seed}");
    }
}

#[test]
fn shards_and_seeds_change_nothing_in_samples() {
    let scenario = measured("carpet-1M", 4);
    let records = records(&scenario);
    let settings =
        || Settings { networks: scenario.config.networks.clone(), ..Settings::of(Profile::Daemon) };
    let one = outputs(&records, settings(), 1, 1);
    assert!(!one.is_empty());
    for (shards, seed) in [(2, 9), (7, 1)] {
        assert_eq!(outputs(&records, settings(), shards, seed), one, "{shards} shards, seed {seed}");
    }
}

#[test]
fn shards_may_finish_in_any_order_and_a_restart_continues_the_attack() {
    let scenario = measured("dns-100k", 2);
    let settings = Settings { networks: scenario.config.networks.clone(), ..Settings::of(Profile::Daemon) };
    let run = |reversed: bool, restart: Option<base::Timestamp>| {
        let seed = Seed::new(1);
        let mut shards: Vec<Shard> =
            (0..3).map(|_| Shard::new(settings.profile, &settings.networks, settings.tick, 7)).collect();
        let mut engine = Engine::new(settings.clone(), seed.clone());
        let mut ids = Vec::new();
        let (mut tick, mut restarted) = (0, false);
        for record in records(&scenario) {
            let now = record.at.tick(settings.tick);
            if now != tick {
                tick = now;
                let until = base::Timestamp::ZERO.plus(settings.tick.times(tick));
                let mut ticks: Vec<_> = shards.iter_mut().map(Shard::close).collect();
                if reversed {
                    ticks.reverse();
                }
                engine.handle(until, Input::Tick { until, shards: ticks });
                while let Some(Output::Attack { attack, .. }) = engine.poll_output() {
                    ids.push(attack.id);
                }
                if !restarted && restart.is_some_and(|at| at <= until) {
                    restarted = true;
                    let (attacks, learned) = (engine.snapshot_attacks(), engine.snapshot_learned());
                    engine = Engine::restore(settings.clone(), seed.clone(), &attacks).unwrap();
                    engine.remember(&learned).unwrap();
                }
            }
            let exporter = usize::try_from(record.exporter).unwrap();
            shards[exporter % 3].record(&record);
        }
        ids.sort();
        ids.dedup();
        (ids, engine.attacks())
    };
    let straight = run(false, None);
    assert_eq!(straight.0.len(), 1);
    assert_eq!(run(true, None), straight);
    let (started, detected) = (straight.1[0].started_at, straight.1[0].detected_at);
    let restarted = run(false, Some(detected));
    assert_eq!(restarted.0, straight.0, "a restart gives the attack another name");
    assert_eq!(restarted.1[0].started_at, started);
    // Who is always busy was known before: what begins just after a restart is as new as it is.
    let restarted = run(false, Some(started.minus(base::Span::from_secs(3))));
    assert_eq!(restarted.0.len(), 1, "it was taken for usual");
    let later = restarted.1[0].detected_at.since(detected);
    assert!(later <= base::Span::from_secs(1), "found {later} later than without a restart");
    assert!(Engine::restore(settings, Seed::new(1), b"{}").is_err());
}
