//! The last walk over a plan: what still fits is kept, nobody is sacrificed for somebody less valuable, no rule and no
//! diversion is left that is not needed; and for each sacrificed target, whose place it could have had.

use super::draft::{self, Draft};
use super::fit;
use super::model::Model;
use super::room::Room;
use super::work::Work;

/// Kept targets asked for their place, for each sacrificed one, at most.
const ASKED_MAX: usize = 64;
/// A swap must gain more than this share of what is kept; less is rounding.
const EQUAL: f64 = 1e-12;

/// Whose place a sacrificed target could have had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rival {
    /// A kept target that makes room; the least valuable of those that were asked.
    pub(super) place_of: Option<usize>,
    /// Whether all that could make room were asked.
    pub(super) all_asked: bool,
}

/// Finishes the plan; by target, the rival of the sacrificed.
pub(super) fn finish(model: &Model, draft: &mut Draft, work: &mut Work) -> Vec<Rival> {
    let nothing = Room::empty(&model.room);
    for goal in 0..model.goals.len() {
        if !draft.keeps(goal) {
            draft.insert(model, goal, &nothing, work);
        }
    }
    let mut rivals = vec![Rival::default(); model.goals.len()];
    // Each swap gains, and a target that lost its place is asked for later in the same walk or the next one.
    for _ in 0..2 {
        let mut swapped = false;
        let asked = by_profit(model, draft);
        for goal in 0..model.goals.len() {
            if draft.keeps(goal) {
                continue;
            }
            let rival = rival(model, draft, goal, &asked, work);
            if let Some(rival) = rivals.get_mut(goal).zip(rival).map(|(place, rival)| {
                *place = rival;
                rival
            }) {
                swapped |= swap(model, draft, goal, rival, work);
            }
        }
        if !swapped {
            break;
        }
    }
    for goal in 0..model.goals.len() {
        simplify(model, draft, goal, &nothing, work);
    }
    *draft = draft.settled(model);
    // Ways may have changed, and with them who stands in whose way.
    let asked = by_profit(model, draft);
    for (goal, place) in rivals.iter_mut().enumerate() {
        let found = if draft.keeps(goal) { None } else { rival(model, draft, goal, &asked, work) };
        *place = found.unwrap_or_default();
    }
    rivals
}

/// Kept targets, the least profitable first.
fn by_profit(model: &Model, draft: &Draft) -> Vec<usize> {
    let mut kept: Vec<(f64, usize)> = (0..model.goals.len())
        .filter(|goal| draft.keeps(*goal))
        .map(|goal| (draft.share(model, goal), goal))
        .collect();
    kept.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    kept.into_iter().map(|(_, goal)| goal).collect()
}

/// The first that makes room for a sacrificed target; `None`: it can never be kept.
fn rival(model: &Model, draft: &mut Draft, goal: usize, asked: &[usize], work: &mut Work) -> Option<Rival> {
    let target = model.goals.get(goal)?;
    let nothing = Room::empty(&model.room);
    fit::fit(model, target, &mut model.room.clone(), &nothing, work)?;
    let mut tries = 0;
    for other in asked.iter().filter(|other| **other != goal) {
        let shares = model.goals.get(*other).is_some_and(|other| {
            other.parts.iter().any(|a| {
                target.parts.iter().any(|b| a.entry == b.entry || a.reach.iter().any(|k| b.reach.contains(k)))
            })
        });
        if !shares || !draft.keeps(*other) {
            continue;
        }
        if tries >= ASKED_MAX || work.is_spent() {
            return Some(Rival { place_of: None, all_asked: false });
        }
        tries += 1;
        let Some(ways) = draft.remove(model, *other) else { continue };
        let fits = fit::fit(model, target, &mut draft.room, &nothing, work).is_some();
        draft.keep(model, *other, ways);
        if fits {
            return Some(Rival { place_of: Some(*other), all_asked: false });
        }
    }
    Some(Rival { place_of: None, all_asked: true })
}

/// Gives a target the place of its rival if that gains; whether it did.
fn swap(model: &Model, draft: &mut Draft, goal: usize, rival: Rival, work: &mut Work) -> bool {
    let Some(other) = rival.place_of else { return false };
    let before = draft.profit;
    let Some(ways) = draft.remove(model, other) else { return false };
    let kept = draft.insert(model, goal, &Room::empty(&model.room), work);
    if kept && draft.profit > before + before.abs() * EQUAL {
        return true;
    }
    if kept {
        draft.remove(model, goal);
    }
    draft.keep(model, other, ways);
    draft.profit = before;
    false
}

/// Treats a kept target in the simplest way that costs no profit.
fn simplify(model: &Model, draft: &mut Draft, goal: usize, nothing: &Room, work: &mut Work) {
    let Some(target) = model.goals.get(goal) else { return };
    let Some(ways) = draft.remove(model, goal) else { return };
    let old = draft::profit(model, target, &ways);
    let found = fit::fit(model, target, &mut draft.room, nothing, work);
    let simpler = found.filter(|fit| draft::profit(model, target, &fit.ways) >= old);
    draft.keep(model, goal, simpler.map_or(ways, |fit| fit.ways));
}
