//! Whether what is diverted arrives: what routers tell of a prefix against what its absorber says that it received.

use base::{Span, Timestamp};

use super::judge::{LITTLE, MUCH, SEEN_MIN, Z};
use super::{Judgement, Verdict};

/// What came in a window, and where.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Packets by the exporter that told of most, by all together, and how many of these were sampled.
    least: u64,
    most: u64,
    sampled: u64,
    /// Packets/s by the absorber's word, over reports.
    received: u64,
    reports: u64,
    /// For how long routers told.
    nanos: u64,
}

impl Window {
    const fn with(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
            sampled: self.sampled.saturating_add(other.sampled),
            received: self.received.saturating_add(other.received),
            reports: self.reports.saturating_add(other.reports),
            nanos: self.nanos.saturating_add(other.nanos),
        }
    }
}

/// Follows one diversion: two windows, the one that runs and the whole one before it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// It should arrive from now on.
    acts_from: Timestamp,
    window: Span,
    patience: Span,
    began: Timestamp,
    /// Until when routers told.
    last: Option<Timestamp>,
    before: Option<Window>,
    running: Window,
}

impl Arrival {
    /// Announced now. `settle`: what comes so soon counts for nothing; `patience`: when nothing can be said so long after it,
    /// nothing is expected to be said.
    pub fn new(now: Timestamp, settle: Span, window: Span, patience: Span) -> Self {
        let acts_from = now.plus(settle);
        Self {
            acts_from,
            window,
            patience,
            began: acts_from,
            last: None,
            before: None,
            running: Window::default(),
        }
    }

    /// Routers told since the last time: packets by the exporter that saw most, by all together, and how many of these were
    /// sampled. The absorber said how many packets/s it received, if it did since.
    pub fn told(&mut self, now: Timestamp, (least, most, sampled): (u64, u64, u64), received: Option<u64>) {
        if now < self.acts_from {
            return;
        }
        let Some(last) = self.last.replace(now) else { return };
        let nanos = now.since(last).nanos();
        let windows = now.since(self.began).nanos() / self.window.nanos().max(1);
        if windows > 0 {
            self.before = (windows == 1).then_some(self.running);
            self.running = Window::default();
            self.began = self.began.plus(self.window.times(windows));
        }
        let reports = u64::from(received.is_some());
        let received = received.unwrap_or_default();
        self.running = self.running.with(Window { least, most, sampled, received, reports, nanos });
    }

    /// Which share arrives, between these with 95 % confidence, where enough was told; by all exporters together at least, by
    /// the one that saw most at most, for two on one way tell of a packet twice.
    #[expect(clippy::cast_precision_loss, reason = "packets of some seconds are far below 2^53")]
    pub fn share(&self) -> Result<(f64, f64), &'static str> {
        let sum = self.before.unwrap_or_default().with(self.running);
        if sum.reports == 0 {
            return Err("its absorber has not said what it received");
        }
        if sum.sampled < SEEN_MIN {
            return Err("routers told of too little to compare with");
        }
        let seconds = Span::from_nanos(sum.nanos).as_secs_f64();
        let received = sum.received as f64 / sum.reports as f64 * seconds;
        let noise = Z / (sum.sampled as f64).sqrt();
        let share = |of: u64, factor: f64| (received / (of.max(1) as f64 * factor)).clamp(0.0, 1.0);
        Ok((share(sum.most, 1.0 + noise), share(sum.least, (1.0 - noise).max(0.1))))
    }

    /// What the diversion does.
    pub fn judge(&self, now: Timestamp) -> Judgement {
        let waits = now < self.acts_from.plus(self.patience);
        let unsaid = if waits { Verdict::Pending } else { Verdict::NotMeasurable };
        let said = |verdict, stopped, reason| Judgement { verdict, stopped, reason };
        if now < self.acts_from.plus(self.window) && self.before.is_none() {
            return said(Verdict::Pending, None, "it was announced only now".to_owned());
        }
        let (least, most) = match self.share() {
            Ok(share) => share,
            Err(why) => return said(unsaid, None, why.to_owned()),
        };
        let told = format!(
            "{:.0} to {:.0} % of what routers tell of arrive at the absorber",
            least * 100.0,
            most * 100.0
        );
        let verdict = if least >= MUCH {
            Verdict::Effective
        } else if most <= LITTLE {
            Verdict::Ineffective
        } else if most < MUCH {
            Verdict::Partly
        } else {
            return said(unsaid, Some((least, most)), format!("{told}, which is too vague"));
        };
        said(verdict, Some((least, most)), told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Span = Span::from_secs(1);

    /// Seconds in which routers tell so many packets, a hundred of them sampled, and the absorber so many.
    fn play(told: (u64, u64), received: Option<u64>, seconds: u64) -> Judgement {
        let at = |second: u64| Timestamp::from_secs(1_000 + second);
        let mut arrival = Arrival::new(at(0), SETTLE, Span::from_secs(3), Span::from_secs(12));
        for second in 1..=seconds {
            arrival.told(at(second), (told.0, told.1, 100), received);
        }
        arrival.judge(at(seconds))
    }

    #[test]
    fn what_arrives_is_held_against_what_routers_tell() {
        assert_eq!(play((5_000, 5_000), Some(5_100), 1).verdict, Verdict::Pending);
        let all = play((5_000, 5_000), Some(5_100), 20);
        assert_eq!(all.verdict, Verdict::Effective, "{all:?}");
        assert!(all.reason.contains("arrive at the absorber"), "{all:?}");
        assert_eq!(play((5_000, 5_000), Some(100), 20).verdict, Verdict::Ineffective);
        assert_eq!(play((5_000, 5_000), Some(2_500), 20).verdict, Verdict::Partly);
    }

    #[test]
    fn where_it_cannot_be_said_nothing_is_said() {
        // Two routers on one way: half of what they tell together is all of it.
        let twice = play((5_000, 10_000), Some(5_000), 20);
        assert_eq!(twice.verdict, Verdict::NotMeasurable, "{twice:?}");
        assert!(twice.reason.contains("too vague"), "{twice:?}");
        assert_eq!(play((5_000, 5_000), None, 5).verdict, Verdict::Pending);
        let silent = play((5_000, 5_000), None, 20);
        assert_eq!(silent.verdict, Verdict::NotMeasurable);
        assert!(silent.reason.contains("has not said what it received"), "{silent:?}");
    }
}
