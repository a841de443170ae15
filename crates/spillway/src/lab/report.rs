//! What a play came to, in numbers.

use std::time::{Duration, Instant};

use base::{Prefix, Timestamp};
use serde::Serialize;

use super::honest::Outcome;

/// A play, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// Its name.
    pub scenario: &'static str,
    /// Who filtered: `rules`, `found`, `daemon` or `nobody`.
    pub by: &'static str,
    /// What is not a real program's doing.
    pub synthetic: Option<&'static str>,
    /// In the order of time.
    pub phases: Vec<Phase>,
    /// What the daemon called an attack; empty where none ran.
    pub found: Vec<Found>,
    /// From the attack's first packet to the first that the daemon dropped or challenged, in milliseconds, where it filtered.
    pub acted_ms: Option<u64>,
    /// What the rules decided in the end.
    pub rules: Vec<RuleCount>,
    /// SYNs that were answered by a cookie instead of reaching the kernel.
    pub challenged: u64,
}

/// A time in which nothing changed, and how it went.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// `before`, `attack`, `filtered` or `after`.
    pub name: &'static str,
    /// How long it was measured.
    pub seconds: f64,
    /// Requests of honest clients that began.
    pub requests: usize,
    /// Of them, answered whole and in time.
    pub answered: usize,
    /// Of those, half were answered within this, in milliseconds.
    pub median_ms: Option<f64>,
    /// And 99 of 100 within this.
    pub p99_ms: Option<f64>,
    /// When the first and the last request began that got none, in milliseconds after the phase's first request.
    pub unanswered_ms: Option<[u64; 2]>,
    /// Packets a second that attackers and reflectors sent.
    pub attack_pps: u64,
    /// Packets that rules dropped meanwhile.
    pub dropped: u64,
}

/// An attack, as the daemon tells of it.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its victim.
    pub target: Prefix,
    /// What it consists of.
    pub vectors: Vec<String>,
    /// What would stop it.
    pub rules: Vec<String>,
    /// Its first packet.
    #[serde(skip)]
    pub(super) began: Timestamp,
    /// From its first packet to the decision, in milliseconds, as the daemon tells it.
    pub after_ms: u64,
}

/// What a rule did.
#[derive(Clone, Debug, Serialize)]
pub struct RuleCount {
    /// Its id.
    pub id: String,
    /// Packets it decided.
    pub packets: u64,
    /// Of them dropped.
    pub dropped: u64,
}

impl Phase {
    /// Share of requests that were answered; 1 where there was none.
    #[expect(clippy::cast_precision_loss, reason = "thousands of requests")]
    pub fn success(&self) -> f64 {
        if self.requests == 0 { 1.0 } else { self.answered as f64 / self.requests as f64 }
    }

    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "thousands of requests")]
    pub fn answered_per_second(&self) -> f64 {
        self.answered as f64 / self.seconds.max(f64::EPSILON)
    }

    pub(super) fn new(name: &'static str, took: Duration, outcomes: &[Outcome]) -> Self {
        let mut times: Vec<f64> = outcomes
            .iter()
            .filter(|outcome| outcome.answered)
            .map(|outcome| outcome.took.as_secs_f64() * 1e3)
            .collect();
        times.sort_by(f64::total_cmp);
        let first = outcomes.iter().map(|outcome| outcome.at).min();
        let after = |at: Instant| {
            let after = at.saturating_duration_since(first.unwrap_or(at));
            u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
        };
        let lost = || outcomes.iter().filter(|outcome| !outcome.answered).map(|outcome| outcome.at);
        let nearest = |hundredths: usize| {
            let rank = (times.len() * hundredths).div_ceil(100).max(1);
            times.get(rank - 1).copied()
        };
        Self {
            name,
            seconds: took.as_secs_f64(),
            requests: outcomes.len(),
            answered: times.len(),
            median_ms: nearest(50),
            p99_ms: nearest(99),
            unanswered_ms: lost().min().zip(lost().max()).map(|(from, to)| [after(from), after(to)]),
            attack_pps: 0,
            dropped: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_answered_requests() {
        let began = Instant::now();
        let one = |millis, answered| {
            let took = Duration::from_millis(millis);
            Outcome { at: began + took, took, answered }
        };
        let outcomes: Vec<Outcome> =
            (1..=100).map(|n| one(n, true)).chain([one(801, false), one(901, false)]).collect();
        let phase = Phase::new("attack", Duration::from_secs(10), &outcomes);
        assert_eq!(phase.unanswered_ms, Some([800, 900]));
        assert_eq!((phase.requests, phase.answered), (102, 100));
        assert_eq!((phase.median_ms, phase.p99_ms), (Some(50.0), Some(99.0)));
        assert!((phase.answered_per_second() - 10.0).abs() < 1e-9);
        let nothing = Phase::new("attack", Duration::from_secs(1), &[]);
        assert_eq!((nothing.median_ms, nothing.unanswered_ms, nothing.success()), (None, None, 1.0));
    }
}
