//! A sacrificed target is kept beyond what there is room for; then parts are moved away from where there is too much, or a
//! less valuable target is given up, until all fits or it does not help.
//!
//! What stays too much weighs more from step to step, so the search does not turn in circles (the breakout method of Morris).

mod excess;
mod exchange;

use super::dice::Dice;
use super::draft::{self, Draft};
use super::fit;
use super::greedy;
use super::improve::Guide;
use super::model::{Goal, Load, Model, Way};
use super::room::Room;
use super::work::Work;
use excess::bears;

/// Moves after which a trial is given up.
const STEPS: usize = 150;
/// Moves for which a part stays where it was moved to, at least and so many more at most.
const STAY: (usize, usize) = (2, 8);
/// What a limit weighs more for each step at which it is exceeded and nothing helps.
const HEAVIER: f64 = 1.0;
/// With more targets there are too many pairs of parts to be looked at.
const EXCHANGED_MAX: usize = 64;
/// What a lost mean target weighs against a limit that is exceeded by half.
const LOSS: f64 = 0.5;
/// Looks that are worth while, for each way that has to be written down first.
const PREPARING: usize = 20;
/// Exceeded by less than this share is rounding.
const ROUNDING: f64 = 1e-13;

/// What can be done in a step.
enum Move {
    /// This part of this target is treated so.
    Part(usize, usize, Way),
    /// These two parts are.
    Exchange((usize, usize, Way), (usize, usize, Way)),
    /// This target is given up.
    GiveUp(usize),
}

/// One trial.
struct Trial<'a> {
    model: &'a Model,
    ways: &'a [Vec<Vec<(Way, Load)>>],
    draft: Draft,
    /// By target: what its parts take; empty where it is sacrificed.
    loads: Vec<Vec<Load>>,
    /// What a unit too much of each limit weighs.
    weights: Room,
    /// By target and part: the step until which it stays.
    stays: Vec<Vec<usize>>,
    /// Plans with less profit are of no use.
    known: f64,
    /// Worth of a mean target.
    mean: f64,
    /// What a step costs beside its looks.
    size: usize,
}

/// Improves the plan until the work is spent or the bound is met.
#[expect(clippy::cast_precision_loss, reason = "a number of targets is small")]
pub(super) fn improve(model: &Model, best: &mut Draft, guide: &Guide, dice: &mut Dice, work: &mut Work) {
    // Where there is hardly more work than to write all ways down, walks do more with it.
    let each = model.goals.iter().flat_map(|goal| &goal.parts);
    let choices: usize = each.map(|part| part.open.len() + part.diverted.len() * part.reach.len()).sum();
    if work.left() < PREPARING * choices {
        return;
    }
    let flat = greedy::by_size(&model.room, 1.0);
    work.spend(4 * choices);
    let ways = ways(model, guide.prices);
    let mean = model.goals.iter().map(|goal| goal.keep).sum::<f64>() / model.goals.len().max(1) as f64;
    let size = (model.goals.iter().map(|goal| goal.parts.len() + 1).sum::<usize>() + flat.each().count()) / 2;
    while !work.is_spent() && best.profit < guide.bound - guide.bound.abs() * ROUNDING {
        let lost: Vec<usize> = (0..model.goals.len()).filter(|goal| !best.keeps(*goal)).collect();
        let Some(goal) = lost.get(dice.below(lost.len())).copied() else { return };
        work.spend(4 * size);
        let mut trial = Trial {
            model,
            ways: &ways,
            draft: best.clone(),
            loads: Vec::with_capacity(model.goals.len()),
            weights: flat.clone(),
            stays: model.goals.iter().map(|goal| vec![0; goal.parts.len()]).collect(),
            known: best.profit,
            mean,
            size,
        };
        if !trial.begin(goal, guide, dice, work) || !trial.run(goal, dice, work) {
            continue;
        }
        let mut found = trial.draft.settled(model);
        greedy::fill(model, &mut found, &lost, guide.prices, work);
        if found.profit > best.profit {
            *best = found;
        }
    }
}

/// By target and part: every way that the whole room holds, the cheapest first.
fn ways(model: &Model, prices: &Room) -> Vec<Vec<Vec<(Way, Load)>>> {
    let of = |goal: &Goal, part| {
        let all = fit::all(model, goal, part, &model.room, prices);
        all.into_iter().map(|(_, way, load)| (way, load)).collect::<Vec<_>>()
    };
    model.goals.iter().map(|goal| goal.parts.iter().map(|part| of(goal, part)).collect()).collect()
}

impl Trial<'_> {
    /// Keeps the target as if it were alone; whether that is possible at all.
    fn begin(&mut self, goal: usize, guide: &Guide, dice: &mut Dice, work: &mut Work) -> bool {
        let Some(target) = self.model.goals.get(goal) else { return false };
        let mut room = self.model.room.clone();
        let Some(fit) = fit::fit(self.model, target, &mut room, guide.prices, work) else { return false };
        self.draft.keep(self.model, goal, fit.ways);
        if dice.below(2) == 0 {
            self.give_up_another(goal, dice);
        }
        let each = self.model.goals.iter().zip(&self.draft.kept);
        self.loads = each
            .map(|(goal, ways)| {
                ways.as_ref().map_or_else(Vec::new, |ways| draft::loads(self.model, goal, ways).collect())
            })
            .collect();
        self.draft.profit > self.known
    }

    /// A less valuable one for it, whichever: what is best by the first look may be packed worst.
    fn give_up_another(&mut self, added: usize, dice: &mut Dice) {
        let spare = self.draft.profit - self.known;
        let each = self.model.goals.iter().zip(&self.draft.kept).enumerate();
        let less: Vec<usize> = each
            .filter_map(|(at, (goal, ways))| {
                (at != added && draft::profit(self.model, goal, ways.as_ref()?) < spare).then_some(at)
            })
            .collect();
        if let Some(other) = less.get(dice.below(less.len())) {
            drop(self.draft.remove(self.model, *other));
        }
    }

    /// Moves until all fits; whether it does.
    fn run(&mut self, added: usize, dice: &mut Dice, work: &mut Work) -> bool {
        for step in 0..STEPS {
            let exceeded = self.exceeded();
            let Some(limit) = exceeded.get(dice.below(exceeded.len())).copied() else { return true };
            if work.is_spent() {
                return false;
            }
            match self.choose(limit, added, step, work) {
                Some((change, chosen)) => {
                    if change >= 0.0 {
                        self.press(&exceeded);
                    }
                    self.make(&chosen, step + STAY.0 + dice.below(STAY.1));
                }
                None => self.press(&exceeded),
            }
        }
        false
    }

    /// What helps most where this limit is exceeded, and what it changes; negative is better.
    fn choose(&self, limit: usize, added: usize, step: usize, work: &mut Work) -> Option<(f64, Move)> {
        let mut best: Option<(f64, Move)> = None;
        let mut offer = |change: f64, chosen: Move| {
            if best.as_ref().is_none_or(|(least, _)| change < *least) {
                best = Some((change, chosen));
            }
        };
        let spare = self.draft.profit - self.known;
        let all = self.draft.kept.iter().enumerate().zip(&self.loads);
        let kept = all.filter_map(|((goal, ways), loads)| Some(((goal, ways.as_ref()?), loads)));
        work.spend(self.size);
        for ((goal, current), loads) in kept {
            let Some(target) = self.model.goals.get(goal) else { continue };
            let mut touches = false;
            for (part, load) in loads.iter().enumerate() {
                if !self.loads_limit(load, limit) {
                    continue;
                }
                touches = true;
                let stays = self.stays.get(goal).and_then(|parts| parts.get(part));
                if stays.is_some_and(|until| *until > step) {
                    continue;
                }
                let choices =
                    self.ways.get(goal).and_then(|parts| parts.get(part)).map_or(&[][..], Vec::as_slice);
                work.spend(2 * choices.len());
                for (way, to) in choices {
                    if current.get(part) == Some(way) || !bears(target, loads, part, to) {
                        continue;
                    }
                    let lost = to.loss - load.loss;
                    if lost < spare {
                        offer(self.moved(load, to) + self.loss(lost), Move::Part(goal, part, *way));
                    }
                }
            }
            let share = target.keep - loads.iter().map(|load| load.loss).sum::<f64>();
            if touches && goal != added && share < spare {
                let freed: f64 = loads.iter().map(|load| self.freed(load)).sum();
                offer(self.loss(share) - freed, Move::GiveUp(goal));
            }
        }
        if self.model.goals.len() <= EXCHANGED_MAX {
            self.exchange(limit, step, work, &mut offer);
        }
        best
    }

    fn loss(&self, profit: f64) -> f64 {
        LOSS * profit / self.mean
    }

    fn make(&mut self, chosen: &Move, until: usize) {
        match *chosen {
            Move::GiveUp(goal) => {
                drop(self.draft.remove(self.model, goal));
                if let Some(loads) = self.loads.get_mut(goal) {
                    loads.clear();
                }
            }
            Move::Part(goal, part, way) => self.treat(goal, part, way, until),
            Move::Exchange(one, other) => {
                for (goal, part, way) in [one, other] {
                    self.treat(goal, part, way, until);
                }
            }
        }
    }

    fn treat(&mut self, goal: usize, part: usize, way: Way, until: usize) {
        let Some(mut ways) = self.draft.remove(self.model, goal) else { return };
        if let Some(place) = ways.get_mut(part) {
            *place = way;
        }
        if let (Some(place), Some(target)) = (self.loads.get_mut(goal), self.model.goals.get(goal)) {
            place.clear();
            place.extend(draft::loads(self.model, target, &ways));
        }
        self.draft.keep(self.model, goal, ways);
        if let Some(place) = self.stays.get_mut(goal).and_then(|parts| parts.get_mut(part)) {
            *place = until;
        }
    }
}
