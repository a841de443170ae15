//! Who keeps the book: takes orders, writes the journal, tells the speaker; in this order.

mod show;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use base::{Span, Timestamp};
use steer::bgp::Settings;
use steer::bgp::out::Key;
use steer::book::{Actor, Book, Entry, Output, What, Wish};
use steer::rails::Class;
use store::{Journal, Line};

use super::desk::{Board, Setup};
use super::express::{self, Unfit};
use super::order::{self, Answer, Caller, Order, Request};
use super::pulse::Pulse;
use super::speaker::{Neighbor, Say, Speaker};
use crate::config::Router;
use crate::daemon::clock::Clock;

/// The longest reason that is taken, in octets.
const REASON_MAX: usize = 1000;
/// Lines of history in one answer.
const HISTORY_MAX: u32 = 10_000;
/// Numbers for `/metrics` are looked up this often.
const LOOK_EVERY: Span = Span::from_secs(1);

/// Counts of what the desk did.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    refused: u64,
    journal_errors: u64,
    dead_man: u64,
    announce_errors: u64,
}

/// The book, its journal, and the speaker.
pub(super) struct Clerk {
    setup: Setup,
    book: Book,
    journal: Journal,
    speaker: Option<Speaker>,
    clock: Clock,
    pulse: Pulse,
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
}

impl Clerk {
    /// Takes up the journal where it ended: what is over is withdrawn and what holds is announced, before the first session
    /// comes up.
    pub(super) fn start(setup: Setup, board: Board, pulse: Pulse) -> anyhow::Result<Self> {
        let journal = Journal::open(&setup.folder)?;
        let clock = Clock::start();
        let mut entries = Vec::new();
        for text in journal.entries()? {
            match serde_json::from_str::<Entry>(&text) {
                Ok(entry) => entries.push(entry),
                Err(cause) => tracing::warn!(%cause, "a line of the journal of mitigations is skipped"),
            }
        }
        let rails = setup.guards.rails(&setup.routing);
        let book = Book::restore(rails, setup.routing.approvals, &entries, clock.now());
        let restarting = !entries.is_empty();
        let upto = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let mut clerk = Self {
            setup,
            book,
            journal,
            speaker: None,
            clock,
            pulse,
            board,
            first: Vec::new(),
            unwritten: Vec::new(),
            upto,
            trouble: BTreeMap::new(),
            because: ("spillway".to_owned(), "start".to_owned()),
            counts: Counts::default(),
            looked: Timestamp::ZERO,
        };
        // The core gets its whole patience from now on.
        clerk.pulse.beat();
        clerk.settle().map_err(anyhow::Error::msg)?;
        let first = std::mem::take(&mut clerk.first);
        let says = first.iter().map(|(_, name, say)| (name.clone(), say.clone())).collect();
        let asn = clerk.setup.routing.asn;
        let id = clerk.setup.routing.router_id;
        let neighbors =
            clerk.setup.routing.routers.iter().map(|router| neighbor(router, asn, id, restarting)).collect();
        let (speaker, refused) =
            Speaker::start_with(neighbors, says).context("cannot start the BGP speaker")?;
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
        for router in clerk.setup.routing.routers.iter().filter(|router| router.pacing.peer_limit == 0) {
            if !router.profile.reopens {
                tracing::info!(
                    neighbor = router.name,
                    profile = router.profile.name,
                    "its prefix limit is not known (`limit`); where it has one, a session that exceeds it stays down until a person acts"
                );
            }
        }
        clerk.look();
        Ok(clerk)
    }

    /// How long nothing is due.
    pub(super) fn pause(&self) -> Duration {
        let due = self.book.poll_timeout().map_or(Span::from_secs(60), |due| due.since(self.clock.now()));
        Duration::from_nanos(due.nanos())
    }

    /// Does what is due by the clock.
    pub(super) fn turn(&mut self) {
        self.clock.follow();
        let now = self.clock.now();
        self.because = ("spillway".to_owned(), "its time is over".to_owned());
        self.book.handle_timeout(now);
        self.dead_man();
        // What it says stands in the log, and it is tried again at the next turn.
        let _ = self.settle();
        if now.since(self.looked) >= LOOK_EVERY {
            self.look();
        }
    }

    /// Carries out an order.
    pub(super) fn take(&mut self, caller: &Caller, order: Order) -> Result<Answer, String> {
        let reason = reason_of(&order).map(str::to_owned);
        if let Some(reason) = &reason {
            if reason.trim().is_empty() {
                return Err("an order that changes something needs a reason: add --reason TEXT".to_owned());
            }
            if reason.len() > REASON_MAX {
                return Err(format!("a reason has at most {REASON_MAX} octets: shorten it"));
            }
            self.because = (caller.name.clone(), reason.clone());
        }
        let what = format!("{order:?}");
        let done = self.carry_out(caller, order);
        if let (Err(why), Some(reason)) = (&done, reason) {
            self.counts.refused += 1;
            tracing::warn!(actor = caller.name, reason, why, "an order about routes is refused");
            let line = Line {
                at: self.clock.now(),
                event: "refused".to_owned(),
                actor: caller.name.clone(),
                reason,
                what: format!("{}: {why}", what.get(..400).unwrap_or(&what)),
                ..Line::default()
            };
            if self.unwritten.is_empty() && self.journal.append(&[line]).is_err() {
                self.counts.journal_errors += 1;
            }
        }
        self.look();
        done
    }

    fn carry_out(&mut self, caller: &Caller, order: Order) -> Result<Answer, String> {
        let actor = Actor::Person(caller.name.clone());
        let now = self.clock.now();
        match order {
            Order::Peers => Ok(Answer::Peers(self.peers())),
            Order::List => self.list(),
            Order::History { id, limit } => self.history(id, limit),
            Order::Announce(request) => {
                let (what, hold) = self.understand(&request)?;
                self.propose(
                    &request,
                    Wish { what, neighbors: Vec::new(), actor, reason: request.reason.clone(), hold },
                )
            }
            Order::Withdraw { id, reason } => {
                self.book.withdraw(id, &actor, &reason).map_err(text)?;
                self.settle().map(|()| Answer::Done(1))
            }
            Order::Reject { id, reason } => {
                match self.book.get(id).map(|one| &one.stage) {
                    Some(steer::book::Stage::Proposed(_)) => {}
                    Some(_) => {
                        return Err(format!(
                            "mitigation {id} holds already: `spillway route withdraw {id}` ends it"
                        ));
                    }
                    None => return Err(text(steer::book::Wrong::Unknown(id))),
                }
                self.book.withdraw(id, &actor, &reason).map_err(text)?;
                self.settle().map(|()| Answer::Done(1))
            }
            Order::Approve { id, .. } => {
                self.can_be_written()?;
                self.book.approve(now, id, &actor).map_err(text)?;
                self.begin(id)
            }
            Order::Renew { id, hold, .. } => {
                let hold = self.hold(hold.map(Span::from_secs))?;
                self.book.renew(now, id, &actor, hold).map_err(text)?;
                self.settle()?;
                self.one(id)
            }
            Order::Release { id, peer, reason } => self.release(caller, id, peer.as_deref(), reason),
            Order::Panic { reason } => {
                let count = self.book.all().count();
                self.book.panic(&actor, &reason);
                tracing::error!(
                    actor = caller.name,
                    reason,
                    mitigations = count,
                    "panic: everything is withdrawn, and nothing begins until `spillway route resume`"
                );
                self.settle().map(|()| Answer::Done(count))
            }
            Order::Resume { .. } => {
                self.can_be_written()?;
                self.book.thaw(&actor);
                self.settle().map(|()| Answer::Done(0))
            }
        }
    }

    /// What a request means, and for how long.
    fn understand(&self, request: &Request) -> Result<(What, Span), String> {
        let class = order::class(&request.class)
            .ok_or_else(|| format!("`{}` is no class of announcements", request.class))?;
        let prefix = || {
            let parsed = request.what.parse::<base::Prefix>();
            parsed.map_err(|wrong| format!("`{}` is not an address or a prefix: {wrong}", request.what))
        };
        let mut lease = None;
        let what = match class {
            Class::Blackhole => What::Blackhole(prefix()?),
            Class::Diversion => What::Diversion(prefix()?),
            Class::Flowspec => {
                let rules = rules::parse::rules(&request.what).map_err(|wrong| {
                    wrong.first().map_or_else(String::new, |one| format!("the rule, {one}"))
                })?;
                let [rule] = <[_; 1]>::try_from(rules)
                    .map_err(|all| format!("one rule at a time is announced, not {}", all.len()))?;
                lease = rule.lease;
                What::Flowspec(Box::new(rule))
            }
        };
        let hold = self.hold(request.hold.map(Span::from_secs).or(lease))?;
        Ok((what, hold))
    }

    fn hold(&self, asked: Option<Span>) -> Result<Span, String> {
        let routing = &self.setup.routing;
        let hold = asked.unwrap_or(routing.lease);
        if hold == Span::ZERO || hold > routing.lease_max {
            return Err(format!(
                "a mitigation holds for more than 0 and at most {} (`routing.lease_max`); renew it when its end is near",
                routing.lease_max
            ));
        }
        Ok(hold)
    }

    fn propose(&mut self, request: &Request, mut wish: Wish) -> Result<Answer, String> {
        self.book.check(&wish.what).map_err(|refusal| refusal.to_string())?;
        wish.neighbors = self.places(&wish.what, &request.peers)?;
        self.is_new(&wish.what)?;
        if request.dry_run {
            return Ok(Answer::One(Box::new(self.preview(&wish))));
        }
        self.can_be_written()?;
        let now = self.clock.now();
        let proposed = self.book.propose(now, wish);
        let id = proposed.map_err(|wrong| self.settle().err().unwrap_or_else(|| wrong.to_string()))?;
        self.begin(id)
    }

    /// Writes and announces; where no neighbour took it, nothing holds.
    fn begin(&mut self, id: u64) -> Result<Answer, String> {
        if let Err(why) = self.settle() {
            let _ = self.book.withdraw(id, &Actor::Engine, "its beginning could not be written");
            let _ = self.settle();
            return Err(why);
        }
        let Some(one) = self.book.get(id) else { return Err(format!("mitigation {id} is gone")) };
        let wrong = one.wish.neighbors.iter().map(|name| self.trouble.get(&(id, name.clone())).cloned());
        let wrong: Option<Vec<String>> = wrong.collect();
        let answer = self.one(id);
        match wrong.as_deref().and_then(<[String]>::first).cloned() {
            Some(why) => {
                let _ = self.book.withdraw(id, &Actor::Engine, &why);
                let _ = self.settle();
                Err(why)
            }
            None => answer,
        }
    }

    /// Where it can go: the neighbours asked for, or all that it fits.
    fn places(&self, what: &What, asked: &[String]) -> Result<Vec<String>, String> {
        let routing = &self.setup.routing;
        let mut places = Vec::new();
        for name in asked {
            let router = routing.routers.iter().find(|router| router.name == *name).ok_or_else(|| {
                let known: Vec<&str> = routing.routers.iter().map(|router| router.name.as_str()).collect();
                format!("there is no peer `{name}`; known here: {}", known.join(", "))
            })?;
            express::route(what, router, routing.asn).map_err(|unfit| unfit.to_string())?;
            if !places.contains(name) {
                places.push(name.clone());
            }
        }
        if !asked.is_empty() {
            return Ok(places);
        }
        let mut why: Option<Unfit> = None;
        for router in &routing.routers {
            match express::route(what, router, routing.asn) {
                Ok(_) => places.push(router.name.clone()),
                // What the rule itself is to blame for says most.
                Err(unfit @ (Unfit::Rule(..) | Unfit::Profile(..))) => why = Some(unfit),
                Err(unfit) => why = why.or(Some(unfit)),
            }
        }
        match why {
            Some(unfit) if places.is_empty() => Err(unfit.to_string()),
            _ => Ok(places),
        }
    }

    /// BGP would replace the other by this one, and lose both when one ends.
    fn is_new(&self, what: &What) -> Result<(), String> {
        let key = express::key(what);
        let same = |other: &steer::book::Mitigation| express::key(&other.wish.what) == key;
        match self.book.all().find(|other| same(other)) {
            Some(other) => Err(format!(
                "mitigation {} ({}) is about the same prefix or packets: renew it (`spillway route renew {}`) or withdraw it first",
                other.id,
                other.wish.what.class().as_str(),
                other.id
            )),
            None => Ok(()),
        }
    }

    fn release(
        &mut self,
        caller: &Caller,
        id: u64,
        peer: Option<&str>,
        reason: String,
    ) -> Result<Answer, String> {
        let one = self.book.get(id).ok_or_else(|| text(steer::book::Wrong::Unknown(id)))?;
        let (what, neighbors) = (one.wish.what.clone(), one.wish.neighbors.clone());
        let Some(key) = express::key(&what) else {
            return Err("its rule cannot be said any more".to_owned());
        };
        let wanted = |name: &&String| peer.is_none_or(|peer| peer == name.as_str());
        let mut released = 0;
        for name in neighbors.iter().filter(wanted) {
            let Some(speaker) = &self.speaker else { continue };
            if speaker.release(name, key.clone()).is_ok() {
                released += 1;
                let line = Line {
                    at: self.clock.now(),
                    mitigation: Some(id),
                    event: "released".to_owned(),
                    actor: caller.name.clone(),
                    reason: reason.clone(),
                    what: format!("at {name}"),
                    ..Line::default()
                };
                self.unwritten.push(line);
            }
        }
        self.settle()?;
        match released {
            0 => Err(format!("mitigation {id} is nowhere in quarantine; see `spillway route list`")),
            count => Ok(Answer::Done(count)),
        }
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
            let _ = self.book.withdraw(id, &Actor::Engine, &why);
        }
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
            self.book.journalled(self.upto);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Journal(number, entry) => {
                let line = self.line(&entry);
                self.unwritten.push(line);
                self.upto = number;
            }
            Output::Announce { id, what, neighbors, .. } => {
                for name in neighbors {
                    let Some(router) = self.router(&name) else { continue };
                    let said = express::route(&what, router, self.setup.routing.asn)
                        .map_err(|unfit| unfit.to_string())
                        .and_then(|route| self.say(id, &name, Say::Announce(Box::new(route))));
                    if let Err(why) = said {
                        self.refused_by(id, &name, why);
                    }
                }
            }
            Output::Withdraw { id, what, neighbors, forgotten } => {
                self.trouble.retain(|(of, _), _| *of != id);
                let Some(key) = express::key(&what) else { return };
                for name in neighbors {
                    if self.router(&name).is_some() {
                        // It can only fail where there is no speaker any more.
                        let _ = self.say(id, &name, Say::Withdraw(Key::clone(&key), forgotten));
                    }
                }
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
            restart_time: router.restart_time,
            on_stop: router.on_stop,
        },
        pacing: router.pacing,
        md5: router.md5.as_ref().map(|key| key.octets().to_vec()),
        hops: router.hops,
        restarting,
    }
}

/// The reason of an order that changes something.
fn reason_of(order: &Order) -> Option<&str> {
    match order {
        Order::Peers | Order::List | Order::History { .. } => None,
        Order::Announce(request) => (!request.dry_run).then_some(&request.reason),
        Order::Withdraw { reason, .. }
        | Order::Approve { reason, .. }
        | Order::Reject { reason, .. }
        | Order::Renew { reason, .. }
        | Order::Release { reason, .. }
        | Order::Panic { reason }
        | Order::Resume { reason } => Some(reason),
    }
}

fn text(why: impl std::fmt::Display) -> String {
    why.to_string()
}

#[cfg(test)]
mod tests;
