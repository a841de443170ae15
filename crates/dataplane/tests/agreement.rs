//! The emitted program and the reference evaluator name the same rule for the same packet.

use std::collections::BTreeMap;

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
struct Coverage(BTreeMap<(usize, bool, &'static str), u64>);

impl Coverage {
    fn note(&mut self, rule: &Rule, v6: bool) {
        let action = rule.action.as_str();
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

/// An engine under test, and what it has met.
struct Engine {
    name: &'static str,
    plane: Plane,
    /// One packet of so many goes through it.
    one_of: usize,
    pairs: u64,
    hits: u64,
    coverage: Coverage,
    /// Ids of the set in force, by place.
    ids: BTreeMap<usize, String>,
}

impl Engine {
    fn new(name: &'static str, one_of: usize) -> Option<Self> {
        let coverage = Coverage::default();
        Some(Self { name, plane: plane()?, one_of, pairs: 0, hits: 0, coverage, ids: BTreeMap::new() })
    }

    /// The id that it names has to be the one expected.
    fn ask(&mut self, frame: &[u8], expected: Option<&Rule>, v6: bool) -> Result<(), String> {
        let (_, place) = self.plane.trace(frame).unwrap();
        let plane = &self.plane;
        let got = place.map(|p| self.ids.entry(p).or_insert_with(|| plane.id_at(p).unwrap()).as_str());
        self.pairs += 1;
        if let Some(rule) = expected {
            self.hits += 1;
            self.coverage.note(rule, v6);
        }
        if got == expected.map(|rule| rule.id.as_str()) {
            Ok(())
        } else {
            Err(format!("{} says {got:?}", self.name))
        }
    }
}

/// Puts a set in force as a part of it, and the other rules one by one, in any order.
fn install_in_parts(plane: &Plane, rules: &[Rule], random: &mut Random, engine: dataplane::Engine) -> usize {
    const MOST: usize = 100;
    let mut left: Vec<Rule> = rules.to_vec();
    let count = random.below(u32::try_from(left.len().min(MOST)).unwrap() + 1);
    let later: Vec<Rule> = (0..count)
        .map(|_| left.swap_remove(random.below(u32::try_from(left.len()).unwrap()) as usize))
        .collect();
    plane.install(&Policy { rules: RuleSet::new(left), engine, ..Policy::default() }).unwrap();
    for rule in &later {
        plane.add(rule).unwrap_or_else(|e| panic!("{rule}: {e}"));
    }
    later.len()
}

#[test]
fn the_program_names_the_rule_that_the_evaluator_names() {
    let (Some(tree), Some(maps), Some(parts)) =
        (Engine::new("tree", 1), Engine::new("maps", 3), Engine::new("parts", 3))
    else {
        return;
    };
    let mut engines = [tree, maps, parts];
    let wanted = std::env::var("DATAPLANE_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(PAIRS);
    let mut runner = runner(7);
    let mut random = Random(7);
    let (mut pairs, mut hits, mut near_misses, mut added) = (0u64, 0u64, 0u64, 0);
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
        let set = RuleSet::new(rules.clone());
        for (engine, way) in engines.iter().zip([dataplane::Engine::Tree, dataplane::Engine::Maps]) {
            let policy = Policy { rules: set.clone(), engine: way, ..Policy::default() };
            let installed =
                engine.plane.install(&policy).unwrap_or_else(|e| panic!("round {round}, {size} rules: {e}"));
            if round < 6 {
                println!("{size} rules: {installed:?}");
            }
        }
        let way = if round % 4 == 0 { dataplane::Engine::Maps } else { dataplane::Engine::Tree };
        engines.iter_mut().for_each(|engine| engine.ids.clear());
        added += install_in_parts(&engines[2].plane, &rules, &mut random, way);
        let some: Vec<_> =
            (0..500).map(|_| make::a_packet().new_tree(&mut runner).unwrap().current()).collect();
        for turn in 0..4000usize {
            let (packet, near_miss) = near::draw(&mut random, set.rules(), &some, turn);
            near_misses += u64::from(near_miss);
            let bytes = packet.bytes();
            let expected = set.decide(&make::parsed(&bytes));
            for engine in engines.iter_mut().filter(|engine| turn % engine.one_of == 0) {
                engine.ask(&frame(&bytes), expected, packet.dst.is_ipv6()).unwrap_or_else(|said| {
                    let expected = expected.map(ToString::to_string);
                    panic!("round {round}: {said}, expected {expected:?}: {packet:?}")
                });
            }
            pairs += 1;
            hits += u64::from(expected.is_some());
        }
    }
    println!("{pairs} pairs, {hits} hits, {near_misses} one step beside a rule; {added} rules added");
    for engine in &engines {
        println!("{}: {} pairs, {} hits", engine.name, engine.pairs, engine.hits);
        let missing = engine.coverage.tell();
        assert!(missing.is_empty() || wanted < PAIRS, "{}: never met: {missing:?}", engine.name);
    }
    assert!(
        hits * 10 > pairs * 3 && near_misses * 2 >= pairs * 9 / 10,
        "{hits} hits, {near_misses} near misses"
    );
}
