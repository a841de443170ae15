//! The beam search: from a shape to the conjunction of facts that is worth most.
//!
//! A conjunction is only counted where it could matter: no more rows than its rarer part has can be covered, and what it would
//! be worth then, harming nobody, has to reach the worst that is carried on so far, or the best fair one.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::bits::Bits;
use super::excerpt::{Excerpt, Item};
use super::fact::Slot;
use super::fair::{Fair, Lost};
use super::work;

/// Conjunctions carried from one depth to the next.
pub(crate) const WIDTH: usize = 12;
/// Facts of a conjunction at most.
pub(crate) const DEPTH: usize = 5;

/// Weight of the share of honest packets lost, and of honest peers hit, against the share of the attack covered.
const BETA: f64 = 4.0;
/// What harming anyone at all costs.
const HARM: f64 = 0.05;
/// What breaking the bound costs: conjunctions that do are only a way to better ones.
const UNFAIR: f64 = 0.2;
/// The pull of each fully tight fact.
const TIGHT: f64 = 0.05;
/// Covering more of a shape than this is worth nothing: the last few may be honest, and a rule stretched to hold them
/// says less about the attack.
const NEARLY: f64 = 0.975;

/// Which of a shape's facts: a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts(u128);

impl Facts {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn with(self, at: usize) -> Self {
        Self(self.0 | 1 << at)
    }

    const fn holds(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Those of `items`, in the order in which they were offered.
    pub(crate) fn of(self, items: &[Item]) -> impl Iterator<Item = &Item> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let at = usize::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
            left &= left - 1;
            items.get(at)
        })
    }

    /// By number, then by the order in which they were offered: whoever has the first that is not in both.
    fn order(self, other: Self) -> Ordering {
        let differ = self.0 ^ other.0;
        let first = differ & differ.wrapping_neg();
        let by_first = if differ == 0 {
            Ordering::Equal
        } else if self.0 & first != 0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        self.0.count_ones().cmp(&other.0.count_ones()).then(by_first)
    }
}

/// A conjunction, with the rows of an excerpt for which it holds.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) facts: Facts,
    pub(crate) attack: Bits,
    pub(crate) benign: Bits,
    /// Attack rows, and honest ones.
    count: (usize, usize),
    score: f64,
    pub(crate) fair: bool,
}

/// A conjunction that could be grown from one of the beam.
#[derive(Clone, Copy)]
struct Step {
    facts: Facts,
    from: usize,
    at: usize,
    count: (usize, usize),
    score: f64,
    fair: bool,
}

impl Step {
    const fn worth(&self) -> (f64, Facts) {
        (self.score, self.facts)
    }
}

/// What a conjunction of these facts is worth.
struct Scale<'a> {
    items: &'a [Item],
    /// Rows of the attack, and the share of them in this cell.
    total: f64,
    size: f64,
    /// No more of the attack than this is worth anything.
    most: f64,
    tight_enough: f64,
    honest: f64,
    peers: f64,
}

impl<'a> Scale<'a> {
    fn of(excerpt: &Excerpt<'_>, items: &'a [Item]) -> Self {
        let arena = excerpt.arena;
        let total = arena.attack.len() as f64;
        let size = excerpt.attack.rows.len() as f64 / total;
        Self {
            items,
            total,
            size,
            most: NEARLY * arena.attack_share * size,
            tight_enough: excerpt.cell.shape.tight_enough(),
            honest: arena.benign.len() as f64,
            peers: arena.peers as f64,
        }
    }

    /// The pull of all its facts and their cost.
    fn facts(&self, facts: Facts) -> (f64, f64) {
        let (mut tight, mut cost) = (0.0, 0.0);
        for item in facts.of(self.items) {
            tight += item.fact.tight;
            cost += item.cost;
        }
        (tight, cost)
    }

    /// Where nobody is harmed: never less than [`Scale::score`].
    fn unharmed(&self, (tight, cost): (f64, f64), count: usize) -> f64 {
        let covered = (count as f64 / self.total).min(self.most);
        covered * (1.0 + TIGHT * f64::min(tight, self.tight_enough)) - cost * self.size
    }

    fn score(&self, facts: (f64, f64), count: (usize, usize), lost: Lost) -> f64 {
        if count.1 == 0 {
            return self.unharmed(facts, count.0);
        }
        // Where the bound is broken, peers decide nothing.
        let (peers, unfair) = if lost.fair { (lost.peers as f64 / self.peers, 0.0) } else { (0.0, UNFAIR) };
        let harm = BETA * (count.1 as f64 / self.honest + peers) + (HARM + unfair) * self.size;
        self.unharmed(facts, count.0) - harm
    }
}

/// The best conjunction within what may be lost, else the best of all, of those that could be looked at.
pub(crate) fn best(excerpt: &Excerpt<'_>, items: &[Item], fair: &mut Fair<'_>) -> State {
    let work = &excerpt.arena.work;
    let scale = Scale::of(excerpt, items);
    let rows = excerpt.attack.rows.len();
    let all = |n: usize| Bits::of(n, |_| true);
    let root = {
        let (attack, benign) = (all(rows), all(excerpt.benign.rows.len()));
        let count = (rows, excerpt.benign.rows.len());
        let lost = fair.lost(&benign, count.1);
        let score = scale.score(scale.facts(Facts::NONE), count, lost);
        State { facts: Facts::NONE, attack, benign, count, score, fair: lost.fair }
    };
    let words = (root.attack.words(), root.benign.words());
    let (mut fairest, mut any) = (root.clone(), root.clone());
    let mut beam = vec![root];
    let mut lost = Bits::default();
    for _ in 0..DEPTH {
        let mut next: Vec<Step> = Vec::with_capacity(WIDTH + 1);
        let mut best_fair: Option<Step> = None;
        for (from, state) in beam.iter().enumerate() {
            let used: Vec<Slot> = state.facts.of(items).map(|i| i.fact.slot).collect();
            let before = beam.get(..from).unwrap_or(&[]);
            let weights = scale.facts(state.facts);
            for (at, item) in items.iter().enumerate() {
                let most = state.count.0.min(item.count);
                if most * 50 < rows || most < 2 || used.contains(&item.fact.slot) {
                    continue;
                }
                if work.is_spent() {
                    break;
                }
                work.spend(1, work::LOOK);
                // Sums in another order may differ in their last digits.
                let about = (weights.0 + item.fact.tight, weights.1 + item.cost - 1e-9);
                let matters = |count: usize| {
                    let score = scale.unharmed(about, count);
                    let beats = |least: Option<f64>| least.is_none_or(|least| score >= least);
                    beats(next.get(WIDTH - 1).map(|step| step.score))
                        || beats(best_fair.map(|step| step.score))
                            && (!fairest.fair || score >= fairest.score)
                };
                if !matters(most) {
                    continue;
                }
                // Most conjunctions can be grown from several others; the first one does.
                let facts = state.facts.with(at);
                if before.iter().any(|other| facts.holds(other.facts)) {
                    continue;
                }
                work.spend(words.0, work::WORD);
                let count = state.attack.count_and(&item.attack);
                if count * 50 < rows || count < 2 || !matters(count) {
                    continue;
                }
                let mut hit = 0;
                if state.count.1 > 0 {
                    work.spend(words.1, work::WORD);
                    lost.become_and(&state.benign, &item.benign);
                    hit = lost.count();
                }
                let verdict = fair.lost(&lost, hit);
                let count = (count, hit);
                let score = scale.score(scale.facts(facts), count, verdict);
                let step = Step { facts, from, at, count, score, fair: verdict.fair };
                if step.fair && best_fair.is_none_or(|old| order(step.worth(), old.worth()).is_lt()) {
                    best_fair = Some(step);
                }
                let place = next.partition_point(|old| order(old.worth(), step.worth()).is_lt());
                if place < WIDTH {
                    next.insert(place, step);
                    next.truncate(WIDTH);
                }
            }
        }
        let grown = |step: &Step| {
            let (state, item) = (beam.get(step.from)?, items.get(step.at)?);
            Some(State {
                facts: step.facts,
                attack: state.attack.and(&item.attack),
                benign: state.benign.and(&item.benign),
                count: step.count,
                score: step.score,
                fair: step.fair,
            })
        };
        let better =
            |state: &State, than: &State| order((state.score, state.facts), (than.score, than.facts)).is_lt();
        if let Some(state) = best_fair.as_ref().and_then(grown)
            && (!fairest.fair || better(&state, &fairest))
        {
            fairest = state;
        }
        let wide: Vec<State> = next.iter().filter_map(grown).collect();
        if let Some(state) = wide.first().filter(|s| better(s, &any)) {
            any = state.clone();
        }
        if wide.is_empty() {
            break;
        }
        beam = wide;
    }
    if fairest.fair { fairest } else { any }
}

/// Best first; equal ones by fewer facts, then by the order in which they were offered.
fn order(a: (f64, Facts), b: (f64, Facts)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.order(b.1))
}
