//! What is normal for one host and class: one door, so that better memories can stand behind it.
//!
//! A slowly fading maximum of ten-second rates. A new maximum counts at most one and a half times the old one, so that an
//! attacker who ramps up teaches little at a time; while something is accumulating in the test, nothing is learned.

use serde::{Deserialize, Serialize};

use base::{Span, Timestamp};

/// Rates are averaged over this.
const WINDOW: Span = Span::from_secs(10);
/// A stream without any memory takes its first idea from this.
const FIRST: Span = Span::from_secs(2);
/// Half-life of a maximum, seconds.
const HALF_LIFE_SECS: f64 = 7.0 * 86_400.0;
/// A window teaches at most this many times what was known.
const STEP_MAX: f64 = 1.5;

/// The learned rate of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The fading maximum, packets/s.
    high: f64,
    /// Packets in the window being filled.
    sum: f64,
    /// Start of that window, ns.
    begun: u64,
}

impl Baseline {
    /// Packets/s to be expected at most.
    pub const fn expected(&self) -> f64 {
        self.high
    }

    /// Counts `packets` at `now`; nothing is learned from a window in which `frozen` was ever said.
    pub fn learn(&mut self, now: Timestamp, packets: f64, frozen: bool) {
        let begun = Timestamp::from_nanos(self.begun);
        let age = now.since(begun);
        if self.begun == 0 || frozen {
            self.begun = now.nanos();
            self.sum = if frozen { 0.0 } else { packets.max(0.0) };
            return;
        }
        if self.high == 0.0 && age >= FIRST {
            // Better an early idea than none; the first whole window corrects it.
            self.high = self.sum / age.as_secs_f64();
        } else if age >= WINDOW {
            let secs = age.as_secs_f64();
            let rate = self.sum / secs;
            let faded = self.high * libm::exp2(-secs / HALF_LIFE_SECS);
            let taught = if self.high > 0.0 { rate.min(self.high * STEP_MAX) } else { rate };
            self.high = faded.max(taught);
            self.begun = now.nanos();
            self.sum = 0.0;
        }
        self.sum += packets.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(baseline: &mut Baseline, from: u64, secs: u64, pps: f64) {
        for s in from..from + secs {
            baseline.learn(Timestamp::from_secs(s), pps, false);
        }
    }

    #[test]
    fn a_steady_rate_is_learned_in_one_window() {
        let mut b = Baseline::default();
        steady(&mut b, 1000, 30, 400.0);
        assert!((b.expected() - 400.0).abs() < 45.0, "{}", b.expected());
    }

    #[test]
    fn a_ramp_teaches_at_most_half_as_much_again_each_window() {
        let mut b = Baseline::default();
        steady(&mut b, 1000, 30, 100.0);
        steady(&mut b, 1030, 10, 100_000.0);
        b.learn(Timestamp::from_secs(1041), 0.0, false);
        assert!(b.expected() < 251.0, "{}", b.expected());
    }

    #[test]
    fn nothing_is_learned_while_frozen() {
        let mut b = Baseline::default();
        steady(&mut b, 1000, 30, 100.0);
        let before = b.expected();
        for s in 1030..1100 {
            b.learn(Timestamp::from_secs(s), 1e6, true);
        }
        assert!((b.expected() - before).abs() < 1.0);
    }
}
