//! From a model to a plan: parts of the network that share nothing are solved each by itself.

use super::dice::Dice;
use super::draft::Draft;
use super::dual::Dual;
use super::improve::{self, Guide};
use super::model::Model;
use super::room::{Room, at};
use super::work::Work;
use super::{branch, fit, greedy, neighbourhood, pooled, repair};

/// A plan and what is known of the best one.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    pub(super) draft: Draft,
    /// No plan has more profit.
    pub(super) bound: f64,
    /// No plan is better.
    pub(super) exact: bool,
}

/// Hundredths of the work for prices and plans made from them.
const PRICING: usize = 35;
/// Then, of what is left at each time, hundredths for local search and for branch and bound.
const STAGES: [(usize, usize); 3] = [(2, 10), (65, 60), (100, 100)];
/// Rounds of pricing at most.
const ROUNDS_MAX: usize = 600;
/// The first ones, which move prices by factors.
const BARGAINS: usize = 80;
/// A plan is made from the prices of every so many rounds.
const ROUNDS_EACH: usize = 8;
/// Where prices were found for the pool of all absorbers, the first rounds change as little as so many would later.
const POOLED: usize = 40;
/// Within this share of the bound, a plan is the best one.
const EQUAL: f64 = 1e-12;

/// Solves all of it.
pub(super) fn solve(model: &Model, allowance: usize) -> Solved {
    let mut all = Draft::new(model);
    let (mut bound, mut exact) = (0.0, model.complete);
    let components = components(model);
    let mut size_left: usize = components.iter().map(|members| weight(model, members)).sum();
    let mut left = allowance;
    for members in components {
        let size = weight(model, &members);
        let share = (left as u128 * size as u128 / size_left.max(1) as u128).try_into().unwrap_or(left);
        size_left -= size;
        let mut work = Work::new(share);
        let part = Model {
            goals: members.iter().filter_map(|goal| model.goals.get(*goal)).cloned().collect(),
            room: model.room.clone(),
            limits: Room::default(),
            costs: model.costs.clone(),
            scale: model.scale,
            complete: model.complete,
        };
        let solved = component(&part, &mut work);
        left -= share - work.left();
        bound += solved.bound;
        exact &= solved.exact;
        for (goal, ways) in members.into_iter().zip(solved.draft.kept) {
            if let Some(ways) = ways {
                all.keep(model, goal, ways);
            }
        }
    }
    Solved { draft: all, bound, exact }
}

fn component(model: &Model, work: &mut Work) -> Solved {
    if let [goal] = model.goals.as_slice() {
        let mut draft = Draft::new(model);
        let nothing = Room::empty(&model.room);
        let least = fit::least(model, goal, &mut draft.room, &nothing, work);
        draft.insert(model, 0, &nothing, work);
        let exact = least.as_ref().is_none_or(|fit| fit.least);
        let bound = if exact { draft.profit } else { goal.keep };
        return Solved { bound, exact, draft };
    }
    let mut best = greedy::plain(model, work);
    let dual = work.part(PRICING, |work| priced(model, &mut best, work));
    let done = |best: &Draft| best.profit >= dual.bound - dual.bound.abs() * EQUAL;
    let mut exact = done(&best);
    let mut dice = Dice::new();
    let needs = greedy::needs(model, work);
    let guide = Guide {
        scores: &greedy::scores(model, &dual),
        needs: &needs,
        prices: &dual.prices,
        bound: dual.bound,
    };
    // First a short proof, for what is easy; then the two in turn, each with more.
    for (searching, proving) in STAGES {
        if exact {
            break;
        }
        work.part(searching, |work| {
            work.part(35, |work| improve::improve(model, &mut best, &guide, &mut dice, work));
            work.part(60, |work| repair::improve(model, &mut best, &guide, &mut dice, work));
            neighbourhood::improve(model, &mut best, &guide, &mut dice, work);
        });
        exact = done(&best) || work.part(proving, |work| branch::search(model, &dual, &mut best, work));
    }
    let bound = if exact { best.profit } else { dual.bound };
    Solved { bound, exact, draft: best }
}

/// Prices, and the best of the plans made from them on the way.
fn priced(model: &Model, best: &mut Draft, work: &mut Work) -> Dual {
    let pooled = pooled::pooled(model, best.profit, work);
    let (mut dual, first) = match &pooled {
        Some((_, prices)) => (Dual::at(model, prices, 1.0, work), POOLED),
        None => {
            let mut dual = Dual::new(model, work);
            dual.begin(model, work);
            (dual, 0)
        }
    };
    if pooled.is_some() {
        walk(model, &dual, best, work);
    }
    for round in first..ROUNDS_MAX {
        let close = dual.bound - best.profit <= dual.bound.abs() * EQUAL;
        if work.is_spent() || dual.is_settled() || close {
            break;
        }
        if round < BARGAINS {
            dual.bargain(model, round, work);
        } else {
            if round == BARGAINS {
                dual.go_back();
            }
            dual.improve(model, best.profit, work);
        }
        if round % ROUNDS_EACH == ROUNDS_EACH - 1 {
            walk(model, &dual, best, work);
        }
    }
    if let Some((bound, _)) = pooled {
        dual.bound = dual.bound.min(bound);
    }
    dual
}

/// A plan made from prices, where it is the best so far.
fn walk(model: &Model, dual: &Dual, best: &mut Draft, work: &mut Work) {
    let draft = greedy::walk(model, &greedy::scores(model, dual), &dual.prices, work);
    if draft.profit > best.profit {
        *best = draft;
    }
}

fn weight(model: &Model, members: &[usize]) -> usize {
    if members.len() == 1 {
        return 0;
    }
    members.iter().filter_map(|goal| model.goals.get(*goal)).map(|goal| goal.parts.len() + 1).sum()
}

/// Targets that compete, directly or through others, for a limit that can bind.
fn components(model: &Model) -> Vec<Vec<usize>> {
    let entries = model.room.link.len();
    let mut leader: Vec<usize> = (0..entries + model.room.bps.len()).collect();
    let find = |leader: &[usize], mut at: usize| {
        while let Some(next) = leader.get(at).filter(|next| **next != at) {
            at = *next;
        }
        at
    };
    let touched = |goal: usize| {
        let parts = model.goals.get(goal).map_or(&[][..], |goal| &goal.parts);
        let mut touched: Vec<usize> = Vec::new();
        for part in parts {
            if at(&model.room.link, part.entry).is_finite() || at(&model.room.slots, part.entry).is_finite() {
                touched.push(part.entry);
            }
            let binding = part
                .reach
                .iter()
                .filter(|k| at(&model.room.bps, **k).is_finite() || at(&model.room.pps, **k).is_finite());
            touched.extend(binding.map(|k| entries + k));
        }
        touched
    };
    for goal in 0..model.goals.len() {
        let touched = touched(goal);
        let Some(first) = touched.first().map(|first| find(&leader, *first)) else { continue };
        for other in touched {
            let other = find(&leader, other);
            let (low, high) = (first.min(other), first.max(other));
            if let Some(place) = leader.get_mut(high) {
                *place = low;
            }
        }
    }
    let mut groups: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    let mut alone = Vec::new();
    for goal in 0..model.goals.len() {
        match touched(goal).first() {
            Some(first) => groups.entry(find(&leader, *first)).or_default().push(goal),
            None => alone.push(vec![goal]),
        }
    }
    alone.extend(groups.into_values());
    alone
}
