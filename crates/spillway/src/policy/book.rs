//! What people decided while the daemon ran, and until when. Pure: time is an argument.

use base::{Prefix, Timestamp};
use engine::Mode;
use rules::{Action, Rule};
use serde::{Deserialize, Serialize};

use super::allow::Allowed;

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// How far to go for a prefix.
    Mode {
        /// Which.
        prefix: Prefix,
        /// How far.
        mode: Mode,
    },
    /// How far to go where nothing narrower says it.
    General {
        /// How far.
        mode: Mode,
        /// What the configuration said then. It ends when the configuration says something else.
        file: Mode,
    },
    /// Nothing acts for anybody.
    Panic,
    /// A source that is never filtered on the way to a prefix.
    Allow(Allowed),
    /// A rule of the engine was taken back: nothing that hits the same packets of this target is set again.
    TakenBack {
        /// The attack it was for.
        attack: String,
        /// Its target.
        target: Prefix,
        /// The rule, in the rule language.
        rule: String,
    },
    /// A step of the ladder was taken back: it is not taken again for this target.
    StepBack {
        /// The target.
        target: Prefix,
        /// `flowspec`, `diversion` or `blackhole`.
        step: String,
        /// What was announced.
        announced: String,
    },
    /// A person calls an attack over; it is asked for until it is.
    Closed {
        /// Its id.
        attack: String,
        /// Its target.
        target: Prefix,
    },
    /// A rule that a person made.
    Rule {
        /// In the rule language; its id is `m` and the number of the entry.
        rule: String,
        /// It reverts then unless a person confirms it.
        confirm_by: Option<Timestamp>,
    },
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Who.
    pub(crate) owner: String,
    /// Why.
    pub(crate) reason: String,
    /// When.
    pub(crate) at: Timestamp,
    /// When it ends by itself; `None`: when somebody ends it.
    pub(crate) until: Option<Timestamp>,
    /// What.
    pub(crate) what: What,
}

/// A decision with its number, and its rule as it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) id: u64,
    pub(crate) entry: Entry,
    pub(crate) rule: Option<Rule>,
}

impl Held {
    pub(crate) fn new(id: u64, entry: Entry) -> Self {
        let text = match &entry.what {
            What::TakenBack { rule, .. } | What::Rule { rule, .. } => Some(rule),
            What::Mode { .. }
            | What::General { .. }
            | What::Panic
            | What::Allow(_)
            | What::StepBack { .. }
            | What::Closed { .. } => None,
        };
        let mut rule = text.and_then(|text| rules::parse::rules(text).ok()?.pop());
        if let (What::Rule { .. }, Some(rule)) = (&entry.what, &mut rule) {
            rule.id = format!("m{id}");
        }
        Self { id, entry, rule }
    }

    /// When it ends by itself.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        let confirm = match self.entry.what {
            What::Rule { confirm_by, .. } => confirm_by,
            _ => None,
        };
        self.entry.until.into_iter().chain(confirm).min()
    }

    /// Whether it holds at this time.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.end().is_none_or(|end| now < end)
    }

    /// Whose it is, by this.
    pub(crate) fn about(&self) -> Option<Prefix> {
        match &self.entry.what {
            What::Mode { prefix, .. } => Some(*prefix),
            What::General { .. } | What::Panic => None,
            What::Allow(allowed) => Some(allowed.destination),
            What::TakenBack { target, .. } | What::StepBack { target, .. } | What::Closed { target, .. } => {
                Some(*target)
            }
            What::Rule { .. } => self.rule.as_ref().and_then(|rule| rule.matches.dst),
        }
    }
}

/// All of them, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(pub(crate) Vec<Held>);

impl Book {
    /// Those that hold.
    pub(crate) fn holding(&self, now: Timestamp) -> impl Iterator<Item = &Held> {
        self.0.iter().filter(move |held| held.holds(now))
    }

    /// By its number.
    pub(crate) fn get(&self, id: u64) -> Option<&Held> {
        self.0.iter().find(|held| held.id == id)
    }

    /// How far to go for a prefix, by the entry of the longest prefix around it.
    pub(crate) fn mode(&self, prefix: &Prefix, now: Timestamp) -> Option<(&Held, Mode)> {
        let modes = self.holding(now).filter_map(|held| match held.entry.what {
            What::Mode { prefix: of, mode } if of.covers(prefix) => Some((of.bits(), held, mode)),
            _ => None,
        });
        modes.max_by_key(|(bits, held, _)| (*bits, held.id)).map(|(_, held, mode)| (held, mode))
    }

    /// How far to go where nothing narrower says it, where the configuration still says what it said then.
    pub(crate) fn general(&self, file: Mode, now: Timestamp) -> Option<(&Held, Mode)> {
        self.holding(now)
            .filter_map(|held| match held.entry.what {
                What::General { mode, file: of } if of == file => Some((held, mode)),
                _ => None,
            })
            .last()
    }

    /// Why nothing acts.
    pub(crate) fn panic(&self, now: Timestamp) -> Option<&Held> {
        self.holding(now).find(|held| matches!(held.entry.what, What::Panic))
    }

    /// Prefixes that have a mode of their own.
    pub(crate) fn modes(&self, now: Timestamp) -> impl Iterator<Item = Prefix> {
        self.holding(now).filter_map(|held| match held.entry.what {
            What::Mode { prefix, .. } => Some(prefix),
            _ => None,
        })
    }

    /// What speaks against a rule of the engine for a target: a person took one back that hits some of the same packets. Who took a
    /// challenge back did not speak of drops, nor the other way round.
    pub(crate) fn taken_back(&self, target: &Prefix, rule: &Rule, now: Timestamp) -> Option<&Held> {
        let asks = |action: &Action| matches!(action, Action::Challenge(_));
        self.holding(now).find(|held| {
            let (What::TakenBack { target: of, .. }, Some(taken)) = (&held.entry.what, &held.rule) else {
                return false;
            };
            (of.covers(target) || target.covers(of))
                && asks(&taken.action) == asks(&rule.action)
                && rules::overlap::shares(&taken.matches, &rule.matches)
        })
    }

    /// What speaks against a step for a target.
    pub(crate) fn step_back(&self, target: &Prefix, step: &str, now: Timestamp) -> Option<&Held> {
        self.holding(now).find(|held| match &held.entry.what {
            What::StepBack { target: of, step: taken, .. } => {
                taken == step && (of.covers(target) || target.covers(of))
            }
            _ => false,
        })
    }
}
