//! What flow caches tell long after it happened.

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity, State};
use engine::{Engine, Feed, Input, Output, Profile, Settings, Shard};
use sim::event::Event;
use sim::scenario::Scenario;
use telemetry::Record;
use telemetry::record::{Detail, RateSource, Sampling};
use wire::packet::{Link, parse};

use crate::world::{Way, last, told_by};

/// Few reflectors, each one flow that its router keeps until its time is up: `secs` of it after two minutes of peace.
fn few_reflectors(pps: f64, secs: u64) -> (Scenario, Timestamp) {
    let mut scenario = sim::scenario::measured("ntp-40k", Span::from_secs(120), 1).unwrap();
    scenario.config.pps = 20_000.0;
    scenario.config.span = Span::from_secs(120 + secs + 240);
    let old = scenario.events.remove(0);
    let start = old.start;
    let event = Event { pps, span: Span::from_secs(secs), ..old }.sources(4);
    scenario.events.push(event);
    (scenario, start)
}

/// What a cache of these times tells of attacks, and when.
fn heard(scenario: &Scenario, cache: (u64, u64)) -> Vec<(Timestamp, Attack)> {
    let way = Way { format: "ipfix", cache: Some(cache), ..Way::default() };
    let mut told = told_by(scenario, way, |_, _| true);
    told.retain(|(_, attack)| attack.severity == Severity::Attack);
    told
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn a_flood_told_late_is_dated_and_found_as_if_on_time() {
    // (packets/s, seconds it lasts, cache, seconds until its flows are told)
    for (pps, secs, cache, told_after) in [
        (20_000.0, 30, (60, 15), 45.0),
        (6_000.0, 30, (60, 15), 45.0),
        (20_000.0, 150, (60, 15), 60.0),
        (20_000.0, 60, (10, 10), 10.0),
        (20_000.0, 30, (300, 15), 45.0),
        (20_000.0, 700, (300, 15), 300.0),
    ] {
        let (scenario, start) = few_reflectors(pps, secs);
        let told = heard(&scenario, cache);
        let name = format!("{pps} packets/s for {secs} s, cache {cache:?}");
        let attack = &told.first().unwrap_or_else(|| panic!("{name}: missed")).1;
        let wrong = attack.started_at.since(start).max(start.since(attack.started_at)).as_secs_f64();
        assert!(wrong < 0.5, "{name}: dated {wrong} s wrong");
        let delay = attack.detected_at.since(start).as_secs_f64();
        assert!(delay <= told_after + 1.0, "{name}: after {delay} s");
        assert!(told.iter().all(|(_, a)| a.id == attack.id), "{name}: more than one");
        let over: Vec<&Attack> = told.iter().map(|t| &t.1).filter(|a| a.state == State::Over).collect();
        let [over] = over.as_slice() else {
            assert!(secs >= 700 && over.is_empty(), "{name}: over {} times", over.len());
            continue;
        };
        // Each flow is counted once, whatever was tested twice.
        let share = over.packets as f64 / (pps * secs as f64);
        assert!((0.85..1.15).contains(&share), "{name}: {share} of its packets");
    }
}

/// A minute of quiet, in which a router is known to hold flows back for fifteen seconds, then a second in which it tells of
/// a flood that ended `ago`.
pub(crate) fn told_of_the_past(ago: Span) -> (Engine, Vec<Attack>) {
    let settings = Settings::of(Profile::Daemon);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut attacks = Vec::new();
    for number in 4_000..4_260_u64 {
        let until = Timestamp::ZERO.plus(settings.tick.times(number));
        let delay = Some((Span::from_secs(75), Span::from_secs(60)));
        let feed = Feed {
            exporter: 0,
            address: [192, 0, 2, 1].into(),
            datagrams: 1,
            records: 1,
            lost_datagrams: 0,
            lost_records: 0,
            doubt: None,
            delay,
            discards: Vec::new(),
        };
        engine.handle(until, Input::Health { until, feeds: vec![feed], dropped: 0 });
        for source in 0..50 {
            if number >= 4_255 {
                shard.record(&flow(source, until, ago));
            }
        }
        engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        while let Some(Output::Attack { attack, .. }) = engine.poll_output() {
            attacks.push(*attack);
        }
    }
    (engine, last(attacks).into_iter().filter(|a| a.severity == Severity::Attack).collect())
}

/// Twenty seconds of answers of a time server, up to `ago`.
fn flow(source: u8, at: Timestamp, ago: Span) -> Record {
    let mut frame = vec![0x45, 0, 0x01, 0xd4, 0, 0, 0, 0, 60, 17, 0, 0, 192, 0, 2, source, 198, 18, 0, 9];
    frame.extend([0, 123, 0x30, 0x39, 0x01, 0xc0, 0, 0]);
    frame.resize(468, 0);
    let parsed = parse(Link::Ip, &frame, 468).unwrap();
    let end = at.minus(ago);
    let record = Record::packet(at, &parsed);
    let sampling = Sampling { rate: Some(100), source: RateSource::Config };
    let (start, detail) = (end.minus(Span::from_secs(20)), Detail::Flow);
    Record { start, end, detail, packets: 400, bytes: 400 * 468, sampling, ..record }
}

#[test]
fn what_is_told_of_a_flood_long_gone_opens_nothing() {
    assert_eq!(told_of_the_past(Span::from_secs(16)).1.len(), 1);
    assert_eq!(told_of_the_past(Span::from_secs(120)).1.len(), 0);
}

/// Flows of one packet each, as most are behind a sampler: fifteen seconds old when the cache tells of them.
#[test]
fn a_flood_of_short_flows_told_late_is_as_large_as_it_was_and_has_its_name() {
    for (name, vector) in
        [("crowd-with-flood", "tcp-syn-flood"), ("crowd-handshake-twin", "tcp-connection-flood")]
    {
        let scenario = sim::scenario::measured(name, Span::from_secs(120), 1).unwrap();
        let told = heard(&scenario, (60, 15));
        let attack = &told.first().unwrap_or_else(|| panic!("{name}: missed")).1;
        let delay = attack.detected_at.since(scenario.events[0].start).as_secs_f64();
        assert!(delay <= 15.0 + 1.5, "{name}: after {delay} s");
        let attacks = last(told.into_iter().map(|(_, attack)| attack).collect());
        let names: Vec<_> = attacks.iter().map(|a| a.vectors[0].name.as_str()).collect();
        assert_eq!(names, [vector], "{name}");
        assert!(attacks[0].peak_pps > 30_000, "{name}: {} packets/s", attacks[0].peak_pps);
    }
}

/// At the end of a world its routers empty their caches: a quarter of a minute in one tick.
#[test]
fn a_cache_that_is_emptied_is_no_burst() {
    let scenario = sim::scenario::measured("background-1M", Span::from_secs(20), 5).unwrap();
    let told = heard(&scenario, (60, 15));
    assert!(told.is_empty(), "{:?}", told.first().map(|(_, attack)| &attack.explain));
}
