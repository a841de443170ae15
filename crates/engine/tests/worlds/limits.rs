//! Fixed limits of host groups, beside what is learned.

use base::{Prefix, Span};
use engine::report::{Attack, Direction};
use engine::settings::{Group, Limit, Limits};
use engine::{Profile, Settings};
use sim::Kind;

use crate::world::{found_with, measured, outputs, records};

#[test]
fn a_fixed_limit_is_an_attack_where_the_operator_says_so() {
    let scenario = measured("crowd-60k", 1);
    let target = scenario.events[0].target;
    let limit = |pps| {
        let incoming = Limits { pps: Some(pps), ..Limits::default() };
        let group = Group { name: "shop".into(), networks: vec![target], incoming, ..Group::default() };
        Settings { groups: vec![group], ..Settings::of(Profile::Daemon) }
    };
    let told = found_with(&scenario, limit(20_000.0));
    assert_eq!(told.iter().map(|a| a.target).collect::<Vec<_>>(), [target]);
    let explained =
        told[0].explain.iter().any(|line| line.contains("above the limit of 20000") && line.contains("shop"));
    assert!(explained, "{:?}", told[0].explain);
    assert_eq!(found_with(&scenario, limit(500_000.0)), []);
}

#[test]
fn a_host_that_sends_more_than_its_limit_is_an_outgoing_attack_known_by_its_sender() {
    let mut scenario = measured("elephant", 1);
    let event = &mut scenario.events[0];
    // One large upload: nothing but the operator's word makes it an attack.
    event.kind = Kind::Elephant { receives: false };
    let (sender, began) = (event.target, event.start);
    let limit = |pps| {
        let outgoing = Limits { tcp: Limit { pps: Some(pps), bps: None }, ..Limits::default() };
        let group = Group { name: "homes".into(), networks: vec![sender], outgoing, ..Group::default() };
        Settings { groups: vec![group], ..Settings::of(Profile::Daemon) }
    };
    let told = found_with(&scenario, limit(20_000.0));
    let [attack] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((attack.target.is_host(), attack.direction), (true, Direction::Out));
    assert_eq!(attack.sources.top[0].address, sender.addr());
    assert!((60_000..120_000).contains(&attack.peak_pps), "{}", attack.peak_pps);
    assert!(attack.detected_at.since(began) < Span::from_secs(2), "{}", attack.detected_at);
    let why = "(tcp) sent, above the limit of 20000 that group \"homes\" has";
    assert!(attack.explain.iter().any(|line| line.contains(why)), "{:?}", attack.explain);
    assert_eq!(found_with(&scenario, limit(500_000.0)), []);
}

#[test]
fn a_sender_within_its_limits_again_ends_its_attack_though_it_goes_on_sending() {
    let mut scenario = measured("outgoing-syn", 2);
    scenario.config.span = Span::from_secs(140);
    let flood = &mut scenario.events[0];
    let sender = flood.own[0];
    (flood.pps, flood.span) = (6_000.0, Span::from_secs(30));
    let mut rest = flood.clone();
    (rest.pps, rest.start, rest.span) = (1_000.0, flood.end(), Span::from_secs(95));
    scenario.events.push(rest);
    let outgoing = Limits { pps: Some(4_000.0), ..Limits::default() };
    let networks = vec![Prefix::of(sender, 24)];
    let group = Group { name: "homes".into(), networks, outgoing, ..Group::default() };
    let settings = Settings { groups: vec![group], ..Settings::of(Profile::Daemon) };
    let [attack] = &found_with(&scenario, settings)[..] else { panic!("one attack") };
    assert_eq!(attack.sources.top[0].address, sender);
    let ended = attack.ended_at.unwrap();
    let late = ended.since(scenario.events[1].start);
    assert!(late < Span::from_secs(5), "within half of the limit since {late}");
}

#[test]
fn senders_are_measured_alike_by_any_number_of_shards() {
    let mut scenario = measured("elephant", 3);
    scenario.events[0].kind = Kind::Elephant { receives: false };
    let outgoing = Limits { bps: Some(20e6), ..Limits::default() };
    let group = Group { name: Group::DEFAULT.into(), outgoing, ..Group::default() };
    let networks = scenario.config.networks.clone();
    let settings = Settings { groups: vec![group], networks, ..Settings::of(Profile::Daemon) };
    let records = records(&scenario);
    let one = outputs(&records, settings.clone(), 1, 1);
    let direct = |told: &[Attack]| told.iter().any(|a| a.direction == Direction::Out);
    assert!(direct(&one));
    assert_eq!(one, outputs(&records, settings, 4, 9));
}
