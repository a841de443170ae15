//! A tree asked of a chunk.

use super::{Node, Test, Word};
use crate::chunk::{ABSENT, Cells, Chunk};
use crate::column::Column;

impl Node {
    /// For each sample of the chunk whether it is asked for. A column that is not in the chunk holds nothing.
    pub(crate) fn mask(&self, chunk: &Chunk) -> Vec<bool> {
        match self {
            Self::Every => vec![true; chunk.rows()],
            Self::And(parts) => join(chunk, parts, true, |held, more| *held &= more),
            Self::Or(parts) => join(chunk, parts, false, |held, more| *held |= more),
            Self::Not(part) => {
                let mut mask = part.mask(chunk);
                mask.iter_mut().for_each(|held| *held = !*held);
                mask
            }
            Self::Test(column, test) => match chunk.cells(*column) {
                Some(cells) => of_cells(*column, test, cells),
                None => vec![matches!(**test, Test::Missing); chunk.rows()],
            },
        }
    }
}

fn join(chunk: &Chunk, parts: &[Node], start: bool, add: impl Fn(&mut bool, bool)) -> Vec<bool> {
    let Some((first, rest)) = parts.split_first() else { return vec![start; chunk.rows()] };
    let mut mask = first.mask(chunk);
    for part in rest {
        // Nothing more can change.
        if mask.iter().all(|held| *held != start) {
            return mask;
        }
        for (held, more) in mask.iter_mut().zip(part.mask(chunk)) {
            add(held, more);
        }
    }
    mask
}

fn of_cells(column: Column, test: &Test, cells: &Cells) -> Vec<bool> {
    match cells {
        Cells::Numbers(values) => {
            let may_be_absent = !column.is_always_there();
            let is_absent = |value: u64| may_be_absent && value == ABSENT;
            match test {
                Test::Missing => values.iter().map(|value| is_absent(*value)).collect(),
                Test::Has(bits) => values.iter().map(|v| !is_absent(*v) && v & bits == *bits).collect(),
                Test::Within(ranges) | Test::Away(ranges) => {
                    // In 64 bits, where all numbers are.
                    let narrow = |bound: u128| u64::try_from(bound).unwrap_or(u64::MAX);
                    let fits = ranges.iter().filter(|(low, _)| *low <= u128::from(u64::MAX));
                    let ranges: Vec<(u64, u64)> =
                        fits.map(|(low, high)| (narrow(*low), narrow(*high))).collect();
                    let within = |v: u64| ranges.iter().any(|(low, high)| (*low..=*high).contains(&v));
                    values.iter().map(|v| !is_absent(*v) && within(*v)).collect()
                }
                Test::Words(_) => vec![false; values.len()],
            }
        }
        Cells::Addresses(keys, values) => {
            let hit = |value: &u128| match test {
                Test::Within(ranges) | Test::Away(ranges) => {
                    ranges.iter().any(|(low, high)| (*low..=*high).contains(value))
                }
                _ => false,
            };
            through(keys, &values.iter().map(hit).collect::<Vec<_>>(), *test == Test::Missing)
        }
        Cells::Texts(keys, values) => {
            let hit = |value: &str| match test {
                Test::Words(words) => words.iter().any(|word| word.is(value)),
                _ => false,
            };
            let hits: Vec<bool> = values.iter().map(|value| hit(value)).collect();
            through(keys, &hits, *test == Test::Missing)
        }
    }
}

/// The verdict on each key, or on none.
fn through(keys: &[u32], hits: &[bool], on_none: bool) -> Vec<bool> {
    let hit =
        |key: &u32| usize::try_from(*key).ok().and_then(|key| hits.get(key)).copied().unwrap_or(on_none);
    keys.iter().map(hit).collect()
}

impl Word {
    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Whole(whole) => **whole == *text,
            Self::Front(front) => text.starts_with(front.as_str()),
        }
    }
}
