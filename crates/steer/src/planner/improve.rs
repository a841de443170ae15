//! Local search: give up some kept targets, fill the room anew, keep what is no worse.

use base::hash::Mixer;

use super::draft::Draft;
use super::greedy;
use super::model::{Model, Way};
use super::room::Room;
use super::work::Work;

/// Targets given up in one round at most.
const GIVEN_UP_MAX: u64 = 8;
/// Sacrificed targets that are tried in one round.
const TRIED_MAX: usize = 24;

/// Numbers without a pattern, the same ones each time.
struct Dice {
    rolls: u64,
}

impl Dice {
    fn roll(&mut self) -> u64 {
        self.rolls += 1;
        Mixer::new(0x5111).with(self.rolls).finish()
    }

    /// Below n; 0 for 0.
    #[expect(clippy::cast_possible_truncation, reason = "the result is below n")]
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.roll()) * n as u128) >> 64) as usize
    }

    /// In 0..1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What the search looks at besides the plan.
pub(super) struct Guide<'a> {
    /// By target: the higher, the sooner it is kept.
    pub(super) scores: &'a [f64],
    pub(super) prices: &'a Room,
    /// No plan is better than this.
    pub(super) bound: f64,
}

/// Improves the plan until the work is spent or the bound is met.
pub(super) fn improve(model: &Model, draft: &mut Draft, guide: &Guide, work: &mut Work) {
    let mut dice = Dice { rolls: 0 };
    let flat = greedy::by_size(&model.room, 1e-6);
    let mut best = draft.clone();
    while !work.is_spent() && best.profit < guide.bound - guide.bound.abs() * 1e-13 {
        work.spend(model.goals.len() / 4 + 1);
        let lost: Vec<usize> = (0..model.goals.len()).filter(|goal| !draft.keeps(*goal)).collect();
        if lost.is_empty() && dice.below(4) != 0 {
            // Everybody is kept: only the ways can become better.
            work.spend(16);
        }
        let given_up = choose(model, draft, &lost, &mut dice);
        let before = draft.profit;
        let old: Vec<(usize, Vec<Way>)> =
            given_up.iter().filter_map(|goal| Some((*goal, draft.remove(model, *goal)?))).collect();
        let noise = 0.6 * dice.unit();
        let mut candidates: Vec<usize> = given_up.clone();
        if lost.len() <= TRIED_MAX {
            candidates.extend(&lost);
        } else {
            candidates.extend((0..TRIED_MAX).filter_map(|_| lost.get(dice.below(lost.len()))));
            candidates.sort_unstable();
            candidates.dedup();
        }
        let scores: Vec<f64> = candidates
            .iter()
            .map(|goal| score(guide, *goal) * (1.0 + noise * (dice.unit() - 0.5)))
            .collect();
        let order = greedy::descending(&candidates, &scores);
        let prices = if dice.below(4) == 0 { &flat } else { guide.prices };
        greedy::fill(model, draft, &order, prices, work);
        if draft.profit < before {
            for goal in &order {
                draft.remove(model, *goal);
            }
            old.into_iter().for_each(|(goal, ways)| draft.keep(model, goal, ways));
            draft.profit = before;
        } else if draft.profit > best.profit {
            best.clone_from(draft);
        }
    }
    if best.profit > draft.profit {
        *draft = best;
    }
}

fn score(guide: &Guide, goal: usize) -> f64 {
    guide.scores.get(goal).copied().unwrap_or_default()
}

/// Kept targets that stand in the way of a sacrificed one, or that have something in common.
fn choose(model: &Model, draft: &Draft, lost: &[usize], dice: &mut Dice) -> Vec<usize> {
    let kept: Vec<usize> = (0..model.goals.len()).filter(|goal| draft.keeps(*goal)).collect();
    let seed = if lost.is_empty() || dice.below(4) == 0 {
        kept.get(dice.below(kept.len()))
    } else {
        lost.get(dice.below(lost.len()))
    };
    let parts = seed.and_then(|seed| model.goals.get(*seed)).map_or(&[][..], |goal| &goal.parts);
    let Some(part) = parts.get(dice.below(parts.len())) else { return Vec::new() };
    let absorber = part.reach.get(dice.below(part.reach.len())).copied();
    let by_absorber = dice.below(2) == 0 && absorber.is_some();
    let near: Vec<usize> = kept
        .iter()
        .copied()
        .filter(|goal| {
            let ways = draft.kept.get(*goal).and_then(Option::as_ref);
            let parts = model.goals.get(*goal).map_or(&[][..], |goal| &goal.parts);
            parts.iter().zip(ways.into_iter().flatten()).any(|(other, way)| match way {
                Way::Diverted(_, k) if by_absorber => Some(*k) == absorber,
                _ => !by_absorber && other.entry == part.entry,
            })
        })
        .collect();
    let wanted = 1 + dice.below(usize::try_from(GIVEN_UP_MAX).unwrap_or(8)).min(near.len() / 2 + 1);
    let mut chosen: Vec<usize> =
        (0..wanted).filter_map(|_| near.get(dice.below(near.len())).copied()).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}
