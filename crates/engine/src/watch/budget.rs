//! How high a test has to stand, so that all of them together raise one false alarm in the budget's time.
//!
//! A test that has left zero crosses `h` by chance before it is back at zero once in e^h times at most (Wald 1945, §3.2), so
//! what the budget is spent on are the times that tests leave zero: h = ln(such beginnings a second × seconds of the budget). A
//! stream to which nothing suspect comes begins nothing and costs nothing; one that is tested twice, by packets and by octets,
//! counts for both.

use base::Span;
use detect::cusum::{self, Cusum};

/// Beginnings are counted over about so long.
const MEMORY: Span = Span::from_secs(600);
/// Beginnings a second that are reckoned with at least. A network of 65,536 hosts and 100 kpps has 20 at 1:1000, ten times as
/// much traffic 150 (`scenarios provider`); the rest is margin for a world that is less independent than the proof wants.
const RATE_MIN: f64 = 10_000.0;

/// How often tests leave zero.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    /// Those of the last [`MEMORY`], faded, and the seconds in which they were.
    count: f64,
    secs: f64,
    /// In the tick that is being counted.
    now: u32,
}

impl Beginnings {
    /// Takes note of the tests that have left zero, of those that stood there.
    pub(super) fn add(&mut self, were_zero: [bool; 2], tests: &[Cusum; 2]) {
        let begun =
            tests.iter().zip(were_zero).map(|(test, was_zero)| u32::from(was_zero && !test.is_zero()));
        self.now = self.now.saturating_add(begun.sum());
    }

    /// The tick is over.
    pub(super) fn tick(&mut self, tick: Span) {
        let secs = tick.as_secs_f64();
        let kept = (-secs / MEMORY.as_secs_f64()).exp();
        self.count = kept * self.count + f64::from(std::mem::take(&mut self.now));
        self.secs = kept * self.secs + secs;
    }

    /// What a test has to reach, in nats.
    pub(super) fn threshold(&self, budget: Span) -> f64 {
        cusum::threshold((self.count / self.secs.max(1.0)).max(RATE_MIN), budget.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Span = Span::from_millis(250);
    const WEEK: Span = Span::from_secs(604_800);

    /// Whether a test has risen.
    fn test(risen: bool) -> Cusum {
        let mut test = Cusum::default();
        test.update(if risen { 5.0 } else { 0.0 }, 0.1, 1.0, 100.0);
        test
    }

    #[test]
    fn what_costs_the_budget_is_a_test_that_leaves_zero() {
        let mut busy = Beginnings::default();
        let small = busy.threshold(WEEK);
        assert!((22.0..23.0).contains(&small), "{small}");
        // Tests that stand anywhere, and such that fall back to zero, cost nothing.
        for _ in 0..40 {
            (0..5_000).for_each(|_| busy.add([false, true], &[test(true), test(false)]));
            busy.tick(TICK);
        }
        assert_eq!(busy.threshold(WEEK), small);
        for _ in 0..40 {
            (0..5_000).for_each(|_| busy.add([true, true], &[test(true), test(true)]));
            busy.tick(TICK);
        }
        assert!(busy.threshold(WEEK) > small + 0.5);
        assert!(busy.threshold(Span::from_secs(86_400)) < busy.threshold(WEEK) - 1.9);
    }
}
