//! What reverts unless a person confirms it: the engine's first of each kind, and what is wide of a person.

use std::collections::BTreeMap;

use base::Timestamp;
use steer::book::{Actor, Entry, Stage};
use steer::confirm::{Trials, Why};
use steer::rails::Class;
use store::{Journal, Line};

use super::{Clerk, HISTORY_MAX, text};
use crate::routing::desk::Setup;
use crate::routing::order::{self, Answer};

/// The event of a confirmation in the journal; `what` is the class, where it was the first of it.
const CONFIRMED: &str = "confirmed";

/// The event of a first measure that nobody confirmed; `what` is the class.
const DOUBTED: &str = "doubted";

/// Trials as the journal has them: kinds that were confirmed once need it no more, and of those that nobody confirmed the
/// engine begins none by itself.
pub(super) fn resumed(setup: &Setup, journal: &Journal, entries: &[Entry]) -> anyhow::Result<Trials> {
    let lines = if entries.is_empty() { Vec::new() } else { journal.history(None, HISTORY_MAX)? };
    let mut latest: BTreeMap<Class, (u64, bool)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.event == CONFIRMED || line.event == DOUBTED) {
        let Some(class) = order::class(&line.what) else { continue };
        let said = latest.entry(class).or_default();
        *said = (*said).max((line.number, line.event == CONFIRMED));
    }
    let of = |wanted: bool| latest.iter().filter(move |(_, (_, is))| *is == wanted).map(|(class, _)| *class);
    Ok(Trials::new(setup.routing.confirm, of(true), of(false)))
}

impl Clerk {
    /// What held before a restart is still on trial.
    pub(super) fn resume_trials(&mut self) -> anyhow::Result<()> {
        let held: Vec<(u64, Timestamp)> = self
            .book
            .all()
            .filter(|one| one.stage == Stage::Active)
            .filter_map(|one| Some((one.id, one.started?)))
            .collect();
        for (id, started) in held {
            let lines = self.journal.history(Some(id), HISTORY_MAX)?;
            if !lines.iter().any(|line| line.event == CONFIRMED) {
                self.begin_trial(id, started);
            }
        }
        Ok(())
    }

    /// An entry goes to the journal: a beginning may be a trial, and an end ends it.
    pub(super) fn try_out(&mut self, entry: &Entry) {
        match entry {
            Entry::Started { id, at, .. } => self.begin_trial(*id, Timestamp::from_nanos(*at)),
            Entry::Ended { id, .. } => self.trials.ended(*id),
            _ => {}
        }
    }

    /// Reverts what nobody confirmed.
    pub(super) fn end_trials(&mut self, now: Timestamp) {
        self.trials.handle_timeout(now);
        while let Some(revert) = self.trials.poll_output() {
            tracing::warn!(mitigation = revert.id, why = revert.reason, "reverted");
            if let Some(one) = self.book.get(revert.id).filter(|one| one.wish.actor == Actor::Engine) {
                self.auto.revert(one.wish.what.clone());
            }
            let _ = self.book.withdraw(revert.id, &Actor::Engine, &revert.reason);
            if let Some(class) = revert.doubted {
                self.unwritten.push(Line {
                    at: now,
                    mitigation: Some(revert.id),
                    event: DOUBTED.to_owned(),
                    actor: Actor::Engine.to_string(),
                    reason: revert.reason,
                    what: class.as_str().to_owned(),
                    ..Line::default()
                });
            }
        }
    }

    /// A person says that all is well.
    pub(super) fn confirm(&mut self, id: u64, actor: &Actor, reason: &str) -> Result<Answer, String> {
        self.can_be_written()?;
        let why = self.trials.confirm(id, actor).map_err(text)?;
        let what = match why {
            Why::First(class) => class.as_str().to_owned(),
            Why::Wide => String::new(),
        };
        self.unwritten.push(Line {
            at: self.clock.now(),
            mitigation: Some(id),
            event: CONFIRMED.to_owned(),
            actor: actor.to_string(),
            reason: reason.to_owned(),
            what,
            ..Line::default()
        });
        self.settle()?;
        self.one(id)
    }

    /// When a mitigation reverts.
    pub(super) fn confirm_by(&self, id: u64) -> Option<String> {
        self.trials.all().find(|(of, ..)| *of == id).map(|(_, until, _)| until.to_string())
    }

    fn begin_trial(&mut self, id: u64, began: Timestamp) {
        let Some(one) = self.book.get(id) else { return };
        if self.setup.routing.confirm == base::Span::ZERO {
            return;
        }
        let why = self.trials.wants(&one.wish.actor, &one.wish.what);
        // What a person asks for by name is his first by intent; what is wide may cut himself off.
        let why = why.filter(|why| *why == Why::Wide || one.is_automatic());
        if let Some(why) = why
            && let Err(wrong) = self.trials.begin(began, id, why)
        {
            tracing::warn!(mitigation = id, %wrong, "it does not revert by itself");
        }
    }
}
