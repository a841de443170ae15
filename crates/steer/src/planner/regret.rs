//! Every plan that could beat the best one, told by what its decisions lose against the bound; for few open questions.
//!
//! At the dual's prices each decision has a regret: what it gains less than the best decision for that target or part. A
//! plan's profit is at most the bound without all its regrets, so a branch ends as soon as they use up the gap.

use super::draft::Draft;
use super::dual::Dual;
use super::fit;
use super::model::{Load, Model, Way};
use super::work::Work;

/// Profits that differ by less than this share of the bound are equal.
const EQUAL: f64 = 1e-13;

/// A way, its regret, and what it takes.
type Regretted = (f64, Way, Load);

/// A target in the order in which it is decided on.
struct Branch {
    goal: usize,
    /// Lost by sacrificing it.
    sacrificed: f64,
    /// Lost by keeping it, before its ways; negative where its parts get into each other's way.
    kept: f64,
    parts: Vec<Vec<Regretted>>,
    max_bps: f64,
    max_pps: f64,
}

struct Tree<'a> {
    model: &'a Model,
    branches: Vec<Branch>,
    bound: f64,
    draft: Draft,
    path: Vec<Way>,
    known: f64,
    best: Option<Draft>,
    work: &'a mut Work,
}

/// Looks for a plan with more profit than this until there is none, or the work is spent; the best one that was found,
/// and whether there is none better.
pub(super) fn search(model: &Model, dual: &Dual, known: f64, work: &mut Work) -> (Option<Draft>, bool) {
    let gap = dual.bound - known;
    let mut branches: Vec<Branch> = Vec::with_capacity(model.goals.len());
    for ((goal, target), gain) in model.goals.iter().enumerate().zip(&dual.gains) {
        let mut kept = gain.max(0.0) - target.keep;
        let mut parts = Vec::with_capacity(target.parts.len());
        for part in &target.parts {
            let ways = fit::all(model, target, part, &model.room, &dual.prices);
            work.spend(ways.len() * 4);
            let least = ways.first().map_or(f64::INFINITY, |(cost, ..)| *cost);
            kept += least;
            parts.push(
                ways.into_iter().map(|(cost, way, load)| (cost - least, way, load)).collect::<Vec<_>>(),
            );
        }
        let (max_bps, max_pps) = (target.max_bps, target.max_pps);
        let (sacrificed, kept) =
            if target.forced { (f64::INFINITY, kept - gain.max(0.0) + gain) } else { (gain.max(0.0), kept) };
        parts.iter_mut().for_each(|ways| ways.retain(|(regret, ..)| kept + regret <= gap));
        branches.push(Branch { goal, sacrificed, kept, parts, max_bps, max_pps });
    }
    // Those that leave no choice first: all later ones are decided in the room that they leave.
    branches.sort_by(|a, b| {
        let free = |branch: &Branch| (branch.sacrificed - branch.kept).abs();
        free(b).total_cmp(&free(a)).then(a.goal.cmp(&b.goal))
    });
    let mut tree = Tree {
        model,
        branches,
        bound: dual.bound,
        draft: Draft::new(model),
        path: Vec::new(),
        known,
        best: None,
        work,
    };
    tree.decide(0, 0.0);
    let closed = !tree.work.is_spent();
    (tree.best, closed)
}

impl Tree<'_> {
    fn hopeless(&self, regret: f64) -> bool {
        self.work.is_spent() || self.bound - regret <= self.known + self.bound.abs() * EQUAL
    }

    fn decide(&mut self, depth: usize, regret: f64) {
        if self.hopeless(regret) {
            return;
        }
        self.work.spend(4);
        let Some(branch) = self.branches.get(depth) else {
            if self.draft.profit > self.known {
                self.known = self.draft.profit;
                self.best = Some(self.draft.clone());
            }
            return;
        };
        let (sacrificed, kept) = (branch.sacrificed, branch.kept);
        let bears = (branch.max_bps, branch.max_pps);
        if kept <= sacrificed {
            self.treat(depth, 0, regret + kept, bears);
            self.decide(depth + 1, regret + sacrificed);
        } else {
            self.decide(depth + 1, regret + sacrificed);
            self.treat(depth, 0, regret + kept, bears);
        }
    }

    /// Decides on one part of a target that is kept, then on the next.
    fn treat(&mut self, depth: usize, part: usize, regret: f64, bears: (f64, f64)) {
        if self.hopeless(regret) {
            return;
        }
        let Some(branch) = self.branches.get(depth) else { return };
        let goal = branch.goal;
        let Some(ways) = branch.parts.get(part).map(Vec::len) else {
            let ways = self.path.split_off(self.path.len() - part);
            // The room was taken part by part.
            let profit =
                self.model.goals.get(goal).map_or(0.0, |g| super::draft::profit(self.model, g, &ways));
            self.draft.note(goal, Some(ways.clone()), profit);
            self.decide(depth + 1, regret);
            self.draft.note(goal, None, -profit);
            self.path.extend(ways);
            return;
        };
        for choice in 0..ways {
            let found = self.branches.get(depth).and_then(|branch| branch.parts.get(part)?.get(choice));
            let Some((more, way, load)) = found.copied() else { return };
            if self.hopeless(regret + more) {
                return;
            }
            self.work.spend(2);
            if !self.draft.room.fits(&load) || load.link > bears.0 || load.arriving() > bears.1 {
                continue;
            }
            self.draft.room.take(&load);
            self.path.push(way);
            self.treat(depth, part + 1, regret + more, (bears.0 - load.link, bears.1 - load.arriving()));
            self.path.pop();
            self.draft.room.give(&load);
        }
    }
}
