//! Three machines count: nftables, the tree and the tables. All have to count for each rule what the evaluator decides.

use std::collections::BTreeMap;

use dataplane::{Engine, Plane, Policy};
use rules::{Action, Rule, RuleSet};

use crate::agreement::{frame, plane};
use crate::kernel::{Trial, kernel, namespace, trials};

/// Pairs of a rule set and a packet.
const PAIRS: usize = 100_000;
/// Packets for each set.
const PACKETS: usize = 500;

/// What a plane counts for each rule.
fn counted(plane: &Plane, trial: &Trial, engine: Engine) -> BTreeMap<String, u64> {
    let rules = RuleSet::new(trial.rules.clone());
    plane.install(&Policy { rules, engine, ..Policy::default() }).unwrap();
    for packet in &trial.packets {
        plane.test_run(&frame(packet), 1).unwrap();
    }
    plane.counts().unwrap().into_iter().map(|count| (count.id, count.packets)).collect()
}

#[test]
fn nftables_the_tree_and_the_tables_count_what_the_evaluator_decides() {
    let Some(plane) = plane() else { return };
    if !namespace() {
        return;
    }
    let mut trials = trials(PAIRS / PACKETS, PACKETS);
    for rule in trials.iter_mut().flat_map(|trial| &mut trial.rules) {
        // Nobody here leads packets elsewhere; and what is over cannot be counted.
        let action = if matches!(rule.action, Action::Redirect(_)) { Action::Drop } else { rule.action };
        *rule = Rule { action, lease: None, ..rule.clone() };
    }
    let pairs: Vec<(&[Rule], &[Vec<u8>])> =
        trials.iter().map(|t| (t.rules.as_slice(), t.packets.as_slice())).collect();
    let found = kernel(&pairs, "nft-and-ours");
    assert_eq!(found.len(), trials.len());
    let (mut decided, mut by_nftables) = (0, 0);
    for (trial, (total, nftables)) in trials.iter().zip(found) {
        assert_eq!(total, 500, "every packet reaches nftables");
        let wanted = trial.decided(&trial.packets);
        let rules = || trial.rules.iter().map(Rule::to_string).collect::<Vec<_>>().join("\n");
        assert_eq!(nftables, trial.expected(&trial.packets), "nftables:\n{}", rules());
        for engine in [Engine::Tree, Engine::Maps] {
            assert_eq!(counted(&plane, trial, engine), wanted, "{engine:?}:\n{}", rules());
        }
        decided += wanted.values().sum::<u64>();
        by_nftables += nftables.values().sum::<u64>();
    }
    println!("{PAIRS} pairs, {decided} decided, {by_nftables} of them by rules that nftables can say");
    assert!(decided > 20_000 && by_nftables > 10_000, "the packets hardly meet the rules");
}
