//! Large neighbourhood search: some kept targets that have something in common are given up with some sacrificed ones,
//! and the room they leave is filled in the best way that a bounded proof finds, instead of by a walk.

use super::dice::Dice;
use super::draft::Draft;
use super::dual::Dual;
use super::improve::{Guide, choose};
use super::model::{Model, Way};
use super::regret;
use super::room::Room;
use super::work::Work;

/// Targets decided on anew at a time, at first, at least and at most: as many as the proof can do.
const SIZE: usize = 10;
const SIZE_MIN: usize = 5;
const SIZE_MAX: usize = 24;
/// Rounds of pricing for them.
const ROUNDS: usize = 16;
/// The first step of pricing; the prices of the whole are near.
const STEP: f64 = 0.4;
/// Looks of the proof for each part.
const LOOKS: usize = 400;
/// Profits that differ by less than this share are equal.
const EQUAL: f64 = 1e-12;

/// Improves the plan until the work is spent or the bound is met.
pub(super) fn improve(model: &Model, best: &mut Draft, guide: &Guide, dice: &mut Dice, work: &mut Work) {
    let mut size = SIZE;
    while !work.is_spent() && best.profit < guide.bound - guide.bound.abs() * EQUAL {
        let lost: Vec<usize> = (0..model.goals.len()).filter(|goal| !best.keeps(*goal)).collect();
        let mut chosen = choose(model, best, &lost, size, dice);
        chosen.extend((0..size.div_ceil(2)).filter_map(|_| lost.get(dice.below(lost.len()))));
        chosen.sort_unstable();
        chosen.dedup();
        work.spend(model.goals.len());
        if decide(model, best, &chosen, guide.prices, work) {
            size = (size + 1).min(SIZE_MAX);
        } else {
            size = (size - 1).max(SIZE_MIN);
        }
    }
}

/// Decides on these targets anew, the others stay as they are; whether there is nothing better.
fn decide(model: &Model, best: &mut Draft, chosen: &[usize], prices: &Room, work: &mut Work) -> bool {
    let mut rest = best.clone();
    let known = best.profit - {
        chosen.iter().for_each(|goal| drop(rest.remove(model, *goal)));
        rest.profit
    };
    let goals: Vec<_> = chosen.iter().filter_map(|goal| model.goals.get(*goal)).cloned().collect();
    let parts: usize = goals.iter().map(|goal| goal.parts.len() + 1).sum();
    let part = Model {
        goals,
        room: rest.room.clone(),
        limits: Room::default(),
        costs: model.costs.clone(),
        scale: model.scale,
        complete: model.complete,
    };
    work.spend(8 * parts);
    let mut dual = Dual::at(&part, prices, STEP, work);
    for _ in 0..ROUNDS {
        if dual.bound <= known + known.abs() * EQUAL {
            return true;
        }
        if dual.is_settled() {
            break;
        }
        dual.improve(&part, known, work);
    }
    let mut looks = Work::new((LOOKS * parts).min(work.left()));
    let given = looks.left();
    let (found, closed) = regret::search(&part, &dual, known, &mut looks);
    work.spend(given - looks.left());
    let Some(found) = found else { return closed };
    let ways: Vec<(usize, Vec<Way>)> =
        chosen.iter().zip(found.kept).filter_map(|(goal, ways)| Some((*goal, ways?))).collect();
    ways.into_iter().for_each(|(goal, ways)| rest.keep(model, goal, ways));
    if rest.profit > best.profit {
        *best = rest;
    }
    closed
}
