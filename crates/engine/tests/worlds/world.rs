//! Worlds through the engine.

use std::collections::BTreeMap;

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity};
use engine::{Engine, Feeds, Input, Output, Profile, Replay, Settings, Shard};
use sim::exporter::{Fleet, Format, Settings as Router};
use sim::scenario::{self, Scenario};
use telemetry::Record;
use telemetry::collector::Collector;
use telemetry::record::Detail;
use wire::packet::{Link, UDP, parse};

/// A measured event with ten seconds before it.
pub(crate) fn measured(name: &str, seed: u64) -> Scenario {
    scenario::measured(name, Span::from_secs(10), seed).unwrap()
}

fn address(router: u16) -> std::net::IpAddr {
    [192, 0, 2, u8::try_from(router + 1).unwrap()].into()
}

fn routers(scenario: &Scenario, format: &str, cache: Option<(u64, u64)>) -> Vec<Router> {
    let router = |n: u16| {
        let router = Router::new(Format::named(format).unwrap(), 1000, scenario.config.start);
        let (active, inactive) = cache.unwrap_or((60, 15));
        Router { address: address(n), ..router.cache(Span::from_secs(active), Span::from_secs(inactive)) }
    };
    (0..scenario.config.routers).map(router).collect()
}

/// What the border routers of a world tell through sFlow at 1:1000, as records.
pub(crate) fn records(scenario: &Scenario) -> Vec<Record> {
    let routers = routers(scenario, "sflow", None);
    let mut collector = Collector::new(telemetry::collector::Settings::default(), Seed::new(1));
    let mut records = Vec::new();
    for sent in Fleet::new(scenario.world(), routers) {
        collector.datagram(sent.at, address(sent.router), &sent.bytes, &mut |_, record| {
            records.extend(record.copied());
        });
    }
    records
}

/// A sampled packet of UDP, to be made others of.
pub(crate) fn datagram() -> Record {
    let flood = records(&measured("pulses-150k", 1));
    let is_one = |r: &Record| r.headers.protocol == UDP && r.detail == Detail::Packet;
    let mut one = flood.into_iter().find(is_one).unwrap();
    one.headers.ports = Some((40_000, 9_000));
    one
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
    found_with(scenario, Settings::of(Profile::Daemon))
}

/// What these settings find in a world.
pub(crate) fn found_with(scenario: &Scenario, mut settings: Settings) -> Vec<Attack> {
    settings.networks.clone_from(&scenario.config.networks);
    attacks(last(outputs(&records(scenario), settings, 1, 1)))
}

/// Those that are called attacks.
pub(crate) fn attacks(told: Vec<Attack>) -> Vec<Attack> {
    told.into_iter().filter(|a| a.severity == Severity::Attack).collect()
}

/// What the daemon tells and when, where datagrams for which `arrives` is false (by time and number) get lost.
pub(crate) fn heard(
    scenario: &Scenario,
    arrives: impl FnMut(Timestamp, u64) -> bool,
) -> Vec<(Timestamp, Attack)> {
    told_by(scenario, Way::default(), arrives)
}

/// What is special about a world's telemetry.
pub(crate) struct Way {
    pub(crate) format: &'static str,
    /// Seconds of a flow cache, active and inactive.
    pub(crate) cache: Option<(u64, u64)>,
    /// So many of the routers tell ten times what their interfaces count.
    pub(crate) liars: u32,
    /// The daemon is started again then, from its snapshot.
    pub(crate) restart: Option<Timestamp>,
    /// What the first router sends besides at the end of each tick, by what was told so far.
    pub(crate) besides: Option<Besides>,
}

/// Time and what was told so far to datagrams.
pub(crate) type Besides = Box<dyn FnMut(Timestamp, &[(Timestamp, Attack)]) -> Vec<Vec<u8>>>;

impl Default for Way {
    fn default() -> Self {
        Self { format: "sflow", cache: None, liars: 0, restart: None, besides: None }
    }
}

/// As [`heard`], in this way.
pub(crate) fn told_by(
    scenario: &Scenario,
    mut way: Way,
    mut arrives: impl FnMut(Timestamp, u64) -> bool,
) -> Vec<(Timestamp, Attack)> {
    let mut settings = Settings::of(Profile::Daemon);
    settings.networks.clone_from(&scenario.config.networks);
    let tick = settings.tick;
    let mut collector = Collector::new(telemetry::collector::Settings::default(), Seed::new(1));
    let mut shard = Shard::new(settings.profile, &settings.networks, tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let mut feeds = Feeds::default();
    let mut told = Vec::new();
    let mut open = scenario.config.start.tick(tick);
    for (number, sent) in (0..).zip(Fleet::new(scenario.world(), routers(scenario, way.format, way.cache))) {
        while open < sent.at.tick(tick) {
            open += 1;
            let until = Timestamp::ZERO.plus(tick.times(open));
            if way.restart == Some(until) {
                engine = Engine::restore(settings.clone(), Seed::new(2), &engine.snapshot()).unwrap();
            }
            for bytes in way.besides.iter_mut().flat_map(|besides| besides(until, &told)) {
                collector.datagram(until, address(0), &bytes, &mut |_, record| assert!(record.is_none()));
            }
            let mut feeds = feeds.since(&mut collector);
            for feed in feeds.iter_mut().filter(|feed| feed.exporter < way.liars) {
                feed.doubt = Some(0.1);
            }
            engine.handle(until, Input::Health { until, feeds, dropped: 0 });
            engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
            if engine.poll_timeout().is_some_and(|deadline| deadline <= until) {
                engine.handle_timeout(until);
            }
            while let Some(Output::Attack { at, attack }) = engine.poll_output() {
                told.push((at, *attack));
            }
        }
        if arrives(sent.at, number) {
            collector.datagram(sent.at, address(sent.router), &sent.bytes, &mut |_, record| {
                if let Some(record) = record {
                    shard.record(&Record { doubtful: record.exporter < way.liars, ..*record });
                }
            });
        }
    }
    told
}
