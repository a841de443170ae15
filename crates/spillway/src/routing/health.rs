//! Outcome, not volume: what was seen of a service before and since a measure, as `steer::outcome` judges it.
//!
//! The desk says which measures are followed ([`Checkup`]), the decision core what it saw of whose service ([`Measured`]), and the
//! desk judges, twice, before it withdraws. A blackhole gives its target up: followed are the hosts beside it.

mod ward;

use base::{Prefix, Span, Timestamp};
use engine::service::Served;
use steer::book::What;
use steer::outcome::{Against, Health, Outcome, judge};

pub(super) use ward::Wards;

/// So long is counted, before and since.
pub(crate) const WINDOW: Span = Span::from_secs(10);
/// What clients do so long after a measure began has other reasons, too; only the operator's own probe is heard longer.
const FOLLOWED: Span = Span::from_secs(300);
/// From this share on, those who were served before are the same as those who are.
const REGULAR: f64 = 0.8;
/// Where one example stands for so many times more records than before, fewer are seen for that.
const THINNER: f64 = 1.25;
/// Measures that are followed at once; further ones are not, and their outcome is not known.
pub(crate) const CHECKUPS_MAX: usize = 64;

/// A measure whose outcome is followed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkup {
    /// Its number in the book.
    pub(crate) id: u64,
    /// Whose service is looked at.
    pub(crate) targets: Vec<Prefix>,
    /// Of these, not this one.
    pub(crate) except: Vec<Prefix>,
    /// When it began.
    pub(crate) began: Timestamp,
    /// When the attack began that it is for, where one is known.
    pub(crate) attacked: Option<Timestamp>,
    /// Time that it takes to act and to be seen.
    pub(crate) settle: Span,
}

impl Checkup {
    /// Whose service a measure is about, and who is given up.
    pub(super) fn about(what: &What) -> Option<(Vec<Prefix>, Vec<Prefix>)> {
        match what {
            What::Blackhole(prefix) => {
                let beside = if prefix.is_ipv4() { 24 } else { 64 };
                let around = Prefix::of(prefix.addr(), prefix.bits().min(beside));
                Some((vec![around], vec![*prefix]))
            }
            What::Diversion(prefix) => Some((vec![*prefix], Vec::new())),
            What::Flowspec(rule) => Some((vec![rule.matches.dst?], Vec::new())),
        }
    }

    /// Whether two are about the same service, in part.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let of = |one: &Prefix, other: &Prefix| one.covers(other) || other.covers(one);
        self.targets.iter().any(|one| other.targets.iter().any(|two| of(one, two)))
    }
}

/// Answers to the operator's probe: good ones, and failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    /// Just before the measure.
    pub(crate) before: (u64, u64),
    /// Lately, since it acts.
    pub(crate) after: (u64, u64),
    /// Why the last one failed, if it did.
    pub(crate) last: Option<String>,
}

/// What was seen of the service that a measure is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Of which.
    pub(crate) id: u64,
    /// When.
    pub(crate) at: Timestamp,
    /// Before it began; `None`: that is not remembered.
    pub(crate) before: Option<Served>,
    /// Lately; `None`: likewise.
    pub(crate) after: Option<Served>,
    /// The attack had already hurt the service by itself.
    pub(crate) hurt: bool,
    /// Peers that are known from peace, the share of them that comes again, and for how long that is shown.
    pub(crate) known: (usize, f64, Span),
    /// What the operator's probe says.
    pub(crate) probed: Probed,
}

/// Both sides, as they are judged, and what is to be said besides.
pub(super) struct Compared {
    pub(super) before: Health,
    pub(super) after: Health,
    pub(super) against: Against,
    pub(super) note: Option<&'static str>,
}

impl Measured {
    /// As it is judged, of a measure that began then. `stopped`: the attack was seen not to come through.
    pub(super) fn compared(&self, began: Timestamp, stopped: bool) -> Compared {
        let with = |health: Health, (ok, failed): (u64, u64)| Health {
            probe_ok: ok,
            probe_failed: failed,
            ..health
        };
        let nothing = Health { span: WINDOW, ..Health::default() };
        let (before, after) = (self.earlier(), self.since(began));
        let growth = match (self.before, self.after) {
            // A router that filters may tell of what it drops: that does not come to the service.
            (Some(before), Some(after)) if before.load.0 > 0.0 && !stopped => after.load.0 / before.load.0,
            _ => 1.0,
        };
        Compared {
            before: with(before.unwrap_or(nothing), self.probed.before),
            after: with(after.unwrap_or(nothing), self.probed.after),
            // Only known peers are counted; but those who attack may be among them, and so connections alone prove nothing.
            against: Against { completes: true, growth },
            note: before.err().or_else(|| after.err()),
        }
    }

    /// How it did before, or why that cannot be said.
    fn earlier(&self) -> Result<Health, &'static str> {
        match self.before {
            None => Err("nothing is remembered of the time before it"),
            Some(_) if self.hurt => Err("the attack had already hurt the service before it"),
            Some(_) if self.known.0 == 0 => Err("nobody is known whom it served in peace"),
            Some(before) => Ok(health(&before, before.known)),
        }
    }

    /// How it does since, likewise.
    fn since(&self, began: Timestamp) -> Result<Health, &'static str> {
        let (Some(before), Some(after)) = (self.before, self.after) else {
            return Err("nothing is remembered of the time before it");
        };
        if self.at.since(began) > FOLLOWED {
            return Err("it began too long ago");
        }
        if after.each > before.each * THINNER {
            return Err("more is told than before, and of each service less is seen");
        }
        let (_, regular, lasts) = self.known;
        let known = if regular >= REGULAR && self.at.since(began) <= lasts {
            after.known
        } else {
            // Who comes and goes is not missing: others may have come instead.
            after.known.max(after.peers.min(before.known))
        };
        Ok(health(&after, known))
    }
}

fn health(served: &Served, known: u64) -> Health {
    Health {
        span: served.span,
        syn: served.syn,
        syn_ack: served.syn_ack,
        data: served.connected,
        requests: served.requests,
        answers: served.answers,
        known_served: Some(known),
        ..Health::default()
    }
}

/// Whether an attack hurt a service before anything was done: by equal times before and since it began.
pub(crate) fn is_hurt(peace: &Served, attacked: &Served) -> bool {
    let against = Against { completes: true, growth: 1.0 };
    judge(&health(peace, peace.known), &health(attacked, attacked.known), against).outcome == Outcome::Worse
}

#[cfg(test)]
mod tests;
