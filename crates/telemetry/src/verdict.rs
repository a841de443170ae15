//! What windows of counters beside estimates say of an exporter: honest, off, or not to be acted on.

use base::{Span, Timestamp};

/// A window is at least so long,
const WINDOW: Span = Span::from_secs(300);
/// and holds at least so many samples, seen or due by the counters: 14 % of error at 95 % confidence.
const SAMPLES_MIN: u64 = 200;
/// Beyond this factor, either way, an exporter is off.
const OFF: f64 = 1.3;
/// Beyond this one its numbers are no ground to act on.
const DOUBTFUL: f64 = 3.0;
/// Windows in a row that a verdict, or taking it back, needs.
const WINDOWS: u8 = 3;

/// The verdict on one exporter, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    begun: Option<Timestamp>,
    /// Packets by the counters, and estimated from samples.
    counted: u64,
    estimated: u64,
    /// Samples seen, and due by the counters.
    samples: u64,
    factor: Option<f64>,
    off: u8,
    wild: u8,
    tame: u8,
    doubtful: bool,
}

impl Verdict {
    /// Takes in what an interface counted since its last counters, and what its samples, each one of `rate`, said meanwhile.
    pub(crate) fn add(&mut self, at: Timestamp, counted: u64, estimated: u64, samples: u64, rate: u32) {
        let begun = *self.begun.get_or_insert(at);
        self.counted = self.counted.saturating_add(counted);
        self.estimated = self.estimated.saturating_add(estimated);
        let due = counted / u64::from(rate.max(1));
        self.samples = self.samples.saturating_add(samples.max(due));
        if at.since(begun) >= WINDOW && self.samples >= SAMPLES_MIN {
            self.close();
            (self.begun, self.counted, self.estimated, self.samples) = (Some(at), 0, 0, 0);
        }
    }

    /// Counters over estimate of the last window: 1 is honest, 10 says that the exporter tells a tenth of what there is.
    pub const fn factor(&self) -> Option<f64> {
        self.factor
    }

    /// Off by more than 1.3 for three windows.
    pub const fn is_off(&self) -> bool {
        self.off >= WINDOWS
    }

    /// Off by more than 3: what it tells is told on, but nothing acts on it. One window is enough where it tells too much,
    /// for that makes floods of nothing; three where it tells too little, for a flood alone may do that to a sampler. Three
    /// windows within the factor take it back.
    pub const fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    #[expect(clippy::cast_precision_loss, reason = "a factor")]
    fn close(&mut self) {
        if self.counted == 0 {
            // Counters that stand still are not there.
            return;
        }
        let factor = self.counted as f64 / self.estimated.max(1) as f64;
        let beyond = |limit: f64| factor > limit || factor < 1.0 / limit;
        let row = |of: u8, goes_on: bool| if goes_on { of.saturating_add(1) } else { 0 };
        self.factor = Some(factor);
        self.off = row(self.off, beyond(OFF));
        self.wild = row(self.wild, beyond(DOUBTFUL));
        self.tame = row(self.tame, !beyond(DOUBTFUL));
        if self.wild >= WINDOWS || factor < 1.0 / DOUBTFUL {
            self.doubtful = true;
        } else if self.tame >= WINDOWS {
            self.doubtful = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of five minutes in which the counters say this many times what the samples do.
    fn windows(verdict: &mut Verdict, from: u64, count: u64, factor: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
        let counted = (2_000_000.0 * factor) as u64;
        for window in from..from + count {
            for part in 0..10 {
                verdict.add(Timestamp::from_secs(300 * window + 30 * part), counted, 2_000_000, 2000, 1000);
            }
        }
        verdict.add(Timestamp::from_secs(300 * (from + count)), counted, 2_000_000, 2000, 1000);
    }

    #[test]
    fn small_lies_flag_large_ones_disarm_and_honesty_takes_it_back() {
        // (factor, windows, off, doubtful)
        for (factor, count, off, doubtful) in [
            (1.0, 5, false, false),
            (1.2, 5, false, false),
            (0.85, 5, false, false),
            (1.5, 2, false, false),
            (1.5, 3, true, false),
            (0.6, 3, true, false),
            (10.0, 2, false, false),
            (10.0, 3, true, true),
            (0.1, 1, false, true),
        ] {
            let mut verdict = Verdict::default();
            windows(&mut verdict, 1, count, factor);
            let told = (verdict.is_off(), verdict.is_doubtful());
            assert_eq!(told, (off, doubtful), "{factor} for {count} windows");
            assert!((verdict.factor().unwrap() / factor - 1.0).abs() < 0.01);
        }
        let mut verdict = Verdict::default();
        windows(&mut verdict, 1, 1, 0.1);
        windows(&mut verdict, 2, 1, 1.0);
        assert!(verdict.is_doubtful());
        windows(&mut verdict, 3, 3, 1.0);
        assert!(!verdict.is_doubtful());
    }

    #[test]
    fn few_samples_and_dead_counters_say_nothing() {
        let mut verdict = Verdict::default();
        for part in 0..100 {
            verdict.add(Timestamp::from_secs(1000 + 30 * part), 10_000, 1000, 1, 100_000);
        }
        assert_eq!(verdict.factor(), None);
        for part in 100..200 {
            verdict.add(Timestamp::from_secs(1000 + 30 * part), 0, 10_000, 10, 1000);
        }
        assert!(verdict.factor().is_none_or(|factor| factor > 0.0));
    }
}
