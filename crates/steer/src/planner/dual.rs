//! What each limit is worth: prices that make the bound from above as low as it gets.
//!
//! With prices for limits, each target decides by itself whether it is worth what it takes. All targets' gains and the
//! worth of all limits are never less than the profit of any plan (Lagrange); the prices are moved along the excess
//! (subgradient, step of Polyak, direction of Camerini, Fratta and Maffioli).

use super::draft::loads;
use super::fit;
use super::model::Model;
use super::room::Room;
use super::work::Work;

/// Rounds without a lower bound after which steps become half as long.
const PATIENCE: usize = 6;
/// The last direction's part in the next.
const MEMORY: f64 = 0.6;
/// Part of the last look in the shares.
const FRESH: f64 = 0.15;
/// Steps shorter than this share of the first do nothing any more.
const STEP_MIN: f64 = 1e-5;

/// The best prices so far.
#[derive(Clone, Debug)]
pub(super) struct Dual {
    /// No plan of these targets has more profit.
    pub(super) bound: f64,
    /// Profit for a unit of each limit.
    pub(super) prices: Room,
    /// By target: what keeping gains above what it takes, at these prices; negative: it is not worth it.
    pub(super) gains: Vec<f64>,
    /// By target: in which share of the last looks it was worth it.
    pub(super) shares: Vec<f64>,
    weights: Vec<f64>,
    direction: Vec<f64>,
    step: f64,
    waited: usize,
    current: Vec<f64>,
}

/// One look at all targets at some prices.
struct Look {
    bound: f64,
    gains: Vec<f64>,
    used: Room,
}

impl Dual {
    /// Without prices: every target that can be kept at all.
    pub(super) fn new(model: &Model, work: &mut Work) -> Self {
        Self::at(model, Room::empty(&model.room), 1.0, work)
    }

    /// At these prices, with a first step of this length.
    pub(super) fn at(model: &Model, prices: Room, step: f64, work: &mut Work) -> Self {
        let worth = model.room.each().zip(prices.each());
        let weights: Vec<f64> = worth
            .map(|(limit, price)| if limit.is_finite() && *limit > 0.0 { limit * price } else { 0.0 })
            .collect();
        let prices = priced(&model.room, &weights);
        let look = look(model, &prices, work);
        Self {
            bound: look.bound,
            gains: look.gains.clone(),
            shares: look.gains.iter().map(|gain| f64::from(u8::from(*gain > 0.0))).collect(),
            current: weights.clone(),
            direction: vec![0.0; weights.len()],
            weights,
            step,
            waited: 0,
            prices,
        }
        .turned(model, &look)
    }

    fn turned(mut self, model: &Model, look: &Look) -> Self {
        self.turn(model, look);
        self
    }

    /// The same, where shares were seen before; targets are found by their place in the whole.
    pub(super) fn with_shares(mut self, shares: Vec<f64>) -> Self {
        self.shares = shares;
        self
    }

    /// Whether steps have become too short to change anything.
    pub(super) fn is_settled(&self) -> bool {
        self.step < STEP_MIN
    }

    /// One step, given a plan's profit; whether the bound became lower.
    pub(super) fn improve(&mut self, model: &Model, known: f64, work: &mut Work) -> bool {
        let norm: f64 = self.direction.iter().map(|d| d * d).sum();
        if norm <= 0.0 {
            self.step = 0.0;
            return false;
        }
        let length = self.step * (self.bound - known).max(self.bound.abs() * 1e-6) / norm;
        for (weight, direction) in self.current.iter_mut().zip(&self.direction) {
            *weight = (*weight + length * direction).max(0.0);
        }
        let prices = priced(&model.room, &self.current);
        let look = look(model, &prices, work);
        let better = look.bound < self.bound;
        if better {
            let much = look.bound < self.bound - 1e-5 * (self.bound - known).abs();
            self.waited = if much { 0 } else { self.waited + 1 };
            self.bound = look.bound;
            self.prices = prices;
            self.gains.clone_from(&look.gains);
            self.weights.clone_from(&self.current);
        } else {
            self.waited += 1;
        }
        if self.waited >= PATIENCE {
            self.waited = 0;
            self.step *= 0.6;
            self.current.clone_from(&self.weights);
            self.direction.iter_mut().for_each(|d| *d = 0.0);
        }
        self.turn(model, &look);
        better
    }

    /// The next direction: by how much of each limit too much is taken, and some of the last direction.
    fn turn(&mut self, model: &Model, look: &Look) {
        for (share, gain) in self.shares.iter_mut().zip(&look.gains) {
            *share += FRESH * (f64::from(u8::from(*gain > 0.0)) - *share);
        }
        let limits = model.room.each().zip(look.used.each());
        for (((limit, used), direction), weight) in limits.zip(&mut self.direction).zip(&self.current) {
            let excess = if limit.is_finite() && *limit > 0.0 { used / limit - 1.0 } else { 0.0 };
            *direction = excess + MEMORY * *direction;
            if *weight <= 0.0 && *direction < 0.0 {
                *direction = 0.0;
            }
        }
    }
}

fn priced(room: &Room, weights: &[f64]) -> Room {
    let mut prices = room.clone();
    for (limit, weight) in prices.each_mut().zip(weights) {
        *limit = if *limit > 0.0 && limit.is_finite() { weight / *limit } else { 0.0 };
    }
    prices
}

fn look(model: &Model, prices: &Room, work: &mut Work) -> Look {
    let mut used = Room::empty(&model.room);
    let mut room = model.room.clone();
    let mut bound: f64 = model
        .room
        .each()
        .zip(prices.each())
        .filter(|(limit, _)| limit.is_finite())
        .map(|(limit, price)| limit * price)
        .sum();
    let gains = model.goals.iter().map(|target| {
        let Some(fit) = fit::least(model, target, &mut room, prices, work) else {
            if target.forced {
                bound = f64::NEG_INFINITY;
            }
            return f64::NEG_INFINITY;
        };
        let gain = target.keep - fit.cost;
        if gain > 0.0 || target.forced {
            bound += gain;
            loads(model, target, &fit.ways).for_each(|load| used.add(&load, 1.0));
        }
        gain
    });
    let gains = gains.collect();
    Look { bound, gains, used }
}
