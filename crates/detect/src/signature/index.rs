//! The rows of an arena by their values: each number as its place among all, so that to count values is to count places, and
//! to ask for a range is to compare two small numbers.

use alloc::vec;
use alloc::vec::Vec;

use base::prefix::wide;

use super::arena::Arena;
use super::fact::{NUMERIC, Slot};
use super::row::{Answer, Row, Unknown};
use super::work;

/// The place of a row to which the answer is always no.
pub(crate) const NONE: u16 = u16::MAX;
/// … and of one to which it is always yes.
pub(crate) const ANY: u16 = u16::MAX - 1;

/// One number of all rows.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) slot: Slot,
    /// Distinct values, ascending.
    pub(crate) values: Vec<u32>,
    /// For each row the place of its value.
    pub(crate) attack: Vec<u16>,
    pub(crate) benign: Vec<u16>,
}

/// All numbers of all rows, and their sources.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) columns: Vec<Column>,
    pub(crate) attack_sources: Vec<u128>,
    pub(crate) benign_sources: Vec<u128>,
    /// Attack rows in the order of their sources.
    pub(crate) by_source: Vec<u32>,
}

impl Index {
    pub(crate) fn of(arena: &Arena) -> Self {
        arena.work.spend(arena.attack.len() + arena.benign.len(), work::INDEX);
        let attack = answers(&arena.attack, Unknown::Misses);
        let benign = answers(&arena.benign, Unknown::Matches);
        let sides = NUMERIC.into_iter().zip(attack.iter().zip(&benign));
        let columns = sides.map(|(slot, (attack, benign))| Column::of(slot, attack, benign)).collect();
        let sources = |rows: &[Row]| rows.iter().map(|r| wide(r.src)).collect::<Vec<_>>();
        let attack_sources = sources(&arena.attack);
        let mut sorted: Vec<(u128, u32)> = attack_sources.iter().copied().zip(0u32..).collect();
        sorted.sort_unstable();
        Self {
            columns,
            by_source: sorted.into_iter().map(|(_, at)| at).collect(),
            benign_sources: sources(&arena.benign),
            attack_sources,
        }
    }
}

/// What each row answers to all questions about each number. Rows are long: each is read once.
fn answers(rows: &[Row], unknown: Unknown) -> [Vec<Answer>; NUMERIC.len()] {
    let mut answers = NUMERIC.map(|_| Vec::with_capacity(rows.len()));
    for row in rows {
        for (answers, slot) in answers.iter_mut().zip(NUMERIC) {
            answers.push(Answer::of(slot, row, unknown));
        }
    }
    answers
}

impl Column {
    fn of(slot: Slot, attack: &[Answer], benign: &[Answer]) -> Self {
        let mut places = Places::default();
        for answer in attack.iter().chain(benign) {
            if let Answer::Number(value) = answer {
                places.add(*value);
            }
        }
        places.count();
        let place = |answers: &[Answer]| answers.iter().map(|answer| places.of(*answer)).collect();
        Self { slot, attack: place(attack), benign: place(benign), values: places.values() }
    }
}

/// Which numbers below 65,536 there are. What is more is the length of no packet, and no answer.
#[derive(Debug, Default)]
struct Places {
    present: Vec<u64>,
    /// For each word the numbers before it.
    before: Vec<u16>,
}

impl Places {
    fn add(&mut self, value: u32) {
        let Ok(value) = u16::try_from(value) else { return };
        let word = usize::from(value / 64);
        if self.present.len() <= word {
            self.present.resize(word + 1, 0);
        }
        if let Some(present) = self.present.get_mut(word) {
            *present |= 1 << (value % 64);
        }
    }

    fn count(&mut self) {
        let mut sum = 0u16;
        self.before = vec![0; self.present.len()];
        for (before, word) in self.before.iter_mut().zip(&self.present).filter(|(_, word)| **word != 0) {
            *before = sum;
            // Of as many rows as there may be at most, there are no more values.
            sum = sum.saturating_add(u16::try_from(word.count_ones()).unwrap_or(0));
        }
    }

    fn of(&self, answer: Answer) -> u16 {
        let value = match answer {
            Answer::Number(value) => value,
            Answer::No => return NONE,
            Answer::Yes => return ANY,
        };
        let Ok(value) = u16::try_from(value) else { return NONE };
        let word = usize::from(value / 64);
        let (Some(present), Some(before)) = (self.present.get(word), self.before.get(word)) else {
            return NONE;
        };
        let lower = present & ((1u64 << (value % 64)) - 1);
        before + u16::try_from(lower.count_ones()).unwrap_or(0)
    }

    fn values(&self) -> Vec<u32> {
        super::bits::Bits::from_words(self.present.iter().copied())
            .iter()
            .filter_map(|value| u32::try_from(value).ok())
            .collect()
    }
}
