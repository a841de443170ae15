//! A core that was killed and comes back while an attack goes on: it knows at once what is honest, and filters.

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity};
use engine::{Engine, Input, Profile, Settings, Shard};
use sim::scenario;

use crate::world::{measured, records};

/// What was on the disk when it was killed.
struct Disk {
    attacks: Vec<u8>,
    learned: Vec<u8>,
}

/// Kills the core some time after the attack was found, with what `disk` makes of its state, and lets it come back after a
/// while; gives the attack as it was then, and as the new core knows it so long after it came back.
fn killed(
    name: &str,
    disk: impl Fn(&Engine, Option<Disk>) -> Option<Disk>,
    after: Span,
) -> (Attack, Vec<Attack>) {
    const DEAD: Span = Span::from_secs(3);
    let scenario = measured(name, 1);
    let settings = Settings { networks: scenario.config.networks.clone(), ..Settings::of(Profile::Daemon) };
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Some(Engine::new(settings.clone(), Seed::new(1)));
    let (mut written, mut found, mut back): (Option<Disk>, Option<Attack>, Option<Timestamp>) =
        Default::default();
    let mut tick = 0;
    for record in records(&scenario) {
        let now = record.at.tick(settings.tick);
        if now != tick {
            tick = now;
            let until = Timestamp::ZERO.plus(settings.tick.times(tick));
            let shards = vec![shard.close()];
            if let Some(running) = &mut engine {
                running.handle(until, Input::Tick { until, shards });
                while running.poll_output().is_some() {}
                written = disk(running, written.take());
                let attacks = running.attacks();
                let is_found = |a: &&Attack| a.severity == Severity::Attack && !a.rules.is_empty();
                if back.is_none()
                    && let Some(attack) = attacks.iter().find(is_found)
                {
                    (found, back, engine) = (Some(attack.clone()), Some(until.plus(DEAD)), None);
                } else if let Some(back) = back
                    && until.since(back) >= after
                {
                    return (found.unwrap(), attacks);
                }
            } else if back.is_some_and(|back| back <= until) {
                let disk = written.take().expect("something was written");
                let mut again = Engine::restore(settings.clone(), Seed::new(2), &disk.attacks).unwrap();
                again.remember(&disk.learned).unwrap();
                engine = Some(again);
            }
        }
        shard.record(&record);
    }
    panic!("the world of {name} is over before the end");
}

fn acts(attacks: &[Attack], like: &Attack) -> bool {
    let same = |attack: &&Attack| attack.severity == Severity::Attack && attack.target == like.target;
    attacks.iter().filter(same).flat_map(|attack| &attack.rules).any(|rule| rule.collateral.is_some())
}

#[test]
fn an_attack_that_was_not_written_down_is_found_and_priced_by_what_was_honest_before() {
    for name in ["dns-100k", "syn-200k"] {
        // The last that was written is from the time before it.
        let peace = |engine: &Engine, before: Option<Disk>| match engine.attacks().is_empty() {
            true => Some(Disk { attacks: engine.snapshot_attacks(), learned: engine.snapshot_learned() }),
            false => before,
        };
        let (found, after) = killed(name, peace, Span::from_secs(3));
        assert!(acts(&after, &found), "{name}: {after:?}");
    }
}

#[test]
fn an_attack_whose_rules_were_not_written_down_gets_rules_with_a_price() {
    for name in ["dns-100k", "syn-200k"] {
        let without = |engine: &Engine, before: Option<Disk>| {
            let mut state: serde_json::Value = serde_json::from_slice(&engine.snapshot_attacks()).unwrap();
            for attack in state["incidents"].as_array_mut().unwrap() {
                attack["rules"] = serde_json::json!([]);
            }
            let attacks = state.to_string().into_bytes();
            let learned = match before {
                Some(before) if !engine.attacks().is_empty() => before.learned,
                _ => engine.snapshot_learned(),
            };
            Some(Disk { attacks, learned })
        };
        let (found, after) = killed(name, without, Span::from_secs(3));
        assert!(acts(&after, &found), "{name}: {after:?}");
        assert!(after.iter().any(|attack| attack.id == found.id), "{name}: another attack");
    }
}

#[test]
fn what_is_remembered_of_honest_packets_comes_back_as_it_was() {
    let scenario = measured("dns-100k", 1);
    let settings = Settings { networks: scenario.config.networks.clone(), ..Settings::of(Profile::Daemon) };
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let mut tick = 0;
    for record in records(&scenario).iter().filter(|record| record.at < scenario.events[0].start) {
        let now = record.at.tick(settings.tick);
        if now != tick {
            tick = now;
            let until = Timestamp::ZERO.plus(settings.tick.times(tick));
            engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        }
        shard.record(record);
    }
    let honest = |engine: &Engine| -> serde_json::Value {
        let all: serde_json::Value = serde_json::from_slice(&engine.snapshot_learned()).unwrap();
        all["honest"].clone()
    };
    let before = honest(&engine);
    assert!(before["own"].as_array().is_some_and(|own| !own.is_empty()));
    assert!(before["own"].as_array().unwrap().len() <= 8192 + 2 * 4096);
    let mut again = Engine::new(settings, Seed::new(9));
    again.remember(&engine.snapshot_learned()).unwrap();
    assert_eq!(honest(&again), before);
}

/// Lives of four seconds each: none is long enough to know by itself who is always busy.
#[test]
fn several_short_lives_know_together_who_is_always_busy() {
    let scenario = scenario::measured("dns-100k", Span::from_secs(20), 1).unwrap();
    let settings = Settings { networks: scenario.config.networks.clone(), ..Settings::of(Profile::Daemon) };
    let event = &scenario.events[0];
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (mut tick, mut lives) = (0, 1);
    for record in records(&scenario) {
        let now = record.at.tick(settings.tick);
        if now != tick {
            tick = now;
            let until = Timestamp::ZERO.plus(settings.tick.times(tick));
            engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
            // The last one ends just before the attack, of which the first tick of the next one has a part already.
            let age = until.since(scenario.config.start).nanos();
            if until <= event.start.plus(settings.tick) && age / 4_000_000_000 >= lives {
                lives += 1;
                let (attacks, learned) = (engine.snapshot_attacks(), engine.snapshot_learned());
                engine = Engine::restore(settings.clone(), Seed::new(1), &attacks).unwrap();
                engine.remember(&learned).unwrap();
            }
        }
        shard.record(&record);
    }
    assert!(lives >= 5, "{lives} lives");
    let found = engine.attacks();
    let is_it = |attack: &&Attack| attack.severity == Severity::Attack && event.target.covers(&attack.target);
    assert!(found.iter().any(|attack| is_it(&attack)), "it was taken for usual: {found:?}");
}
