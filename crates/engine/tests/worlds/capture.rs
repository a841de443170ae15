//! Every packet of a small network: what shows only to who sees all of them.

use engine::report::{Attack, Direction, Nature};
use engine::{Profile, Settings};
use sim::scenario::{self, Case, Scale, Scenario};

use crate::world::{attacks, last, outputs, packets};

const ATTACKS: [&str; 8] = [
    "tcp-slow",
    "http-flood",
    "tls-handshake-flood",
    "tcp-connection-flood",
    "quic-flood",
    "icmp-flood",
    "dns-query-flood",
    "scan",
];

fn build(vector: &str, case: Case, v4: bool) -> Scenario {
    scenario::build(vector, case, Scale::Capture, v4, 4).unwrap()
}

fn settings(scenario: &Scenario) -> Settings {
    // Only who knows what is his own can tell what goes out.
    let networks =
        if scenario.name.starts_with("scan") { scenario.config.networks.clone() } else { Vec::new() };
    Settings { networks, ..Settings::of(Profile::Capture) }
}

fn found(scenario: &Scenario) -> Vec<Attack> {
    attacks(last(outputs(&packets(scenario), settings(scenario), 1, 1)))
}

#[test]
fn attacks_by_behaviour_are_found_under_their_names() {
    for vector in ATTACKS {
        for v4 in [true, false] {
            let scenario = build(vector, Case::Attack, v4);
            let attacks = found(&scenario);
            let told: Vec<_> = attacks.iter().map(|a| a.vectors[0].name.as_str()).collect();
            assert_eq!(told, [vector], "IPv4: {v4}");
            let (attack, event) = (&attacks[0], &scenario.events[0]);
            assert!(event.target.covers(&attack.target), "{vector}: {}", attack.target);
            assert!(attack.started_at >= event.start.minus(base::Span::from_secs(1)), "{vector}");
            assert!(!attack.rules.is_empty(), "{vector}: no rule");
        }
    }
}

#[test]
fn a_few_sources_are_named_and_dropped() {
    for (vector, sources) in
        [("http-flood", 1), ("http-flood", 40), ("tcp-slow", 1), ("tls-handshake-flood", 3)]
    {
        let mut scenario = build(vector, Case::Attack, true);
        scenario.events[0].sources = sources;
        let attacks = found(&scenario);
        let told: Vec<_> = attacks.iter().map(|a| (a.vectors[0].name.as_str(), a.target)).collect();
        assert_eq!(told, [(vector, scenario.events[0].target)], "{sources} sources");
        let count = attacks[0].sources.count;
        assert!((u64::from(sources)..u64::from(sources) + 8).contains(&count), "{vector}: {count} sources");
        if sources <= 3 {
            let drops = attacks[0].rules.iter().filter(|r| r.action == "drop" && r.text.contains(" src "));
            assert_eq!(drops.count(), sources as usize, "{vector}: {:?}", attacks[0].rules);
        }
    }
}

#[test]
fn peace_and_look_alikes_are_at_most_suspicious() {
    for vector in ATTACKS.iter().chain(&["tcp-synack-reflection"]) {
        for case in [Case::Peace, Case::LookAlike] {
            let scenario = build(vector, case, *vector != "icmp-flood");
            assert_eq!(found(&scenario), [], "{}", scenario.name);
        }
    }
}

#[test]
fn an_outgoing_scan_is_known_by_its_sender() {
    let scenario = build("scan", Case::Attack, true);
    let attacks = found(&scenario);
    assert_eq!(attacks[0].direction, Direction::Out);
    assert_eq!(attacks[0].target, scenario.events[0].target);
    assert_eq!(attacks[0].sources.top[0].address, scenario.events[0].own[0]);
    // Who does not know his own networks sees strangers asking strangers.
    let blind = outputs(&packets(&scenario), Settings::of(Profile::Capture), 1, 1);
    assert_eq!(super::world::attacks(last(blind)), []);
}

#[test]
fn who_holds_connections_has_shown_his_address() {
    let scenario = build("tls-handshake-flood", Case::Attack, true);
    let attack = &found(&scenario)[0];
    assert_eq!(attack.sources.nature, Nature::Real);
    assert!((3_300..3_700).contains(&attack.sources.count), "{}", attack.sources.count);
    // Packets that are honest one by one: rules name senders or limit connections, and drop nothing by its looks.
    for rule in &attack.rules {
        assert!(rule.text.contains(" src ") || rule.action == "rate", "{}", rule.text);
    }
}

#[test]
fn behaviour_is_judged_alike_by_any_number_of_shards() {
    for vector in ["tcp-slow", "http-flood", "scan"] {
        let scenario = build(vector, Case::Attack, true);
        let packets = packets(&scenario);
        let one = outputs(&packets, settings(&scenario), 1, 1);
        assert!(!one.is_empty());
        assert_eq!(outputs(&packets, settings(&scenario), 5, 3), one, "{vector}");
    }
}
