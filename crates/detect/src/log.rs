//! Counting by writing down: what is counted goes to the end of a list, and lists are sorted and added up when the tick ends.
//!
//! A table would be touched at a random place for each record. Here each record is one append, and a sort of small keys
//! brings equal ones together in the order in which everything behind wants them: by host.

use alloc::vec::Vec;

/// Entries written down before they are sorted and added up, so that memory follows the keys and not the records.
const OPEN_MAX: usize = 1 << 18;
/// Bits of a packed key that hold an entry's place.
const PLACE_BITS: u32 = 18;

/// A key that has room for the place of its entry, so that a sort moves keys and nothing else.
pub(crate) trait Packed: Copy + Ord {
    /// This key at a place below 2^18.
    fn at(self, place: usize) -> Self;
    /// The place.
    fn place(self) -> usize;
    /// Whether two are equal but for their places.
    fn same(self, other: Self) -> bool;
}

macro_rules! packed {
    ($(#[$doc:meta])* $name:ident of $word:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name($word);

        impl $name {
            /// Packs a key.
            #[inline]
            pub(crate) const fn of(key: $word) -> Self {
                Self(key << PLACE_BITS)
            }

            /// The key.
            #[inline]
            pub(crate) const fn key(self) -> $word {
                self.0 >> PLACE_BITS
            }
        }

        impl Packed for $name {
            #[inline]
            fn at(self, place: usize) -> Self {
                Self(self.0 | place as $word)
            }

            #[inline]
            fn place(self) -> usize {
                (self.0 & ((1 << PLACE_BITS) - 1)) as usize
            }

            #[inline]
            fn same(self, other: Self) -> bool {
                self.key() == other.key()
            }
        }
    };
}

packed! {
    /// A key of up to 46 bits, shifted up by [`PLACE_BITS`].
    Narrow of u64
}

packed! {
    /// A key of up to 110 bits, shifted up likewise.
    Wide of u128
}

/// Any key, with its place beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Broad<K>(pub(crate) K, u32);

impl<K> Broad<K> {
    pub(crate) const fn of(key: K) -> Self {
        Self(key, 0)
    }
}

impl<K: Copy + Ord> Packed for Broad<K> {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "eighteen bits")]
    fn at(self, place: usize) -> Self {
        Self(self.0, place as u32)
    }

    #[inline]
    fn place(self) -> usize {
        self.1 as usize
    }

    #[inline]
    fn same(self, other: Self) -> bool {
        self.0 == other.0
    }
}

/// Entries under one kind of key, and the sums made of them so far.
#[derive(Debug)]
pub(crate) struct Log<P, T, K, V> {
    keys: Vec<P>,
    entries: Vec<T>,
    /// Sorted sums, the largest list first: each is at least twice as long as the next.
    sums: Vec<Vec<(K, V)>>,
}

impl<P: Packed, T, K: Ord, V> Log<P, T, K, V> {
    pub(crate) const fn new() -> Self {
        Self { keys: Vec::new(), entries: Vec::new(), sums: Vec::new() }
    }

    /// Writes an entry down.
    #[inline]
    pub(crate) fn push(&mut self, key: P, entry: T, sum: impl Sum<P, T, K, V>) {
        if self.entries.len() >= OPEN_MAX {
            self.add_up(sum);
        }
        self.keys.push(key.at(self.entries.len()));
        self.entries.push(entry);
    }

    /// Keys added up so far, at least.
    pub(crate) fn len(&self) -> usize {
        self.sums.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Everything by key, with room for `more`; this log's own room stays for the next tick.
    pub(crate) fn close(&mut self, more: usize, sum: impl Sum<P, T, K, V>) -> Vec<(K, V)> {
        self.sum_up(more, sum);
        let mut all = self.sums.pop().unwrap_or_default();
        while let Some(larger) = self.sums.pop() {
            all = merge(larger, all, |a, b| sum.merge(a, b));
        }
        all
    }

    #[inline]
    fn add_up(&mut self, sum: impl Sum<P, T, K, V>) {
        self.sum_up(0, sum);
    }

    #[inline(never)]
    fn sum_up(&mut self, more: usize, sum: impl Sum<P, T, K, V>) {
        self.keys.sort_unstable();
        // Sums are large and keys are small: to count first is cheaper than to move what was added up.
        let repeated = self.keys.windows(2).filter(|pair| matches!(pair, [a, b] if a.same(*b))).count();
        let mut run: Vec<(K, V)> = Vec::with_capacity(self.keys.len() - repeated + more);
        let mut last: Option<P> = None;
        for key in &self.keys {
            let Some(entry) = self.entries.get(key.place()) else { continue };
            match (last, run.last_mut()) {
                (Some(before), Some((_, value))) if before.same(*key) => sum.add(value, entry),
                _ => run.push((sum.key(*key), sum.first(entry))),
            }
            last = Some(*key);
        }
        self.keys.clear();
        self.entries.clear();
        while self.sums.last().is_some_and(|before| before.len() < 2 * run.len())
            && let Some(before) = self.sums.pop()
        {
            run = merge(before, run, |a, b| sum.merge(a, b));
        }
        self.sums.push(run);
    }
}

/// How entries become sums.
pub(crate) trait Sum<P, T, K, V>: Copy {
    /// The whole key of a packed one.
    fn key(self, packed: P) -> K;
    /// The sum of one entry.
    fn first(self, entry: &T) -> V;
    /// One more entry.
    fn add(self, sum: &mut V, entry: &T);
    /// Another sum of the same key.
    fn merge(self, sum: &mut V, other: &V);
}

/// Two lists without equal keys in themselves, made one; equal keys of the two are added up.
pub fn merge<K: Ord, V>(a: Vec<(K, V)>, b: Vec<(K, V)>, add: impl Fn(&mut V, &V)) -> Vec<(K, V)> {
    if a.is_empty() {
        return b;
    }
    if b.is_empty() {
        return a;
    }
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => match x.0.cmp(&y.0) {
                core::cmp::Ordering::Less => out.extend(a.next()),
                core::cmp::Ordering::Greater => out.extend(b.next()),
                core::cmp::Ordering::Equal => {
                    if let (Some((key, mut value)), Some((_, other))) = (a.next(), b.next()) {
                        add(&mut value, &other);
                        out.push((key, value));
                    }
                }
            },
            (Some(_), None) => out.extend(a.next()),
            (None, Some(_)) => out.extend(b.next()),
            (None, None) => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy)]
    struct Plus;

    impl Sum<Narrow, u64, u64, u64> for Plus {
        fn key(self, packed: Narrow) -> u64 {
            packed.key()
        }
        fn first(self, entry: &u64) -> u64 {
            *entry
        }
        fn add(self, sum: &mut u64, entry: &u64) {
            *sum += *entry;
        }
        fn merge(self, sum: &mut u64, other: &u64) {
            *sum += *other;
        }
    }

    proptest! {
        #[test]
        fn sums_do_not_depend_on_when_they_are_made(entries in proptest::collection::vec((0u64..50, 1u64..9), 0..300), every in 1usize..40) {
            let (mut once, mut often) = (Log::new(), Log::new());
            for (n, (key, value)) in entries.iter().enumerate() {
                once.push(Narrow::of(*key), *value, Plus);
                often.push(Narrow::of(*key), *value, Plus);
                if n % every == 0 {
                    often.add_up(Plus);
                }
            }
            let sums = once.close(0, Plus);
            prop_assert!(sums.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert_eq!(sums.iter().map(|s| s.1).sum::<u64>(), entries.iter().map(|e| e.1).sum::<u64>());
            prop_assert_eq!(sums, often.close(0, Plus));
            prop_assert!(once.close(0, Plus).is_empty());
        }
    }
}
