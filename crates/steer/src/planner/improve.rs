//! Local search: give up some kept targets that stand in each other's way, fill the room anew, go on from what is hardly
//! worse, and remember the best.

use super::dice::Dice;
use super::draft::Draft;
use super::greedy;
use super::model::{Model, Way};
use super::room::Room;
use super::work::Work;

/// Targets given up in one round at most.
const GIVEN_UP_MAX: usize = 10;
/// Sacrificed targets that are tried in one round.
const TRIED_MAX: usize = 24;
/// What a plan may lose against the best one and still be gone on from, in shares of a mean target.
const LEASH: f64 = 0.6;
/// So many rounds without a better plan, and the search goes back to the best one.
const PATIENCE: u32 = 400;

/// What the search looks at besides the plan.
pub(super) struct Guide<'a> {
    /// By target: the higher, the sooner it is kept.
    pub(super) scores: &'a [f64],
    /// By target: the shares of limits that it takes.
    pub(super) needs: &'a [f64],
    pub(super) prices: &'a Room,
    /// No plan is better than this.
    pub(super) bound: f64,
}

/// Improves the plan until the work is spent or the bound is met.
#[expect(clippy::cast_precision_loss, reason = "a number of targets is small")]
pub(super) fn improve(model: &Model, best: &mut Draft, guide: &Guide, dice: &mut Dice, work: &mut Work) {
    let flat = greedy::by_size(&model.room, 1.0);
    let mean = model.goals.iter().map(|goal| goal.keep).sum::<f64>() / model.goals.len().max(1) as f64;
    let mut draft = best.clone();
    let mut waited = 0;
    // What a round costs beside its looks, where it goes through all targets.
    let size = 150 + model.goals.iter().map(|goal| goal.parts.len() + 1).sum::<usize>() / 2;
    while !work.is_spent() && best.profit < guide.bound - guide.bound.abs() * 1e-13 {
        work.spend(size);
        let lost: Vec<usize> = (0..model.goals.len()).filter(|goal| !draft.keeps(*goal)).collect();
        let given_up = choose(model, &draft, &lost, GIVEN_UP_MAX, dice);
        let before = draft.profit;
        let old: Vec<(usize, Vec<Way>)> =
            given_up.iter().filter_map(|goal| Some((*goal, draft.remove(model, *goal)?))).collect();
        let mut candidates = given_up;
        if lost.len() <= TRIED_MAX {
            candidates.extend(&lost);
        } else {
            candidates.extend((0..TRIED_MAX).filter_map(|_| lost.get(dice.below(lost.len()))));
            candidates.sort_unstable();
            candidates.dedup();
        }
        let order = shuffled(model, guide, &candidates, dice);
        let prices = shaken(guide.prices, &flat, mean, dice);
        greedy::fill(model, &mut draft, &order, &prices, work);
        waited += 1;
        let leash = best.profit - mean * LEASH * dice.unit() * dice.unit();
        if draft.profit < before && draft.profit < leash {
            for goal in &order {
                draft.remove(model, *goal);
            }
            old.into_iter().for_each(|(goal, ways)| draft.keep(model, goal, ways));
            draft.profit = before;
        } else if draft.profit > best.profit {
            waited = 0;
            best.clone_from(&draft);
        }
        if waited > PATIENCE {
            waited = 0;
            draft.clone_from(best);
            work.spend(model.goals.len());
        }
    }
}

/// In the order of one of several measures, with some noise.
fn shuffled(model: &Model, guide: &Guide, candidates: &[usize], dice: &mut Dice) -> Vec<usize> {
    let measure = dice.below(8);
    let noise = dice.unit();
    let of = |list: &[f64], goal: usize| list.get(goal).copied().unwrap_or_default();
    let keep = |goal: usize| model.goals.get(goal).map_or(0.0, |goal| goal.keep);
    let scores: Vec<f64> = candidates
        .iter()
        .map(|goal| {
            let score = match measure {
                0..=2 => of(guide.scores, *goal),
                3 | 4 => keep(*goal),
                5 => of(guide.needs, *goal),
                6 => keep(*goal) / of(guide.needs, *goal).max(f64::MIN_POSITIVE),
                _ => 1.0,
            };
            score.min(1e100) * (1.0 + noise * (dice.unit() - 0.5))
        })
        .collect();
    greedy::descending(candidates, &scores)
}

/// The prices, each somewhat higher or lower, and a little for what has none.
fn shaken(prices: &Room, flat: &Room, mean: f64, dice: &mut Dice) -> Room {
    let kind = dice.below(4);
    let strength = if kind == 0 { 0.0 } else { 1.0 };
    let base = mean * if kind == 1 { 0.3 } else { 0.02 };
    let mut shaken = prices.clone();
    for (price, flat) in shaken.each_mut().zip(flat.each()) {
        *price = *price * strength * (0.5 + dice.unit()) + flat * base * dice.unit();
    }
    shaken
}

/// Kept targets that stand in the way of a sacrificed one, or that have something in common, so many at most.
pub(super) fn choose(
    model: &Model,
    draft: &Draft,
    lost: &[usize],
    most: usize,
    dice: &mut Dice,
) -> Vec<usize> {
    let kept: Vec<usize> = (0..model.goals.len()).filter(|goal| draft.keeps(*goal)).collect();
    let seed = if lost.is_empty() || dice.below(4) == 0 {
        kept.get(dice.below(kept.len()))
    } else {
        lost.get(dice.below(lost.len()))
    };
    let parts = seed.and_then(|seed| model.goals.get(*seed)).map_or(&[][..], |goal| &goal.parts);
    let Some(part) = parts.get(dice.below(parts.len())) else { return Vec::new() };
    let absorber = part.reach.get(dice.below(part.reach.len())).copied();
    let kind = dice.below(5);
    let near: Vec<usize> = kept
        .iter()
        .copied()
        .filter(|goal| {
            let ways = draft.kept.get(*goal).and_then(Option::as_ref);
            let parts = model.goals.get(*goal).map_or(&[][..], |goal| &goal.parts);
            kind == 4
                || parts.iter().zip(ways.into_iter().flatten()).any(|(other, way)| match way {
                    Way::Diverted(_, k) if kind < 2 && absorber.is_some() => Some(*k) == absorber,
                    _ => (kind >= 2 || absorber.is_none()) && other.entry == part.entry,
                })
        })
        .collect();
    let wanted = 1 + dice.below(most).min(near.len() / 2 + 1);
    let mut chosen: Vec<usize> =
        (0..wanted).filter_map(|_| near.get(dice.below(near.len())).copied()).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}
