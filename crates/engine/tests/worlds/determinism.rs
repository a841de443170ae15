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
    let run = |reversed: bool, restart: bool| {
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
                if restart && !restarted && !ids.is_empty() {
                    restarted = true;
                    let saved = engine.snapshot();
                    engine = Engine::restore(settings.clone(), seed.clone(), &saved).unwrap();
                }
            }
            let exporter = usize::try_from(record.exporter).unwrap();
            shards[exporter % 3].record(&record);
        }
        ids.sort();
        ids.dedup();
        (ids, engine.attacks())
    };
    let straight = run(false, false);
    assert_eq!(straight.0.len(), 1);
    assert_eq!(run(true, false), straight);
    let restarted = run(false, true);
    assert_eq!(restarted.0, straight.0, "a restart gives the attack another name");
    assert_eq!(restarted.1[0].started_at, straight.1[0].started_at);
    assert!(Engine::restore(settings, Seed::new(1), b"{}").is_err());
}
