//! The desk for routes beside the daemon's runs: a reload that does not change it leaves its sessions alone.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use api::Events;
use serde_json::Value;

use super::Event;
use super::clock::Clock;
use crate::config::Config;
use crate::ledger::{InForce, Pen};
use crate::policy;
use crate::routing::desk::Setup;
use crate::routing::order::{Answer, Caller, Order};
use crate::routing::pulse::Pulse;
use crate::routing::{Desk, Door};

/// What the other threads know of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    /// Where orders go in.
    pub(super) door: Door,
    /// The decision core's sign of life.
    pub(super) pulse: Pulse,
    /// Where orders about names go in.
    pub(super) names: crate::dns::Door,
    /// What is decided is written down with it.
    pub(super) pen: Pen,
    /// Where attacks are told to channels.
    pub(super) post: super::post::Door,
    /// Who looks at the sources of attacks.
    pub(super) witness: crate::witness::Door,
    /// Where questions about flow samples go in.
    pub(super) flows: crate::history::order::Clerk,
    /// Rules in force, as far as it is written down.
    pub(super) in_force: InForce,
    /// What holds for whom.
    pub(super) policy: policy::Desk,
    /// What happens, for whoever listens.
    pub(super) events: Happenings,
    /// Disclosures that left.
    pub(super) reports: Arc<super::reports::Reports>,
    /// Where the daemon looks at itself, while a run lasts.
    pub(super) clinic: crate::doctor::Place,
}

/// The ring of events; one for each start of the daemon.
#[derive(Clone, Debug)]
pub(super) struct Happenings(pub(super) Events);

impl Default for Happenings {
    fn default() -> Self {
        Self(Events::new(Clock::start().now().nanos()))
    }
}

impl Routes {
    /// The desk that this configuration wants: the old one, where nothing that concerns it changed.
    pub(super) fn adapt(
        &self,
        old: Option<Desk>,
        config: &Config,
        events: &Sender<Event>,
    ) -> anyhow::Result<Option<Desk>> {
        let wanted = Setup::of(config);
        if old.as_ref().map(Desk::setup) == wanted.as_ref() {
            return Ok(old);
        }
        let Some(setup) = wanted else { return Ok(None) };
        // The journal has one writer: the old desk ends first. Its sessions go on, but for those that changed.
        let kept = old.and_then(Desk::leave);
        let events = events.clone();
        let broken = move || drop(events.send(Event::Broken("routing")));
        Desk::start(
            setup,
            &self.door,
            self.pulse.clone(),
            (self.pen.clone(), self.policy.clone()),
            self.events.0.clone(),
            broken,
            kept,
        )
        .map(Some)
    }

    /// Asks the desk for routes. The panic button is everybody's: no rule acts either from then on, and what there is to withdraw is
    /// withdrawn, also where no routers are spoken with.
    ///
    /// # Errors
    /// Why it was not done.
    pub(super) fn ask(&self, caller: Caller, order: Order) -> Result<Answer, String> {
        let all = match &order {
            Order::Panic { reason } => policy::Order::Panic { reason: reason.clone() },
            Order::Resume { reason } => policy::Order::Resume { reason: reason.clone() },
            _ => return self.door.ask(caller, order),
        };
        let done = self.policy.take(&caller.name(), all);
        let routers = self.policy.now().layers().routers;
        // what is announced is withdrawn whatever became of the rest
        let answer = if routers { self.door.ask(caller, order)? } else { Answer::Done(0) };
        done.map(|_| answer)
    }

    /// The panic button as a signal: how far things went before, and what came of it.
    pub(super) fn panic(&self) -> (Value, Result<Value, String>) {
        let caller = Caller::Person("a signal".to_owned());
        let order = Order::Panic { reason: "SIGUSR2".to_owned() };
        let before = self.policy.take(&caller.name(), policy::Order::Stance).unwrap_or_default();
        let done = self.ask(caller, order);
        match &done {
            Ok(_) => tracing::error!("SIGUSR2: nothing acts from now on, until `spillway panic off`"),
            Err(why) => tracing::error!(why, "SIGUSR2"),
        }
        (before, done.map(|answer| serde_json::to_value(answer).unwrap_or_default()))
    }
}
