//! What each limit is worth: prices that make the bound from above as low as it gets.
//!
//! With prices for limits, each target decides by itself whether it is worth what it takes. All targets' gains and the
//! worth of all limits are never less than the profit of any plan (Lagrange). At first nearly all ways cost the same and
//! everything changes at once, so prices move by factors, with what was wanted in the last rounds in mind; later along the
//! excess (subgradient, step of Polyak, direction of Camerini, Fratta and Maffioli).

use super::draft::loads;
use super::fit;
use super::model::Model;
use super::room::Room;
use super::work::Work;

/// Rounds without a lower bound after which steps become shorter.
const PATIENCE: usize = 6;
/// Shortenings after which the search goes back to the best prices.
const RETURN: usize = 4;
/// The last direction's part in the next.
const MEMORY: f64 = 0.6;
/// Part of the last look in the shares.
const FRESH: f64 = 0.15;
/// Steps shorter than this share of the first do nothing any more.
const STEP_MIN: f64 = 1e-5;
/// The first step after prices moved by factors.
const STEP_LATER: f64 = 0.3;
/// Beginnings that are tried, each half as high as the last.
const BEGINNINGS: usize = 12;
/// The largest first change of a price, as the logarithm of its factor …
const EAGER: f64 = 0.6;
/// … and the rounds after which it is half as large.
const CALM: f64 = 20.0;
/// Part of the last look in what is wanted.
const HEARD: f64 = 0.35;
/// More excess than this counts as this.
const EXCESS_MAX: f64 = 3.0;
/// No price falls below this share of the first bound: it could not rise again.
const FLOOR: f64 = 1e-7;

/// The best prices so far, and where the search for better ones stands.
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
    /// What all of each limit is worth at the best prices.
    weights: Vec<f64>,
    /// The same at the prices that are looked at.
    current: Vec<f64>,
    /// By how much too much of each limit is taken.
    direction: Vec<f64>,
    /// What the last look gave.
    last: f64,
    first: f64,
    step: f64,
    waited: usize,
    shortened: usize,
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
        Self::at(model, &Room::empty(&model.room), 1.0, work)
    }

    /// At these prices, with a first step of this length.
    pub(super) fn at(model: &Model, prices: &Room, step: f64, work: &mut Work) -> Self {
        let worth = model.room.each().zip(prices.each());
        let weights: Vec<f64> =
            worth.map(|(limit, price)| if binds(*limit) { limit * price } else { 0.0 }).collect();
        let prices = priced(&model.room, &weights);
        let look = look(model, &prices, work);
        let mut dual = Self {
            bound: look.bound,
            gains: look.gains.clone(),
            shares: look.gains.iter().map(|gain| f64::from(u8::from(*gain > 0.0))).collect(),
            current: weights.clone(),
            direction: vec![0.0; weights.len()],
            weights,
            last: look.bound,
            first: look.bound,
            step,
            waited: 0,
            shortened: 0,
            prices,
        };
        dual.turn(model, &look);
        dual
    }

    /// Begins with one weight for all limits, the best of some.
    pub(super) fn begin(&mut self, model: &Model, work: &mut Work) {
        self.begin_below(model, 2.0, BEGINNINGS, work);
    }

    /// The same of so many weights, the highest of them this part of the bound.
    pub(super) fn begin_below(&mut self, model: &Model, part: f64, tries: usize, work: &mut Work) {
        let mut best = f64::INFINITY;
        let mut weight = self.bound / part;
        for _ in 0..tries {
            if work.is_spent() {
                break;
            }
            let weights: Vec<f64> =
                model.room.each().map(|limit| if binds(*limit) { weight } else { 0.0 }).collect();
            let look = self.see(model, &weights, work);
            if look.bound <= best {
                best = look.bound;
                self.current = weights;
                self.listen(model, &look, 1.0);
            }
            weight /= 2.0;
        }
    }

    /// Raises prices of what is wanted too much and lowers others, by factors.
    #[expect(clippy::cast_precision_loss, reason = "a number of rounds is small")]
    pub(super) fn bargain(&mut self, model: &Model, round: usize, work: &mut Work) {
        let most = self.direction.iter().copied().fold(1e-3, f64::max).min(1.0);
        let eager = EAGER / (1.0 + round as f64 / CALM) / most;
        let floor = self.first * FLOOR;
        for (weight, excess) in self.current.iter_mut().zip(&self.direction) {
            *weight = weight.max(floor) * libm::exp(eager * excess.clamp(-most, most));
        }
        let weights = self.current.clone();
        let look = self.see(model, &weights, work);
        self.listen(model, &look, HEARD);
    }

    /// Goes on from the best prices.
    pub(super) fn go_back(&mut self) {
        self.current.clone_from(&self.weights);
        self.direction.iter_mut().for_each(|d| *d = 0.0);
        self.step = STEP_LATER;
    }

    /// One step along the excess, given a plan's profit.
    pub(super) fn improve(&mut self, model: &Model, known: f64, work: &mut Work) {
        let norm: f64 = self.direction.iter().map(|d| d * d).sum();
        let length = self.step * (self.last - known).max(self.bound.abs() * 1e-6) / norm.max(1e-9);
        for (weight, direction) in self.current.iter_mut().zip(&self.direction) {
            *weight = (*weight + length * direction).max(0.0);
        }
        let weights = self.current.clone();
        let much = self.bound - 1e-5 * (self.bound - known).abs();
        let look = self.see(model, &weights, work);
        self.waited = if look.bound < much { 0 } else { self.waited + 1 };
        if self.waited >= PATIENCE {
            self.waited = 0;
            self.step *= 0.6;
            self.shortened += 1;
            if self.shortened.is_multiple_of(RETURN) {
                self.current.clone_from(&self.weights);
                self.direction.iter_mut().for_each(|d| *d = 0.0);
            }
        }
        self.turn(model, &look);
    }

    /// The same, where shares were seen before.
    pub(super) fn with_shares(mut self, shares: Vec<f64>) -> Self {
        self.shares = shares;
        self
    }

    /// Whether steps have become too short to change anything.
    pub(super) fn is_settled(&self) -> bool {
        self.step < STEP_MIN
    }

    /// Looks at the prices of these weights, and takes them if they are the best.
    fn see(&mut self, model: &Model, weights: &[f64], work: &mut Work) -> Look {
        let prices = priced(&model.room, weights);
        let look = look(model, &prices, work);
        self.last = look.bound;
        if look.bound < self.bound {
            self.bound = look.bound;
            self.prices = prices;
            self.gains.clone_from(&look.gains);
            self.weights = weights.to_vec();
        }
        for (share, gain) in self.shares.iter_mut().zip(&look.gains) {
            *share += FRESH * (f64::from(u8::from(*gain > 0.0)) - *share);
        }
        look
    }

    /// Takes in what was wanted.
    fn listen(&mut self, model: &Model, look: &Look, fresh: f64) {
        for (direction, excess) in self.direction.iter_mut().zip(look.excess(model)) {
            *direction += fresh * (excess.min(EXCESS_MAX) - *direction);
        }
    }

    /// The next direction: by how much of each limit too much is taken, and some of the last direction.
    fn turn(&mut self, model: &Model, look: &Look) {
        let each = self.direction.iter_mut().zip(look.excess(model)).zip(&self.current);
        for ((direction, excess), weight) in each {
            *direction = excess + MEMORY * *direction;
            if *weight <= 0.0 && *direction < 0.0 {
                *direction = 0.0;
            }
        }
    }
}

impl Look {
    /// By limit, the share of it that is taken beyond it.
    fn excess<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = f64> + 'a {
        let limits = model.room.each().zip(self.used.each());
        limits.map(|(limit, used)| if binds(*limit) { used / limit - 1.0 } else { 0.0 })
    }
}

fn binds(limit: f64) -> bool {
    limit > 0.0 && limit.is_finite()
}

fn priced(room: &Room, weights: &[f64]) -> Room {
    let mut prices = room.clone();
    for (limit, weight) in prices.each_mut().zip(weights) {
        *limit = if binds(*limit) { weight / *limit } else { 0.0 };
    }
    prices
}

fn look(model: &Model, prices: &Room, work: &mut Work) -> Look {
    let mut used = Room::empty(&model.room);
    let mut room = model.room.clone();
    let limits = model.room.each().zip(prices.each());
    let mut bound: f64 =
        limits.filter(|(limit, _)| limit.is_finite()).map(|(limit, price)| limit * price).sum();
    let gains = model.goals.iter().map(|goal| {
        let Some(fit) = fit::least(model, goal, &mut room, prices, work) else {
            if goal.forced {
                bound = f64::NEG_INFINITY;
            }
            return f64::NEG_INFINITY;
        };
        let gain = goal.keep - fit.cost;
        if gain > 0.0 || goal.forced {
            bound += gain;
            loads(model, goal, &fit.ways).for_each(|load| used.add(&load, 1.0));
        }
        gain
    });
    let gains = gains.collect();
    Look { bound, gains, used }
}
