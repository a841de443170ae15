//! How long things took, in classes of 1/32 of their size: small, and exact enough for a percentile.

use std::time::Duration;

/// Classes within each doubling, as a number of bits.
const FINE: u32 = 5;

/// Counts by class.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    most: Duration,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; 64 << FINE], most: Duration::ZERO }
    }

    pub(super) fn note(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(class(micros)) {
            *count += 1;
        }
        self.most = self.most.max(took);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(ours, theirs)| *ours += theirs);
        self.most = self.most.max(other.most);
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) const fn most(&self) -> Duration {
        self.most
    }

    /// What so many thousandths of them took at most, to a 32nd.
    pub(super) fn at(&self, thousandths: u64) -> Duration {
        let rank = (self.count() * thousandths).div_ceil(1_000);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return Duration::from_micros(upper(place)).min(self.most);
            }
        }
        self.most
    }
}

/// The class of a number of microseconds: each below 64 its own, then 32 to each doubling.
fn class(micros: u64) -> usize {
    let doublings = (u64::BITS - micros.leading_zeros()).saturating_sub(FINE + 1);
    usize::try_from((u64::from(doublings) << FINE) + (micros >> doublings)).unwrap_or(usize::MAX)
}

/// The greatest number in a class.
fn upper(class: usize) -> u64 {
    let class = u64::try_from(class).unwrap_or(u64::MAX);
    let doublings = (class >> FINE).saturating_sub(1);
    ((class - (doublings << FINE) + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_at_most_a_32nd_below_the_end_of_its_class() {
        for micros in (0..5_000).chain([65_535, 65_536, 1_000_000, 29_999_999]) {
            let upper = upper(class(micros));
            assert!(upper >= micros && upper - micros <= micros / 32, "{micros}: {upper}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_numbers() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|millis| histogram.note(Duration::from_millis(millis)));
        let mut other = Histogram::new();
        other.note(Duration::from_secs(3));
        histogram.merge(&other);
        assert_eq!(histogram.count(), 1_001);
        assert_eq!(histogram.most(), Duration::from_secs(3));
        for (thousandths, millis) in [(500, 501), (990, 991)] {
            let at = histogram.at(thousandths).as_millis();
            assert!((millis..=millis + millis / 32).contains(&at), "{thousandths}: {at}");
        }
    }
}
