//! Who keeps the journal of names: takes orders, writes, asks and changes; in this order.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use api::metrics;
use base::{Span, Timestamp};
use steer::dnsdiversion::{Core, End, Entry, Heard, Output, Place, State, Trouble, Zone};
use store::Journal;
use wire::dns::Name;

use super::desk::{Ask, Board, FILE, Setup, TURN};
use super::order::{Answer, Order};
use super::{exchange, ledgered, show};
use crate::config::DnsZone;
use crate::daemon::clock::Clock;
use crate::ledger::{Deed, Pen};
use crate::routing::order::{Caller, fits};

/// After so long an order is answered with how it stands.
const PATIENCE: Span = Span::from_secs(7);
/// At the end, changes that are on their way are waited for so long.
const FAREWELL: Duration = Duration::from_secs(5);
/// Lines of history in one answer.
const HISTORY_MAX: u32 = 10_000;

/// Somebody who waits for an order's end.
struct Waiting {
    name: Name,
    id: u64,
    /// Diverted; else restored.
    diverted: bool,
    until: Timestamp,
    reply: Sender<Result<Answer, String>>,
}

/// The core, its journal, and those who wait.
pub(super) struct Clerk {
    zones: BTreeMap<String, Arc<DnsZone>>,
    core: Core,
    journal: Journal,
    clock: Clock,
    asks: Sender<Ask>,
    board: Board,
    /// Lines that the journal does not have yet, and up to which entry they go.
    unwritten: Vec<store::Line>,
    upto: u64,
    /// Decisions whose lines the journal does not have yet.
    deeds: Vec<Deed>,
    pen: Pen,
    waiting: Vec<Waiting>,
    /// Changes that are on their way to a server.
    flying: usize,
    /// Why the journal cannot be written, while it cannot.
    unwritable: Option<String>,
    /// What stands in the log already, so that it is said once.
    said: BTreeMap<Name, String>,
    refused: u64,
    journal_errors: u64,
}

impl Clerk {
    pub(super) fn start(setup: &Setup, asks: Sender<Ask>, board: Board, pen: Pen) -> anyhow::Result<Self> {
        let journal = Journal::open_file(&setup.folder, FILE)?;
        let mut entries = Vec::new();
        for text in journal.entries()? {
            match serde_json::from_str::<Entry>(&text) {
                Ok(entry) => entries.push(entry),
                Err(cause) => tracing::warn!(%cause, "a line of the journal of names is skipped"),
            }
        }
        let clock = Clock::start();
        let zones: Vec<Zone> = setup.zones.iter().map(|one| one.zone.clone()).collect();
        let core = Core::restore(&zones, &entries, clock.now());
        for one in core.orphans() {
            tracing::error!(
                name = one.name,
                diversion = one.id,
                "it is diverted, but no section [dns.NAME] lists it any more: it is not restored; list it again"
            );
        }
        let held = core.places().filter(|(_, place)| place.diversion().is_some()).count();
        if held > 0 {
            tracing::info!(diversions = held, "the journal of names is taken up");
        }
        let zones = setup.zones.iter().map(|one| (one.zone.section.clone(), Arc::new(one.clone())));
        Ok(Self {
            zones: zones.collect(),
            core,
            journal,
            clock,
            asks,
            board,
            unwritten: Vec::new(),
            upto: 0,
            deeds: Vec::new(),
            pen,
            waiting: Vec::new(),
            flying: 0,
            unwritable: None,
            said: BTreeMap::new(),
            refused: 0,
            journal_errors: 0,
        })
    }

    /// How long nothing is due.
    pub(super) fn pause(&self) -> Duration {
        let due = self
            .core
            .poll_timeout()
            .map_or(TURN, |due| Duration::from_nanos(due.since(self.clock.now()).nanos()));
        due.max(Duration::from_millis(1))
    }

    /// Does what is due, and answers those who need not wait any more.
    pub(super) fn turn(&mut self) {
        self.clock.follow();
        self.core.handle_timeout(self.clock.now());
        // What it says stands in the log, and it is tried again at the next turn.
        let _ = self.settle();
        self.say();
        self.answer();
        self.look();
    }

    pub(super) fn take(&mut self, caller: &Caller, order: Order, reply: Sender<Result<Answer, String>>) {
        let done = match order {
            Order::Status => Ok(Some(self.names())),
            Order::History { limit } => self.history(limit),
            Order::Divert { name, hold, reason } => {
                self.change(caller, &name, &reason, Some(Span::from_secs(hold)), &reply)
            }
            Order::Restore { name, reason } => self.change(caller, &name, &reason, None, &reply),
        };
        match done {
            Ok(Some(answer)) => drop(reply.send(Ok(answer))),
            // It is answered when its end is known.
            Ok(None) => {}
            Err(why) => drop(reply.send(Err(why))),
        }
    }

    /// Diverts for so long, or restores.
    fn change(
        &mut self,
        caller: &Caller,
        name: &str,
        reason: &str,
        hold: Option<Span>,
        reply: &Sender<Result<Answer, String>>,
    ) -> Result<Option<Answer>, String> {
        let (now, actor) = (self.clock.now(), caller.name());
        let who = (actor.as_str(), reason);
        fits(reason)?;
        let parsed: Name = name.parse().map_err(|bad: wire::dns::BadName| bad.to_string())?;
        let taken = self.settle().and_then(|()| {
            match hold {
                Some(hold) => self.core.divert(now, &parsed, hold, who),
                None => self.core.put_back(now, &parsed, who),
            }
            .map_err(|refusal| refusal.to_string())
        });
        let id = taken.inspect_err(|why| self.refuse(&actor, reason, &format!("{name}: {why}")))?;
        let until = now.plus(PATIENCE);
        self.waiting.push(Waiting {
            name: parsed,
            id,
            diverted: hold.is_some(),
            until,
            reply: reply.clone(),
        });
        Ok(None)
    }

    fn refuse(&mut self, actor: &str, reason: &str, what: &str) {
        self.refused += 1;
        tracing::warn!(actor, reason, what, "an order about a name is refused");
        let line = store::Line {
            at: self.clock.now(),
            event: "refused".to_owned(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            what: what.to_owned(),
            ..store::Line::default()
        };
        if self.unwritten.is_empty() && self.journal.append(&[line]).is_err() {
            self.journal_errors += 1;
        }
    }

    pub(super) fn hear(&mut self, name: &Name, heard: Heard) {
        if matches!(heard, Heard::Updated(_)) {
            self.flying = self.flying.saturating_sub(1);
        }
        self.core.handle(self.clock.now(), name, heard);
    }

    /// Does what the core wants: entries into the journal, questions and changes to the servers.
    fn settle(&mut self) -> Result<(), String> {
        loop {
            while let Some(output) = self.core.poll_output() {
                self.act(output);
            }
            if self.unwritten.is_empty() {
                return Ok(());
            }
            if let Err(cause) = self.journal.append(&self.unwritten) {
                self.journal_errors += 1;
                if self.journal_errors.is_power_of_two() {
                    tracing::error!(%cause, errors = self.journal_errors, "the journal of names cannot be written: nothing new is diverted");
                }
                let why = format!(
                    "the journal cannot be written, so nothing is diverted: {cause}; see to the disk of `state_dir`"
                );
                self.unwritable = Some(why.clone());
                return Err(why);
            }
            self.unwritten.clear();
            self.unwritable = None;
            self.deeds.drain(..).for_each(|deed| self.pen.write(deed));
            self.core.journalled(self.upto);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Journal(number, entry) => {
                let id = entry.id();
                let known = |(_, place): &(&Name, &Place)| {
                    place.diversion().is_some_and(|one| one.started().id == id)
                        || place.last().is_some_and(|last| last.id == id)
                };
                let name =
                    self.core.places().find(known).map_or_else(String::new, |(name, _)| name.to_string());
                let line = show::line(&entry, &name);
                tracing::info!(
                    diversion = id,
                    actor = line.actor,
                    reason = line.reason,
                    what = line.what,
                    "{}",
                    line.event
                );
                self.deeds.extend(ledgered::deed(&entry, &line));
                self.unwritten.push(line);
                self.upto = number;
            }
            Output::Look(name) => {
                self.send(
                    name,
                    |zone, name| Heard::Looked(exchange::look(zone, name)),
                    Heard::Looked(Err(no_thread())),
                );
            }
            Output::Update { name, from, to } => {
                self.flying += 1;
                let update = move |zone: &DnsZone, name: &Name| {
                    Heard::Updated(exchange::update(zone, name, &from, &to))
                };
                self.send(name, update, Heard::Updated(Err(no_thread())));
            }
        }
    }

    /// Asks a server, on a thread of its own.
    fn send(
        &mut self,
        name: Name,
        ask: impl FnOnce(&DnsZone, &Name) -> Heard + Send + 'static,
        otherwise: Heard,
    ) {
        let section = self.core.place(&name).map(|place| place.zone().section.clone());
        let zone = section.and_then(|section| self.zones.get(&section)).map(Arc::clone);
        let asks = self.asks.clone();
        let asked = name.clone();
        let started = zone.and_then(|zone| {
            let run = move || drop(asks.send(Ask::Heard(asked.clone(), ask(&zone, &asked))));
            std::thread::Builder::new().name("dns-ask".to_owned()).spawn(run).ok()
        });
        if started.is_none() {
            self.hear(&name, otherwise);
        }
    }

    /// What is new and wrong stands in the log, once.
    fn say(&mut self) {
        for (name, place) in self.core.places() {
            match place.trouble() {
                Some(trouble) if self.said.get(name) != Some(&trouble.to_string()) => {
                    let section = place.zone().section.as_str();
                    tracing::warn!(%name, section, state = place.state().as_str(), %trouble, "a DNS server or a name is not as it should be");
                    self.said.insert(name.clone(), trouble.to_string());
                }
                Some(_) => {}
                None => drop(self.said.remove(name)),
            }
        }
    }

    /// Answers those whose order has come to its end, or who have waited enough.
    fn answer(&mut self) {
        let now = self.clock.now();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|one| match self.outcome(one, now) {
            Some(answer) => {
                // Who no longer waits sees it in the status.
                let _ = one.reply.send(answer);
                false
            }
            None => true,
        });
        self.waiting = waiting;
    }

    fn outcome(&self, waiting: &Waiting, now: Timestamp) -> Option<Result<Answer, String>> {
        let Waiting { name, id, diverted, until, .. } = waiting;
        let place = self.core.place(name)?;
        let shown = || {
            Answer::One(Box::new(show::name(
                name,
                place,
                self.zones.get(&place.zone().section).map(AsRef::as_ref),
            )))
        };
        if let Some(last) = place.last().filter(|last| last.id == *id) {
            return Some(match &last.how {
                End::Restored => Ok(shown()),
                End::LeftOut(_) if !diverted => Ok(shown()),
                how => Err(format!("{name} {}", how.explain())),
            });
        }
        if *diverted && place.state() == State::Diverted {
            return Some(Ok(shown()));
        }
        if *until > now {
            return None;
        }
        let word = if *diverted { "diverted" } else { "restored" };
        let trouble = place.trouble().map(ToString::to_string).or_else(|| self.unwritable.clone());
        let trouble = trouble.unwrap_or_else(|| "the server is still being asked".to_owned());
        Some(Err(format!("{name} is not {word} yet: {trouble} (it is tried on; see `spillway dns status`)")))
    }

    fn names(&self) -> Answer {
        let known = self.core.places().map(|(name, place)| {
            show::name(name, place, self.zones.get(&place.zone().section).map(AsRef::as_ref))
        });
        let orphans = self.core.orphans().iter().map(show::orphan);
        Answer::Names(known.chain(orphans).collect())
    }

    fn history(&self, limit: u32) -> Result<Option<Answer>, String> {
        let lines = self.journal.history(None, limit.min(HISTORY_MAX)).map_err(|cause| cause.to_string())?;
        Ok(Some(Answer::History(lines.into_iter().map(show::past).collect())))
    }

    fn look(&self) {
        let mut names: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (_, place) in self.core.places() {
            *names.entry(place.state().as_str()).or_default() += 1;
        }
        let troubled = self.core.places().filter(|(_, place)| place.trouble().is_some()).count();
        let counts = self.core.counts();
        *self.board.lock().unwrap_or_else(PoisonError::into_inner) = metrics::Dns {
            names,
            troubled: troubled as u64,
            orphans: self.core.orphans().len() as u64,
            updates: counts.updates,
            troubles: counts.troubles,
            left_out: counts.left_out,
            foreign: counts.foreign,
            refused: self.refused,
            journal_errors: self.journal_errors,
        };
    }

    /// Changes that are on their way come to their end, so that they do not cross those of the next desk.
    pub(super) fn stop(&mut self, asked: &Receiver<Ask>) {
        let end = Instant::now() + FAREWELL;
        while self.flying > 0 {
            let left = end.saturating_duration_since(Instant::now());
            match asked.recv_timeout(left) {
                Ok(Ask::Heard(_, Heard::Updated(_))) => self.flying -= 1,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

fn no_thread() -> Trouble {
    Trouble::Unreachable("the system gives no thread".to_owned())
}
