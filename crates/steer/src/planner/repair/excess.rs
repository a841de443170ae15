//! What is too much in a trial: which limits are exceeded, how much that weighs, and what a move changes of it.

use super::{HEAVIER, ROUNDING, Trial};
use crate::planner::model::{Goal, Load};
use crate::planner::room::at;

impl Trial<'_> {
    /// Which limits are exceeded, by their place in the order of `Room::each`.
    pub(super) fn exceeded(&self) -> Vec<usize> {
        let all = self.draft.room.each().zip(self.model.room.each()).enumerate();
        all.filter(|(_, (left, limit))| **left < -**limit * ROUNDING).map(|(place, _)| place).collect()
    }

    /// They weigh more from now on.
    pub(super) fn press(&mut self, exceeded: &[usize]) {
        for (place, (weight, limit)) in self.weights.each_mut().zip(self.model.room.each()).enumerate() {
            if exceeded.contains(&place) {
                *weight += HEAVIER / *limit;
            }
        }
    }

    /// Whether a load takes of a limit.
    pub(super) fn loads_limit(&self, load: &Load, limit: usize) -> bool {
        let (links, absorbers) = (self.model.room.link.len(), self.model.room.bps.len());
        let place = |from: usize| limit.checked_sub(from);
        if limit < links {
            return load.entry == limit && load.link > 0.0;
        }
        if limit < 2 * links {
            return Some(load.entry) == place(links) && load.slots > 0.0;
        }
        let absorber = place(2 * links).map(|k| if k < absorbers { k } else { k - absorbers });
        load.absorber.is_some() && load.absorber == absorber
    }

    /// What is too much weighs so much more when a part is treated otherwise.
    pub(super) fn moved(&self, from: &Load, to: &Load) -> f64 {
        let (room, weights) = (&self.draft.room, &self.weights);
        let entry = from.entry;
        let mut change = more(&room.link, &weights.link, entry, to.link - from.link)
            + more(&room.slots, &weights.slots, entry, to.slots - from.slots);
        if from.absorber == to.absorber {
            if let Some(k) = to.absorber {
                change += self.absorbs(k, to.received - from.received, to.pps - from.pps);
            }
            return change;
        }
        if let Some(k) = from.absorber {
            change += self.absorbs(k, -from.received, -from.pps);
        }
        if let Some(k) = to.absorber {
            change += self.absorbs(k, to.received, to.pps);
        }
        change
    }

    pub(super) fn absorbs(&self, k: usize, bps: f64, pps: f64) -> f64 {
        more(&self.draft.room.bps, &self.weights.bps, k, bps)
            + more(&self.draft.room.pps, &self.weights.pps, k, pps)
    }

    /// What is too much weighs so much less without a load.
    pub(super) fn freed(&self, load: &Load) -> f64 {
        let nothing = Load { entry: load.entry, ..Load::default() };
        -self.moved(load, &nothing)
    }
}

/// Whether a target bears what comes when one part is treated otherwise.
pub(super) fn bears(goal: &Goal, loads: &[Load], part: usize, to: &Load) -> bool {
    if goal.max_bps.is_infinite() && goal.max_pps.is_infinite() {
        return true;
    }
    let others = || loads.iter().enumerate().filter(|(at, _)| *at != part).map(|(_, load)| load);
    others().map(|load| load.link).sum::<f64>() + to.link <= goal.max_bps
        && others().map(Load::arriving).sum::<f64>() + to.arriving() <= goal.max_pps
}

/// How much more what is too much weighs when so much more is taken.
fn more(room: &[f64], weights: &[f64], place: usize, taken: f64) -> f64 {
    let left = at(room, place);
    at(weights, place) * ((taken - left).max(0.0) - (-left).max(0.0))
}
