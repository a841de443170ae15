//! The way through a batch in memory: where each target's samples stand, and what holds for all of them.
//!
//! A dashboard asks about one host of the newest minute, in which there are hundreds of thousands of samples; whoever looked at each of them
//! for each question would do little else.

use std::ops::Range;
use std::sync::Arc;

use base::Timestamp;

use crate::column::Column;
use crate::filter::{Bounds, Known, Missing};

/// Where the samples of each target stand.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Places by (target, place).
    places: Vec<u32>,
    /// Each target once, in order, and where its places begin.
    targets: Vec<(u128, u32)>,
    /// Earliest and latest instant.
    times: (Timestamp, Timestamp),
    /// What went out went to none of these.
    home: Arc<[(u128, u128)]>,
}

impl Order {
    /// Of the targets of samples in their order; `None`: there are none, or too many to be numbered.
    pub(crate) fn of(
        targets: Vec<u128>,
        times: (Timestamp, Timestamp),
        home: &Arc<[(u128, u128)]>,
    ) -> Option<Self> {
        let numbered = |(place, target)| Some((target, u32::try_from(place).ok()?));
        let mut sorted: Vec<(u128, u32)> =
            targets.into_iter().enumerate().map(numbered).collect::<Option<_>>()?;
        sorted.sort_unstable();
        let mut targets: Vec<(u128, u32)> = Vec::new();
        for (number, (target, _)) in sorted.iter().enumerate() {
            if targets.last().is_none_or(|(last, _)| last != target) {
                targets.push((*target, u32::try_from(number).ok()?));
            }
        }
        targets.shrink_to_fit();
        let places = sorted.into_iter().map(|(_, place)| place).collect();
        (!targets.is_empty()).then(|| Self { places, targets, times, home: Arc::clone(home) })
    }

    /// Places of the samples whose target lies in one of these inclusive ranges, in their order.
    pub(crate) fn within(&self, ranges: &[(u128, u128)]) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        for (low, high) in ranges {
            found.extend(self.places.get(self.span(*low, *high)).unwrap_or_default());
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn span(&self, low: u128, high: u128) -> Range<usize> {
        let place = |at: usize| {
            let begin = self.targets.get(at).and_then(|(_, begin)| usize::try_from(*begin).ok());
            begin.unwrap_or(self.places.len())
        };
        let begin = self.targets.partition_point(|(target, _)| *target < low);
        let end = self.targets.partition_point(|(target, _)| *target <= high);
        place(begin)..place(end.max(begin))
    }
}

impl Bounds for Order {
    fn known(&self, column: Column) -> (Known, Missing) {
        let known = match column {
            Column::Time => {
                let (first, last) = self.times;
                Known::Numbers(u128::from(first.nanos()), u128::from(last.nanos()))
            }
            Column::Target => {
                let ends = self.targets.first().zip(self.targets.last());
                ends.map_or(Known::Nothing, |((first, _), (last, _))| Known::Numbers(*first, *last))
            }
            Column::Foreign => Known::Home(self.home.to_vec()),
            _ => return (Known::Nothing, Missing::Perhaps),
        };
        (known, Missing::Never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_target_each_once_and_in_their_order() {
        let times = (Timestamp::from_nanos(5), Timestamp::from_nanos(9));
        let home: Arc<[(u128, u128)]> = Arc::new([]);
        let order = Order::of(vec![7, 3, 7, 9, 3, u128::MAX], times, &home).unwrap();
        assert_eq!(order.within(&[(7, 7)]), [0, 2]);
        assert_eq!(order.within(&[(8, 9), (0, 3)]), [1, 3, 4]);
        assert_eq!(order.within(&[(3, 9), (7, 7)]), [0, 1, 2, 3, 4]);
        assert_eq!(order.within(&[(0, u128::MAX)]), [0, 1, 2, 3, 4, 5]);
        for none in [&[][..], &[(4, 6)], &[(9, 3)], &[(10, 20)]] {
            assert!(order.within(none).is_empty(), "{none:?}");
        }
        assert_eq!(order.known(Column::Target), (Known::Numbers(3, u128::MAX), Missing::Never));
        assert_eq!(order.known(Column::Time), (Known::Numbers(5, 9), Missing::Never));
        assert!(Order::of(Vec::new(), times, &home).is_none());
    }
}
