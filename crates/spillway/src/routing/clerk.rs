//! Who keeps the book: takes orders, writes the journal, tells the speaker; in this order.

mod arrived;
mod diverted;
mod drilling;
mod drills;
mod harm;
mod led;
mod ledgered;
mod moved;
mod orders;
mod pushed;
mod show;
mod sites;
mod spared;
mod taken;
mod trials;
mod upstreams;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Context as _;
use api::Events;
use base::{Prefix, Span, Timestamp};
use steer::absorb::word::Load;
use steer::bgp::Settings;
use steer::bgp::out::Key;
use steer::book::{Actor, Book, Entry, Output, What};
use steer::confirm::Trials;
use steer::rails::Class;
use store::{Journal, Line};

use self::diverted::Leg;
use self::drills::Drills;
use self::led::Led;
use self::ledgered::Deeds;
use self::pushed::Pushed;
use super::absorbers::{Absorber, Absorbers};
use super::auto::Auto;
use super::desk::{Ask, Board, Setup};
use super::express;
use super::health::Wards;
use super::learned::Learned;
use super::lookout::{Lookout, Sight};
use super::near::Near;
use super::plays::Plays;
use super::pulse::Pulse;
use super::speaker::{Neighbor, Say, Speaker};
use super::views::Views;
use crate::config::{Router, Routing};
use crate::daemon::clock::Clock;
use crate::ledger::Pen;

/// Lines of history in one answer.
const HISTORY_MAX: u32 = 10_000;
/// Numbers for `/metrics` are looked up this often.
const LOOK_EVERY: Span = Span::from_secs(1);
/// How often it is asked what this host lives by, unless an order comes.
const NEAR_EVERY: Span = Span::from_secs(10);

/// While a drill runs, one looks up this often.
const DRILL_TURN: Duration = Duration::from_millis(100);

/// Counts of what the desk did.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    refused: u64,
    harmful: u64,
    journal_errors: u64,
    dead_man: u64,
    announce_errors: u64,
}

/// The book, its journal, and the speaker.
pub(super) struct Clerk {
    setup: Setup,
    pub(super) book: Book,
    /// What waits to be confirmed.
    pub(super) trials: Trials,
    /// What is done by itself.
    auto: Auto,
    /// Whether services live since measures are in force.
    pub(super) wards: Wards,
    journal: Journal,
    speaker: Option<Speaker>,
    views: Views,
    /// Who takes what is diverted, and speaks with us.
    absorbers: Absorbers,
    /// Diversions that such an absorber has to confirm, by mitigation.
    legs: BTreeMap<u64, Leg>,
    /// Who has, or shall have, what is diverted.
    led: Led,
    /// What diversions were measured to move.
    pub(super) plays: Plays,
    /// Rules that absorbers get.
    pushed: Pushed,
    /// How large attacks were lately, by target.
    pub(super) sizes: BTreeMap<Prefix, Load>,
    /// The plan for all attacks, as it is shown.
    pub(super) planned: serde_json::Value,
    /// Where it is noted that a person took back what the engine wanted.
    pub(super) policy: crate::policy::Desk,
    drills: Drills,
    clock: Clock,
    pulse: Pulse,
    deeds: Deeds,
    board: Board,
    /// What is to be said before the speaker starts, and for which mitigation.
    first: Vec<(u64, String, Say)>,
    /// Lines that the journal does not have yet, and up to which of the book's entries they go.
    unwritten: Vec<Line>,
    upto: u64,
    /// Neighbours that refused a mitigation, and why.
    trouble: BTreeMap<(u64, String), String>,
    /// For whom and why entries are made at the moment.
    because: (String, String),
    counts: Counts,
    looked: Timestamp,
    /// When it was asked last what this host lives by.
    near: Timestamp,
}

/// What one desk leaves to the next.
#[derive(Debug)]
pub(crate) struct Kept {
    speaker: Speaker,
    learned: Arc<Learned>,
}

impl Clerk {
    /// Takes up the journal where it ended: what is over is withdrawn and what holds is announced, before the first session
    /// comes up.
    pub(super) fn start(
        setup: Setup,
        board: Board,
        pulse: Pulse,
        (pen, events, policy): (Pen, Events, crate::policy::Desk),
        asks: &Sender<Ask>,
        kept: Option<Kept>,
    ) -> anyhow::Result<Self> {
        let journal = Journal::open(&setup.folder)?;
        let (speaker, learned) = kept.map(|kept| (kept.speaker, kept.learned)).unzip();
        let views = Views::start(&setup, learned.unwrap_or_default())?;
        let absorbers = Absorbers::start(&setup.folder, &setup.routing, asks)?;
        let drills = Drills::of(&journal)?;
        let (led, plays) = (Led::read(&setup.folder), Plays::read(&setup.folder));
        let clock = Clock::start();
        let mut entries = Vec::new();
        for text in journal.entries()? {
            match serde_json::from_str::<Entry>(&text) {
                Ok(entry) => entries.push(entry),
                Err(cause) => tracing::warn!(%cause, "a line of the journal of mitigations is skipped"),
            }
        }
        let trials = trials::resumed(&setup, &journal, &entries)?;
        let mut rails = setup.guards.rails(&setup.routing);
        let near = Near::look();
        rails.set_near(near.never, near.lifelines);
        let book = Book::restore(rails, setup.routing.approvals, &entries, clock.now());
        let deeds = Deeds::new(pen, events, &book);
        let restarting = !entries.is_empty();
        let upto = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let mut clerk = Self {
            setup,
            book,
            trials,
            auto: Auto::default(),
            wards: Wards::default(),
            journal,
            speaker: None,
            views,
            absorbers,
            legs: BTreeMap::new(),
            led,
            plays,
            pushed: Pushed::default(),
            sizes: BTreeMap::new(),
            planned: serde_json::Value::Null,
            policy,
            drills,
            clock,
            pulse,
            deeds,
            board,
            first: Vec::new(),
            unwritten: Vec::new(),
            upto,
            trouble: BTreeMap::new(),
            because: ("spillway".to_owned(), "start".to_owned()),
            counts: Counts::default(),
            looked: Timestamp::ZERO,
            near: clock.now(),
        };
        // The core gets its whole patience from now on.
        clerk.pulse.beat();
        clerk.end_what_is_not_sparing();
        clerk.settle().map_err(anyhow::Error::msg)?;
        clerk.resume_trials()?;
        let first = std::mem::take(&mut clerk.first);
        let says = first.iter().map(|(_, name, say)| (name.clone(), say.clone())).collect();
        let asn = clerk.setup.routing.asn;
        let id = clerk.setup.routing.router_id;
        let views = &clerk.views;
        let neighbors = clerk.setup.routing.routers.iter();
        let neighbors = neighbors.map(|router| Neighbor {
            learned: router.learn.then(|| views.learned()),
            ..neighbor(router, asn, id, restarting)
        });
        let neighbors = neighbors.collect();
        let (speaker, refused) = match speaker {
            Some(speaker) => {
                let refused = speaker.adapt(neighbors, says)?;
                (speaker, refused)
            }
            None => Speaker::start_with(neighbors, says).context("cannot start the BGP speaker")?,
        };
        for (place, why) in refused {
            if let Some((id, name, Say::Announce(_))) = first.get(place) {
                clerk.refused_by(*id, name, why.to_string());
            }
        }
        clerk.speaker = Some(speaker);
        let active = clerk.book.all().count();
        if active > 0 || clerk.book.is_frozen() {
            tracing::info!(
                mitigations = active,
                frozen = clerk.book.is_frozen(),
                "the journal of mitigations is taken up"
            );
        }
        clerk.setup.routing.routers.iter().for_each(|router| remind(router, asn));
        clerk.absorbers.all().for_each(Absorber::wants_no_more);
        clerk.look();
        Ok(clerk)
    }

    /// How long nothing is due.
    pub(super) fn pause(&self) -> Duration {
        let due = [self.book.poll_timeout(), self.trials.poll_timeout()].into_iter().flatten().min();
        let due = due.map_or(Span::from_secs(60), |due| due.since(self.clock.now()));
        let due = Duration::from_nanos(due.nanos());
        if self.drills.busy() || self.waits_for_absorbers() { due.min(DRILL_TURN) } else { due }
    }

    /// Does what is due by the clock.
    pub(super) fn turn(&mut self) {
        self.clock.follow();
        let now = self.clock.now();
        self.ask_rpki();
        self.look_near(NEAR_EVERY);
        self.because = ("spillway".to_owned(), "its time is over".to_owned());
        self.book.handle_timeout(now);
        self.end_trials(now);
        self.end_what_is_not_sparing();
        self.dead_man();
        self.turn_drills();
        self.turn_absorbers(now);
        // What it says stands in the log, and it is tried again at the next turn.
        let _ = self.settle();
        if now.since(self.looked) >= LOOK_EVERY {
            self.look();
        }
    }

    /// The rails hear what the caches tell now; what holds already is let be.
    fn ask_rpki(&mut self) {
        if let Some(ownership) = self.views.ownership(&self.setup) {
            self.book.ask_rpki(Some(ownership));
        }
    }

    /// The rails learn what this host lives by now, if they have not within this time.
    pub(super) fn look_near(&mut self, every: Span) {
        let now = self.clock.now();
        if now.since(self.near) >= every {
            self.near = now;
            let near = Near::look();
            self.book.set_near(near.never, near.lifelines);
        }
    }

    /// What the decision core knows: what harms goes, and the ladder looks at it.
    pub(super) fn look_out(&mut self, sight: &Sight) {
        self.push_rules(sight);
        let mut auto = std::mem::take(&mut self.auto);
        self.end_harm(&mut auto, sight);
        if sight.terms.climbs {
            auto.look(self, sight);
        }
        self.auto = auto;
    }

    /// Shared with those who want to know who announces what.
    pub(super) fn learned(&self) -> Arc<Learned> {
        self.views.learned()
    }

    /// Shared with those who look for what the ladder asks for.
    pub(super) fn lookout(&self) -> Lookout {
        self.auto.lookout.clone()
    }

    /// The section of the file.
    pub(super) const fn routing(&self) -> &Routing {
        &self.setup.routing
    }

    /// The state folder.
    pub(super) fn folder(&self) -> &std::path::Path {
        &self.setup.folder
    }

    /// The desk's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Without the core, what it wanted by itself does not go on.
    fn dead_man(&mut self) {
        let silence = self.pulse.silence();
        if silence < self.setup.routing.dead_man {
            return;
        }
        let automatic: Vec<u64> =
            self.book.all().filter(|one| one.is_automatic()).map(|one| one.id).collect();
        for id in automatic {
            let why = format!("the decision core gave no sign of life for {} s", silence.secs());
            tracing::error!(mitigation = id, why, "withdrawn");
            self.counts.dead_man += 1;
            if let Some(one) = self.book.get(id) {
                self.auto.let_go(&one.wish.what);
            }
            let _ = self.book.withdraw(id, &Actor::Engine, &why);
        }
    }

    /// Before the end: what a drill announced is withdrawn.
    pub(super) fn stop(&mut self) {
        self.stop_drills("the daemon ends, or its routers changed");
    }

    /// Likewise, but the sessions go on.
    pub(super) fn leave(mut self) -> Option<Kept> {
        self.stop();
        Some(Kept { speaker: self.speaker.take()?, learned: self.views.learned() })
    }

    fn can_be_written(&mut self) -> Result<(), String> {
        self.settle()
    }

    /// Does what the book wants: withdrawals at once, entries into the journal, and what waited for them.
    fn settle(&mut self) -> Result<(), String> {
        loop {
            while let Some(output) = self.book.poll_output() {
                self.act(output);
            }
            if self.unwritten.is_empty() {
                return Ok(());
            }
            if let Err(cause) = self.journal.append(&self.unwritten) {
                self.counts.journal_errors += 1;
                if self.counts.journal_errors.is_power_of_two() {
                    tracing::error!(%cause, errors = self.counts.journal_errors, "the journal of mitigations cannot be written: nothing new is announced");
                }
                return Err(format!(
                    "the journal cannot be written, so nothing is announced: {cause}; see to the disk of `state_dir`"
                ));
            }
            self.unwritten.clear();
            self.deeds.hand_over();
            self.book.journalled(self.upto);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Journal(number, entry) => {
                self.try_out(&entry);
                let line = self.line(&entry);
                self.deeds.note(&self.book, &entry, &line);
                self.unwritten.push(line);
                self.upto = number;
            }
            Output::Announce { id, what, neighbors, .. } => {
                if !self.asks_absorber(id, &what, &neighbors) {
                    self.announce_to(id, &what, neighbors);
                }
            }
            Output::Withdraw { id, what, neighbors, forgotten } => {
                self.trouble.retain(|(of, _), _| *of != id);
                let key = express::key(&what);
                for name in neighbors {
                    let Some(key) = &key else { continue };
                    if self.router(&name).is_some() {
                        // It can only fail where there is no speaker any more.
                        let _ = self.say(id, &name, Say::Withdraw(Key::clone(key), forgotten));
                    }
                }
                self.lets_go(id, &what);
            }
        }
    }

    /// Each router in its own words.
    fn announce_to(&mut self, id: u64, what: &What, neighbors: Vec<String>) {
        if let Err(why) = self.spares(what) {
            neighbors.iter().for_each(|name| self.refused_by(id, name, why.clone()));
            return;
        }
        for name in neighbors {
            let Some(router) = self.router(&name) else { continue };
            let absorber = if let What::Diversion(prefix) = what { self.led.of(prefix) } else { None };
            let said = express::route(what, router, self.setup.routing.asn, absorber)
                .map_err(|unfit| unfit.to_string())
                .and_then(|route| self.say(id, &name, Say::Announce(Box::new(route))));
            if let Err(why) = said {
                self.refused_by(id, &name, why);
            }
        }
    }

    fn say(&mut self, id: u64, name: &str, say: Say) -> Result<(), String> {
        match (&self.speaker, say) {
            (None, say) => {
                self.first.push((id, name.to_owned(), say));
                Ok(())
            }
            (Some(speaker), Say::Announce(route)) => speaker.announce(name, *route).map_err(text),
            (Some(speaker), Say::Withdraw(key, forgotten)) => {
                speaker.withdraw(name, key, forgotten).map_err(text)
            }
        }
    }

    fn refused_by(&mut self, id: u64, name: &str, why: String) {
        self.counts.announce_errors += 1;
        tracing::error!(mitigation = id, neighbor = name, why, "not announced");
        self.trouble.insert((id, name.to_owned()), format!("peer `{name}`: {why}"));
    }

    fn router(&self, name: &str) -> Option<&Router> {
        self.setup.routing.routers.iter().find(|router| router.name == name)
    }
}

fn neighbor(router: &Router, asn: u32, id: std::net::Ipv4Addr, restarting: bool) -> Neighbor {
    Neighbor {
        name: router.name.clone(),
        address: router.address,
        local: router.local,
        settings: Settings {
            local_as: asn,
            peer_as: router.asn,
            id,
            families: router.families.clone(),
            hold_time: router.hold_time,
            patience: router.patience,
            restart_time: router.restart_time,
            on_stop: router.on_stop,
            dialect: router.dialect,
        },
        pacing: router.pacing,
        md5: router.md5.as_ref().map(|key| key.octets().to_vec()),
        hops: router.hops,
        restarting,
        learned: None,
    }
}

/// What an operator should know of a router before it matters.
fn remind(router: &Router, asn: u32) {
    let (neighbor, profile) = (&router.name, router.profile);
    if router.pacing.peer_limit == 0 && !profile.reopens {
        tracing::info!(
            neighbor,
            profile = profile.name,
            "its prefix limit is not known (`limit`): a session that exceeds it stays down until a person acts"
        );
    }
    if router.asn != asn && router.carries.contains(&Class::Flowspec) {
        tracing::info!(
            neighbor,
            "rules from another AS fail validation at many routers (RFC 8955 §6, RFC 9117): prefer a session within its AS, or turn \
             validation off for this one there"
        );
    }
    if router.restart_time.is_some() && router.carries.contains(&Class::Flowspec) && !profile.keeps_rules {
        tracing::info!(
            neighbor,
            profile = profile.name,
            "on_crash = \"keep\" may hold for prefixes alone: routers of this kind are not known to keep rules"
        );
    }
}

/// As people read it.
fn text(why: impl std::fmt::Display) -> String {
    why.to_string()
}

#[cfg(test)]
mod tests;
