//! The emitted program and the reference evaluator name the same rule for the same packet.

use dataplane::{Clock, Plane, Policy};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rules::{Rule, RuleSet};

use crate::make;

/// A plane, or the reason why there is none here.
pub(crate) fn plane() -> Option<Plane> {
    plane_with(Clock::Kernel)
}

/// Likewise, with this clock.
pub(crate) fn plane_with(clock: Clock) -> Option<Plane> {
    match Plane::load_with(clock) {
        Ok(plane) => Some(plane),
        Err(error) if std::env::var("CI").as_deref() == Ok("true") => panic!("{error}"),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// Random values, the same each time.
pub(crate) fn runner(seed: u8) -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

pub(crate) fn frame(ip: &[u8]) -> Vec<u8> {
    let kind = if ip[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &kind, ip].concat()
}

#[test]
fn the_program_names_the_rule_that_the_evaluator_names() {
    let Some(plane) = plane() else { return };
    let mut runner = runner(7);
    let (mut pairs, mut hits) = (0u64, 0u64);
    for round in 0..60usize {
        let size = [1, 3, 10, 40, 150, 400][round % 6];
        let mut rules: Vec<Rule> = Vec::new();
        while rules.len() < size {
            let rule = make::rule().new_tree(&mut runner).unwrap().current();
            // What the programs do with a packet is looked at elsewhere.
            rules.push(Rule { id: format!("r{}", rules.len()), action: rules::Action::Drop, ..rule });
        }
        let policy = Policy { rules: RuleSet::new(rules), ..Policy::default() };
        let set = &policy.rules;
        let installed = plane.install(&policy).unwrap_or_else(|e| panic!("round {round}, {size} rules: {e}"));
        if round < 6 {
            println!("{size} rules: {installed:?}");
        }
        for _ in 0..400 {
            let packet = make::a_packet().new_tree(&mut runner).unwrap().current();
            let bytes = packet.bytes();
            let parsed = make::parsed(&bytes);
            let expected = set.decide_index(&parsed);
            let (_, got) = plane.trace(&frame(&bytes)).unwrap();
            let rule = |index: Option<usize>| index.map(|i| set.rules()[i].to_string());
            assert_eq!(
                got,
                expected,
                "round {round}: {packet:?}\nexpected {:?}\ngot {:?}",
                rule(expected),
                rule(got)
            );
            pairs += 1;
            hits += u64::from(expected.is_some());
        }
    }
    println!("{pairs} pairs, {hits} hits");
    assert!(hits * 10 > pairs * 3, "{hits} hits in {pairs} pairs");
}
