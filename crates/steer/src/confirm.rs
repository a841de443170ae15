//! What reverts unless somebody confirms it: the first enforcement of each kind, and every wide rule of a person.
//!
//! A person who has cut himself off cannot say so; who does not confirm within the time gets back what was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Prefix, Span, Timestamp};
use rules::Match;

use crate::book::{Actor, What};
use crate::rails::Class;

/// Measures on trial at once; a further one is refused, and shall not be put in force.
const TRIALS_MAX: usize = 1000;
/// Rules for shorter destinations than these are wide, for IPv4 and IPv6.
const WIDE: (u8, u8) = (24, 48);
/// What is on trial has so long to be confirmed, where nothing else is configured.
pub const MINUTES: Span = Span::from_secs(600);

/// Why something is on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing of its kind was confirmed before.
    First(Class),
    /// A person asked for something wide.
    Wide,
}

impl Why {
    /// As people say it.
    pub fn explain(self) -> String {
        match self {
            Self::First(class) => format!("the first {} that is enforced", class.as_str()),
            Self::Wide => "a wide measure of a person".to_owned(),
        }
    }
}

/// Something that reverts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// Its number in the book.
    pub id: u64,
    /// Why.
    pub reason: String,
    /// The kind that is doubted from now on, where it was the first of it.
    pub doubted: Option<Class>,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Too many.
    #[error("{0} measures wait to be confirmed: confirm or withdraw some")]
    Crowded(usize),
    /// Nothing of that number.
    #[error("mitigation {0} does not wait to be confirmed")]
    Unknown(u64),
    /// The engine cannot vouch for itself.
    #[error("a confirmation needs a person")]
    NoPerson,
}

/// What is on trial.
#[derive(Clone, Debug)]
pub struct Trials {
    holds: Span,
    all: BTreeMap<u64, (Timestamp, Why)>,
    /// Kinds that a person has confirmed once.
    proven: BTreeSet<Class>,
    /// Kinds whose last trial nobody confirmed: the engine asks before the next one.
    doubted: BTreeSet<Class>,
    outputs: VecDeque<Revert>,
}

impl Trials {
    /// Nothing on trial; what was confirmed in earlier runs is `proven`, and what nobody confirmed then is `doubted`.
    pub fn new(
        holds: Span,
        proven: impl IntoIterator<Item = Class>,
        doubted: impl IntoIterator<Item = Class>,
    ) -> Self {
        Self {
            holds,
            all: BTreeMap::new(),
            proven: proven.into_iter().collect(),
            doubted: doubted.into_iter().collect(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether a measure has to be confirmed.
    pub fn wants(&self, actor: &Actor, what: &What) -> Option<Why> {
        if matches!(actor, Actor::Person(_)) && is_wide(what) {
            return Some(Why::Wide);
        }
        let class = what.class();
        (!self.proven.contains(&class)).then_some(Why::First(class))
    }

    /// It begins, or is still on trial after a restart: then `began` is when it began.
    ///
    /// # Errors
    /// When there is no room; then it must not be put in force.
    pub fn begin(&mut self, began: Timestamp, id: u64, why: Why) -> Result<Timestamp, Wrong> {
        if self.all.len() >= TRIALS_MAX && !self.all.contains_key(&id) {
            return Err(Wrong::Crowded(self.all.len()));
        }
        let until = began.plus(self.holds);
        self.all.insert(id, (until, why));
        Ok(until)
    }

    /// A person says that all is well.
    ///
    /// # Errors
    /// When it is not on trial, or when nobody stands for it.
    pub fn confirm(&mut self, id: u64, actor: &Actor) -> Result<Why, Wrong> {
        if !matches!(actor, Actor::Person(_)) {
            return Err(Wrong::NoPerson);
        }
        let (_, why) = self.all.remove(&id).ok_or(Wrong::Unknown(id))?;
        if let Why::First(class) = why {
            self.proven.insert(class);
            self.doubted.remove(&class);
        }
        Ok(why)
    }

    /// It ended for another reason.
    pub fn ended(&mut self, id: u64) {
        self.all.remove(&id);
    }

    /// Reverts what nobody confirmed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let over: Vec<(u64, Why)> = self
            .all
            .iter()
            .filter(|(_, (until, _))| *until <= now)
            .map(|(id, (_, why))| (*id, *why))
            .collect();
        for (id, why) in over {
            self.all.remove(&id);
            let doubted = match why {
                Why::First(class) => Some(class),
                Why::Wide => None,
            };
            self.doubted.extend(doubted);
            let reason = format!("{} was not confirmed within {}", why.explain(), self.holds);
            self.outputs.push_back(Revert { id, reason, doubted });
        }
    }

    /// When something reverts next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.all.values().map(|(until, _)| *until).min()
    }

    /// What is to be withdrawn next.
    pub fn poll_output(&mut self) -> Option<Revert> {
        self.outputs.pop_front()
    }

    /// Whether the last trial of a kind was not confirmed: the engine may propose another one, and not begin it by itself,
    /// else it would put the same in force again and again.
    pub fn is_doubted(&self, class: Class) -> bool {
        self.doubted.contains(&class)
    }

    /// What is on trial: number, until when, why.
    pub fn all(&self) -> impl Iterator<Item = (u64, Timestamp, Why)> {
        self.all.iter().map(|(id, (until, why))| (*id, *until, *why))
    }

    /// Kinds that were confirmed.
    pub fn proven(&self) -> impl Iterator<Item = Class> {
        self.proven.iter().copied()
    }
}

/// Whether it acts on more than one would write down host by host: a blackhole of several hosts, a diversion, a rule for a
/// short destination, or one that asks nothing but the destination.
pub fn is_wide(what: &What) -> bool {
    match what {
        What::Blackhole(prefix) => !prefix.is_host(),
        What::Diversion(_) => true,
        What::Flowspec(rule) => {
            let is_short = |dst: Prefix| dst.bits() < if dst.is_ipv4() { WIDE.0 } else { WIDE.1 };
            let only_destination = Match { dst: rule.matches.dst, ..Match::default() } == rule.matches;
            only_destination || rule.matches.dst.is_none_or(is_short)
        }
    }
}
