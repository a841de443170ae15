//! Plans made in one walk: targets in some order, each in the cheapest way that the room holds.

use super::draft::Draft;
use super::fit;
use super::model::{Goal, Model};
use super::room::Room;
use super::work::Work;

/// Keeps of these targets what fits, in this order.
pub(super) fn fill(model: &Model, draft: &mut Draft, order: &[usize], prices: &Room, work: &mut Work) {
    for goal in order {
        if !draft.keeps(*goal) {
            draft.insert(model, *goal, prices, work);
        }
    }
}

/// The better of two walks: the most valuable first, and the most valuable for what it takes first.
pub(super) fn plain(model: &Model, work: &mut Work) -> Draft {
    let prices = by_size(&model.room, 1e-6);
    let value: Vec<f64> = model.goals.iter().map(|goal| goal.keep).collect();
    let mut best = walk(model, &value, &prices, work);
    let whole = by_size(&model.room, 1.0);
    let by_need: Vec<f64> = model.goals.iter().map(|goal| goal.keep / need(model, goal, &whole, work)).collect();
    for prices in [prices, by_size(&model.room, 0.1)] {
        let other = walk(model, &by_need, &prices, work);
        if other.profit > best.profit {
            best = other;
        }
    }
    best
}

/// From the highest score on; equal ones in the order of their prefixes.
pub(super) fn walk(model: &Model, scores: &[f64], prices: &Room, work: &mut Work) -> Draft {
    let mut draft = Draft::new(model);
    let all: Vec<usize> = (0..model.goals.len()).collect();
    fill(model, &mut draft, &descending(&all, scores), prices, work);
    draft
}

/// The candidates, the highest score first.
pub(super) fn descending(candidates: &[usize], scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = scores.iter().copied().zip(candidates.iter().copied()).collect();
    order.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.cmp(y)));
    order.into_iter().map(|(_, goal)| goal).collect()
}

/// A whole limit of anything has this price.
pub(super) fn by_size(room: &Room, price: f64) -> Room {
    let mut prices = room.clone();
    for limit in prices.each_mut() {
        *limit = if *limit > 0.0 { price / *limit } else { 0.0 };
    }
    prices
}

/// The shares of limits that a target takes alone, added up.
fn need(model: &Model, goal: &Goal, prices: &Room, work: &mut Work) -> f64 {
    let mut room = model.room.clone();
    fit::fit(model, goal, &mut room, prices, work).map_or(f64::INFINITY, |fit| fit.cost)
}
