//! Branch and bound: at each node prices are found anew, what they settle is settled, and one open question is answered
//! either way.

use super::draft::Draft;
use super::dual::Dual;
use super::fit;
use super::model::{Goal, Model, Way};
use super::room::Room;
use super::work::Work;
use super::{greedy, regret};

/// Profits that differ by less than this share of the bound are equal.
const EQUAL: f64 = 1e-13;
/// Rounds of pricing at a node.
const ROUNDS: usize = 40;
/// The first step of pricing at a node; the prices of the node above are near.
const STEP: f64 = 0.4;
/// Looks of the search through what is left at a node, for each of its parts.
const LOOKS: usize = 300;
/// Questions above each other.
const DEPTH_MAX: usize = 400;

/// What is left to be decided.
#[derive(Clone)]
struct Node {
    model: Model,
    /// By target of the model: its place in the whole.
    places: Vec<usize>,
    /// Kept already, with the ways.
    settled: Vec<(usize, Vec<Way>)>,
    /// What those are worth.
    profit: f64,
    prices: Room,
    depth: usize,
}

struct Tree<'a> {
    whole: &'a Model,
    best: &'a mut Draft,
    work: &'a mut Work,
    /// Whether every branch was seen to its end.
    closed: bool,
}

/// Looks for a better plan until there is none, or the work is spent; whether there is none.
pub(super) fn search(model: &Model, dual: &Dual, best: &mut Draft, work: &mut Work) -> bool {
    let node = Node {
        model: model.clone(),
        places: (0..model.goals.len()).collect(),
        settled: Vec::new(),
        profit: 0.0,
        prices: dual.prices.clone(),
        depth: 0,
    };
    let mut tree = Tree { whole: model, best, work, closed: true };
    tree.visit(node);
    tree.closed
}

/// A question that is answered both ways.
enum Question {
    /// Whether a target is kept; the likelier answer.
    Keep(usize, bool),
    /// Whether a part goes to an absorber.
    Absorb(usize, usize, usize),
}

impl Tree<'_> {
    fn visit(&mut self, mut node: Node) {
        if self.work.is_spent() || node.depth > DEPTH_MAX {
            self.closed = false;
            return;
        }
        let mut dual = Dual::at(&node.model, &node.prices, STEP, self.work);
        for _ in 0..ROUNDS {
            if self.hopeless(node.profit + dual.bound) || dual.is_settled() {
                break;
            }
            dual.improve(&node.model, self.best.profit - node.profit, self.work);
        }
        if self.hopeless(node.profit + dual.bound) {
            return;
        }
        let scores = greedy::scores(&node.model, &dual);
        let draft = greedy::walk(&node.model, &scores, &dual.prices, self.work);
        self.offer(&node, &draft);
        let known = self.best.profit - node.profit;
        let Some(shares) = node.settle(&dual, known, self.work) else { return };
        // What was settled changed the model; its prices are still good ones.
        let dual = Dual::at(&node.model, &dual.prices, STEP, self.work).with_shares(shares);
        let parts: usize = node.model.goals.iter().map(|goal| goal.parts.len() + 1).sum();
        let mut looks = Work::new((LOOKS * (parts + 1)).min(self.work.left()));
        let given = looks.left();
        let (found, closed) = regret::search(&node.model, &dual, self.best.profit - node.profit, &mut looks);
        self.work.spend(given - looks.left());
        if let Some(found) = found {
            self.offer(&node, &found);
        }
        if closed || self.hopeless(node.profit + dual.bound) {
            return;
        }
        node.depth += 1;
        node.prices = dual.prices.clone();
        let Some(question) = node.question(&dual) else {
            self.closed = false;
            return;
        };
        for answer in [true, false] {
            let mut next = node.clone();
            next.answer(&question, answer);
            self.visit(next);
        }
    }

    fn hopeless(&self, bound: f64) -> bool {
        bound <= self.best.profit + self.best.profit.abs() * EQUAL
    }

    /// Takes a plan for what is left if it is better than the best one.
    fn offer(&mut self, node: &Node, draft: &Draft) {
        if node.profit + draft.profit <= self.best.profit {
            return;
        }
        let mut whole = Draft::new(self.whole);
        for (goal, ways) in &node.settled {
            whole.keep(self.whole, *goal, ways.clone());
        }
        for (goal, ways) in node.places.iter().zip(&draft.kept) {
            if let Some(ways) = ways {
                whole.keep(self.whole, *goal, ways.clone());
            }
        }
        if whole.profit > self.best.profit {
            *self.best = whole;
        }
    }
}

impl Node {
    /// Settles what no better plan can decide otherwise. In which share of the last looks those that are left were worth it;
    /// `None`: nothing better is possible.
    fn settle(&mut self, dual: &Dual, known: f64, work: &mut Work) -> Option<Vec<f64>> {
        let mut shares = Vec::with_capacity(dual.shares.len());
        let gap = dual.bound - known;
        let (goals, places) = (std::mem::take(&mut self.model.goals), std::mem::take(&mut self.places));
        for (((mut goal, place), gain), share) in
            goals.into_iter().zip(places).zip(&dual.gains).zip(&dual.shares)
        {
            if !goal.forced && *gain < -gap {
                continue;
            }
            goal.forced |= *gain > gap;
            let Some(single) = narrow(&self.model, &mut goal, dual, (gap, *gain), work) else {
                if goal.forced {
                    return None;
                }
                continue;
            };
            match single {
                Some(ways) if goal.forced => {
                    let loads: Vec<_> =
                        goal.parts.iter().zip(&ways).map(|(part, way)| self.model.load(part, *way)).collect();
                    if !goal.bears(&loads)
                        || !loads.iter().all(|load| {
                            let fits = self.model.room.fits(load);
                            self.model.room.take(load);
                            fits
                        })
                    {
                        return None;
                    }
                    self.profit += goal.keep - loads.iter().map(|load| load.loss).sum::<f64>();
                    self.settled.push((place, ways));
                }
                _ => {
                    self.model.goals.push(goal);
                    self.places.push(place);
                    shares.push(*share);
                }
            }
        }
        Some(shares)
    }

    fn question(&self, dual: &Dual) -> Option<Question> {
        let doubt = |share: f64| share.min(1.0 - share);
        let each =
            self.model.goals.iter().zip(&dual.shares).enumerate().filter(|(_, (goal, _))| !goal.forced);
        let most =
            each.max_by(|(_, (a, x)), (_, (b, y))| (doubt(**x) * a.keep).total_cmp(&(doubt(**y) * b.keep)));
        if let Some((goal, (_, share))) = most.filter(|(_, (_, share))| doubt(**share) > 0.02) {
            return Some(Question::Keep(goal, *share >= 0.5));
        }
        self.absorb(dual).or_else(|| most.map(|(goal, (_, share))| Question::Keep(goal, *share >= 0.5)))
    }

    /// The heaviest part that has a choice of absorbers.
    fn absorb(&self, dual: &Dual) -> Option<Question> {
        let mut heaviest: Option<(f64, Question)> = None;
        for (at, goal) in self.model.goals.iter().enumerate().filter(|(_, goal)| goal.forced) {
            for (place, part) in goal.parts.iter().enumerate() {
                let ways = fit::all(&self.model, goal, part, &self.model.room, &dual.prices);
                let several = ways
                    .iter()
                    .filter_map(|(_, _, load)| load.absorber)
                    .collect::<std::collections::BTreeSet<_>>();
                let Some(first) = ways.iter().find_map(|(_, _, load)| load.absorber) else { continue };
                if several.len() + usize::from(ways.iter().any(|(_, _, load)| load.absorber.is_none())) < 2 {
                    continue;
                }
                let weight = fit::price(&ways.first()?.2, &dual.prices);
                if heaviest.as_ref().is_none_or(|(most, _)| weight > *most) {
                    heaviest = Some((weight, Question::Absorb(at, place, first)));
                }
            }
        }
        heaviest.map(|(_, question)| question)
    }

    fn answer(&mut self, question: &Question, first: bool) {
        match *question {
            Question::Keep(goal, likely) => {
                if likely == first {
                    if let Some(goal) = self.model.goals.get_mut(goal) {
                        goal.forced = true;
                    }
                } else {
                    self.model.goals.remove(goal);
                    self.places.remove(goal);
                }
            }
            Question::Absorb(goal, part, absorber) => {
                let part = self.model.goals.get_mut(goal).and_then(|goal| goal.parts.get_mut(part));
                let Some(part) = part else { return };
                if first {
                    part.reach.retain(|k| *k == absorber);
                    part.open.iter_mut().for_each(|open| open.barred = true);
                } else {
                    part.reach.retain(|k| *k != absorber);
                }
            }
        }
    }
}

/// Takes ways away that lose more than the gap; `None`: a part has none, `Some(Some)`: each part has one.
fn narrow(
    model: &Model,
    goal: &mut Goal,
    dual: &Dual,
    (gap, gain): (f64, f64),
    work: &mut Work,
) -> Option<Option<Vec<Way>>> {
    let mut left = Vec::with_capacity(goal.parts.len());
    let mut free = 0.0;
    for part in &goal.parts {
        let ways = fit::all(model, goal, part, &model.room, &dual.prices);
        work.spend(ways.len() * 4);
        free += ways.first()?.0;
        left.push(ways);
    }
    // Where parts get into each other's way, what they lose by that is no regret of a single one.
    let gap = gap + (goal.keep - gain - free).max(0.0);
    let mut single = Some(Vec::new());
    for ways in &mut left {
        let least = ways.first()?.0;
        ways.retain(|(cost, ..)| cost - least <= gap);
        match (ways.as_slice(), &mut single) {
            ([(_, way, _)], Some(single)) => single.push(*way),
            _ => single = None,
        }
    }
    for (part, ways) in goal.parts.iter_mut().zip(left) {
        let open = |set| ways.iter().any(|(_, way, _)| *way == Way::Open(set));
        for (set, one) in part.open.iter_mut().enumerate() {
            if !open(set) {
                one.barred = true;
            }
        }
        part.reach.retain(|k| ways.iter().any(|(_, _, load)| load.absorber == Some(*k)));
    }
    Some(single)
}
