//! Random documents in every mode and effort.

use sim::rng::Rng;
use steer::planner::{Effort, Mode, Solver, plan};

use super::{judge::judge, oracle, worlds};

const MODES: [Mode; 2] = [Mode::ProtectMostValuable, Mode::ShareThePain];

/// Little work, so that ten thousand documents take seconds; how much work there is changes no promise.
const EFFORTS: [Effort; 3] = [Effort::Looks(0), Effort::Looks(3_000), Effort::Looks(60_000)];

#[test]
fn ten_thousand_random_plans_are_feasible_and_worth_what_they_say() {
    for seed in 0..10_000 {
        let mut rng = Rng::new(seed);
        let size = [4, 8, 12, 30][rng.below(4) as usize];
        let document = worlds::world(&mut rng, size, 4, 4, 5);
        let (mode, effort) = (MODES[(seed % 2) as usize], EFFORTS[(seed % 3) as usize]);
        let plan = plan(&document, mode, effort).unwrap();
        if let Err(wrong) = judge(&document, &plan) {
            panic!("seed {seed}, {mode:?}, {effort:?}: {wrong}\n{plan:#?}");
        }
        assert!(plan.sacrificed.iter().all(|one| one.why.len() > 20), "seed {seed}: {:?}", plan.sacrificed);
    }
}

#[test]
fn the_efforts_of_the_command_line_keep_the_promises_too() {
    for seed in 0..24 {
        let mut rng = Rng::part(seed, 2);
        let document = worlds::world(&mut rng, 10, 3, 3, 3);
        for mode in MODES {
            let mut values = Vec::new();
            for effort in [Effort::Quick, Effort::Normal, Effort::Exact] {
                let plan = plan(&document, mode, effort).unwrap();
                values.push((judge(&document, &plan).unwrap(), plan.solver));
            }
            if let [(quick, Solver::Exact), _, (exact, _)] = values.as_slice() {
                assert!((quick.value - exact.value).abs() <= 1e-9 * exact.value, "seed {seed}");
            }
        }
    }
}

#[test]
fn who_thinks_longest_keeps_no_less() {
    for seed in 0..8 {
        let mut rng = Rng::part(seed, 5);
        let document = worlds::world(&mut rng, 20 + 6 * u32::try_from(seed).unwrap(), 4, 4, 3);
        let kept = |effort| plan(&document, Mode::ProtectMostValuable, effort).unwrap().value_kept;
        let (normal, exact) = (kept(Effort::Normal), kept(Effort::Exact));
        assert!(exact >= normal * (1.0 - 1e-9), "seed {seed}: {exact} after {normal}");
    }
}

#[test]
fn small_plans_are_the_best_of_all_that_are_possible() {
    let (mut compared, mut proven) = (0, 0);
    for seed in 0..3_000 {
        let mut rng = Rng::part(seed, 3);
        let document = worlds::world(&mut rng, 4, 2, 2, 2);
        if oracle::plans(&document) > 3_000.0 {
            continue;
        }
        for mode in MODES {
            let plan = plan(&document, mode, Effort::Looks(200_000)).unwrap();
            let ours = judge(&document, &plan).unwrap();
            let best = oracle::best(&document, mode);
            let better = oracle::better(mode, best, ours, plan.value_total, 2e-9);
            assert!(!better, "seed {seed}, {mode:?}: {best:?} is possible, not only {ours:?}\n{plan:#?}");
            assert!(
                plan.bound.is_none_or(|bound| bound >= best.value * (1.0 - 1e-9)),
                "seed {seed}: {plan:?}"
            );
            // A bound that was found in a hurry is one, too.
            let hasty = steer::planner::plan(&document, mode, Effort::Looks(2_000)).unwrap().bound;
            assert!(hasty.is_none_or(|bound| bound >= best.value * (1.0 - 1e-9)), "seed {seed}: {hasty:?}");
            compared += 1;
            proven += u32::from(plan.solver == Solver::Exact);
        }
    }
    assert!(compared > 2_000 && proven * 10 > compared * 9, "{compared} compared, {proven} proven");
}

#[test]
fn the_order_of_a_document_does_not_show() {
    for seed in 0..300 {
        let mut rng = Rng::part(seed, 4);
        let document = worlds::world(&mut rng, 12, 3, 3, 4);
        let mode = MODES[(seed % 2) as usize];
        let text =
            |document| serde_json::to_string(&plan(document, mode, Effort::Looks(30_000)).unwrap()).unwrap();
        let expected = text(&document);
        assert_eq!(text(&document), expected, "seed {seed}: twice the same");
        assert_eq!(text(&worlds::shuffled(&document, &mut rng)), expected, "seed {seed}: in another order");
    }
}

#[test]
fn a_carpet_of_three_hundred_targets_is_planned_within_all_limits() {
    for seed in 0..6 {
        let mut rng = Rng::part(seed, 5);
        let mut document = worlds::world(&mut rng, 300, 6, 8, 3);
        while document.targets.len() < 200 {
            document = worlds::world(&mut rng, 300, 6, 8, 3);
        }
        let plan = plan(&document, MODES[(seed % 2) as usize], Effort::Looks(1_000_000)).unwrap();
        judge(&document, &plan).unwrap();
    }
}
