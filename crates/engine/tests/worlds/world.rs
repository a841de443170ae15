//! Worlds through the engine.

use std::collections::BTreeMap;

use base::Span;
use base::map::Seed;
use engine::report::{Attack, Severity};
use engine::{Output, Profile, Replay, Settings};
use sim::exporter::{Fleet, Format, Settings as Router};
use sim::scenario::{self, Scenario};
use telemetry::Record;
use telemetry::collector::Collector;
use wire::packet::{Link, parse};

/// A measured event with ten seconds before it.
pub(crate) fn measured(name: &str, seed: u64) -> Scenario {
    scenario::measured(name, Span::from_secs(10), seed).unwrap()
}

/// What the border routers of a world tell through sFlow at 1:1000, as records.
pub(crate) fn records(scenario: &Scenario) -> Vec<Record> {
    let address = |router: u16| [192, 0, 2, u8::try_from(router + 1).unwrap()].into();
    let router = |n: u16| Router {
        address: address(n),
        ..Router::new(Format::named("sflow").unwrap(), 1000, scenario.config.start)
    };
    let routers = (0..scenario.config.routers).map(router).collect();
    let mut collector = Collector::new(telemetry::collector::Settings::default(), Seed::new(1));
    let mut records = Vec::new();
    for sent in Fleet::new(scenario.world(), routers) {
        collector.datagram(sent.at, address(sent.router), &sent.bytes, &mut |_, record| {
            records.extend(record.copied());
        });
    }
    records
}

/// Every packet of a world, as a capture would have it.
pub(crate) fn packets(scenario: &Scenario) -> Vec<Record> {
    let frames = scenario.world().frames();
    frames
        .filter_map(|(at, frame, _)| {
            let len = u32::try_from(frame.len()).unwrap();
            parse(Link::Ethernet, &frame, len).ok().map(|p| Record::packet(at, &p))
        })
        .collect()
}

/// All outputs, in order.
pub(crate) fn outputs(records: &[Record], settings: Settings, shards: usize, seed: u64) -> Vec<Attack> {
    let mut replay = Replay::new(settings, shards, &Seed::new(seed));
    let mut told = Vec::new();
    let mut drain = |replay: &mut Replay| {
        while let Some(Output::Attack { attack, .. }) = replay.poll_output() {
            told.push(*attack);
        }
    };
    for record in records {
        replay.record(record);
        drain(&mut replay);
    }
    replay.finish();
    drain(&mut replay);
    told
}

/// The final state of each attack.
pub(crate) fn last(told: Vec<Attack>) -> Vec<Attack> {
    told.into_iter().map(|a| (a.id.clone(), a)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// What the daemon's profile finds in a world.
pub(crate) fn found(scenario: &Scenario) -> Vec<Attack> {
    let mut settings = Settings::of(Profile::Daemon);
    settings.networks.clone_from(&scenario.config.networks);
    attacks(last(outputs(&records(scenario), settings, 1, 1)))
}

/// Those that are called attacks.
pub(crate) fn attacks(told: Vec<Attack>) -> Vec<Attack> {
    told.into_iter().filter(|a| a.severity == Severity::Attack).collect()
}
