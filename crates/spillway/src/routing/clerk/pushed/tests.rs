//! Which rules absorbers have while an attack's change.

use base::Timestamp;
use engine::report::Attack;
use serde_json::{Value, json};

use super::{Pushed, of, within};
use crate::routing::lookout::Sight;

const TEXTS: [&str; 2] = [
    "r1 @1000 dst 198.51.100.7/32 proto udp length 928 -> drop",
    "r2 @1000 dst 198.51.100.7/32 proto udp dst-port 9999 -> drop",
];

/// An attack with one of these rules, at a price; or with none.
fn attack(rule: Option<(usize, f64)>) -> Value {
    let rules = rule.iter().map(|(which, price)| {
        json!({"id": format!("r{}", which + 1), "text": TEXTS[*which], "action": "drop", "expires_at": at(900).to_string(),
               "collateral": {"packets": price, "bytes": price, "peers": price, "packets_upper95": price, "bytes_upper95": price,
                              "peers_upper95": price}})
    });
    json!({
        "event": "attack", "state": "active", "id": "a", "target": "198.51.100.7/32", "targets": ["198.51.100.7/32"],
        "direction": "in", "severity": "attack", "started_at": at(100).to_string(), "detected_at": at(100).to_string(),
        "ended_at": null, "peak_pps": 2_000, "peak_bps": 20_000_000, "vectors": [],
        "sources": {"count": 1, "nature": "spoofed", "confidence": 1.0, "top": []}, "rules": rules.collect::<Vec<_>>(),
        "explain": [], "packets": 1_000, "bytes": 1_000_000,
    })
}

const fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(second)
}

/// What absorbers have at each of these seconds, of an attack that is then like this; `None`: it is over.
fn told(story: impl IntoIterator<Item = (u64, Option<Value>)>) -> Vec<String> {
    let mut pushed = Pushed::default();
    let mut all = Vec::new();
    for (second, attack) in story {
        let attacks: Vec<Attack> =
            attack.into_iter().map(|one| serde_json::from_value(one).unwrap()).collect();
        pushed = of(&Sight { attacks, ..Sight::quiet(at(second)) }, &pushed);
        let ids: Vec<&str> = pushed.rules.iter().map(|push| push.rule.id.as_str()).collect();
        all.push(ids.join(" "));
    }
    all
}

#[test]
fn an_attack_that_has_no_rule_for_a_moment_or_a_worse_one_is_not_let_through_by_absorbers() {
    let good = |which| Some(attack(Some((which, 0.0))));
    // None for a moment, one that costs too much, and one in other words: the first stays, for ten seconds.
    let story =
        [(101, good(0)), (102, Some(attack(None))), (103, Some(attack(Some((0, 0.5))))), (104, good(1))];
    assert_eq!(told(story), ["r1", "r1", "r1", "r2 r1"]);
    assert_eq!(told([(101, good(0)), (110, good(1)), (111, good(1))]), ["r1", "r2 r1", "r2"]);
    assert_eq!(told([(101, good(0)), (111, Some(attack(None)))]), ["r1", ""]);
    // It was last wanted when it was last among the attack's own.
    assert_eq!(told([(101, good(0)), (110, good(0)), (119, good(1))]), ["r1", "r1", "r2 r1"]);
}

#[test]
fn what_was_seen_to_hit_honest_traffic_and_what_nobody_needs_any_more_goes_at_once() {
    let good = || Some(attack(Some((0, 0.0))));
    let mut withdrawn = attack(None);
    withdrawn["withdrawn"] = json!([{"id": "r1", "text": TEXTS[0], "at": at(102).to_string(), "reason": "it hits honest packets"}]);
    assert_eq!(told([(101, good()), (102, Some(withdrawn))]), ["r1", ""]);
    assert_eq!(told([(101, good()), (102, None)]), ["r1", ""]);
    let mut ended = attack(Some((0, 0.0)));
    ended["state"] = json!("over");
    assert_eq!(told([(101, good()), (102, Some(ended))]), ["r1", ""]);
}

#[test]
fn what_people_made_is_cut_to_the_prefix_and_each_prefix_has_ids_of_its_own() {
    let one = |prefix: &str, text: &str| {
        let rule = rules::parse::rules(text).unwrap().remove(0);
        within(&prefix.parse().unwrap(), rule).map(|rule| rule.to_string())
    };
    for (wide, inside, outside, id) in [
        ("198.51.100.0/22", "198.51.101.7/32", "198.51.102.0/24", "m1-198-51-101-0-24"),
        ("2001:db8::/32", "2001:db8:1::7/128", "2001:db8:2::/48", "m1-2001-db8-1---48"),
    ] {
        let prefix = if wide.contains(':') { "2001:db8:1::/48" } else { "198.51.101.0/24" };
        for action in ["drop", "rate 500pps", "rate 8Mbps per source", "rate 9pps per destination", "pass"] {
            let said = |id: &str, dst: &str| format!("{id} @1 dst {dst} proto udp -> {action}");
            let made = |dst: &str| one(prefix, &format!("{} for 1h", said("m1", dst)));
            assert_eq!(made(wide), Some(said(id, prefix)));
            assert_eq!(made(inside), Some(said("m1", inside)));
            assert_eq!(made(outside), None);
        }
    }
}
