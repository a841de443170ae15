//! What a sentence on a sacrifice says is computed again from the document and the plan.

use base::Prefix;
use base::units::BitRate;
use serde_json::json;
use sim::rng::Rng;
use steer::planner::{Document, Effort, Mode, Plan, plan};

use super::worlds;

/// The document without these targets' neighbours: what stays kept stands as it is, the target asks for what is left.
fn fits_without(document: &Document, plan: &Plan, target: Prefix, without: Option<Prefix>) -> bool {
    let mut left = document.clone();
    for other in plan.kept.iter().filter(|kept| Some(**kept) != without) {
        take(&mut left, document, plan, *other);
    }
    left.targets.retain(|t| t.prefix == target);
    left.attacks.retain(|a| a.target == target);
    let alone = steer::planner::plan(&left, Mode::ShareThePain, Effort::Looks(100_000)).unwrap();
    alone.kept == [target]
}

/// Takes from the limits what a kept target uses by the plan.
fn take(left: &mut Document, document: &Document, plan: &Plan, target: Prefix) {
    for attack in document.attacks.iter().filter(|a| a.target == target) {
        let used =
            |id: &str| plan.rules.iter().any(|r| r.target == target && r.entry == attack.entry && r.id == id);
        let rules: Vec<_> = attack.rules.iter().filter(|r| used(&r.id)).collect();
        let remaining: f64 = rules.iter().map(|r| 1.0 - r.removes).product();
        let spared: f64 = rules.iter().map(|r| 1.0 - r.collateral).product();
        let to = plan.diverted.iter().find(|d| d.target == target && d.entry == attack.entry);
        let entry = left.entries.iter_mut().find(|e| e.name == attack.entry).unwrap();
        let link =
            if to.is_some() { attack.legit_bps } else { attack.bps * remaining + attack.legit_bps * spared };
        let less = |limit: &mut Option<f64>, by: f64| {
            if let Some(limit) = limit {
                let rest = *limit - by;
                // What is used up but for rounding is used up.
                *limit = if rest < *limit * 1e-9 { 0.0 } else { rest };
            }
        };
        less(&mut entry.link_bps, link);
        less(&mut entry.flowspec_slots, rules.len() as f64);
        if let Some(to) = to {
            let absorber = left.absorbers.iter_mut().find(|a| a.name == to.absorber).unwrap();
            less(&mut absorber.capacity_bps, attack.bps * remaining + attack.legit_bps);
            less(&mut absorber.capacity_pps, attack.pps * remaining);
        }
    }
}

#[test]
fn what_the_sentences_say_is_true() {
    let (mut alone, mut rivals, mut nobody, mut said) = (0, 0, 0, 0);
    for seed in 0..1_500 {
        let mut rng = Rng::part(seed, 6);
        let document = worlds::world(&mut rng, 8, 3, 3, 3);
        let mode = if seed % 2 == 0 { Mode::ProtectMostValuable } else { Mode::ShareThePain };
        let plan = plan(&document, mode, Effort::Looks(40_000)).unwrap();
        let value = |prefix: Prefix| document.targets.iter().find(|t| t.prefix == prefix).unwrap().value;
        for one in &plan.sacrificed {
            let why = &one.why;
            let place = format!("seed {seed}: {why}");
            said += 1;
            assert!(why.starts_with(&format!("{} is sacrificed (value ", one.target)), "{place}");
            if why.contains("could not be kept even alone") {
                let nobody_else = Plan { kept: Vec::new(), ..plan.clone() };
                assert!(!fits_without(&document, &nobody_else, one.target, None), "{place}");
                alone += 1;
                continue;
            }
            if why.contains("is not worth what it would cost") {
                assert!(
                    value(one.target) == 0.0 && fits_without(&document, &plan, one.target, None),
                    "{place}"
                );
                continue;
            }
            assert!(!fits_without(&document, &plan, one.target, None), "{place}");
            if let Some((_, rest)) = why.split_once("keeping it would cost ") {
                let rival: Prefix = rest.split(' ').next().unwrap().parse().unwrap();
                assert!(plan.kept.contains(&rival), "{place}");
                assert!(fits_without(&document, &plan, one.target, Some(rival)), "{place}");
                rivals += 1;
            } else if why.contains("no single kept target makes room") {
                let makes_room = |kept: &&Prefix| fits_without(&document, &plan, one.target, Some(**kept));
                assert_eq!(plan.kept.iter().find(makes_room), None, "{place}");
                nobody += 1;
            }
        }
    }
    assert!(
        alone > 100 && rivals > 100 && nobody > 10,
        "{alone} alone, {rivals} rivals, {nobody} without, of {said}"
    );
}

#[test]
fn a_sentence_has_the_figures_and_the_rejected_alternative() {
    let document = json!({
        "targets": [{"prefix": "198.51.100.7/32", "value": 2, "max_bps": 0}, {"prefix": "198.51.100.9/32", "value": 7, "max_bps": 0}],
        "entries": [{"name": "e1"}],
        "absorbers": [{"name": "a1", "capacity_bps": 5e9, "reaches": ["e1"]}, {"name": "a2", "capacity_bps": 1e9, "reaches": ["e1"]}],
        "attacks": [{"target": "198.51.100.7/32", "entry": "e1", "bps": 4.1e9}, {"target": "198.51.100.9/32", "entry": "e1", "bps": 4e9}],
    });
    let document: Document = serde_json::from_value(document).unwrap();
    let plan = plan(&document, Mode::default(), Effort::Normal).unwrap();
    let over = BitRate(4.1e9 - 1e9);
    assert_eq!(
        plan.sacrificed[0].why,
        format!(
            "198.51.100.7/32 is sacrificed (value 2 of 9): at e1, undiverted, 4.10 Gbps would reach it of at most 0 bps; \
             diverted, 4.10 Gbps are {over} over what any of the absorbers a1, a2 can still take; \
             keeping it would cost 198.51.100.9/32 (value 7)"
        )
    );
}
