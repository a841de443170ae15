//! A plan in the making: who is kept and how, what room is left, and what it is worth.

use super::fit::{self, Fit};
use super::model::{Goal, Load, Model, Way};
use super::room::Room;
use super::work::Work;

/// A plan in the making. Whatever is done to it, no limit is exceeded.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// By target: how its parts are treated; `None`: sacrificed.
    pub(super) kept: Vec<Option<Vec<Way>>>,
    pub(super) room: Room,
    pub(super) profit: f64,
}

impl Draft {
    /// Nobody is kept.
    pub(super) fn new(model: &Model) -> Self {
        Self { kept: vec![None; model.goals.len()], room: model.room.clone(), profit: 0.0 }
    }

    /// Whether this target is kept.
    pub(super) fn keeps(&self, goal: usize) -> bool {
        self.kept.get(goal).is_some_and(Option::is_some)
    }

    /// Keeps a target if there is room and it is not worth less than nothing; whether it is kept now.
    pub(super) fn insert(&mut self, model: &Model, goal: usize, prices: &Room, work: &mut Work) -> bool {
        let Some(target) = model.goals.get(goal) else { return false };
        let Some(Fit { ways, .. }) = fit::fit(model, target, &mut self.room, prices, work) else {
            return false;
        };
        if profit(model, target, &ways) < 0.0 {
            return false;
        }
        self.keep(model, goal, ways);
        true
    }

    /// Keeps a target so.
    pub(super) fn keep(&mut self, model: &Model, goal: usize, ways: Vec<Way>) {
        let Some(target) = model.goals.get(goal) else { return };
        loads(model, target, &ways).for_each(|load| self.room.take(&load));
        self.profit += profit(model, target, &ways);
        if let Some(place) = self.kept.get_mut(goal) {
            *place = Some(ways);
        }
    }

    /// Writes down how a target is treated whose room is taken or given back already.
    pub(super) fn note(&mut self, goal: usize, ways: Option<Vec<Way>>, profit: f64) {
        self.profit += profit;
        if let Some(place) = self.kept.get_mut(goal) {
            *place = ways;
        }
    }

    /// Sacrifices a target; how it was kept.
    pub(super) fn remove(&mut self, model: &Model, goal: usize) -> Option<Vec<Way>> {
        let ways = self.kept.get_mut(goal)?.take()?;
        let target = model.goals.get(goal)?;
        loads(model, target, &ways).for_each(|load| self.room.give(&load));
        self.profit -= profit(model, target, &ways);
        Some(ways)
    }

    /// What a target's profit is in this plan.
    pub(super) fn share(&self, model: &Model, goal: usize) -> f64 {
        let ways = self.kept.get(goal).and_then(Option::as_ref);
        let target = model.goals.get(goal);
        ways.zip(target).map_or(0.0, |(ways, target)| profit(model, target, ways))
    }

    /// The same plan with its sums made anew, in one order; what no longer fits by them is sacrificed.
    pub(super) fn settled(&self, model: &Model) -> Self {
        let mut settled = Self::new(model);
        for (goal, (ways, target)) in self.kept.iter().zip(&model.goals).enumerate() {
            let Some(ways) = ways else { continue };
            let mut taken = Vec::new();
            let mut fits = true;
            for load in loads(model, target, ways) {
                fits &= settled.room.fits(&load);
                settled.room.take(&load);
                taken.push(load);
            }
            taken.iter().for_each(|load| settled.room.give(load));
            if fits && target.bears(&taken) {
                settled.keep(model, goal, ways.clone());
            }
        }
        settled
    }
}

/// What the parts take, treated so.
pub(super) fn loads<'a>(
    model: &'a Model,
    goal: &'a Goal,
    ways: &'a [Way],
) -> impl Iterator<Item = Load> + 'a {
    goal.parts.iter().zip(ways).map(|(part, way)| model.load(part, *way))
}

/// What keeping a target so is worth.
pub(super) fn profit(model: &Model, goal: &Goal, ways: &[Way]) -> f64 {
    goal.keep - loads(model, goal, ways).map(|load| load.loss).sum::<f64>()
}
