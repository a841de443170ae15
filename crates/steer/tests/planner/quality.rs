//! Plans of thirty targets beside the best ones there are.
//!
//! The documents are those of the bench, each from its seed. What the best plan of each is worth was found and proven by HiGHS
//! (scipy 1.17.1, gap 1e-7), which shares nothing with the planner:
//! `planner 30 FAMILY SEED | python highs.py 60 [share-the-pain]` in `benches`, FAMILY by its place in `FAMILIES`.

use steer::planner::{Effort, Mode, plan};

use super::documents::{FAMILIES, Family, world};
use super::judge::judge;

/// By family, seeds 0 and 1: the most that can be kept worth, and how many targets can be kept at most, worth so much then.
const BEST: [[(f64, usize, f64); 2]; 4] = [
    [(167.544_325_235_103, 29, 167.544_325_235_103), (118.171_977_116_531, 27, 118.171_977_116_531)],
    [(166.478_196_276_297, 27, 166.478_196_276_297), (124.146_374_809_359, 26, 124.146_374_809_359)],
    [(177.245_081_789_135, 27, 177.245_081_789_135), (100.633_912_353_879, 27, 100.633_912_353_879)],
    [(27.0, 27, 27.0), (27.0, 27, 27.0)],
];

/// A plan is worth so much of the best one at least.
const SHARE: f64 = 0.99;

#[test]
fn plans_of_thirty_targets_are_nearly_the_best_in_both_modes() {
    for ((family, name), seeds) in FAMILIES.into_iter().zip(BEST) {
        for (seed, (value, most, shared)) in (0..).zip(seeds) {
            let document = world(seed, (30, 4, 5), family);
            // In one of them parts have to be packed just so: the others need no more than a seventh of the work of `normal`.
            let is_hard = family == Family::Even && seed == 0;
            let effort = if is_hard { Effort::Normal } else { Effort::Looks(10_000_000) };
            for (mode, best) in [(Mode::ProtectMostValuable, value), (Mode::ShareThePain, shared)] {
                let plan = plan(&document, mode, effort).unwrap();
                let worth = judge(&document, &plan).unwrap();
                let share = worth.value / best;
                assert!(
                    (SHARE..=1.0 + 1e-6).contains(&share),
                    "{name}, seed {seed}, {mode:?}: {} of {best}",
                    worth.value
                );
                // Shared pain is that of the fewest.
                assert!(worth.kept <= most, "{name}, seed {seed}: {} of {most}", worth.kept);
                assert!(
                    mode != Mode::ShareThePain || worth.kept == most,
                    "{name}, seed {seed}: {} of {most}",
                    worth.kept
                );
            }
        }
    }
}

/// What `quick` keeps of its own bound at least, at a thousand targets.
const KEPT: f64 = 0.95;

#[test]
fn at_a_thousand_targets_a_quick_plan_says_how_far_it_may_be_from_the_best() {
    for (family, name) in FAMILIES {
        for seed in 0..2 {
            let document = world(seed, (1000, 20, 20), family);
            let quick = plan(&document, Mode::default(), Effort::Quick).unwrap();
            let greedy = plan(&document, Mode::default(), Effort::Looks(0)).unwrap();
            judge(&document, &quick).unwrap();
            let bound = quick.bound.unwrap();
            eprintln!(
                "{name} {seed}: {} of at most {bound}: {:.4}",
                quick.value_kept,
                quick.value_kept / bound
            );
            assert!(quick.value_kept >= greedy.value_kept, "{name}, seed {seed}");
            assert!(quick.value_kept >= bound * KEPT, "{name}, seed {seed}: {} of {bound}", quick.value_kept);
        }
    }
}
