//! Hash maps whose only iteration is in the order of the keys.
//!
//! A hash table's own order differs from run to run; a decision that followed it would tell a different story each time.
//! So these types offer look-up in any order and walking in one.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use foldhash::fast::{FixedState, FoldHasher};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// How table slots are found. The seed is random in production (a known one invites collisions) and fixed in tests.
#[derive(Clone, Debug)]
pub struct Seed(FixedState);

impl Seed {
    /// From any number.
    pub const fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::new(0)
    }
}

impl BuildHasher for Seed {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

/// A map from `K` to `V`.
#[derive(Clone, Debug)]
pub struct Map<K, V> {
    inner: HashMap<K, V, Seed>,
}

impl<K: Eq + Hash + Ord, V> Map<K, V> {
    /// An empty map.
    pub fn new(seed: Seed) -> Self {
        Self { inner: HashMap::with_hasher(seed) }
    }

    /// The value of `key`, made by `make` where there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.inner.entry(key).or_insert_with(make)
    }

    /// Likewise, where `make` may refuse.
    pub fn get_or_try_insert_with(&mut self, key: K, make: impl FnOnce() -> Option<V>) -> Option<&mut V> {
        match self.inner.entry(key) {
            Entry::Occupied(there) => Some(there.into_mut()),
            Entry::Vacant(free) => make().map(|value| free.insert(value)),
        }
    }

    /// Sets a value and returns the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.inner.insert(key, value)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.inner.remove(key)
    }

    /// Keeps the entries of which `keep` says so. `keep` sees them in no particular order and must judge each alone.
    pub fn retain(&mut self, keep: impl FnMut(&K, &mut V) -> bool) {
        self.inner.retain(keep);
    }

    /// Removes all entries and keeps the room.
    pub fn clear(&mut self) {
        self.inner.clear();
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.inner.get(key)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.inner.get_mut(key)
    }

    /// Whether there is a value for `key`.
    pub fn contains_key(&self, key: &K) -> bool {
        self.inner.contains_key(key)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The entries that `rate` puts first, at most `max`, the highest first and equals by key; and how many it rated at all.
    pub fn top<R: Ord + Copy>(
        &self,
        max: usize,
        rate: impl Fn(&K, &V) -> Option<R>,
    ) -> (Vec<(&K, R)>, usize) {
        let mut rated: Vec<(&K, R)> =
            self.inner.iter().filter_map(|(key, value)| Some((key, rate(key, value)?))).collect();
        let count = rated.len();
        let first = |a: &(&K, R), b: &(&K, R)| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0));
        if max > 0 && count > max {
            rated.select_nth_unstable_by(max, first);
        }
        rated.truncate(max);
        rated.sort_unstable_by(first);
        (rated, count)
    }

    /// Makes room for this many more.
    pub fn reserve(&mut self, more: usize) {
        self.inner.reserve(more);
    }

    /// All entries, by key.
    pub fn sorted(&self) -> Vec<(&K, &V)> {
        let mut entries: Vec<_> = self.inner.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        entries
    }

    /// All entries, moved out, by key.
    pub fn into_sorted(self) -> Vec<(K, V)>
    where
        K: Clone,
    {
        let mut entries: Vec<_> = self.inner.into_iter().collect();
        // Values may be large: order the keys, then move each entry once.
        entries.sort_by_cached_key(|(key, _)| key.clone());
        entries
    }

    /// All entries, moved out by `group`; within a group in no order, so whoever takes them must not care. The room stays.
    pub fn drain_grouped<G: Ord>(&mut self, group: impl Fn(&K) -> G) -> Vec<(K, V)> {
        let mut entries: Vec<_> = self.inner.drain().collect();
        entries.sort_unstable_by_key(|(key, _)| group(key));
        entries
    }

    /// All entries, moved out by key; the room stays for the next tick.
    pub fn drain_sorted(&mut self) -> Vec<(K, V)>
    where
        K: Clone,
    {
        let mut entries: Vec<_> = self.inner.drain().collect();
        // Values may be large: order the keys, then move each entry once.
        entries.sort_by_cached_key(|(key, _)| key.clone());
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_by_rate_then_key() {
        let mut map = Map::new(Seed::new(3));
        for (key, value) in [(5u32, 2u32), (1, 7), (9, 2), (3, 2), (4, 0)] {
            map.insert(key, value);
        }
        let (top, count) = map.top(3, |_, value| (*value > 0).then_some(*value));
        assert_eq!(top, [(&1, 7), (&3, 2), (&5, 2)]);
        assert_eq!(count, 4);
    }

    #[test]
    fn two_seeds_walk_alike() {
        let fill = |seed| {
            let mut map = Map::new(Seed::new(seed));
            for key in [5u32, 1, 9, 3] {
                map.insert(key, key * 10);
            }
            map.into_sorted()
        };
        assert_eq!(fill(1), fill(2));
        assert_eq!(fill(1), [(1, 10), (3, 30), (5, 50), (9, 90)]);
    }
}
