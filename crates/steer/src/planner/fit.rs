//! The cheapest way to keep one target in the room that is left, at given prices.

use super::model::{Goal, Load, Model, Part, Way};
use super::room::{Room, at};
use super::work::Work;

/// Ways looked at for one target whose entries get into each other's way.
const TRIES_MAX: usize = 2_000;

/// How a target can be kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Fit {
    /// Profit lost and prices paid.
    pub(super) cost: f64,
    /// One for each part.
    pub(super) ways: Vec<Way>,
    /// Whether nothing can cost less.
    pub(super) least: bool,
}

/// What the target bears beside what it gets already.
#[derive(Clone, Copy, Debug)]
struct Bears {
    bps: f64,
    pps: f64,
}

/// The cheapest ways for all parts that the room holds; `None`: none was found. The room is as before.
pub(super) fn fit(
    model: &Model,
    goal: &Goal,
    room: &mut Room,
    prices: &Room,
    work: &mut Work,
) -> Option<Fit> {
    seek(model, goal, room, prices, work).0
}

/// The same, and whether all was looked at.
fn seek(model: &Model, goal: &Goal, room: &mut Room, prices: &Room, work: &mut Work) -> (Option<Fit>, bool) {
    let mut bears = Bears { bps: goal.max_bps, pps: goal.max_pps };
    let mut fit = Fit { cost: 0.0, ways: Vec::with_capacity(goal.parts.len()), least: true };
    let mut taken = Vec::with_capacity(goal.parts.len());
    let mut entangled = false;
    for part in &goal.parts {
        let Some((cost, way)) = cheapest(model, part, room, prices, bears, work) else {
            entangled = true;
            break;
        };
        let load = model.load(part, way);
        fit.cost += cost;
        fit.ways.push(way);
        bears.bps -= load.link;
        bears.pps -= load.arriving();
        room.take(&load);
        taken.push(load);
    }
    taken.iter().for_each(|load| room.give(load));
    if goal.parts.len() <= 1 {
        return ((!entangled).then_some(fit), true);
    }
    // What the first parts took may have cost the later ones more.
    let Some(free) = least_each(model, goal, room, prices, work) else { return (None, true) };
    if !entangled && fit.cost <= free {
        return (Some(fit), true);
    }
    let known = (!entangled).then_some(fit);
    Search::of(model, goal, room, prices, known).run(room, work)
}

/// What the parts cost if they do not get into each other's way; `None`: one cannot be treated at all.
fn least_each(model: &Model, goal: &Goal, room: &Room, prices: &Room, work: &mut Work) -> Option<f64> {
    let bears = Bears { bps: goal.max_bps, pps: goal.max_pps };
    goal.parts.iter().map(|part| cheapest(model, part, room, prices, bears, work).map(|(cost, _)| cost)).sum()
}

/// A bound from below on the cost, with the ways where they cost just that; `None`: there are none.
pub(super) fn least(
    model: &Model,
    goal: &Goal,
    room: &mut Room,
    prices: &Room,
    work: &mut Work,
) -> Option<Fit> {
    let free = least_each(model, goal, room, prices, work)?;
    match seek(model, goal, room, prices, work) {
        (Some(fit), true) => Some(fit),
        (Some(fit), false) => Some(Fit { cost: free.min(fit.cost), ..fit }),
        (None, true) => None,
        // Not found within the tries: it may exist.
        (None, false) => Some(Fit { cost: free, ways: Vec::new(), least: false }),
    }
}

fn cheapest(
    model: &Model,
    part: &Part,
    room: &Room,
    prices: &Room,
    bears: Bears,
    work: &mut Work,
) -> Option<(f64, Way)> {
    let (link_left, slots_left) = (at(&room.link, part.entry), at(&room.slots, part.entry));
    let (link_price, slot_price) = (at(&prices.link, part.entry), at(&prices.slots, part.entry));
    let mut best: Option<(f64, Way)> = None;
    let mut offer = |cost: f64, way: Way| {
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, way));
        }
    };
    work.spend(part.open.len());
    let link_most = link_left.min(bears.bps);
    for (set, open) in part.open.iter().enumerate() {
        if !open.barred && open.slots <= slots_left && open.link <= link_most && open.pps <= bears.pps {
            offer(open.lost + open.link * link_price + open.slots * slot_price, Way::Open(set));
        }
    }
    if part.legit > link_most {
        return best;
    }
    for (set, diverted) in part.diverted.iter().enumerate() {
        if diverted.slots > slots_left {
            continue;
        }
        work.spend(part.reach.len());
        let fixed = part.legit * link_price + diverted.slots * slot_price;
        for absorber in &part.reach {
            if diverted.received <= at(&room.bps, *absorber) && diverted.pps <= at(&room.pps, *absorber) {
                let each = at(&model.costs, *absorber) + at(&prices.bps, *absorber);
                let cost = fixed + diverted.received * each + diverted.pps * at(&prices.pps, *absorber);
                offer(cost, Way::Diverted(set, *absorber));
            }
        }
    }
    best
}

/// A way with what it costs.
type Priced = (f64, Way, Load);

/// Every way of a part that the room holds, the cheapest first.
pub(super) fn all(model: &Model, goal: &Goal, part: &Part, room: &Room, prices: &Room) -> Vec<Priced> {
    let open = part.open.iter().enumerate().filter(|(_, open)| !open.barred).map(|(set, _)| Way::Open(set));
    let diverted = (0..part.diverted.len())
        .flat_map(|set| part.reach.iter().map(move |absorber| Way::Diverted(set, *absorber)));
    let mut ways: Vec<Priced> = open
        .chain(diverted)
        .map(|way| (way, model.load(part, way)))
        .filter(|(_, load)| room.fits(load) && load.link <= goal.max_bps && load.arriving() <= goal.max_pps)
        .map(|(way, load)| (price(&load, prices), way, load))
        .collect();
    ways.sort_by(|a, b| a.0.total_cmp(&b.0));
    ways
}

/// What a load costs in profit and at these prices.
pub(super) fn price(load: &Load, prices: &Room) -> f64 {
    let absorbed =
        load.absorber.map_or(0.0, |k| load.received * at(&prices.bps, k) + load.pps * at(&prices.pps, k));
    load.loss
        + load.link * at(&prices.link, load.entry)
        + load.slots * at(&prices.slots, load.entry)
        + absorbed
}

/// Depth first, the cheapest first, cut where even the cheapest rest is no better than what is known.
struct Search {
    ways: Vec<Vec<Priced>>,
    /// What the parts from here on cost at least.
    rest: Vec<f64>,
    best: Option<Fit>,
    tries: usize,
    path: Vec<Way>,
    bears: Bears,
}

impl Search {
    fn of(model: &Model, goal: &Goal, room: &Room, prices: &Room, known: Option<Fit>) -> Self {
        let ways: Vec<Vec<Priced>> =
            goal.parts.iter().map(|part| all(model, goal, part, room, prices)).collect();
        let mut rest = vec![0.0];
        for ways in ways.iter().rev() {
            let least = ways.first().map_or(f64::INFINITY, |(cost, ..)| *cost);
            rest.push(least + rest.last().copied().unwrap_or_default());
        }
        rest.reverse();
        let bears = Bears { bps: goal.max_bps, pps: goal.max_pps };
        Self { ways, rest, best: known, tries: 0, path: Vec::new(), bears }
    }

    fn run(mut self, room: &mut Room, work: &mut Work) -> (Option<Fit>, bool) {
        let ways = std::mem::take(&mut self.ways);
        self.descend(&ways, room, 0.0);
        work.spend(self.tries * 4 + ways.iter().map(Vec::len).sum::<usize>() * 4);
        let whole = self.tries < TRIES_MAX;
        (self.best.map(|fit| Fit { least: whole, ..fit }), whole)
    }

    fn descend(&mut self, ways: &[Vec<Priced>], room: &mut Room, spent: f64) {
        let Some((here, later)) = ways.split_first() else {
            if self.best.as_ref().is_none_or(|best| spent < best.cost) {
                self.best = Some(Fit { cost: spent, ways: self.path.clone(), least: true });
            }
            return;
        };
        let after = self.rest.get(self.path.len() + 1).copied().unwrap_or_default();
        for (cost, way, load) in here {
            let bound = spent + cost + after;
            if self.tries >= TRIES_MAX || self.best.as_ref().is_some_and(|best| bound >= best.cost) {
                return;
            }
            self.tries += 1;
            if !room.fits(load) || load.link > self.bears.bps || load.arriving() > self.bears.pps {
                continue;
            }
            room.take(load);
            self.path.push(*way);
            let before = self.bears;
            self.bears = Bears { bps: before.bps - load.link, pps: before.pps - load.arriving() };
            self.descend(later, room, spent + cost);
            self.bears = before;
            self.path.pop();
            room.give(load);
        }
    }
}
