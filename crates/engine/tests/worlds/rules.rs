//! What is said of the rules of an attack besides what they do.

use engine::report::{Attack, RuleReport};
use engine::{Profile, Settings};
use wire::packet::flags;

use crate::world::{found_with, measured, outputs, records};

fn told(name: &str) -> Vec<Attack> {
    let scenario = measured(name, 1);
    let networks = scenario.config.networks.clone();
    outputs(&records(&scenario), Settings { networks, ..Settings::of(Profile::Daemon) }, 1, 1)
}

#[test]
fn how_stable_the_rules_are_stands_beside_them() {
    for name in ["syn-200k", "dns-100k", "crowd-handshake-twin"] {
        let told = told(name);
        assert!(told.iter().any(|attack| !attack.rules.is_empty()), "{name}");
        for attack in told {
            assert_eq!(
                attack.stability.is_some(),
                !attack.rules.is_empty(),
                "{name}: {:?}",
                attack.stability
            );
            let Some(stability) = attack.stability else { continue };
            assert!((0.0..=1.0).contains(&stability), "{name}: {stability}");
            let said = format!("; {:.0} % of bootstrap runs agree", stability * 100.0);
            assert!(attack.explain.iter().any(|line| line.ends_with(&said)), "{name}: {:?}", attack.explain);
        }
    }
}

/// The best rule against this flood asks for its TCP window, which no router can be told.
#[test]
fn where_a_rule_asks_for_what_flowspec_cannot_say_routers_get_one_of_their_own() {
    let beyond = |rule: &RuleReport| {
        let rule: rules::Rule = rule.text.parse().unwrap();
        !rules::compile::flowspec::beyond(&rule.matches).is_empty()
    };
    let (mut asked, mut told_routers) = (0, 0);
    for attack in told("syn-v6-200k") {
        assert!(!attack.router_rules.iter().any(beyond), "{:?}", attack.router_rules);
        let said = attack.explain.iter().any(|line| line.starts_with("routers cannot match "));
        assert_eq!(said, attack.rules.iter().any(beyond), "{:?}", attack.explain);
        assert!(said || attack.router_rules.is_empty(), "{:?}", attack.router_rules);
        asked += usize::from(said);
        for rule in &attack.router_rules {
            told_routers += 1;
            assert!(rule.collateral.is_some_and(|price| price.packets <= 0.01 && price.peers <= 0.01));
            assert!(attack.covered_by_routers.is_some_and(|covered| covered > 0.9));
        }
    }
    assert!(asked > 0 && told_routers > 0, "{asked}, {told_routers}");
    // Where all of it can be said there is one set, and captures have none beside theirs.
    let others = told("syn-200k")
        .into_iter()
        .chain(found_with(&measured("syn-v6-200k", 1), Settings::of(Profile::Capture)));
    assert!(others.into_iter().all(|attack| attack.router_rules.is_empty()));
}

#[test]
fn no_attack_has_more_than_eight_rules() {
    for name in ["carpet-1M", "crowd-handshake-twin", "dns-100k"] {
        let most = told(name).iter().map(|attack| attack.rules.len()).max();
        assert!(most.is_some_and(|most| (1..=8).contains(&most)), "{name}: {most:?}");
    }
}

#[test]
fn without_honest_packets_rules_have_no_price_and_are_only_a_suggestion() {
    let scenario = measured("syn-200k", 1);
    let (target, networks) = (scenario.events[0].target, scenario.config.networks.clone());
    let flood = |record: &&telemetry::Record| {
        target.contains(record.headers.dst) && record.headers.tcp.is_some_and(|tcp| tcp.flags == flags::SYN)
    };
    let all = records(&scenario);
    let flood: Vec<telemetry::Record> = all.iter().filter(flood).copied().collect();
    let told = outputs(&flood, Settings { networks, ..Settings::of(Profile::Daemon) }, 1, 1);
    let with_rules: Vec<&Attack> = told.iter().filter(|attack| !attack.rules.is_empty()).collect();
    assert!(!with_rules.is_empty());
    for attack in with_rules {
        assert!(attack.rules.iter().all(|rule| rule.collateral.is_none()), "{:?}", attack.rules);
        let said = "collateral unknown: no honest traffic to the target was seen; nothing acts by itself";
        assert!(attack.explain.iter().any(|line| line == said), "{:?}", attack.explain);
    }
}

/// Found after ten seconds and more, of which some pass before its rise shows: a few of its packets came when all was peace.
#[test]
fn the_first_packets_of_a_slow_flood_are_not_taken_for_honest_ones() {
    for seed in [1, 2, 3, 5] {
        let scenario = measured("low-and-slow-2k", seed);
        let settings = Settings { floor: engine::Floor::Low, ..Settings::of(Profile::Daemon) };
        let attack = found_with(&scenario, settings).remove(0);
        let (event, target) = (&scenario.events[0], scenario.events[0].target);
        assert!(attack.started_at > event.start, "seed {seed}: seen from its first packet on");
        let rules: Vec<rules::Rule> = attack.rules.iter().map(|rule| rule.text.parse().unwrap()).collect();
        let dropped = |record: &&telemetry::Record| {
            let parsed = wire::packet::Parsed {
                headers: record.headers,
                payload: record.snip.bytes(),
                transport: &[],
                vlan: None,
            };
            let first = rules.iter().find(|rule| rules::eval::matches(&rule.matches, &parsed));
            first.is_some_and(|rule| rule.action == rules::Action::Drop)
        };
        let all = records(&scenario);
        let flood = all.iter().filter(|record| {
            record.at >= attack.detected_at
                && target.contains(record.headers.dst)
                && record.headers.protocol == wire::packet::UDP
        });
        let (hit, count) = (flood.clone().filter(dropped).count(), flood.count());
        assert!(hit * 20 >= count * 19, "seed {seed}: {hit} of {count}: {:?}", attack.rules);
    }
}
