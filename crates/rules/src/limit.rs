//! What rules do to packets as time passes: token buckets on the packets' own clock.

mod keyed;

use alloc::vec::Vec;

use base::Timestamp;
use wire::packet::Parsed;

use self::keyed::Keyed;
use crate::rule::{Action, Per, Rule};
use crate::set::RuleSet;

pub use self::keyed::{BUCKETS_MAX, SOURCE_LEVELS, source_prefixes};

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
    /// It goes on inside another packet.
    Tunnelled,
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
    /// Of rules that count for each source or destination by itself.
    keyed: Keyed,
}

impl Limiter {
    /// Full buckets for the rules of `set` that have a rate.
    pub fn new(set: &RuleSet) -> Self {
        let shared = |rule: &Rule| Bucket::new(rule.action, 1.0).filter(|_| rule.per == Per::Rule);
        Self { buckets: set.rules().iter().map(shared).collect(), keyed: Keyed::default() }
    }

    /// The fate of a packet under `set`, which [`Self::new`] was given.
    pub fn judge(&mut self, set: &RuleSet, now: Timestamp, packet: &Parsed<'_>) -> Verdict {
        let rule = set.decide_index(packet);
        let Some((index, decides)) = rule.and_then(|index| Some((index, set.rules().get(index)?))) else {
            return Verdict { rule, fate: Fate::Passed };
        };
        let fate = match decides.action {
            Action::Pass => Fate::Passed,
            Action::Drop => Fate::Dropped,
            Action::Challenge(_) => Fate::Challenged,
            Action::Redirect(_) => Fate::Redirected,
            Action::Tunnel(..) => Fate::Tunnelled,
            Action::RatePackets(_) | Action::RateBits(_) => {
                let admitted = match decides.per {
                    Per::Rule => self.admit(index, now, packet.headers.length),
                    _ => self.keyed.admit(index, decides, now, packet),
                };
                if admitted { Fate::Passed } else { Fate::Dropped }
            }
        };
        Verdict { rule, fate }
    }

    /// Whether the rule at `index`, which counts all its packets together, lets a packet of so many layer-3 octets pass
    /// now. A rule without rate does.
    pub fn admit(&mut self, index: usize, now: Timestamp, bytes: u32) -> bool {
        match self.buckets.get_mut(index) {
            Some(Some(bucket)) => bucket.take(now, bytes),
            _ => true,
        }
    }

    /// Packets that passed uncounted because [`BUCKETS_MAX`] sources and destinations were busy.
    pub const fn uncounted(&self) -> u64 {
        self.keyed.uncounted
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
    /// A full one for a rate so many times that of the action.
    fn new(action: Action, times: f64) -> Option<Self> {
        let (per_second, bits) = match action {
            Action::RatePackets(rate) => (rate * times, false),
            Action::RateBits(rate) => (rate * times, true),
            _ => return None,
        };
        // A whole packet has to fit, else a rate of less than ten a second lets none pass.
        let least = if bits || per_second <= 0.0 { 0.0 } else { 1.0 };
        let depth = libm::fmax(per_second * BURST_SECONDS, least);
        Some(Self { per_second, depth, level: depth, bits, last: None })
    }

    fn take(&mut self, now: Timestamp, bytes: u32) -> bool {
        let enough = self.has(now);
        if enough {
            self.charge(bytes);
        }
        enough
    }

    /// Whether a packet may pass now.
    fn has(&mut self, now: Timestamp) -> bool {
        let last = self.last.unwrap_or(now);
        // A packet out of order earns nothing and does not turn the clock back.
        self.level = libm::fmin(self.depth, self.level + self.per_second * now.since(last).as_secs_f64());
        self.last = Some(now.max(last));
        if self.bits { self.level > 0.0 } else { self.level >= 1.0 }
    }

    /// Takes the tokens of a packet that passes.
    fn charge(&mut self, bytes: u32) {
        self.level -= if self.bits { f64::from(bytes) * 8.0 } else { 1.0 };
    }
}
