//! Plans made in one walk: targets in some order, each in the cheapest way that the room holds.

use super::draft::Draft;
use super::dual::Dual;
use super::fit;
use super::model::Model;
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
    let by_need: Vec<f64> =
        needs(model, work).into_iter().zip(&model.goals).map(|(need, goal)| goal.keep / need).collect();
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

/// What a target is worth for what it takes, at the dual's prices.
pub(super) fn scores(model: &Model, dual: &Dual) -> Vec<f64> {
    let each = model.goals.iter().zip(&dual.gains);
    each.map(|(goal, gain)| {
        let paid = goal.keep - gain;
        if goal.forced {
            f64::INFINITY
        } else if paid > 0.0 {
            goal.keep / paid
        } else {
            f64::MAX
        }
    })
    .collect()
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

/// By target: the shares of limits that it takes alone, added up.
pub(super) fn needs(model: &Model, work: &mut Work) -> Vec<f64> {
    let prices = by_size(&model.room, 1.0);
    let mut room = model.room.clone();
    let fits = model.goals.iter().map(|goal| fit::fit(model, goal, &mut room, &prices, work));
    fits.map(|fit| fit.map_or(f64::INFINITY, |fit| fit.cost)).collect()
}
