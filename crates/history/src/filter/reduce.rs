//! A tree held against what is known of a row group before it is read.

use super::{Node, Test, Word};
use crate::column::Column;

/// How many samples of a row group have nothing in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// None.
    Never,
    /// Perhaps some.
    Perhaps,
    /// All.
    Always,
}

/// What is known of a column of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing.
    Nothing,
    /// Least and greatest number or address.
    Numbers(u128, u128),
    /// In these ranges is nothing that packets which left went to.
    Home(Vec<(u128, u128)>),
    /// First and last text, in the order of their octets.
    Texts(String, String),
}

/// What is known of a row group.
pub(crate) trait Bounds {
    /// What stands in the column, where something does, and whether something does.
    fn known(&self, column: Column) -> (Known, Missing);
}

/// What is left to ask.
#[derive(Clone, Debug)]
pub(crate) enum Left {
    /// No sample is asked for.
    Never,
    /// All are.
    Always,
    /// This decides.
    Some(Node),
}

impl Node {
    /// What is left to ask of samples within `bounds`.
    pub(crate) fn reduce(&self, bounds: &dyn Bounds) -> Left {
        match self {
            Self::Every => Left::Always,
            Self::Not(part) => match part.reduce(bounds) {
                Left::Never => Left::Always,
                Left::Always => Left::Never,
                Left::Some(node) => Left::Some(Self::Not(Box::new(node))),
            },
            Self::And(parts) => {
                let mut left = Vec::new();
                for part in parts {
                    match part.reduce(bounds) {
                        Left::Never => return Left::Never,
                        Left::Always => {}
                        Left::Some(node) => left.push(node),
                    }
                }
                if left.is_empty() { Left::Always } else { Left::Some(Self::And(left)) }
            }
            Self::Or(parts) => {
                let mut left = Vec::new();
                for part in parts {
                    match part.reduce(bounds) {
                        Left::Always => return Left::Always,
                        Left::Never => {}
                        Left::Some(node) => left.push(node),
                    }
                }
                if left.is_empty() { Left::Never } else { Left::Some(Self::Or(left)) }
            }
            Self::Test(column, test) => {
                let (known, missing) = bounds.known(*column);
                match judge(test, &known, missing) {
                    Some(true) => Left::Always,
                    Some(false) => Left::Never,
                    None => Left::Some(self.clone()),
                }
            }
        }
    }
}

/// Whether all pass, none does, or it is not known.
fn judge(test: &Test, known: &Known, missing: Missing) -> Option<bool> {
    if missing == Missing::Always {
        return Some(*test == Test::Missing);
    }
    let never = missing == Missing::Never;
    match (test, known) {
        (Test::Missing, _) => never.then_some(false),
        (Test::Within(ranges), Known::Numbers(min, max)) => {
            if ranges.iter().all(|(low, high)| high < min || low > max) {
                Some(false)
            } else if never && ranges.iter().any(|(low, high)| low <= min && high >= max) {
                Some(true)
            } else {
                None
            }
        }
        (Test::Away(ranges), Known::Home(own)) => {
            let is_home = |(low, high): &(u128, u128)| own.iter().any(|(min, max)| min <= low && high <= max);
            ranges.iter().all(is_home).then_some(false)
        }
        (Test::Words(words), Known::Texts(min, max)) => {
            if words.iter().all(|word| !reaches(word, min, max)) {
                Some(false)
            } else if never && min == max && words.iter().any(|word| word.is(min)) {
                Some(true)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Whether a text between these may be it.
fn reaches(word: &Word, min: &str, max: &str) -> bool {
    match word {
        Word::Whole(whole) => (min..=max).contains(&whole.as_str()),
        Word::Front(front) => {
            let front = front.as_str();
            max >= front && (min <= front || min.starts_with(front))
        }
    }
}
