//! The book of mitigations: who asked for what, for how long, who agreed, and when it ends.
//!
//! Nothing is announced before its entry is in the journal: the driver writes each [`Entry`], says so with
//! [`Book::journalled`], and only then gets the announcement. Ends do not wait: what is withdrawn without an entry comes
//! back after a crash, until its time is over, which errs on the side of the journal.

mod journal;

use std::collections::{BTreeMap, VecDeque};

use base::{Prefix, Span, Timestamp};
use rules::Rule;
use serde::{Deserialize, Serialize};

use crate::ownership::Ownership;
use crate::rails::{Announceable, Class, Lifeline, Load, Rails, Refusal};

pub use journal::Entry;

/// Without a person, no mitigation holds longer, however often it is renewed.
pub const LONGEST_ALONE: Span = Span::from_secs(86_400);
/// A proposal that nobody answers is forgotten.
const PROPOSAL_HOLDS: Span = Span::from_secs(3600);
/// Proposals that wait at once.
const PROPOSALS_MAX: usize = 1000;

/// Who wants something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The engine, by itself.
    Engine,
    /// A person, by name.
    Person(String),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine => f.write_str("the engine"),
            Self::Person(name) => f.write_str(name),
        }
    }
}

/// How many persons have to agree before an announcement of a class; who asks counts, if it is a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// For `FlowSpec`.
    pub flowspec: u8,
    /// For diversions.
    pub diversion: u8,
    /// For blackholes.
    pub blackhole: u8,
}

impl Default for Approvals {
    /// One person for each: nothing is announced by itself until somebody says that it may.
    fn default() -> Self {
        Self { flowspec: 1, diversion: 1, blackhole: 1 }
    }
}

impl Approvals {
    const fn of(self, class: Class) -> u8 {
        match class {
            Class::Flowspec => self.flowspec,
            Class::Diversion => self.diversion,
            Class::Blackhole => self.blackhole,
        }
    }
}

/// What is to be announced.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A blackhole.
    Blackhole(Prefix),
    /// A diversion.
    Diversion(Prefix),
    /// A rule for routers.
    Flowspec(Box<Rule>),
}

impl What {
    /// Its class.
    pub const fn class(&self) -> Class {
        match self {
            Self::Blackhole(_) => Class::Blackhole,
            Self::Diversion(_) => Class::Diversion,
            Self::Flowspec(_) => Class::Flowspec,
        }
    }

    fn check(&self, rails: &Rails) -> Result<Announceable, Refusal> {
        match self {
            Self::Blackhole(prefix) => rails.prefix(*prefix, Class::Blackhole),
            Self::Diversion(prefix) => rails.prefix(*prefix, Class::Diversion),
            Self::Flowspec(rule) => rails.rule(rule),
        }
    }
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// What.
    pub what: What,
    /// At which neighbours.
    pub neighbors: Vec<String>,
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// For how long.
    pub hold: Span,
}

/// Where a mitigation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for persons; these agreed.
    Proposed(Vec<String>),
    /// Its beginning is being journalled.
    Starting,
    /// It is announced.
    Active,
}

/// A mitigation.
#[derive(Clone, Debug)]
pub struct Mitigation {
    /// Its number.
    pub id: u64,
    /// What was asked.
    pub wish: Wish,
    /// Where it stands.
    pub stage: Stage,
    /// When it was asked for.
    pub asked: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ends by itself; of a proposal, when it is forgotten.
    pub until: Timestamp,
    /// When a person last said that it shall be.
    vouched: Option<Timestamp>,
}

impl Mitigation {
    /// Whether the engine wanted it and no person has said since that it shall be.
    pub fn is_automatic(&self) -> bool {
        self.wish.actor == Actor::Engine && self.vouched.is_none()
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write this, and say so.
    Journal(u64, Entry),
    /// Announce it.
    Announce {
        /// Number of the mitigation.
        id: u64,
        /// What passed the rails.
        admitted: Announceable,
        /// What it is.
        what: What,
        /// At which neighbours.
        neighbors: Vec<String>,
    },
    /// Withdraw it.
    Withdraw {
        /// Number of the mitigation.
        id: u64,
        /// What it was.
        what: What,
        /// At which neighbours.
        neighbors: Vec<String>,
        /// They may hold it from before a restart.
        forgotten: bool,
    },
}

/// Why an order about a mitigation was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// The rails.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nothing of that number.
    #[error("there is no mitigation {0}")]
    Unknown(u64),
    /// It is not waiting.
    #[error("mitigation {0} does not wait for anybody")]
    NotWaiting(u64),
    /// The same person twice.
    #[error("{0} agreed already: another person has to")]
    SamePerson(String),
    /// An order without a name.
    #[error("an approval needs a person")]
    NoPerson,
    /// Too many wait.
    #[error("{0} proposals wait already: answer or withdraw some")]
    Crowded(usize),
}

/// The book.
#[derive(Debug)]
pub struct Book {
    rails: Rails,
    approvals: Approvals,
    all: BTreeMap<u64, Mitigation>,
    next: u64,
    frozen: bool,
    /// Number of the last entry that was given to the journal.
    written: u64,
    outputs: VecDeque<Output>,
    /// Announcements that wait for the journal to have so many entries.
    waiting: VecDeque<(u64, u64)>,
}

impl Book {
    /// An empty book.
    pub const fn new(rails: Rails, approvals: Approvals) -> Self {
        Self {
            rails,
            approvals,
            all: BTreeMap::new(),
            next: 1,
            frozen: false,
            written: 0,
            outputs: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The book as the journal has it, after a restart. What is over by now is withdrawn first; what holds is announced
    /// again, if it passes the rails as they are now.
    pub fn restore(rails: Rails, approvals: Approvals, journal: &[Entry], now: Timestamp) -> Self {
        let mut book = Self::new(rails, approvals);
        for entry in journal {
            book.replay(entry);
        }
        book.written = u64::try_from(journal.len()).unwrap_or(u64::MAX);
        // A clock that was set back meanwhile must not hold anything for years.
        let most = now.plus(LONGEST_ALONE);
        book.all.values_mut().for_each(|mitigation| mitigation.until = mitigation.until.min(most));
        book.expire(now, true);
        let ids: Vec<u64> = book.all.values().filter(|m| m.stage == Stage::Active).map(|m| m.id).collect();
        for id in ids {
            let Some(mitigation) = book.all.get(&id) else { continue };
            match mitigation.wish.what.check(&book.rails) {
                Ok(admitted) => book.announce(id, admitted),
                Err(refusal) => {
                    let _ = book.end(id, None, &refusal.to_string(), true);
                }
            }
        }
        book
    }

    /// Whether a wish would be taken as far as the rails go; nothing is counted or written.
    ///
    /// # Errors
    /// When a rail is in the way.
    pub fn check(&self, what: &What) -> Result<Announceable, Refusal> {
        if self.frozen { Err(Refusal::Frozen) } else { what.check(&self.rails) }
    }

    /// Somebody wants something: its number. It begins when enough persons agreed, which may be at once.
    ///
    /// # Errors
    /// When a rail is in the way.
    pub fn propose(&mut self, now: Timestamp, wish: Wish) -> Result<u64, Wrong> {
        let id = self.suggest(now, wish)?;
        if let Err(wrong) = self.begin_if_agreed(now, id) {
            let _ = self.end(id, None, &wrong.to_string(), false);
            return Err(wrong);
        }
        Ok(id)
    }

    /// The same, but at least one more person has to agree, whatever the class needs.
    ///
    /// # Errors
    /// When a rail is in the way.
    pub fn suggest(&mut self, now: Timestamp, wish: Wish) -> Result<u64, Wrong> {
        self.check(&wish.what)?;
        let waiting = self.all.values().filter(|m| matches!(m.stage, Stage::Proposed(_))).count();
        if waiting >= PROPOSALS_MAX {
            return Err(Wrong::Crowded(waiting));
        }
        let id = self.next;
        self.next += 1;
        self.journal(Entry::Proposed {
            id,
            at: now.nanos(),
            class: wish.what.class().as_str().into(),
            what: journal::text(&wish.what),
            neighbors: wish.neighbors.clone(),
            actor: wish.actor.clone(),
            reason: wish.reason.clone(),
            hold: wish.hold.secs(),
        });
        let (agreed, vouched) = match &wish.actor {
            Actor::Person(name) => (vec![name.clone()], Some(now)),
            Actor::Engine => (Vec::new(), None),
        };
        let stage = Stage::Proposed(agreed);
        let until = now.plus(PROPOSAL_HOLDS);
        self.all.insert(id, Mitigation { id, wish, stage, asked: now, started: None, until, vouched });
        Ok(id)
    }

    /// A person agrees.
    ///
    /// # Errors
    /// When it is not waiting, when that person agreed already, or when a rail has come into the way.
    pub fn approve(&mut self, now: Timestamp, id: u64, actor: &Actor) -> Result<(), Wrong> {
        let Actor::Person(name) = actor else { return Err(Wrong::NoPerson) };
        let mitigation = self.all.get_mut(&id).ok_or(Wrong::Unknown(id))?;
        let Stage::Proposed(agreed) = &mut mitigation.stage else { return Err(Wrong::NotWaiting(id)) };
        if agreed.contains(name) {
            // Enough agreed, but a cap was in the way: it may be tried again.
            let enough = agreed.len() >= usize::from(self.approvals.of(mitigation.wish.what.class()));
            return if enough { self.begin_if_agreed(now, id) } else { Err(Wrong::SamePerson(name.clone())) };
        }
        agreed.push(name.clone());
        mitigation.vouched = Some(now);
        self.journal(Entry::Approved { id, actor: actor.clone() });
        self.begin_if_agreed(now, id)
    }

    /// It shall go on for so long from now. The engine alone cannot go beyond a day since a person last said so, or since
    /// it began.
    ///
    /// # Errors
    /// When there is none of that number, or it has not begun.
    pub fn renew(&mut self, now: Timestamp, id: u64, actor: &Actor, hold: Span) -> Result<Timestamp, Wrong> {
        let mitigation = self.all.get_mut(&id).ok_or(Wrong::Unknown(id))?;
        let Some(started) = mitigation.started else { return Err(Wrong::NotWaiting(id)) };
        if matches!(actor, Actor::Person(_)) {
            mitigation.vouched = Some(now);
        }
        let most = mitigation.vouched.map_or(started, |then| then.max(started)).plus(LONGEST_ALONE);
        let until = now.plus(hold).min(most).max(mitigation.until);
        mitigation.until = until;
        self.journal(Entry::Renewed { id, actor: actor.clone(), until: until.nanos() });
        Ok(until)
    }

    /// It shall end now.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn withdraw(&mut self, id: u64, actor: &Actor, reason: &str) -> Result<(), Wrong> {
        self.end(id, Some(actor), reason, false)
    }

    /// Everything ends at once, and nothing begins until [`Self::thaw`].
    pub fn panic(&mut self, actor: &Actor, reason: &str) {
        self.frozen = true;
        self.journal(Entry::Frozen { actor: actor.clone(), reason: reason.into() });
        let ids: Vec<u64> = self.all.keys().copied().collect();
        for id in ids {
            let _ = self.end(id, Some(actor), reason, true);
        }
    }

    /// Things may begin again.
    pub fn thaw(&mut self, actor: &Actor) {
        if self.frozen {
            self.frozen = false;
            self.journal(Entry::Thawed { actor: actor.clone() });
        }
    }

    /// The journal has all entries up to this one on the disk.
    pub fn journalled(&mut self, number: u64) {
        while let Some((needs, id)) = self.waiting.front().copied().filter(|(needs, _)| *needs <= number) {
            self.waiting.pop_front();
            debug_assert!(needs <= number, "the journal is in order");
            let Some(mitigation) = self.all.get_mut(&id) else { continue };
            mitigation.stage = Stage::Active;
            // The rails were passed when the entry was made; what the RPKI says may have changed since.
            match mitigation.wish.what.check(&self.rails) {
                Ok(admitted) => self.announce(id, admitted),
                Err(refusal) => {
                    let _ = self.end(id, None, &refusal.to_string(), false);
                }
            }
        }
    }

    /// Ends what is over.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.expire(now, false);
    }

    /// When something is over next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.all.values().map(|mitigation| mitigation.until).min()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// All that is proposed or holds, by number.
    pub fn all(&self) -> impl Iterator<Item = &Mitigation> {
        self.all.values()
    }

    /// What may never be announced.
    pub const fn rails(&self) -> &Rails {
        &self.rails
    }

    /// What the speaker's own host lives by; what begins from now on spares it.
    pub fn set_near(&mut self, never: Vec<(Prefix, String)>, lifelines: Vec<Lifeline>) {
        self.rails.set_near(never, lifelines);
    }

    /// What begins from now on is asked of the RPKI too; `None`: it is not.
    pub fn ask_rpki(&mut self, ownership: Option<Ownership>) {
        self.rails.ask_rpki(ownership);
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Mitigation> {
        self.all.get(&id)
    }

    /// How many persons have to agree to a class.
    pub const fn needed(&self, class: Class) -> u8 {
        self.approvals.of(class)
    }

    /// Whether the panic button was pressed.
    pub const fn is_frozen(&self) -> bool {
        self.frozen
    }

    fn begin_if_agreed(&mut self, now: Timestamp, id: u64) -> Result<(), Wrong> {
        let load = self.load();
        let mitigation = self.all.get_mut(&id).ok_or(Wrong::Unknown(id))?;
        let Stage::Proposed(agreed) = &mitigation.stage else { return Ok(()) };
        if agreed.len() < usize::from(self.approvals.of(mitigation.wish.what.class())) {
            return Ok(());
        }
        let admitted = mitigation.wish.what.check(&self.rails)?;
        self.rails.count(now, &admitted, &load)?;
        let hold = mitigation.wish.hold.min(LONGEST_ALONE);
        mitigation.stage = Stage::Starting;
        mitigation.started = Some(now);
        mitigation.until = now.plus(hold);
        let until = mitigation.until.nanos();
        self.journal(Entry::Started { id, at: now.nanos(), until });
        self.waiting.push_back((self.written, id));
        Ok(())
    }

    fn load(&self) -> Load {
        let mut load = Load::default();
        for mitigation in self.all.values().filter(|m| !matches!(m.stage, Stage::Proposed(_))) {
            match &mitigation.wish.what {
                What::Blackhole(prefix) => load.blackholed.push(*prefix),
                What::Diversion(_) => {}
                What::Flowspec(_) => {
                    load.rules += 1;
                    continue;
                }
            }
            load.routes += 1;
        }
        load
    }

    fn announce(&mut self, id: u64, admitted: Announceable) {
        let Some(Mitigation { wish, .. }) = self.all.get(&id) else { return };
        let (what, neighbors) = (wish.what.clone(), wish.neighbors.clone());
        self.outputs.push_back(Output::Announce { id, admitted, what, neighbors });
    }

    fn end(&mut self, id: u64, actor: Option<&Actor>, reason: &str, forgotten: bool) -> Result<(), Wrong> {
        let mitigation = self.all.remove(&id).ok_or(Wrong::Unknown(id))?;
        self.journal(Entry::Ended { id, actor: actor.cloned(), reason: reason.into() });
        self.waiting.retain(|(_, waits)| *waits != id);
        if !matches!(mitigation.stage, Stage::Proposed(_)) {
            let Wish { what, neighbors, .. } = mitigation.wish;
            self.outputs.push_back(Output::Withdraw { id, what, neighbors, forgotten });
        }
        Ok(())
    }

    fn expire(&mut self, now: Timestamp, forgotten: bool) {
        let over: Vec<u64> = self.all.values().filter(|m| m.until <= now).map(|m| m.id).collect();
        for id in over {
            let _ = self.end(id, None, "its time is over", forgotten);
        }
    }

    fn journal(&mut self, entry: Entry) {
        self.written += 1;
        self.outputs.push_back(Output::Journal(self.written, entry));
    }
}
