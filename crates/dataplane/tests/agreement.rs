//! The emitted program and the reference evaluator name the same rule for the same packet.

use dataplane::{Clock, Plane, Policy};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rules::{Action, Rule, RuleSet};

use crate::make;
use crate::near::{self, PARTS, Random};

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

/// Pairs of a rule set and a packet. More of them, for a long run: `DATAPLANE_PAIRS=5000000 cargo test -p dataplane agree`.
const PAIRS: u64 = 1_000_000;

/// What the pairs have met: for each part of a rule, hits by family and kind of action.
#[derive(Default)]
struct Coverage(std::collections::BTreeMap<(usize, bool, &'static str), u64>);

impl Coverage {
    fn note(&mut self, rule: &Rule, v6: bool) {
        let action = match rule.action {
            Action::Pass => "pass",
            Action::Drop => "drop",
            Action::RatePackets(_) | Action::RateBits(_) => "rate",
            Action::Challenge => "challenge",
            Action::Redirect(_) => "redirect",
            Action::Tunnel(..) => "tunnel",
        };
        for part in near::parts(&rule.matches) {
            *self.0.entry((part, v6, action)).or_default() += 1;
        }
    }

    /// Prints it, and says what was never met.
    fn tell(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (place, part) in PARTS.iter().enumerate() {
            let mut line = format!("{part:10}");
            for v6 in [false, true] {
                for action in ["pass", "drop", "rate", "challenge"] {
                    let hits = self.0.get(&(place, v6, action)).copied().unwrap_or(0);
                    let family = if v6 { "IPv6" } else { "IPv4" };
                    line += &format!(" {family} {action} {hits};");
                    if hits == 0 {
                        missing.push(format!("{part} {family} {action}"));
                    }
                }
            }
            println!("{line}");
        }
        missing
    }
}

#[test]
fn the_program_names_the_rule_that_the_evaluator_names() {
    let Some(plane) = plane() else { return };
    let wanted = std::env::var("DATAPLANE_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(PAIRS);
    let mut runner = runner(7);
    let mut random = Random(7);
    let (mut pairs, mut hits, mut near_misses) = (0u64, 0u64, 0u64);
    let mut coverage = Coverage::default();
    for round in 0usize.. {
        if pairs >= wanted {
            break;
        }
        let size = [1, 3, 10, 40, 150, 400][round % 6];
        let mut rules: Vec<Rule> = Vec::new();
        while rules.len() < size {
            let rule = make::rule().new_tree(&mut runner).unwrap().current();
            if !matches!(rule.action, Action::Redirect(_) | Action::Tunnel(..)) {
                rules.push(Rule { id: format!("r{}", rules.len()), sample: None, lease: None, ..rule });
            }
        }
        let policy = Policy { rules: RuleSet::new(rules), ..Policy::default() };
        let set = &policy.rules;
        let installed = plane.install(&policy).unwrap_or_else(|e| panic!("round {round}, {size} rules: {e}"));
        if round < 6 {
            println!("{size} rules: {installed:?}");
        }
        let some: Vec<_> =
            (0..500).map(|_| make::a_packet().new_tree(&mut runner).unwrap().current()).collect();
        for turn in 0..4000usize {
            let packet = if turn % 8 == 0 {
                some[turn / 8 % some.len()].clone()
            } else {
                let rule = &set.rules()[random.below(u32::try_from(size).unwrap()) as usize];
                let prefix = rule.matches.dst.or(rule.matches.src);
                let v6 = prefix.map_or_else(|| random.below(2) == 0, |prefix| !prefix.is_ipv4());
                let parts = near::parts(&rule.matches);
                let miss = (turn % 8 > 3 && !parts.is_empty())
                    .then(|| parts[random.below(u32::try_from(parts.len()).unwrap()) as usize]);
                near_misses += u64::from(miss.is_some());
                near::packet(&mut random, &rule.matches, v6, miss)
            };
            let bytes = packet.bytes();
            let expected = set.decide_index(&make::parsed(&bytes));
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
            if let Some(index) = expected {
                hits += 1;
                coverage.note(&set.rules()[index], packet.dst.is_ipv6());
            }
        }
    }
    println!("{pairs} pairs, {hits} hits, {near_misses} one step beside a rule");
    let missing = coverage.tell();
    assert!(
        hits * 10 > pairs * 3 && near_misses * 2 >= pairs * 9 / 10,
        "{hits} hits, {near_misses} near misses"
    );
    assert!(missing.is_empty() || wanted < PAIRS, "never met: {missing:?}");
}
