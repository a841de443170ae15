//! A sequential test: has the rate risen above what is normal?
//!
//! Cumulative sums of the Poisson log-likelihood ratio for three sizes of change side by side: large ones cross in one
//! tick, small ones accumulate (Page 1954; Wald 1945 for the bound on false alarms: each time that a sum leaves zero it
//! crosses h by chance with at most e^−h).

/// The rate ratios tested against normal, and their logarithms.
const RATIOS: [(f32, f32); 3] =
    [(2.0, core::f32::consts::LN_2), (6.0, 1.791_759_5), (16.0, 4.0 * core::f32::consts::LN_2)];

/// The sums of one stream.
///
/// They are kept as if it were no noisier than a count, and are read in nats, divided by its over-dispersion as last known:
/// what a stream shows of its noise holds for all that was added up, so a flood does not pay for what was not yet known of it
/// when it began, and a stream whose answers come late loses all that it seemed to have gained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cusum {
    sums: [f32; 3],
    phi: f32,
}

impl Default for Cusum {
    fn default() -> Self {
        Self { sums: [0.0; 3], phi: 1.0 }
    }
}

impl Cusum {
    /// Takes one tick: `seen` events (may be negative where answers outweigh), `normal` expected, over-dispersion `phi` ≥ 1;
    /// no sum rises above `ceiling` nats.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "nats of evidence need no more digits")]
    pub fn update(&mut self, seen: f64, normal: f64, phi: f64, ceiling: f64) {
        self.phi = phi as f32;
        let (seen, normal, ceiling) = (seen as f32, normal as f32, ceiling as f32 * self.phi);
        for (sum, (rho, ln)) in self.sums.iter_mut().zip(RATIOS) {
            *sum = (*sum + seen * ln - normal * (rho - 1.0)).clamp(0.0, ceiling);
        }
    }

    /// Takes `ticks` in which nothing was seen.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "nats of evidence need no more digits")]
    pub fn idle(&mut self, ticks: f64, normal: f64) {
        let fall = (ticks * normal) as f32;
        for (sum, (rho, _)) in self.sums.iter_mut().zip(RATIOS) {
            *sum = (*sum - fall * (rho - 1.0)).max(0.0);
        }
    }

    /// The largest of the sums, in nats.
    #[inline]
    pub fn value(&self) -> f64 {
        let [a, b, c] = self.sums;
        f64::from(a.max(b).max(c) / self.phi)
    }

    /// Whether nothing is accumulated.
    #[inline]
    pub fn is_zero(&self) -> bool {
        self.sums.iter().all(|sum| *sum <= 0.0)
    }
}

/// The threshold that gives one false alarm in `budget_secs`, where so many tests leave zero each second: their logarithm.
pub fn threshold(beginnings: f64, budget_secs: f64) -> f64 {
    libm::log((beginnings * budget_secs).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_rise_crosses_at_once_and_a_small_one_soon() {
        let h = threshold(10_000.0 * 24.0 * 4.0, 604_800.0);
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
        sum.idle(100.0, 5.0);
        assert!(sum.is_zero());
    }

    #[test]
    fn what_is_learned_of_the_noise_holds_for_what_was_before() {
        let (mut early, mut late) = (Cusum::default(), Cusum::default());
        for n in 0..10 {
            early.update(3.0, 0.6, if n < 5 { 4.0 } else { 1.0 }, 100.0);
            late.update(3.0, 0.6, if n < 5 { 1.0 } else { 4.0 }, 100.0);
        }
        assert!((early.value() - 4.0 * late.value()).abs() < 1e-3, "{} {}", early.value(), late.value());
    }
}
