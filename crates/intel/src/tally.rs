//! Counts of values, of which only so many are told apart.

use std::collections::BTreeMap;

/// Counts by value. Once [`Self::MAX`] values are known, new ones are counted together in `others`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally<K> {
    counts: BTreeMap<K, u64>,
    pub(crate) others: u64,
    /// The value before, which is often the next one too, and how often it came since it was counted.
    recent: Option<(K, u64)>,
}

impl<K: Ord + Clone> Tally<K> {
    /// Values told apart.
    pub(crate) const MAX: usize = 256;

    pub(crate) const fn new() -> Self {
        Self { counts: BTreeMap::new(), others: 0, recent: None }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: K, packets: u64) {
        match &mut self.recent {
            Some((known, count)) if *known == value => *count += packets,
            _ => {
                if let Some((before, count)) = self.recent.replace((value, packets)) {
                    self.count(before, count);
                }
            }
        }
    }

    fn count(&mut self, value: K, packets: u64) {
        if let Some(count) = self.counts.get_mut(&value) {
            *count += packets;
        } else if self.counts.len() < Self::MAX {
            self.counts.insert(value, packets);
        } else {
            self.others += packets;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        let recent = self.recent.as_ref().map_or(0, |(_, count)| *count);
        self.counts.values().sum::<u64>() + self.others + recent
    }

    /// With the last value counted too.
    fn settled(&self) -> Self {
        let mut settled = self.clone();
        if let Some((value, count)) = settled.recent.take() {
            settled.count(value, count);
        }
        settled
    }

    /// Values by count, the most frequent first, equals by value.
    pub(crate) fn ranked(&self) -> Vec<(K, u64)> {
        let mut all: Vec<_> = self.settled().counts.into_iter().collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }

    pub(crate) fn into_counts(self) -> BTreeMap<K, u64> {
        self.settled().counts
    }

    /// The fewest values that make up `share` of all, if at most `max` do.
    pub(crate) fn few(&self, max: usize, share: f64) -> Option<Vec<K>> {
        let total = self.total();
        let mut so_far = 0;
        let mut values = Vec::new();
        for (value, count) in self.ranked().into_iter().take(max) {
            so_far += count;
            values.push(value);
            if ratio(so_far, total) >= share {
                values.sort();
                return Some(values);
            }
        }
        None
    }
}

/// `part` of `whole`, 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
pub(crate) const fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_place_is_counted_together() {
        let mut tally = Tally::new();
        for value in 0..1000u32 {
            tally.add(value, 2);
        }
        assert_eq!((tally.total(), tally.settled().others), (2000, 2 * (1000 - 256)));
        assert_eq!(tally.few(4, 0.9), None);
        let mut few = Tally::new();
        few.add(9u32, 50);
        few.add(3, 48);
        few.add(1, 2);
        assert_eq!(few.few(4, 0.9), Some(vec![3, 9]));
    }
}
