//! Half of the routers fall silent when an attack begins: it is found late, and its first packets were taken in as honest ones.

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity};
use engine::{Engine, Floor, Input, Profile, Settings, Shard};
use sim::scenario;

use crate::world::records;

/// A price that lets a rule act.
fn acts(attack: &Attack) -> bool {
    attack.rules.iter().filter_map(|rule| rule.collateral).any(|price| price.packets.max(price.peers) <= 0.01)
}

#[test]
fn an_attack_that_half_of_the_routers_hid_is_filtered_soon_after_it_is_found() {
    // In the third world it is found just when the silent ones are heard again, and little is known of it then.
    for (seed, silent, within) in [(2, 11, 1), (10, 11, 1), (3, 11, 8)] {
        let scenario = scenario::measured("low-and-slow-2k", Span::from_secs(15), seed).unwrap();
        let event = &scenario.events[0];
        let networks = scenario.config.networks.clone();
        let settings = Settings { networks, floor: Floor::Low, ..Settings::of(Profile::Daemon) };
        let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
        let mut engine = Engine::new(settings.clone(), Seed::new(1));
        let hidden = event.start..event.start.plus(Span::from_secs(silent));
        let (mut tick, mut acted) = (0, None);
        for record in records(&scenario).iter().filter(|r| r.exporter % 2 != 0 || !hidden.contains(&r.at)) {
            let now = record.at.tick(settings.tick);
            if now != tick && acted.is_none() {
                tick = now;
                let until = Timestamp::ZERO.plus(settings.tick.times(tick));
                engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
                let found = engine.attacks().into_iter().find(|attack| {
                    event.target.covers(&attack.target) && attack.severity == Severity::Attack && acts(attack)
                });
                acted = found.map(|attack| until.since(attack.detected_at));
            }
            shard.record(record);
        }
        let acted = acted.unwrap_or(Span::from_secs(60));
        assert!(acted <= Span::from_secs(within), "seed {seed}: {} ms", acted.nanos() / 1_000_000);
    }
}
