//! What holds at one instant: the configuration's layers, and what people decided above them.

use std::sync::Arc;

use base::{Prefix, Span, Timestamp};
use engine::Mode;
use rules::Rule;

use super::allow::Allowed;
use super::book::{Book, Held, What};
use super::layers::Layers;
use super::values::{From, Kind, Traced, Values, mode_name};
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
    pub(crate) fn of(layers: Layers) -> Self {
        Self { layers: Arc::new(layers), ..Self::default() }
    }

    /// What the configuration says.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What holds for a prefix as a whole.
    pub(crate) fn values(&self, prefix: &Prefix) -> Values {
        let stack = self.layers.stack(prefix);
        let nobody = || From::new(Kind::BuiltIn, String::new());
        let (from, profile) = self.layers.profile(prefix);
        let mode = self.said(prefix, &stack);
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

    /// How far to go where nothing narrower says it, and who says so.
    pub(crate) fn general(&self) -> Traced<Mode> {
        if let Some(held) = self.panic() {
            return decided(held, Mode::Observe);
        }
        let file = self.layers.mode();
        match self.book.general(file, self.now) {
            Some((held, mode)) => decided(held, mode),
            None => Traced { value: file, from: From::new(Kind::Configuration, String::new()) },
        }
    }

    /// How far to go where nothing narrower says it, and why in a sentence, where that is not the configuration.
    pub(crate) fn stand(&self) -> (Mode, Option<String>) {
        let general = self.general();
        let file = mode_name(self.layers.mode());
        let held = self.book.general(self.layers.mode(), self.now).map(|(held, _)| held);
        let why = match (self.panic(), held) {
            (Some(held), _) => Some(format!(
                "{} pressed the panic button at {} ({}): nothing acts; `spillway panic off` lets things act again",
                held.entry.owner, held.entry.at, held.entry.reason
            )),
            (None, Some(held)) => Some(format!(
                "{} said so at {} ({}), and the file says {file}; `spillway mode --clear` goes back to it",
                held.entry.owner, held.entry.at, held.entry.reason
            )),
            (None, None) => None,
        };
        (general.value, why)
    }

    /// The decision by which nothing acts for anybody.
    pub(crate) fn panic(&self) -> Option<&Held> {
        self.book.panic(self.now)
    }

    /// How far to go for a prefix by itself, and who says so: a person for it, its target or customer, or whoever says it for all.
    fn said(&self, prefix: &Prefix, stack: &[(From, &Wishes)]) -> Traced<Mode> {
        if self.panic().is_some() {
            return self.general();
        }
        if let Some((held, mode)) = self.book.mode(prefix, self.now) {
            return decided(held, mode);
        }
        let mut own = stack.iter().take_while(|(from, _)| from.kind() != Kind::Configuration);
        own.find_map(|(from, wishes)| Some(Traced { value: wishes.mode?, from: from.clone() }))
            .unwrap_or_else(|| self.general())
    }

    /// Prefixes of which something else is said than for all, each with how far to go.
    pub(crate) fn exempt(&self) -> Vec<(Prefix, Traced<Mode>)> {
        let general = self.general();
        let mut all: Vec<Prefix> = self.layers.named().chain(self.book.modes(self.now)).collect();
        all.sort_unstable();
        all.dedup();
        let own = all.into_iter().map(|prefix| (prefix, self.said(&prefix, &self.layers.stack(&prefix))));
        own.filter(|(_, mode)| mode.from != general.from).collect()
    }

    /// How far to go with what reaches this prefix: no further than for any part of it.
    pub(crate) fn mode(&self, prefix: &Prefix) -> Mode {
        let mode = |prefix: &Prefix| self.said(prefix, &self.layers.stack(prefix)).value;
        let inside = self.inside(prefix);
        inside.map(|inner| mode(&inner)).fold(mode(prefix), least)
    }

    fn inside<'a>(&'a self, prefix: &'a Prefix) -> impl Iterator<Item = Prefix> + 'a {
        let decided = self.book.modes(self.now).filter(move |inner| prefix.covers(inner));
        self.layers.inside(prefix).chain(decided)
    }

    /// Whether rules may act for anybody.
    pub(crate) fn is_earnest(&self) -> bool {
        if self.panic().is_some() {
            return false;
        }
        let decided = self
            .book
            .holding(self.now)
            .any(|held| matches!(held.entry.what, What::Mode { mode: Mode::Enforce, .. }));
        decided || self.layers.is_earnest() || self.general().value == Mode::Enforce
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

    /// Rules that people made, each with what is left of its time; none while nothing acts.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&Held, Rule)> {
        let quiet = self.panic().is_some();
        self.book.holding(self.now).filter(move |_| !quiet).filter_map(|held| {
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
        let file = self.layers.mode() as u64;
        [configured, file].into_iter().chain(decided).collect()
    }
}

fn decided(held: &Held, mode: Mode) -> Traced<Mode> {
    let from = From::person(held.entry.owner.clone(), held.id, held.entry.until);
    Traced { value: mode, from }
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
