//! What each sentence of the meaning says, on the smallest document that shows it.

use serde_json::{Value, json};
use steer::planner::{Document, Effort, Mode, Plan, Solver, plan};

use super::judge::judge;

const T: &str = "198.51.100.7/32";
const U: &str = "2001:db8::9/128";

fn planned(document: Value, mode: Mode) -> Plan {
    let document: Document = serde_json::from_value(document).unwrap();
    let plan = plan(&document, mode, Effort::Normal).unwrap();
    judge(&document, &plan).unwrap();
    assert_eq!(plan.solver, Solver::Exact, "so small a document is solved exactly: {plan:?}");
    plan
}

/// One target, one entry, an attack of 5 Gbps with 1 Gbps of legitimate traffic; what is given replaces or adds.
fn single(target: Value, entry: Value, absorbers: Value, rules: Value) -> Plan {
    let with = |base: Value, more: Value| {
        let mut base = base.as_object().unwrap().clone();
        base.extend(more.as_object().unwrap().clone());
        Value::Object(base)
    };
    let document = json!({
        "targets": [with(json!({"prefix": T, "value": 2.0}), target)],
        "entries": [with(json!({"name": "e1"}), entry)],
        "absorbers": absorbers,
        "attacks": [{"target": T, "entry": "e1", "bps": 5e9, "pps": 1e6, "legit_bps": 1e9, "rules": rules}],
    });
    planned(document, Mode::ProtectMostValuable)
}

fn kept(plan: &Plan) -> bool {
    plan.kept.len() == 1
}

#[test]
fn a_missing_maximum_is_no_limit_and_zero_is_zero() {
    assert!(kept(&single(json!({}), json!({}), json!([]), json!([]))));
    assert!(kept(&single(json!({"max_bps": null}), json!({"link_bps": null}), json!([]), json!([]))));
    for limit in ["max_bps", "max_pps"] {
        assert!(!kept(&single(json!({limit: 0}), json!({}), json!([]), json!([]))), "{limit}");
    }
    assert!(!kept(&single(json!({}), json!({"link_bps": 0}), json!([]), json!([]))));
    let rule = json!([{"id": "r1", "removes": 1.0, "collateral": 0.0}]);
    let narrow = json!({"max_bps": 1e9});
    assert!(kept(&single(narrow.clone(), json!({}), json!([]), rule.clone())));
    assert!(!kept(&single(narrow.clone(), json!({"flowspec_slots": 0}), json!([]), rule.clone())));
    let absorber = |more: Value| {
        let mut one = json!({"name": "a1", "reaches": ["e1"]});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([one])
    };
    assert!(kept(&single(narrow.clone(), json!({}), absorber(json!({})), json!([]))));
    for limit in ["capacity_bps", "capacity_pps"] {
        assert!(!kept(&single(narrow.clone(), json!({}), absorber(json!({limit: 0})), json!([]))), "{limit}");
    }
}

#[test]
fn what_reaches_the_target_counts_legitimate_traffic_and_exactly_the_maximum_is_kept() {
    assert!(kept(&single(json!({"max_bps": 6e9}), json!({}), json!([]), json!([]))));
    assert!(!kept(&single(json!({"max_bps": 5.9e9}), json!({}), json!([]), json!([]))));
    assert!(kept(&single(json!({}), json!({"link_bps": 6e9}), json!([]), json!([]))));
    assert!(!kept(&single(json!({}), json!({"link_bps": 5.9e9}), json!([]), json!([]))));
    assert!(kept(&single(json!({"max_pps": 1e6}), json!({}), json!([]), json!([]))));
    assert!(!kept(&single(json!({"max_pps": 0.9e6}), json!({}), json!([]), json!([]))));
}

#[test]
fn several_rules_multiply_what_they_leave_and_each_takes_a_slot() {
    let rules = json!([{"id": "r1", "removes": 0.5, "collateral": 0.1}, {"id": "r2", "removes": 0.6, "collateral": 0.2}]);
    // 5 · 0.5 · 0.4 + 1 · 0.9 · 0.8 = 1.72 Gbps
    let plan = single(json!({"max_bps": 1.72e9}), json!({"flowspec_slots": 2}), json!([]), rules.clone());
    assert!(kept(&plan) && plan.rules.len() == 2);
    assert!((plan.value_kept - 2.0 * 0.72).abs() < 1e-12, "{}", plan.value_kept);
    assert!(!kept(&single(
        json!({"max_bps": 1.71e9}),
        json!({"flowspec_slots": 2}),
        json!([]),
        rules.clone()
    )));
    assert!(!kept(&single(json!({"max_bps": 1.72e9}), json!({"flowspec_slots": 1}), json!([]), rules)));
}

#[test]
fn pps_limits_count_what_rules_leave_of_the_attack() {
    let rules = json!([{"id": "r1", "removes": 0.5, "collateral": 0.0}]);
    assert!(kept(&single(json!({"max_pps": 5e5}), json!({}), json!([]), rules.clone())));
    assert!(!kept(&single(json!({"max_pps": 4.9e5}), json!({}), json!([]), rules.clone())));
    let absorber = |pps: f64| json!([{"name": "a1", "capacity_pps": pps, "reaches": ["e1"]}]);
    let narrow = json!({"max_bps": 1e9});
    assert!(kept(&single(narrow.clone(), json!({}), absorber(5e5), rules.clone())));
    assert!(!kept(&single(narrow, json!({}), absorber(4.9e5), rules)));
}

#[test]
fn an_absorber_receives_what_rules_leave_with_the_legitimate_traffic_and_returns_that_whole() {
    let rules = json!([{"id": "r1", "removes": 0.5, "collateral": 0.5}]);
    let absorber = |bps: f64| json!([{"name": "a1", "capacity_bps": bps, "reaches": ["e1"]}]);
    let narrow = json!({"max_bps": 1e9});
    // 5 · 0.5 + 1 = 3.5 Gbps; what the rule would take of the legitimate traffic does not count where it is diverted.
    let plan = single(narrow.clone(), json!({}), absorber(3.5e9), rules.clone());
    assert!(kept(&plan) && plan.diverted.len() == 1 && plan.rules.len() == 1);
    assert!((plan.value_kept - 2.0).abs() < 1e-12, "a diverted part has no collateral: {}", plan.value_kept);
    assert!(!kept(&single(narrow, json!({}), absorber(3.4e9), rules)));
    // The clean part comes back over the link and to the target.
    let wide = absorber(1e12);
    assert!(kept(&single(json!({"max_bps": 1e9}), json!({"link_bps": 1e9}), wide.clone(), json!([]))));
    assert!(!kept(&single(json!({"max_bps": 0.9e9}), json!({}), wide.clone(), json!([]))));
    assert!(!kept(&single(json!({"max_bps": 1e9}), json!({"link_bps": 0.9e9}), wide, json!([]))));
}

#[test]
fn an_absorber_that_the_entry_does_not_reach_is_none() {
    let absorber = json!([{"name": "a1", "reaches": []}]);
    assert!(!kept(&single(json!({"max_bps": 1e9}), json!({}), absorber, json!([]))));
}

fn two(entries: Value, absorbers: Value, attacks: Value, mode: Mode) -> Plan {
    let targets =
        json!([{"prefix": T, "value": 3.0, "max_bps": 1e9}, {"prefix": U, "value": 2.0, "max_bps": 1e9}]);
    planned(json!({"targets": targets, "entries": entries, "absorbers": absorbers, "attacks": attacks}), mode)
}

#[test]
fn diversion_is_all_or_nothing_to_one_absorber_and_for_each_entry() {
    let absorbers = json!([{"name": "a1", "capacity_bps": 3e9, "reaches": ["e1", "e2"]}, {"name": "a2", "capacity_bps": 3e9, "reaches": ["e1", "e2"]}]);
    let entries = json!([{"name": "e1"}, {"name": "e2"}]);
    let whole = json!([{"target": T, "entry": "e1", "bps": 4e9}]);
    assert_eq!(
        two(entries.clone(), absorbers.clone(), whole, Mode::default()).kept.len(),
        1,
        "only the other one"
    );
    let parts = json!([{"target": T, "entry": "e1", "bps": 2e9}, {"target": T, "entry": "e2", "bps": 2e9}]);
    let plan = two(entries, absorbers, parts, Mode::default());
    assert_eq!((plan.kept.len(), plan.diverted.len()), (2, 2), "each entry's part to an absorber of its own");
    assert_ne!(plan.diverted[0].absorber, plan.diverted[1].absorber);
}

#[test]
fn a_sacrificed_target_leaves_all_links_and_appears_in_no_diversion_and_no_rule() {
    let rule = json!([{"id": "r1", "removes": 0.9, "collateral": 0.0}]);
    let attacks = json!([{"target": T, "entry": "e1", "bps": 9e9, "rules": rule}, {"target": U, "entry": "e1", "bps": 9e9, "rules": rule}]);
    let plan = two(
        json!([{"name": "e1", "link_bps": 1e9, "flowspec_slots": 9}]),
        json!([]),
        attacks,
        Mode::default(),
    );
    assert_eq!(plan.kept, [T.parse().unwrap()], "the more valuable one");
    assert_eq!(plan.sacrificed[0].target, U.parse().unwrap());
    assert!(plan.diverted.is_empty() && plan.rules.iter().all(|rule| rule.target == plan.kept[0]));
}

#[test]
fn collateral_weighs_by_the_legitimate_traffic_of_each_entry() {
    let rule = |id: &str| json!([{"id": id, "removes": 1.0, "collateral": 0.5}]);
    let attacks = json!([
        {"target": T, "entry": "e1", "bps": 5e9, "legit_bps": 3e8, "rules": rule("a")},
        {"target": T, "entry": "e2", "bps": 0, "legit_bps": 1e8, "rules": rule("b")},
    ]);
    let plan = two(json!([{"name": "e1"}, {"name": "e2"}]), json!([]), attacks, Mode::default());
    assert_eq!(plan.rules.len(), 1, "only where it is needed");
    assert!((plan.value_kept - (3.0 * (1.0 - 0.5 * 0.75) + 2.0)).abs() < 1e-12, "{}", plan.value_kept);
    let attacks = json!([{"target": T, "entry": "e1", "bps": 5e9, "rules": rule("a")}]);
    let plan = two(json!([{"name": "e1"}]), json!([]), attacks, Mode::default());
    assert!(
        (plan.value_kept - 5.0).abs() < 1e-12,
        "without legitimate traffic nothing is lost: {}",
        plan.value_kept
    );
}

#[test]
fn cost_only_breaks_ties_in_value() {
    let absorbers = |cheap: f64| json!([{"name": "a1", "cost_per_gbps": 5.0, "reaches": ["e1"]}, {"name": "a2", "cost_per_gbps": cheap, "reaches": ["e1"]}]);
    let attacks = json!([{"target": T, "entry": "e1", "bps": 5e9, "legit_bps": 1e8, "rules": [{"id": "r1", "removes": 1.0, "collateral": 0.001}]}]);
    let plan = two(json!([{"name": "e1"}]), absorbers(4.0), attacks.clone(), Mode::default());
    // The rule alone would do, for nothing, but takes a little value: it goes before the cheaper absorber.
    assert_eq!(plan.diverted[0].absorber, "a2");
    assert!((plan.value_kept - 5.0).abs() < 1e-12 && plan.rules.len() == 1, "{plan:?}");
    let plan = two(json!([{"name": "e1"}]), absorbers(1e9), attacks, Mode::default());
    assert_eq!(plan.diverted[0].absorber, "a1");
    assert!((plan.value_kept - 5.0).abs() < 1e-12);
}

#[test]
fn share_the_pain_keeps_the_most_targets_then_the_most_value() {
    let targets = json!([
        {"prefix": T, "value": 9.0, "max_bps": 0}, {"prefix": U, "value": 1.0, "max_bps": 0},
        {"prefix": "198.51.100.8/32", "value": 2.0, "max_bps": 0}, {"prefix": "198.51.100.9/32", "value": 1.5, "max_bps": 0}]);
    let attack = |target: &str, bps: f64| json!({"target": target, "entry": "e1", "bps": bps});
    let document = json!({
        "targets": targets, "entries": [{"name": "e1"}],
        "absorbers": [{"name": "a1", "capacity_bps": 4e9, "reaches": ["e1"]}],
        "attacks": [attack(T, 4e9), attack(U, 2e9), attack("198.51.100.8/32", 2e9), attack("198.51.100.9/32", 2e9)],
    });
    let valuable = planned(document.clone(), Mode::ProtectMostValuable);
    assert_eq!((valuable.kept.len(), valuable.value_kept), (1, 9.0));
    let shared = planned(document, Mode::ShareThePain);
    assert_eq!((shared.kept.len(), shared.value_kept), (2, 3.5));
}

#[test]
fn targets_within_a_covering_prefix_are_targets_of_their_own() {
    let targets =
        json!([{"prefix": "198.51.100.0/24", "value": 1.0}, {"prefix": T, "value": 2.0, "max_bps": 0}]);
    let attacks = json!([{"target": T, "entry": "e1", "bps": 1e9}]);
    let document =
        json!({"targets": targets, "entries": [{"name": "e1"}], "absorbers": [], "attacks": attacks});
    let plan = planned(document, Mode::default());
    assert_eq!(plan.kept, ["198.51.100.0/24".parse().unwrap()]);
}

#[test]
fn a_document_of_targets_alone_and_an_empty_one_are_planned() {
    let plan = planned(json!({"targets": [{"prefix": T, "value": 0}]}), Mode::default());
    assert_eq!((plan.kept.len(), plan.value_kept, plan.bound), (1, 0.0, Some(0.0)));
    let plan = planned(json!({"targets": []}), Mode::ShareThePain);
    assert!(plan.kept.is_empty() && plan.sacrificed.is_empty());
}
