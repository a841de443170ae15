//! How late an exporter tells of flows, and how long its cache keeps them: what detection can hope for at best.

use base::{Span, Timestamp};

/// Buckets of a quarter octave, from 2²⁶ ns (67 ms) to 73 minutes: a percentile is told at most a quarter too high.
const BUCKETS: usize = 64;
const UNIT_BITS: u32 = 26;
/// Flows before a percentile is told.
const FLOWS_MIN: u32 = 100;
/// At so many flows all counts are halved, so that a router that was set anew is learned anew.
const FLOWS_MAX: u32 = 1 << 16;
/// From the last flows of an attack to the decision.
const DECISION: Span = Span::from_secs(1);

/// Delays and durations of one exporter's flows.
#[derive(Clone, Debug, Default)]
pub struct Delay {
    arrival: Histogram,
    lasting: Histogram,
}

impl Delay {
    /// Takes in a flow that arrived at `at`.
    #[inline]
    pub(crate) fn take(&mut self, at: Timestamp, start: Timestamp, end: Timestamp) {
        self.arrival.count(at.since(start));
        self.lasting.count(end.since(start));
    }

    /// From a flow's first packet to its arrival here, for 99 of 100 flows; `None` while few came.
    pub fn export(&self) -> Option<Span> {
        self.arrival.percentile_99()
    }

    /// How long 99 of 100 flows last: the active timeout in effect, where flows outlast it.
    pub fn lasting(&self) -> Option<Span> {
        self.lasting.percentile_99()
    }

    /// From an attack's first packet to its detection, as far as this exporter permits.
    pub fn earliest_detection(&self) -> Option<Span> {
        self.export().map(|export| Span::from_nanos(export.nanos() + DECISION.nanos()))
    }
}

#[derive(Clone, Debug)]
struct Histogram {
    counts: [u32; BUCKETS],
    total: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    #[inline]
    fn count(&mut self, span: Span) {
        if let Some(count) = self.counts.get_mut(bucket(span)) {
            *count += 1;
        }
        self.total += 1;
        if self.total >= FLOWS_MAX {
            self.fade();
        }
    }

    #[cold]
    fn fade(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
        self.total = self.counts.iter().sum();
    }

    fn percentile_99(&self) -> Option<Span> {
        if self.total < FLOWS_MIN {
            return None;
        }
        let mut above = 0;
        let last = self.counts.iter().rposition(|count| {
            above += count;
            above > self.total / 100
        });
        last.map(end)
    }
}

/// Two bits behind the leading one tell the quarter.
#[inline]
fn bucket(span: Span) -> usize {
    let units = span.nanos() >> UNIT_BITS;
    let Some(octave) = units.checked_ilog2() else { return 0 };
    let quarter = (units << 2 >> octave) & 3;
    usize::try_from(u64::from(octave) * 4 + quarter).map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1))
}

/// Upper end of a bucket.
fn end(bucket: usize) -> Span {
    let (octave, quarter) = (bucket / 4, u64::try_from(bucket % 4).unwrap_or(0));
    Span::from_nanos((5 + quarter) << (u32::try_from(octave).unwrap_or(0) + UNIT_BITS - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_a_quarter_too_high() {
        for secs in [1, 5, 15, 30, 60, 300, 1800, 3600] {
            let mut delay = Delay::default();
            let start = Timestamp::from_secs(10_000);
            for n in 0..200 {
                let end = start.plus(Span::from_secs(secs));
                // One of two hundred is much later, and says nothing.
                let late = Span::from_secs(if n == 7 { 4000 } else { 1 });
                delay.take(end.plus(late), start, end);
            }
            let close = |told: Option<Span>, truth: u64| {
                let told = told.unwrap().as_secs_f64();
                let truth = Span::from_secs(truth).as_secs_f64();
                assert!(told >= truth && told <= 1.25 * truth + 0.1, "{told} for {truth}");
            };
            close(delay.lasting(), secs);
            close(delay.export(), secs + 1);
            let earliest = delay.earliest_detection().unwrap();
            assert_eq!(earliest.nanos() - delay.export().unwrap().nanos(), DECISION.nanos());
        }
        assert_eq!(Delay::default().export(), None);
    }

    #[test]
    fn a_router_that_was_set_anew_is_learned_anew() {
        let mut delay = Delay::default();
        let mut take = |secs: u64, flows: u32| {
            for _ in 0..flows {
                let start = Timestamp::from_secs(10_000);
                let end = start.plus(Span::from_secs(secs));
                delay.take(end, start, end);
            }
            delay.lasting().unwrap().secs()
        };
        assert!((1800..2250).contains(&take(1800, 100_000)));
        assert!((60..75).contains(&take(60, 500_000)));
    }
}
