//! A sequential test: has the rate risen above what is normal?
//!
//! Cumulative sums of the Poisson log-likelihood ratio for three sizes of change side by side: large ones cross in one
//! tick, small ones accumulate (Page 1954; Lorden 1971 for the bound on false alarms, ARL₀ ≥ e^h).

/// The rate ratios tested against normal, and their logarithms.
const RATIOS: [(f32, f32); 3] =
    [(2.0, core::f32::consts::LN_2), (6.0, 1.791_759_5), (16.0, 4.0 * core::f32::consts::LN_2)];

/// The sums of one stream, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cusum {
    sums: [f32; 3],
}

impl Cusum {
    /// Takes one tick: `seen` events (may be negative where answers outweigh), `normal` expected, over-dispersion `phi` ≥ 1.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "nats of evidence need no more digits")]
    pub fn update(&mut self, seen: f64, normal: f64, phi: f64, ceiling: f64) {
        let (seen, normal, per_phi, ceiling) = (seen as f32, normal as f32, 1.0 / phi as f32, ceiling as f32);
        for (sum, (rho, ln)) in self.sums.iter_mut().zip(RATIOS) {
            let gain = (seen * ln - normal * (rho - 1.0)) * per_phi;
            *sum = (*sum + gain).clamp(0.0, ceiling);
        }
    }

    /// Takes `ticks` in which nothing was seen.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "nats of evidence need no more digits")]
    pub fn idle(&mut self, ticks: f64, normal: f64, phi: f64) {
        let fall = (ticks * normal / phi) as f32;
        for (sum, (rho, _)) in self.sums.iter_mut().zip(RATIOS) {
            *sum = (*sum - fall * (rho - 1.0)).max(0.0);
        }
    }

    /// The largest of the sums.
    #[inline]
    pub fn value(&self) -> f64 {
        let [a, b, c] = self.sums;
        f64::from(a.max(b).max(c))
    }

    /// Whether nothing is accumulated.
    #[inline]
    pub fn is_zero(&self) -> bool {
        self.sums.iter().all(|sum| *sum <= 0.0)
    }
}

/// The threshold that gives one false alarm in `budget_secs` over all streams: ln(streams × ticks).
pub fn threshold(streams: f64, ticks_per_sec: f64, budget_secs: f64) -> f64 {
    libm::log((streams * ticks_per_sec * budget_secs).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_rise_crosses_at_once_and_a_small_one_soon() {
        let h = threshold(10_000.0 * 24.0, 4.0, 604_800.0);
        assert!((26.0..28.0).contains(&h), "{h}");
        let mut large = Cusum::default();
        large.update(50.0, 0.6, 1.0, 100.0);
        assert!(large.value() > h);
        let mut small = Cusum::default();
        let ticks = (1..).find(|_| {
            small.update(3.0, 0.6, 1.0, 100.0);
            small.value() > h
        });
        assert!(ticks.is_some_and(|n| (8..30).contains(&n)), "{ticks:?}");
    }

    #[test]
    fn what_is_normal_never_accumulates() {
        let mut sum = Cusum::default();
        for _ in 0..1000 {
            sum.update(5.0, 5.0, 1.0, 100.0);
        }
        assert!(sum.is_zero());
        sum.update(50.0, 5.0, 1.0, 100.0);
        assert!(!sum.is_zero());
        sum.idle(100.0, 5.0, 1.0);
        assert!(sum.is_zero());
    }
}
