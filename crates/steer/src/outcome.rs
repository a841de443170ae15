//! Outcome, not volume: whether the service lives, before and after a measure. What makes it worse is withdrawn.
//!
//! Signals count in this order: a probe that the operator configured, peers known from peace that are still served,
//! connections that carry data (where the attack completes none), then ratios. A signal that says *worse* decides unless one
//! before it says *better*; each needs enough counts to be sure with 95 % confidence. [`Guard`] asks twice before it
//! withdraws.

mod signal;

use base::{Span, Timestamp};

pub use signal::judge;

/// What was counted of a service in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// In how long.
    pub span: Span,
    /// SYN that reached it.
    pub syn: u64,
    /// SYN-ACK that it sent.
    pub syn_ack: u64,
    /// Connections in which the client then sent data.
    pub data: u64,
    /// Requests that reached it (DNS, QUIC and the like).
    pub requests: u64,
    /// Answers to them.
    pub answers: u64,
    /// Peers that it had in peace and that were served now; `None` where none are known.
    pub known_served: Option<u64>,
    /// Answers to the operator's own probe.
    pub probe_ok: u64,
    /// Probes without an answer.
    pub probe_failed: u64,
}

/// What is known of the attack that a measure is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Against {
    /// Its sources complete handshakes, or may: then connections with data are no proof of honest clients.
    pub completes: bool,
    /// By what factor it has grown since, seen before the measure; 1 where nobody saw.
    pub growth: f64,
}

/// How a service does since a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Surely better.
    Better,
    /// No sure difference.
    Same,
    /// Surely worse.
    Worse,
    /// Too little was counted, or the attack itself has grown.
    Unknown,
}

impl Outcome {
    /// As documents say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::Worse => "worse",
            Self::Unknown => "unknown",
        }
    }
}

/// An outcome and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How it does.
    pub outcome: Outcome,
    /// Which signal says so, with its figures.
    pub reason: String,
}

/// Times in a row that it has to be worse.
const WORSE_MIN: u32 = 2;

/// Watches one measure.
#[derive(Clone, Debug)]
pub struct Guard {
    before: Health,
    since: Timestamp,
    settle: Span,
    worse: u32,
    last: Option<Judgement>,
}

impl Guard {
    /// A measure was put in force; before it the service did like this. What is counted within `settle` says nothing yet.
    pub const fn new(now: Timestamp, before: Health, settle: Span) -> Self {
        Self { before, since: now, settle, worse: 0, last: None }
    }

    /// Takes in what was counted in the last span; the reason for which the measure has to be withdrawn, if it has to.
    pub fn handle(&mut self, now: Timestamp, after: &Health, against: Against) -> Option<String> {
        if now.minus(after.span) < self.since.plus(self.settle) {
            return None;
        }
        let judgement = judge(&self.before, after, against);
        match judgement.outcome {
            Outcome::Worse => self.worse += 1,
            Outcome::Better | Outcome::Same => self.worse = 0,
            // Nothing learned, nothing forgotten.
            Outcome::Unknown => {}
        }
        let withdraw = (judgement.outcome == Outcome::Worse && self.worse >= WORSE_MIN)
            .then(|| format!("the service does worse since it is in force: {}", judgement.reason));
        self.last = Some(judgement);
        withdraw
    }

    /// Something else changed: what was counted before `now` says nothing of this measure, and it is looked at anew.
    pub fn again(&mut self, now: Timestamp) {
        (self.since, self.worse) = (now, 0);
    }

    /// What was said last.
    pub const fn last(&self) -> Option<&Judgement> {
        self.last.as_ref()
    }
}
