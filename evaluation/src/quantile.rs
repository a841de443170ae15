//! Percentiles of delays in which a miss is a delay without end.

/// Delays of trials; `None` is a miss.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delays(Vec<Option<f64>>);

impl Delays {
    /// The least delay that at least `share` of the trials do not exceed (nearest rank); `None` when a miss stands there,
    /// or nothing does.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted: Vec<f64> = self.0.iter().map(|delay| delay.unwrap_or(f64::INFINITY)).collect();
        sorted.sort_by(f64::total_cmp);
        let below = |rank: usize| count(rank) >= share * count(sorted.len());
        let rank = (1..=sorted.len()).find(|rank| below(*rank))?;
        sorted.get(rank - 1).copied().filter(|delay| delay.is_finite())
    }

    /// Trials.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Trials without a miss.
    pub(crate) fn found(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

impl FromIterator<Option<f64>> for Delays {
    fn from_iter<I: IntoIterator<Item = Option<f64>>>(delays: I) -> Self {
        Self(delays.into_iter().collect())
    }
}

/// The middle of finite numbers.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    numbers.into_iter().map(Some).collect::<Delays>().quantile(0.5)
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) const fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(numbers: &[f64], misses: usize) -> Delays {
        numbers.iter().copied().map(Some).chain(std::iter::repeat_n(None, misses)).collect()
    }

    #[test]
    fn a_miss_is_longer_than_any_delay() {
        let some = delays(&[0.5, 0.25, 0.75], 1);
        assert_eq!(some.quantile(0.5), Some(0.5));
        assert_eq!(some.quantile(0.75), Some(0.75));
        assert_eq!(some.quantile(0.95), None);
        assert_eq!((some.found(), some.len()), (3, 4));
    }

    #[test]
    fn the_rank_is_the_nearest() {
        let hundred: Vec<f64> = (1..=100u32).map(f64::from).collect();
        let all = delays(&hundred, 0);
        assert_eq!([0.5, 0.95, 0.99, 1.0].map(|p| all.quantile(p)), [50.0, 95.0, 99.0, 100.0].map(Some));
        assert_eq!(delays(&hundred, 100).quantile(0.5), Some(100.0));
        assert_eq!(delays(&[], 0).quantile(0.5), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
    }
}
