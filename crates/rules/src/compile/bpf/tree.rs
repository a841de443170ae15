//! The decision tree over rules that share a destination: numbers of the packet are cut in two until few rules are left.
//!
//! Cuts as in HyperSplit (Qi et al. 2009). Rules that do not care about a number would stand on both sides of its cuts;
//! where many do, they get a tree of their own that is asked afterwards (EffiCuts, Vamanan et al. 2010), and the
//! better answer of the two wins.

use alloc::vec::Vec;

use super::assembler::{Assembler, Label, Operand, Test};
use super::leaf::{self, RECORD, load};
use super::question::{Dimension, Question, Span};
use super::record;
use crate::family::Family;

/// Rules that are tested one after the other.
const LEAF: usize = 4;
/// Cuts looked at for each number.
const CUTS: usize = 32;
/// Rules written down at most, in multiples of those there are: beyond it nothing is cut any more.
const COPIES_MAX: usize = 8;

/// What is known of a packet's numbers.
#[derive(Clone, Debug)]
pub(super) struct Known([Span; 10]);

impl Known {
    pub(super) fn nothing(family: Family) -> Self {
        Self(Dimension::ALL.map(|dimension| (0, dimension.max(family))))
    }

    pub(super) fn of(&self, dimension: Dimension) -> Span {
        self.0.get(dimension.index()).copied().unwrap_or((0, u128::MAX))
    }

    fn with(&self, dimension: Dimension, span: Span) -> Self {
        let mut known = self.clone();
        if let Some(place) = known.0.get_mut(dimension.index()) {
            *place = span;
        }
        known
    }
}

/// Where to go on, and the first rule that may be found there; `u32::MAX` if none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Then {
    pub(super) label: Label,
    pub(super) best: u32,
    /// Where a decided packet goes.
    pub(super) done: Label,
}

/// What is written for one family.
pub(super) struct Writer<'a> {
    pub(super) a: &'a mut Assembler,
    pub(super) family: Family,
    /// Added to the place of a rule.
    pub(super) base: u32,
    /// Rules written down, and how many may be.
    pub(super) written: usize,
    pub(super) written_max: usize,
}

impl Writer<'_> {
    /// Allows so many copies of these rules.
    pub(super) fn allow(&mut self, rules: usize) {
        self.written_max = self.written + COPIES_MAX * rules + 64;
    }

    /// Finds the first of `rules` that matches, or goes on. `fresh`: none can have been found before.
    pub(super) fn group(&mut self, rules: &[&Question<'_>], known: &Known, fresh: bool, then: Then) {
        if rules.is_empty() {
            self.a.goto(then.label);
            return;
        }
        match self.way(rules, known) {
            Way::Test => self.leaf(rules, known, fresh, then),
            Way::Cut(dimension, at) => {
                let (from, to) = known.of(dimension);
                let upper = self.a.label();
                self.branch_at_least(dimension, at, upper);
                for (span, label) in [((from, at - 1), None), ((at, to), Some(upper))] {
                    if let Some(label) = label {
                        self.a.bind(label);
                    }
                    let side: Vec<_> = rules.iter().copied().filter(|q| meets(q, dimension, span)).collect();
                    self.group(&side, &known.with(dimension, span), fresh, then);
                }
            }
            Way::Part(dimension) => {
                let all = known.of(dimension);
                let (indifferent, choosy): (Vec<_>, Vec<_>) =
                    rules.iter().copied().partition(|q| spans_all(q, dimension, all));
                let later = self.a.label();
                let best = indifferent.first().map_or(then.best, |q| q.rule.min(then.best));
                self.group(&choosy, known, fresh, Then { label: later, best, ..then });
                self.a.bind(later);
                self.group(&indifferent, known, false, then);
            }
        }
    }

    fn leaf(&mut self, rules: &[&Question<'_>], known: &Known, fresh: bool, then: Then) {
        for q in rules {
            self.written += 1;
            let (no, before) = (self.a.label(), self.a.len());
            leaf::tests(self.a, q, known, self.family, no);
            let certain = self.a.len() == before;
            let place = self.base + q.rule;
            let goes_to = if q.rule < then.best { then.done } else { then.label };
            if !fresh {
                load(self.a, 1, record::RULE);
                self.a.branch(1, Test::Below, Operand::Number(place), goes_to);
            }
            self.a.store(RECORD, record::RULE.offset, place);
            self.a.goto(goes_to);
            if certain {
                return;
            }
            self.a.bind(no);
        }
        self.a.goto(then.label);
    }

    /// Goes there when the number is at least `at`.
    fn branch_at_least(&mut self, dimension: Dimension, at: u128, to: Label) {
        if dimension == Dimension::Source && self.family == Family::V6 {
            load(self.a, 1, record::SRC_HIGH);
            load(self.a, 2, record::SRC_LOW);
            at_least_wide(self.a, (1, 2, 3), at, to);
        } else {
            load(self.a, 1, dimension.field());
            self.a.branch(1, Test::AtLeast, Operand::Number(u32::try_from(at).unwrap_or(u32::MAX)), to);
        }
    }

    fn way(&self, rules: &[&Question<'_>], known: &Known) -> Way {
        if rules.len() <= LEAF || self.written + rules.len() > self.written_max {
            return Way::Test;
        }
        let cuts = Dimension::ALL.into_iter().filter_map(|d| Some((d, cut(rules, d, known.of(d))?)));
        let best = cuts.min_by_key(|(_, c)| (c.largest, c.copies));
        let n = rules.len();
        if let Some((dimension, cut)) = best
            && cut.largest < n
            && (cut.copies * 4 <= n || n <= 2 * LEAF)
        {
            return Way::Cut(dimension, cut.at);
        }
        // The number that most rules ask; who does not care for it is asked later.
        let choosy = |d: Dimension| rules.iter().filter(|q| !spans_all(q, d, known.of(d))).count();
        let parts = Dimension::ALL.into_iter().map(|d| (choosy(d), d)).filter(|(count, _)| *count > 0);
        match parts.max_by_key(|(count, d)| (*count, core::cmp::Reverse(*d))) {
            Some((count, dimension)) if count < n => Way::Part(dimension),
            _ => match best {
                Some((dimension, cut)) if cut.largest < n => Way::Cut(dimension, cut.at),
                _ => Way::Test,
            },
        }
    }
}

/// Goes there when the 128 bits in the first two registers are at least `at`; the third is used up.
pub(super) fn at_least_wide(a: &mut Assembler, (high, low, free): (u8, u8, u8), at: u128, to: Label) {
    let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
    let (at_high, at_low) = (half(at >> 64), half(at));
    a.set_wide(free, at_high);
    if at_low == 0 {
        a.branch(high, Test::AtLeast, Operand::Register(free), to);
        return;
    }
    let below = a.label();
    a.branch(high, Test::Above, Operand::Register(free), to);
    a.branch(high, Test::NotEqual, Operand::Register(free), below);
    a.set_wide(free, at_low);
    a.branch(low, Test::AtLeast, Operand::Register(free), to);
    a.bind(below);
}

/// What to do with some rules.
enum Way {
    /// Test them one after the other.
    Test,
    /// Tell them apart by whether this number is at least so large.
    Cut(Dimension, u128),
    /// Ask those first that ask this number.
    Part(Dimension),
}

#[derive(Clone, Copy)]
struct Cut {
    at: u128,
    /// Rules on the side that has more.
    largest: usize,
    /// Rules on both sides.
    copies: usize,
}

fn meets(q: &Question<'_>, dimension: Dimension, span: Span) -> bool {
    q.asked(dimension).is_none_or(|asked| asked.iter().any(|s| s.0 <= span.1 && span.0 <= s.1))
}

fn spans_all(q: &Question<'_>, dimension: Dimension, all: Span) -> bool {
    q.asked(dimension).is_none_or(|asked| asked.iter().any(|s| s.0 <= all.0 && all.1 <= s.1))
}

/// The best place to cut a number.
fn cut(rules: &[&Question<'_>], dimension: Dimension, (from, to): Span) -> Option<Cut> {
    let mut places: Vec<u128> = Vec::new();
    for span in rules.iter().filter_map(|q| q.asked(dimension)).flatten() {
        places.extend([Some(span.0), span.1.checked_add(1)].into_iter().flatten());
    }
    places.retain(|place| from < *place && *place <= to);
    places.sort_unstable();
    places.dedup();
    let step = places.len().div_ceil(CUTS).max(1);
    let judged = places.iter().skip(step / 2).step_by(step).map(|at| {
        let below = rules.iter().filter(|q| meets(q, dimension, (from, at - 1))).count();
        let above = rules.iter().filter(|q| meets(q, dimension, (*at, to))).count();
        Cut { at: *at, largest: below.max(above), copies: below + above - rules.len() }
    });
    judged.min_by_key(|cut| (cut.largest, cut.copies))
}
