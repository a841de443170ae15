//! What holds at one instant: the configuration's layers, and what people decided above them.

use std::sync::Arc;

use base::{Prefix, Span, Timestamp};
use engine::Mode;
use rules::Rule;

use super::allow::Allowed;
use super::book::{Book, Held, What};
use super::layers::Layers;
use super::values::{From, Kind, Traced, Values};
use crate::config::target::Wishes;

/// Both at one instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(super) layers: Arc<Layers>,
    pub(super) book: Arc<Book>,
    pub(super) now: Timestamp,
}

impl View {
    /// Of the configuration alone.
    #[cfg(test)]
    pub(crate) fn of(layers: Layers) -> Self {
        Self { layers: Arc::new(layers), ..Self::default() }
    }

    /// What holds for a prefix as a whole.
    pub(crate) fn values(&self, prefix: &Prefix) -> Values {
        let stack = self.layers.stack(prefix);
        let nobody = || From::new(Kind::BuiltIn, String::new());
        let (from, profile) = self.layers.profile(prefix);
        let said = self.book.mode(prefix, self.now);
        let mode = match said {
            Some((held, mode)) => Traced {
                value: mode,
                from: From::person(held.entry.owner.clone(), held.id, held.entry.until),
            },
            None => first(&stack, nobody(), Mode::Observe, |wishes| wishes.mode),
        };
        // where it is off for all, nobody has it on
        let can = stack.iter().any(|(from, wishes)| {
            *from == From::new(Kind::Configuration, String::new()) && wishes.challenge == Some(true)
        });
        let challenge = first(&stack, nobody(), false, |wishes| wishes.challenge.map(|yes| yes && can));
        Values {
            prefix: *prefix,
            customer: self.layers.customer(prefix).map(|customer| customer.name.clone()),
            profile: Traced { value: profile.to_owned(), from },
            mode,
            floor: first(&stack, nobody(), 0.0, |wishes| wishes.floor),
            multiple: first(&stack, nobody(), super::layers::MULTIPLE, |wishes| wishes.multiple),
            collateral_max: first(&stack, nobody(), 0.0, |wishes| wishes.collateral_max),
            blind: first(&stack, nobody(), false, |wishes| wishes.blind),
            challenge,
            limit: first(&stack, nobody(), None, |wishes| wishes.limit.map(Some)),
            ordinary: first(&stack, nobody(), Vec::new(), |wishes| wishes.ordinary.clone()),
            never_drop: first(&stack, nobody(), Vec::new(), |wishes| wishes.never_drop.clone()),
        }
    }

    /// What holds for all that a rule for this prefix reaches: for it, and for those inside it of whom something else is said.
    pub(crate) fn reached(&self, prefix: &Prefix) -> Vec<Values> {
        let inside = self.inside(prefix);
        let mut all: Vec<Prefix> = std::iter::once(*prefix).chain(inside).collect();
        all.sort_unstable();
        all.dedup();
        all.iter().map(|one| self.values(one)).collect()
    }

    /// How far to go with what reaches this prefix: no further than for any part of it.
    pub(crate) fn mode(&self, prefix: &Prefix) -> Mode {
        let mode = |prefix: &Prefix| match self.book.mode(prefix, self.now) {
            Some((_, mode)) => mode,
            None => self.layers.stack(prefix).iter().find_map(|(_, wishes)| wishes.mode).unwrap_or_default(),
        };
        let inside = self.inside(prefix);
        inside.map(|inner| mode(&inner)).fold(mode(prefix), least)
    }

    fn inside<'a>(&'a self, prefix: &'a Prefix) -> impl Iterator<Item = Prefix> + 'a {
        let decided = self.book.modes(self.now).filter(move |inner| prefix.covers(inner));
        self.layers.inside(prefix).chain(decided)
    }

    /// Whether rules may act for anybody.
    pub(crate) fn is_earnest(&self) -> bool {
        let decided = self
            .book
            .holding(self.now)
            .any(|held| matches!(held.entry.what, What::Mode { mode: Mode::Enforce, .. }));
        decided || self.layers.is_earnest()
    }

    /// Sources that pass.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = &Allowed> {
        let decided = self.book.holding(self.now).filter_map(|held| match &held.entry.what {
            What::Allow(allowed) => Some(allowed),
            _ => None,
        });
        self.layers.allow.iter().filter(|allowed| allowed.holds(self.now)).chain(decided)
    }

    /// Why the engine may not set a rule for a target: a person took back one that hits the same packets.
    pub(crate) fn taken_back(&self, target: &Prefix, rule: &Rule) -> Option<&Held> {
        self.book.taken_back(target, rule, self.now)
    }

    /// Why a step may not be taken for a target.
    pub(crate) fn step_back(&self, target: &Prefix, step: &str) -> Option<&Held> {
        self.book.step_back(target, step, self.now)
    }

    /// Attacks that persons called over.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &str> {
        self.book.holding(self.now).filter_map(|held| match &held.entry.what {
            What::Closed { attack, .. } => Some(attack.as_str()),
            _ => None,
        })
    }

    /// What was taken back of a target.
    pub(crate) fn exceptions<'a>(&'a self, target: &'a Prefix) -> impl Iterator<Item = &'a Held> {
        self.book.holding(self.now).filter(move |held| match &held.entry.what {
            What::TakenBack { target: of, .. } | What::StepBack { target: of, .. } => {
                of.covers(target) || target.covers(of)
            }
            _ => false,
        })
    }

    /// Rules that people made, each with what is left of its time.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&Held, Rule)> {
        self.book.holding(self.now).filter_map(|held| {
            let What::Rule { .. } = held.entry.what else { return None };
            let left = held.end().map_or(Span::ZERO, |end| end.since(self.now));
            Some((held, Rule { lease: Some(left), ..held.rule.clone()? }))
        })
    }

    /// Changes whenever something else holds than before.
    pub(crate) fn stamp(&self) -> Vec<u64> {
        let configured = self.layers.allow.iter().filter(|allowed| allowed.holds(self.now)).count() as u64;
        // an entry that was written anew is another one
        let decided =
            self.book.holding(self.now).flat_map(|held| [held.id, held.end().map_or(0, Timestamp::nanos)]);
        std::iter::once(configured).chain(decided).collect()
    }
}

/// The one that does less.
pub(crate) const fn least(a: Mode, b: Mode) -> Mode {
    match (a, b) {
        (Mode::Observe, _) | (_, Mode::Observe) => Mode::Observe,
        (Mode::Suggest, _) | (_, Mode::Suggest) => Mode::Suggest,
        (Mode::Enforce, Mode::Enforce) => Mode::Enforce,
    }
}

/// The first of these layers that says it; else nobody does.
fn first<T>(
    stack: &[(From, &Wishes)],
    nobody: From,
    none: T,
    get: impl Fn(&Wishes) -> Option<T>,
) -> Traced<T> {
    let found = stack.iter().find_map(|(from, wishes)| Some((from.clone(), get(wishes)?)));
    let (from, value) = found.unwrap_or((nobody, none));
    Traced { value, from }
}
