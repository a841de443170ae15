//! What a peer shall have, what it has, and which routes it did not survive.
//!
//! Routes go out in the order of their rank, at a pace. A route is *good* once the session has lived some seconds after
//! it; when the peer ends the session before that, all routes sent since are put into quarantine together, and the good
//! ones go out again. (Measured: one FlowSpec rule that FRR or BIRD does not like ends the session, and every mitigation
//! on it.) A peer that goes without a word may have crashed for a reason of its own: plain routes, which every router reads,
//! go out once more then, and when it goes again they are on probation: see [`probation`].

mod batch;
mod probation;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use base::{Span, Timestamp};
use wire::bgp::attribute::community;
use wire::bgp::{Attributes, Family, update};

use self::batch::Batch;
use self::probation::{Fate, Probation};
use super::dialect::{Dialect, Unspoken};

/// A route is good when the session has lived so long after it was sent.
const PROOF: Span = Span::from_secs(5);
/// A search for the culprit may cost the session once in so long.
const SEARCH_EVERY: Span = Span::from_secs(3600);
/// Of a peer's own limit, so much is used: at the limit two of three daemons stay down until a person acts.
const SHARE_OF_LIMIT: (usize, usize) = (9, 10);

/// What makes a route the same route to BGP: its family and its NLRI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Family.
    pub family: Family,
    /// As it stands on the wire, with its length.
    pub nlri: Vec<u8>,
}

/// A route that a peer shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which.
    pub key: Key,
    /// Where the traffic goes; `None` for FlowSpec.
    pub next_hop: Option<IpAddr>,
    /// What is said about it.
    pub attributes: Attributes,
    /// The lowest goes first.
    pub rank: u32,
}

/// How fast, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// Routes a second; 0: no limit.
    pub per_second: u32,
    /// Routes at once after a pause.
    pub burst: u32,
    /// Routes that the peer takes from us before it ends the session; 0: not known.
    pub peer_limit: usize,
    /// Whether a session may be lost to find the route that ended an earlier one, once an hour.
    pub search: bool,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { per_second: 50, burst: 100, peer_limit: 0, search: false }
    }
}

/// Why a route is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the peer takes {limit} routes and {most} of them are used: aggregate, withdraw one, or raise the limit on both sides"
)]
pub struct Full {
    /// What the peer takes.
    pub limit: usize,
    /// What we use of it.
    pub most: usize,
}

/// Why a route is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The peer would not take so many.
    #[error(transparent)]
    Full(#[from] Full),
    /// The peer's form has no words for it.
    #[error(transparent)]
    Unspoken(#[from] Unspoken),
}

/// What the peer has of a route.
#[derive(Clone, Debug)]
struct Held {
    route: Route,
    sent: Timestamp,
}

/// Why a route waits in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// It was sent shortly before the session ended, among others.
    Among(usize),
    /// It alone was sent shortly before the session ended.
    Culprit,
    /// It was sent shortly before the peer went without a word, more than once; it goes out again by itself then.
    Probation(Timestamp),
}

/// Whether what a peer was sent can be the reason why its session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// No: it had another one.
    None,
    /// It may be: the peer went without a word.
    Perhaps,
    /// Yes, as the peer says.
    Said,
}

/// Adj-RIB-Out of one peer (RFC 4271 §3.2).
#[derive(Debug, Default)]
pub struct Out {
    pacing: Pacing,
    dialect: Dialect,
    wanted: BTreeMap<Key, Route>,
    held: BTreeMap<Key, Held>,
    /// What is to be said, most urgent first: withdrawals make room.
    queue: BTreeSet<(u32, Key)>,
    /// Routes which this peer has survived.
    good: BTreeMap<Key, Route>,
    quarantine: BTreeMap<Key, Suspicion>,
    /// Plain routes among which a peer went without a word.
    probation: Probation,
    /// Sent since the last moment that was proven good.
    unproven: BTreeSet<Key>,
    /// Their times, oldest first; one that was sent again since stands here twice.
    proving: VecDeque<(Timestamp, Key)>,
    up: Option<Up>,
    /// Suspects are out again, on trial.
    searching: bool,
    /// When a session was lost for a search.
    last_fall: Option<Timestamp>,
    /// In 1/1,000 of a route.
    tokens: u64,
    tokens_at: Timestamp,
}

/// While routes flow.
#[derive(Debug)]
struct Up {
    families: Vec<Family>,
    four: bool,
    /// Families for which End-of-RIB is still to be sent.
    end_of_rib: VecDeque<Family>,
}

/// Of withdrawals, before every rank.
const FIRST: u32 = 0;

impl Out {
    /// Nothing wanted yet.
    pub fn new(pacing: Pacing, dialect: Dialect) -> Self {
        Self { pacing, dialect, ..Self::default() }
    }

    /// Wants a route; one with the same key is replaced. It goes with [`community::NO_LLGR`]: no mitigation shall
    /// outlive its session for days (RFC 9494 §4.2).
    ///
    /// # Errors
    /// When the peer would not take so many, or has no words for it. Nothing has changed then.
    pub fn announce(&mut self, mut route: Route) -> Result<(), NotTaken> {
        self.dialect.say(&route)?;
        let limit = self.pacing.peer_limit;
        let most = limit * SHARE_OF_LIMIT.0 / SHARE_OF_LIMIT.1;
        if limit > 0 && !self.wanted.contains_key(&route.key) && self.wanted.len() >= most {
            return Err(Full { limit, most }.into());
        }
        if !route.attributes.communities.contains(&community::NO_LLGR) {
            route.attributes.communities.push(community::NO_LLGR);
        }
        let key = route.key.clone();
        let before = self.wanted.insert(key.clone(), route.clone());
        if before.as_ref() != Some(&route) {
            // What is said now is another thing than what the peer survived.
            self.quarantine.remove(&key);
            self.probation.forget(&key);
        }
        self.unqueue(&key, before.map(|route| route.rank));
        if self.held.get(&key).is_none_or(|held| held.route != route) {
            self.enqueue(&key, route.rank);
        }
        Ok(())
    }

    /// Wants a route no longer. `forgotten`: the peer may hold it though nothing here says so (after a restart).
    pub fn withdraw(&mut self, key: &Key, forgotten: bool) {
        let before = self.wanted.remove(key);
        self.quarantine.remove(key);
        self.probation.forget(key);
        self.good.remove(key);
        self.unqueue(key, before.map(|route| route.rank));
        if self.held.contains_key(key) || forgotten {
            self.queue.insert((FIRST, key.clone()));
        }
    }

    /// Lets a route out of quarantine: a person says so.
    pub fn release(&mut self, key: &Key) -> bool {
        self.probation.forget(key);
        self.let_out(key)
    }

    fn let_out(&mut self, key: &Key) -> bool {
        let was = self.quarantine.remove(key).is_some();
        if let (true, Some(rank)) = (was, self.wanted.get(key).map(|route| route.rank)) {
            self.enqueue(key, rank);
        }
        was
    }

    /// Routes flow.
    pub fn up(&mut self, now: Timestamp, families: &[Family], four: bool) {
        let spoken: Vec<Family> = families.to_vec();
        self.up = Some(Up { families: spoken.clone(), four, end_of_rib: spoken.into() });
        self.held.clear();
        self.unproven.clear();
        self.proving.clear();
        self.tokens = u64::from(self.pacing.burst) * 1000;
        self.tokens_at = now;
        let announced: Vec<(u32, Key)> = self
            .wanted
            .iter()
            .filter(|(key, _)| !self.quarantine.contains_key(key))
            .map(|(key, route)| (route.rank.max(1), key.clone()))
            .collect();
        self.queue.retain(|(rank, _)| *rank == FIRST);
        self.queue.extend(announced);
    }

    /// Routes flow no longer; gives how many routes are in quarantine for it.
    pub fn down(&mut self, now: Timestamp, blame: Blame) -> usize {
        self.prove(now);
        self.up = None;
        self.held.clear();
        let suspects = std::mem::take(&mut self.unproven);
        self.proving.clear();
        match blame {
            Blame::None => 0,
            Blame::Perhaps => self.gone(now, suspects),
            Blame::Said => self.suspect(now, suspects),
        }
    }

    /// The peer went without a word.
    fn gone(&mut self, now: Timestamp, mut suspects: BTreeSet<Key>) -> usize {
        let among = suspects.len();
        if among > 0 && std::mem::take(&mut self.searching) {
            self.last_fall = Some(now);
        }
        let plain: BTreeSet<Key> = suspects.extract_if(.., |key| is_plain(key.family)).collect();
        let mut held_back = 0;
        for (key, fate) in self.probation.fell(now, &plain, among) {
            let why = match fate {
                Fate::Again => continue,
                Fate::Waits => Suspicion::Probation(self.probation.waits(&key).unwrap_or(now)),
                Fate::Culprit => Suspicion::Culprit,
            };
            self.quarantine.insert(key, why);
            held_back += 1;
        }
        if suspects.is_empty() { held_back } else { held_back + self.suspect(now, suspects) }
    }

    fn suspect(&mut self, now: Timestamp, suspects: BTreeSet<Key>) -> usize {
        if std::mem::take(&mut self.searching) {
            self.last_fall = Some(now);
        }
        let suspicion = match suspects.len() {
            1 => Suspicion::Culprit,
            count => Suspicion::Among(count),
        };
        let count = suspects.len();
        for key in suspects {
            self.probation.forget(&key);
            self.quarantine.insert(key, suspicion);
        }
        count
    }

    /// The peer wants to hear a family again (RFC 2918). It may still hold what it had: what ends meanwhile is withdrawn.
    pub fn refresh(&mut self, family: Family) {
        let again: Vec<(u32, Key)> = self
            .held
            .range(first_of(family)..)
            .take_while(|(key, _)| key.family == family)
            .map(again)
            .collect();
        self.queue.extend(again);
    }

    /// Messages that may go now.
    pub fn messages(&mut self, now: Timestamp) -> Vec<Vec<u8>> {
        self.prove(now);
        self.search(now);
        self.try_again(now);
        let Some(up) = &self.up else { return Vec::new() };
        let (families, four) = (up.families.clone(), up.four);
        self.refill(now);
        let mut out = Vec::new();
        let mut batch = Batch::default();
        while self.tokens >= 1000 || self.pacing.per_second == 0 {
            let Some((_, key)) = self.queue.pop_first() else { break };
            if !families.contains(&key.family) {
                continue;
            }
            self.tokens = self.tokens.saturating_sub(1000);
            let route = self.wanted.get(&key).filter(|_| !self.quarantine.contains_key(&key)).cloned();
            // What has no words was refused before; of what is only to end, nothing was said then either.
            let Ok(said) = route.as_ref().map(|route| self.dialect.say(route)).transpose() else { continue };
            let Ok(nlri) = self.dialect.nlri(&key) else { continue };
            if !batch.takes(key.family, said.as_deref()) {
                out.append(&mut batch.close(four));
            }
            batch.push(key.family, nlri.into_owned(), said.as_deref());
            self.said(now, key, route);
        }
        out.append(&mut batch.close(four));
        if self.queue.is_empty()
            && let Some(up) = &mut self.up
        {
            out.extend(up.end_of_rib.drain(..).map(update::end_of_rib));
        }
        out
    }

    /// When [`Self::messages`] has something to do.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let up = self.up.as_ref()?;
        let waits = !self.queue.is_empty() || !up.end_of_rib.is_empty();
        let next = waits.then(|| {
            let missing = 1000u64.saturating_sub(self.tokens);
            let nanos = missing.saturating_mul(1_000_000).checked_div(u64::from(self.pacing.per_second));
            self.tokens_at.plus(Span::from_nanos(nanos.unwrap_or(0)))
        });
        let proof = self.proving.front().map(|(sent, _)| sent.plus(PROOF));
        // While others wait for their turn, theirs comes first.
        let again = self.queue.is_empty().then(|| self.probation.poll_timeout(&self.unproven)).flatten();
        [next, proof, again].into_iter().flatten().min()
    }

    /// What the peer shall have.
    pub fn wanted(&self) -> impl Iterator<Item = &Route> {
        self.wanted.values()
    }

    /// What it has, by our knowledge.
    pub fn held(&self) -> impl Iterator<Item = &Route> {
        self.held.values().map(|held| &held.route)
    }

    /// What waits in quarantine.
    pub fn quarantine(&self) -> impl Iterator<Item = (&Key, Suspicion)> {
        self.quarantine.iter().map(|(key, why)| (key, *why))
    }

    /// Whether a route is with the peer and the session has lived long enough after it.
    pub fn is_proven(&self, key: &Key) -> bool {
        self.held.contains_key(key) && !self.unproven.contains(key)
    }

    fn said(&mut self, now: Timestamp, key: Key, route: Option<Route>) {
        match route {
            Some(route) => {
                if self.good.get(&key) != Some(&route) {
                    self.unproven.insert(key.clone());
                    self.proving.push_back((now, key.clone()));
                }
                self.held.insert(key, Held { route, sent: now });
            }
            None => {
                self.held.remove(&key);
                self.unproven.remove(&key);
            }
        }
    }

    /// Takes for good what the session has outlived. All together: the newest is the measure, for messages are read in
    /// turn.
    fn prove(&mut self, now: Timestamp) {
        while let Some((sent, key)) = self.proving.pop_front_if(|(sent, _)| sent.plus(PROOF) <= now) {
            let held = self.held.get(&key).filter(|held| held.sent == sent);
            if let Some(held) = held
                && self.unproven.remove(&key)
            {
                self.probation.forget(&key);
                self.good.insert(key, held.route.clone());
            }
        }
    }

    /// Half of the suspects go out again, where that is allowed and all else is proven: of the largest group, which is
    /// the least suspicious. Who is left alone when all others were proven is the culprit, without costing a session.
    fn search(&mut self, now: Timestamp) {
        let due = self.last_fall.is_none_or(|last| last.plus(SEARCH_EVERY) <= now);
        let calm = self.up.is_some() && self.queue.is_empty() && self.unproven.is_empty();
        if !self.pacing.search || !calm {
            return;
        }
        self.searching = false;
        let mut suspects: Vec<(usize, Key)> = self
            .quarantine
            .iter()
            .filter_map(|(key, why)| match why {
                Suspicion::Among(count) => Some((*count, key.clone())),
                Suspicion::Culprit | Suspicion::Probation(_) => None,
            })
            .collect();
        if let [(_, last)] = suspects.as_slice() {
            self.quarantine.insert(last.clone(), Suspicion::Culprit);
            return;
        }
        let Some(largest) = suspects.iter().map(|(count, _)| *count).max() else { return };
        if !due {
            return;
        }
        suspects.retain(|(count, _)| *count == largest);
        self.searching = true;
        for (_, key) in suspects.iter().take(suspects.len().div_ceil(2)) {
            self.release(key);
        }
    }

    /// The next route that is on probation, if its time has come and nothing else waits to be sent.
    fn try_again(&mut self, now: Timestamp) {
        if self.up.is_some()
            && self.queue.is_empty()
            && let Some(key) = self.probation.next(now, &self.unproven)
        {
            self.let_out(&key);
        }
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = now.since(self.tokens_at).nanos();
        let gained = u128::from(passed) * u128::from(self.pacing.per_second) / 1_000_000;
        if gained > 0 {
            let most = u64::from(self.pacing.burst.max(1)) * 1000;
            self.tokens = u64::try_from(gained).unwrap_or(u64::MAX).saturating_add(self.tokens).min(most);
            self.tokens_at = now;
        }
    }

    fn enqueue(&mut self, key: &Key, rank: u32) {
        if !self.quarantine.contains_key(key) {
            self.queue.insert((rank.max(1), key.clone()));
        }
    }

    fn unqueue(&mut self, key: &Key, rank: Option<u32>) {
        self.queue.remove(&(FIRST, key.clone()));
        if let Some(rank) = rank {
            self.queue.remove(&(rank.max(1), key.clone()));
        }
    }
}

/// Whether all routers read it alike.
fn is_plain(family: Family) -> bool {
    family == Family::IPV4 || family == Family::IPV6
}

fn first_of(family: Family) -> Key {
    Key { family, nlri: Vec::new() }
}

fn again((key, held): (&Key, &Held)) -> (u32, Key) {
    (held.route.rank.max(1), key.clone())
}
