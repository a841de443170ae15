//! A provider of 100 kpps seen through sFlow at 1:1000.

use engine::report::Direction;
use engine::{Floor, Profile, Settings};

use sim::packet::Nature;
use wire::packet::{Link, parse};

use crate::world::{found, found_with, measured};

/// One attack of this name on this target, and nothing else.
fn finds(name: &str, vector: &str, direction: Direction) {
    for seed in [1, 2] {
        let scenario = measured(name, seed);
        let attacks = found(&scenario);
        let told: Vec<_> =
            attacks.iter().map(|a| (a.target, a.vectors[0].name.as_str(), a.direction)).collect();
        assert_eq!(told, [(scenario.events[0].target, vector, direction)], "{name}, seed {seed}");
        assert!(!attacks[0].rules.is_empty(), "{name}, seed {seed}: no rule");
        let entering: f64 = attacks[0].entries.iter().map(|e| e.share).sum();
        assert!((0.99..1.01).contains(&entering), "{name}, seed {seed}: enters by {:?}", attacks[0].entries);
    }
}

fn finds_nothing(name: &str) {
    for seed in [1, 3] {
        assert_eq!(found(&measured(name, seed)), [], "{name}, seed {seed}");
    }
}

#[test]
fn floods_are_found_under_their_names() {
    finds("syn-200k", "tcp-syn-flood", Direction::In);
    finds("syn-v6-200k", "tcp-syn-flood", Direction::In);
    finds("dns-100k", "udp-amplification-dns", Direction::In);
    finds("ntp-40k", "udp-amplification-ntp", Direction::In);
    finds("syn-25k", "tcp-syn-flood", Direction::In);
}

#[test]
fn pulses_are_one_attack() {
    finds("pulses-150k", "udp-flood", Direction::In);
    finds("short-pulses-100k", "udp-flood", Direction::In);
}

#[test]
fn carpet_bombing_is_one_attack_on_the_prefix() {
    finds("carpet-1M", "udp-flood", Direction::In);
}

#[test]
fn low_and_slow_is_found_with_the_low_floor_and_honest_hosts_are_not() {
    let low = || Settings { floor: Floor::Low, ..Settings::of(Profile::Daemon) };
    for seed in [1, 2, 4] {
        let scenario = measured("low-and-slow-2k", seed);
        let attacks = found_with(&scenario, low());
        let told: Vec<_> = attacks.iter().map(|a| (a.target, a.vectors[0].name.as_str())).collect();
        assert_eq!(told, [(scenario.events[0].target, "udp-flood")], "seed {seed}");
    }
    for name in ["background", "elephant", "crowd-60k"] {
        assert_eq!(found_with(&measured(name, 1), low()), [], "{name}");
    }
}

#[test]
fn a_victim_that_was_hardly_seen_is_priced_by_hosts_like_it() {
    for name in ["syn-200k", "pulses-150k", "carpet-1M"] {
        let attack = found(&measured(name, 2)).remove(0);
        for rule in attack.rules.iter().filter(|rule| rule.action == "drop") {
            let price = rule.collateral.expect("a price");
            assert!(
                price.packets_upper95 < 0.03 && price.packets <= price.packets_upper95,
                "{name}: {price:?}"
            );
        }
        let told = attack.explain.iter().any(|line| line.contains("to hosts that it may be like"));
        assert!(told, "{name}: {:?}", attack.explain);
    }
}

#[test]
fn an_own_host_that_floods_is_an_outgoing_attack_on_its_victim() {
    finds("outgoing-syn", "tcp-syn-flood", Direction::Out);
}

#[test]
fn honest_crowds_transfers_and_busy_hosts_are_left_alone() {
    for name in ["crowd-60k", "elephant", "background", "background-1M"] {
        finds_nothing(name);
    }
}

#[test]
fn the_twins_of_the_crowd_are_found() {
    finds("crowd-syn-twin", "tcp-syn-flood", Direction::In);
    finds("crowd-ack-twin", "tcp-ack-flood", Direction::In);
    finds("crowd-handshake-twin", "tcp-connection-flood", Direction::In);
}

#[test]
fn an_own_host_that_scans_is_an_outgoing_attack_on_what_it_scans() {
    finds("outgoing-scan", "scan", Direction::Out);
}

/// Behind a sampler a question and its answer are seldom seen in the same tick.
#[test]
fn a_busy_host_whose_answers_come_in_other_ticks_is_no_scanner() {
    for seed in [13, 16, 19] {
        let low = Settings { floor: Floor::Low, ..Settings::of(Profile::Daemon) };
        assert_eq!(found_with(&measured("background-1M", seed), low), [], "seed {seed}");
    }
}

#[test]
fn a_flood_inside_a_crowd_is_removed_and_the_crowd_is_not() {
    for seed in [1, 2, 3, 5] {
        let scenario = measured("crowd-with-flood", seed);
        let attacks = found(&scenario);
        let told: Vec<_> = attacks.iter().map(|a| a.vectors[0].name.as_str()).collect();
        assert_eq!(told, ["tcp-syn-flood"], "seed {seed}");
        let rules: Vec<rules::Rule> = attacks[0].rules.iter().map(|r| r.text.parse().unwrap()).collect();
        // Packets of the flood, and of the crowd, and how many of them the rules hit.
        let (mut flood, mut crowd) = ((0u32, 0u32), (0u32, 0u32));
        for (_, frame, truth) in scenario.world().frames() {
            let Ok(packet) = parse(Link::Ethernet, &frame, u32::try_from(frame.len()).unwrap()) else {
                continue;
            };
            let side = match truth.nature {
                Nature::Attack => &mut flood,
                Nature::Benign if scenario.events[0].target.contains(packet.headers.dst) => &mut crowd,
                _ => continue,
            };
            side.0 += 1;
            side.1 += u32::from(rules.iter().any(|rule| rules::eval::matches(&rule.matches, &packet)));
        }
        assert!(flood.1 * 10 >= flood.0 * 9, "seed {seed}: {} of {} of the flood", flood.1, flood.0);
        assert!(crowd.0 > 1000 && crowd.1 * 100 <= crowd.0, "seed {seed}: {} of {} honest", crowd.1, crowd.0);
    }
}
