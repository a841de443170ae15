//! Who has spoken to whom: the difference between an answer and an unasked packet.
//!
//! Bloom filters of directed host pairs, cut into a fixed number of lanes. A pair and its reverse share a lane, and a lane
//! lives in one shard: so the filters' contents do not depend on how many shards there are.

use alloc::vec::Vec;

use base::hash;
use base::{Span, Timestamp};

/// Independent parts of the memory; shards own whole lanes.
pub const LANES: usize = 64;
/// Bits of one generation of one lane (32 KiB).
const BITS_LOG2: u32 = 18;
/// Pairs in a generation before the next begins: keeps false answers below 1 %.
const PAIRS_MAX: u32 = 1 << (BITS_LOG2 - 4);
/// A generation's longest life; a pair is remembered for one to two of them.
const AGE_MAX: Span = Span::from_secs(120);

/// The lane of a pair, the same for both directions.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the lane")]
pub const fn lane(a: u128, b: u128) -> usize {
    hash::pair(0x6c61_6e65, a ^ b, a.wrapping_add(b), 0) as usize % LANES
}

#[derive(Clone, Debug, Default)]
struct Generation {
    words: Vec<u64>,
    pairs: u32,
    born: Timestamp,
}

impl Generation {
    #[inline]
    fn has(&self, slot: usize, bits: u64) -> bool {
        self.words.get(slot).is_some_and(|word| word & bits == bits)
    }
}

/// One lane's memory.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    now: Generation,
    before: Generation,
}

#[inline]
const fn place(from: u128, to: u128) -> (usize, u64) {
    let h = hash::pair(0x7061_6972, from, to, 0);
    let bits = 1 << (h & 63) | 1 << (h >> 6 & 63) | 1 << (h >> 12 & 63);
    ((h >> 18) as usize & ((1 << (BITS_LOG2 - 6)) - 1), bits)
}

impl Lane {
    /// Remembers that `from` spoke to `to`.
    #[inline]
    pub fn spoke(&mut self, at: Timestamp, from: u128, to: u128) {
        if self.now.words.is_empty() || self.now.pairs >= PAIRS_MAX || at.since(self.now.born) > AGE_MAX {
            self.turn(at);
        }
        let (slot, bits) = place(from, to);
        if let Some(word) = self.now.words.get_mut(slot)
            && *word & bits != bits
        {
            *word |= bits;
            self.now.pairs += 1;
        }
    }

    /// Whether `from` spoke to `to` lately. Errs towards yes, in fewer than one of a hundred cases.
    #[inline]
    pub fn has_spoken(&self, from: u128, to: u128) -> bool {
        let (slot, bits) = place(from, to);
        self.now.has(slot, bits) || self.before.has(slot, bits)
    }

    fn turn(&mut self, at: Timestamp) {
        core::mem::swap(&mut self.now, &mut self.before);
        self.now.words.clear();
        self.now.words.resize(1 << (BITS_LOG2 - 6), 0);
        self.now.pairs = 0;
        self.now.born = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_and_its_reverse_share_a_lane_and_stay_apart() {
        let mut lanes = alloc::vec![Lane::default(); LANES];
        for i in 0..10_000u128 {
            assert_eq!(lane(i, i + 7), lane(i + 7, i));
            lanes[lane(i, 1 << 100)].spoke(Timestamp::ZERO, i, 1 << 100);
        }
        let wrong = (0..10_000u128).filter(|i| lanes[lane(*i, 1 << 100)].has_spoken(1 << 100, *i)).count();
        assert!(wrong < 100, "{wrong} false answers");
        assert!((0..10_000u128).all(|i| lanes[lane(i, 1 << 100)].has_spoken(i, 1 << 100)));
    }

    #[test]
    fn a_pair_is_forgotten_after_two_generations() {
        let mut lane = Lane::default();
        lane.spoke(Timestamp::ZERO, 1, 2);
        for step in 1..=2 {
            lane.spoke(Timestamp::from_secs(step * 121), 3, 4);
        }
        assert!(!lane.has_spoken(1, 2));
    }
}
