//! What rules do to packets as time passes: token buckets on the packets' own clock.

use alloc::vec::Vec;

use base::Timestamp;
use wire::packet::Parsed;

use crate::rule::Action;
use crate::set::RuleSet;

/// A bucket holds what its rate allows in this many seconds: a burst as long passes whole.
pub const BURST_SECONDS: f64 = 0.1;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on: no rule matched, a rule passed it, or it stayed below a rate.
    Passed,
    /// It ended here.
    Dropped,
    /// Its source has to prove itself.
    Challenged,
    /// It is led elsewhere.
    Redirected,
}

/// A packet's fate and the rule that decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The place in [`RuleSet::rules`] of the deciding rule.
    pub rule: Option<usize>,
    /// What became of the packet.
    pub fate: Fate,
}

/// The buckets of a set's rules.
#[derive(Clone, Debug)]
pub struct Limiter {
    buckets: Vec<Option<Bucket>>,
}

impl Limiter {
    /// Full buckets for the rules of `set` that have a rate.
    pub fn new(set: &RuleSet) -> Self {
        Self { buckets: set.rules().iter().map(|rule| Bucket::new(rule.action)).collect() }
    }

    /// The fate of a packet under `set`, which [`Self::new`] was given.
    pub fn judge(&mut self, set: &RuleSet, now: Timestamp, packet: &Parsed<'_>) -> Verdict {
        let rule = set.decide_index(packet);
        let fate = match rule.and_then(|index| Some((index, set.rules().get(index)?.action))) {
            None | Some((_, Action::Pass)) => Fate::Passed,
            Some((_, Action::Drop)) => Fate::Dropped,
            Some((_, Action::Challenge)) => Fate::Challenged,
            Some((_, Action::Redirect(_))) => Fate::Redirected,
            Some((index, Action::RatePackets(_) | Action::RateBits(_))) => {
                if self.admit(index, now, packet.headers.length) { Fate::Passed } else { Fate::Dropped }
            }
        };
        Verdict { rule, fate }
    }

    /// Whether the rule at `index` lets a packet of so many layer-3 octets pass now. A rule without rate does.
    pub fn admit(&mut self, index: usize, now: Timestamp, bytes: u32) -> bool {
        match self.buckets.get_mut(index) {
            Some(Some(bucket)) => bucket.take(now, bytes),
            _ => true,
        }
    }
}

/// Tokens are packets or bits. The last packet of a burst may overdraw: so large packets pass low rates, and the
/// rate holds in the long run.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_second: f64,
    depth: f64,
    level: f64,
    bits: bool,
    last: Option<Timestamp>,
}

impl Bucket {
    fn new(action: Action) -> Option<Self> {
        let (per_second, bits) = match action {
            Action::RatePackets(rate) => (rate, false),
            Action::RateBits(rate) => (rate, true),
            _ => return None,
        };
        // A whole packet has to fit, else a rate of less than ten a second lets none pass.
        let least = if bits || per_second <= 0.0 { 0.0 } else { 1.0 };
        let depth = libm::fmax(per_second * BURST_SECONDS, least);
        Some(Self { per_second, depth, level: depth, bits, last: None })
    }

    fn take(&mut self, now: Timestamp, bytes: u32) -> bool {
        let last = self.last.unwrap_or(now);
        // A packet out of order earns nothing and does not turn the clock back.
        self.level = libm::fmin(self.depth, self.level + self.per_second * now.since(last).as_secs_f64());
        self.last = Some(now.max(last));
        let cost = if self.bits { f64::from(bytes) * 8.0 } else { 1.0 };
        let enough = if self.bits { self.level > 0.0 } else { self.level >= 1.0 };
        if enough {
            self.level -= cost;
        }
        enough
    }
}
