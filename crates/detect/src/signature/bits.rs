//! Sets of row numbers.

use alloc::vec;
use alloc::vec::Vec;

/// A set of small numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn empty(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    pub(crate) fn of(len: usize, mut is_in: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::empty(len);
        for i in 0..len {
            if is_in(i) {
                bits.set(i);
            }
        }
        bits
    }

    /// From words of 64 numbers each.
    pub(crate) fn from_words(words: impl Iterator<Item = u64>) -> Self {
        Self(words.collect())
    }

    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, i: usize) -> bool {
        self.0.get(i / 64).is_some_and(|word| word >> (i % 64) & 1 == 1)
    }

    /// Takes a number in; says whether it is new.
    pub(crate) fn insert(&mut self, i: usize) -> bool {
        let new = !self.contains(i);
        self.set(i);
        new
    }

    pub(crate) fn unset(&mut self, i: usize) {
        if let Some(word) = self.0.get_mut(i / 64) {
            *word &= !(1 << (i % 64));
        }
    }

    pub(crate) fn set(&mut self, i: usize) {
        if let Some(word) = self.0.get_mut(i / 64) {
            *word |= 1 << (i % 64);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    pub(crate) fn count_and(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    #[must_use]
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// Becomes what both have.
    pub(crate) fn become_and(&mut self, a: &Self, b: &Self) {
        self.0.clear();
        self.0.extend(a.0.iter().zip(&b.0).map(|(a, b)| a & b));
    }

    /// Takes in what the other has.
    pub(crate) fn add(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    #[must_use]
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    #[must_use]
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }

    /// The first `n` members.
    #[must_use]
    pub(crate) fn first(&self, n: usize) -> Self {
        let mut bits = Self(vec![0; self.0.len()]);
        for i in self.iter().take(n) {
            bits.set(i);
        }
        bits
    }

    /// Members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            core::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    at * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_in_order() {
        let bits = Bits::of(200, |i| i % 63 == 0);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 126, 189]);
        assert_eq!(bits.count(), 4);
        let even = Bits::of(200, |i| i % 2 == 0);
        assert_eq!(bits.count_and(&even), 2);
        assert_eq!(bits.without(&even).iter().collect::<Vec<_>>(), [63, 189]);
        assert_eq!(bits.or(&even).count(), 102);
        let mut all = bits.clone();
        all.add(&even);
        assert_eq!(all, bits.or(&even));
        assert!(all.contains(63) && !all.contains(65) && !all.contains(1000));
        assert!(all.insert(65) && !all.insert(65));
        all.unset(65);
        assert_eq!(all, bits.or(&even));
    }
}
