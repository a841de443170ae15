//! What is usual about the packets that a target gets, and about where they come from: second opinions where volume alone
//! cannot tell. Learned from examples in peace, told as terms by [`crate::vector`].
//!
//! Packets of one conversation are one observation: whoever sends counts once in ten seconds, and at most 64 sources do.

mod origins;
mod packets;

pub use origins::{Novelty, Origins};
pub use packets::{Likeness, Packets};

use alloc::collections::BTreeSet;

use base::{Timestamp, hash};

use crate::evidence::source_key;
use crate::sample::Sample;

/// Seconds in which a source counts once.
const ONCE_SECS: u64 = 10;
/// Sources that have to be seen before an opinion is given.
const SOURCES_MIN: usize = 10;
/// Sources by which an opinion has half its weight.
const SOURCES_HALF: f64 = 10.0;

/// Who has counted in these ten seconds, a bit each: those that share one are taken for one.
#[derive(Clone, Copy, Debug, Default)]
struct Once {
    told: u64,
    window: u32,
}

impl Once {
    /// Whether it is the first time for this source.
    fn is_first(&mut self, now: Timestamp, source: u128) -> bool {
        let window = window(now);
        if window != self.window {
            *self = Self { told: 0, window };
        }
        let bit = 1 << (hash::pair(0x6f6e_6365, source, 0, 0) & 63);
        let first = self.told & bit == 0;
        self.told |= bit;
        first
    }
}

/// Tens of seconds since the beginning of time.
fn window(now: Timestamp) -> u32 {
    u32::try_from(now.secs() / ONCE_SECS).unwrap_or(u32::MAX)
}

/// The first example of each sender.
fn by_sender<'s>(samples: impl Iterator<Item = &'s Sample>) -> impl Iterator<Item = &'s Sample> {
    let mut seen = BTreeSet::new();
    samples.filter(move |sample| seen.insert(source_key(sample.headers.src)))
}

/// How much an opinion of so many sources counts.
fn sure(sources: f64) -> f64 {
    sources / (sources + SOURCES_HALF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_counts_once_in_ten_seconds_and_at_most_64_do() {
        let mut once = Once::default();
        let at = Timestamp::from_secs;
        assert!(once.is_first(at(100), 7) && !once.is_first(at(109), 7) && once.is_first(at(110), 7));
        let counted = (0..10_000u128).filter(|source| once.is_first(at(120), *source)).count();
        assert_eq!(counted, 64);
    }
}
