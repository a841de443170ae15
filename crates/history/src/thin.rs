//! Thinning to a budget, so that sums stay unbiased.
//!
//! Priority sampling (Duffield, Lund, Thorup, "Priority sampling for estimation of arbitrary subset sums", JACM 54, 2007): each item of
//! weight w gets a rank u/w, with u from a keyed hash of its number in the round; the K of the least ranks stay. With t the least rank
//! that did not stay, an item was kept with probability min(1, w·t) as far as the others leave it a say, so its amounts are divided by
//! that: sums over any subset are right in expectation, and big flows are not lost. The same items in the same order under the same key
//! give the same choice; who sends traffic does not know the key.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use base::hash::Mixer;

/// Keeps at most so many items of a round.
#[derive(Debug)]
pub struct Thinner<T> {
    key: u64,
    max: usize,
    round: u64,
    offered: u64,
    heap: BinaryHeap<Ranked<T>>,
    /// The least rank that did not stay.
    threshold: f64,
}

#[derive(Debug)]
struct Ranked<T> {
    rank: f64,
    number: u64,
    weight: f64,
    item: T,
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.total_cmp(&other.rank).then(self.number.cmp(&other.number))
    }
}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Ranked<T> {}

/// An item that stayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept<T> {
    /// It.
    pub item: T,
    /// For how many it stands; at least 1.
    pub scale: f64,
    /// Its place in 0..1 for rounding.
    coin: f64,
}

impl<T> Kept<T> {
    /// An amount of the item, times the scale, rounded up or down by a coin that makes sums right.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate above 2^53 is off by less than its own error; the cast saturates"
    )]
    pub fn scaled(&self, amount: u64) -> u64 {
        if self.scale <= 1.0 {
            return amount;
        }
        (amount as f64 * self.scale + self.coin).floor() as u64
    }
}

impl<T> Thinner<T> {
    /// At most `max` items a round; `key` is what nobody knows.
    pub const fn new(key: u64, max: usize) -> Self {
        Self { key, max, round: 0, offered: 0, heap: BinaryHeap::new(), threshold: f64::INFINITY }
    }

    /// Offers an item; zero weighs as one.
    pub fn offer(&mut self, weight: u64, item: T) {
        let number = self.offered;
        self.offered += 1;
        let weight = float(weight.max(1));
        // In (0, 1], so that no rank is zero.
        let rank = (1.0 - self.coin(number, 0)) / weight;
        if self.heap.len() >= self.max {
            let greatest = self.heap.peek().map_or(0.0, |last| last.rank);
            if self.max == 0 || rank >= greatest {
                self.threshold = self.threshold.min(rank);
                return;
            }
            self.heap.pop();
            self.threshold = self.threshold.min(greatest);
        }
        self.heap.push(Ranked { rank, number, weight, item });
    }

    /// Items offered in this round.
    pub const fn offered(&self) -> u64 {
        self.offered
    }

    /// What stayed, in the order in which it came; the next round begins.
    pub fn take(&mut self) -> Vec<Kept<T>> {
        let threshold = std::mem::replace(&mut self.threshold, f64::INFINITY);
        let mut ranked = std::mem::take(&mut self.heap).into_vec();
        ranked.sort_unstable_by_key(|one| one.number);
        let kept = ranked.into_iter().map(|one| Kept {
            scale: (1.0 / (one.weight * threshold)).max(1.0),
            coin: self.coin(one.number, 1),
            item: one.item,
        });
        let kept = kept.collect();
        self.round += 1;
        self.offered = 0;
        kept
    }

    /// In [0, 1).
    fn coin(&self, number: u64, which: u64) -> f64 {
        let mixed = Mixer::new(self.key).with(self.round).with(number).with(which).finish();
        float(mixed >> 11) / float(1 << 53)
    }
}

#[expect(clippy::cast_precision_loss, reason = "weights and 53 bits of a hash")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let mut thinner = Thinner::new(1, 4);
        (0..4u64).for_each(|n| thinner.offer(n, n));
        let kept = thinner.take();
        assert!(kept.iter().all(|one| one.scale == 1.0 && one.scaled(7) == 7));
        assert_eq!(kept.iter().map(|one| one.item).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(thinner.take().is_empty());
    }

    #[test]
    fn nothing_may_be_kept_at_all() {
        let mut thinner = Thinner::new(1, 0);
        thinner.offer(5, ());
        assert_eq!((thinner.offered(), thinner.take().len()), (1, 0));
    }

    /// Over many rounds, sums of any subset come out right, whatever the weights; and no round is above its budget.
    #[test]
    fn sums_are_unbiased() {
        const ROUNDS: u64 = 400;
        for budget in [50usize, 300] {
            let (mut all, mut odd, mut small) = (0.0, 0.0, 0.0);
            let (mut all_true, mut odd_true, mut small_true) = (0.0, 0.0, 0.0);
            let mut thinner = Thinner::new(42, budget);
            for _ in 0..ROUNDS {
                for n in 0..1_000u64 {
                    // A few elephants among mice.
                    let packets = if n % 100 == 0 { 5_000 } else { 1 + n % 7 };
                    let bytes = packets * (40 + n % 1_400);
                    thinner.offer(packets, (n, packets, bytes));
                    all_true += bytes as f64;
                    odd_true += if n % 2 == 1 { bytes as f64 } else { 0.0 };
                    small_true += if packets < 5_000 { packets as f64 } else { 0.0 };
                }
                let kept = thinner.take();
                assert_eq!(kept.len(), budget);
                for one in &kept {
                    let (n, packets, bytes) = one.item;
                    all += one.scaled(bytes) as f64;
                    odd += if n % 2 == 1 { one.scaled(bytes) as f64 } else { 0.0 };
                    small += if packets < 5_000 { one.scaled(packets) as f64 } else { 0.0 };
                }
            }
            for (what, got, want) in
                [("all", all, all_true), ("odd", odd, odd_true), ("small", small, small_true)]
            {
                let off = (got / want - 1.0).abs();
                assert!(off < 0.02, "{what} at {budget}: {got} for {want}, off by {off}");
            }
        }
    }

    #[test]
    fn the_same_items_give_the_same_choice_and_another_key_another() {
        let choice = |key| {
            let mut thinner = Thinner::new(key, 10);
            (0..1_000u64).for_each(|n| thinner.offer(n % 9, n));
            thinner.take().into_iter().map(|one| (one.item, one.scaled(1_000))).collect::<Vec<_>>()
        };
        assert_eq!(choice(7), choice(7));
        assert_ne!(choice(7), choice(8));
    }
}
