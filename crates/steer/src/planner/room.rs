//! What links, routers and absorbers still have; and, in the same shape, what a unit of each is worth.

use super::model::{Goal, Load};

/// A number for each limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Room {
    /// Bits/s, by entry.
    pub(super) link: Vec<f64>,
    /// Rules, by entry.
    pub(super) slots: Vec<f64>,
    /// Bits/s, by absorber.
    pub(super) bps: Vec<f64>,
    /// Packets/s, by absorber.
    pub(super) pps: Vec<f64>,
}

impl Room {
    /// Nothing in the shape of another.
    pub(super) fn empty(like: &Self) -> Self {
        let zeros = |of: &[f64]| vec![0.0; of.len()];
        Self {
            link: zeros(&like.link),
            slots: zeros(&like.slots),
            bps: zeros(&like.bps),
            pps: zeros(&like.pps),
        }
    }

    /// Takes what a load needs.
    pub(super) fn take(&mut self, load: &Load) {
        self.add(load, -1.0);
    }

    /// Gives it back.
    pub(super) fn give(&mut self, load: &Load) {
        self.add(load, 1.0);
    }

    /// Adds so many times a load.
    pub(super) fn add(&mut self, load: &Load, times: f64) {
        plus(&mut self.link, load.entry, load.link * times);
        plus(&mut self.slots, load.entry, load.slots * times);
        if let Some(absorber) = load.absorber {
            plus(&mut self.bps, absorber, load.received * times);
            plus(&mut self.pps, absorber, load.pps * times);
        }
    }

    /// Whether a load fits.
    pub(super) fn fits(&self, load: &Load) -> bool {
        load.link <= at(&self.link, load.entry)
            && load.slots <= at(&self.slots, load.entry)
            && load.absorber.is_none_or(|absorber| {
                load.received <= at(&self.bps, absorber) && load.pps <= at(&self.pps, absorber)
            })
    }

    /// All numbers, in one order.
    pub(super) fn each(&self) -> impl Iterator<Item = &f64> {
        self.link.iter().chain(&self.slots).chain(&self.bps).chain(&self.pps)
    }

    /// All numbers, in the same order.
    pub(super) fn each_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        let Self { link, slots, bps, pps } = self;
        link.iter_mut().chain(slots).chain(bps).chain(pps)
    }

    /// A limit that all loads together do not reach is none.
    pub(super) fn forget_what_cannot_bind(&mut self, goals: &[Goal]) {
        let mut most = Self::empty(self);
        for part in goals.iter().flat_map(|goal| &goal.parts) {
            let link = part.open.iter().map(|open| open.link).fold(part.legit, f64::max);
            let slots = part.open.iter().map(|open| open.slots).fold(0.0, f64::max);
            let slots = part.diverted.iter().map(|diverted| diverted.slots).fold(slots, f64::max);
            plus(&mut most.link, part.entry, link);
            plus(&mut most.slots, part.entry, slots);
            if let Some(diverted) = part.diverted.first() {
                for absorber in &part.reach {
                    plus(&mut most.bps, *absorber, diverted.received);
                    plus(&mut most.pps, *absorber, diverted.pps);
                }
            }
        }
        for (limit, most) in self.each_mut().zip(most.each()) {
            if *most <= *limit {
                *limit = f64::INFINITY;
            }
        }
    }
}

/// The number at this place; 0 beyond the end.
pub(super) fn at(of: &[f64], place: usize) -> f64 {
    of.get(place).copied().unwrap_or_default()
}

pub(super) fn plus(of: &mut [f64], place: usize, amount: f64) {
    if let Some(number) = of.get_mut(place) {
        *number += amount;
    }
}
