//! Numbers of events for those who do not see all of them: in what order, and how many lie between, is nobody's business who does not see
//! them either.
//!
//! A Feistel network of four rounds over the two halves of the number, under a key of this process: one to one, and without order.

use std::hash::{BuildHasher as _, RandomState};

const ROUNDS: [u8; 4] = [0, 1, 2, 3];
const HALF: u64 = 0xffff_ffff;

/// The key; another one with each start.
#[derive(Debug, Default)]
pub(super) struct Blind(RandomState);

impl Blind {
    /// As it is shown.
    pub(super) fn shown(&self, number: u64) -> u64 {
        let halves = (number >> 32, number & HALF);
        let (left, right) =
            ROUNDS.iter().fold(halves, |(left, right), round| (right, left ^ self.mixed(*round, right)));
        left << 32 | right
    }

    /// The way back.
    pub(super) fn number(&self, shown: u64) -> u64 {
        let halves = (shown >> 32, shown & HALF);
        let (left, right) =
            ROUNDS.iter().rev().fold(halves, |(left, right), round| (right ^ self.mixed(*round, left), left));
        left << 32 | right
    }

    fn mixed(&self, round: u8, half: u64) -> u64 {
        self.0.hash_one((round, half)) & HALF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_that_shows_nothing_of_it() {
        let blind = Blind::default();
        let numbers = [0, 1, 2, 3, 4_096, u64::from(u32::MAX), u64::MAX];
        let shown = numbers.map(|number| blind.shown(number));
        assert_eq!(shown.map(|shown| blind.number(shown)), numbers);
        assert!(shown.windows(2).all(|two| two[0].abs_diff(two[1]) > 1_000), "{shown:?}");
    }
}
