//! One name: what was seen of it, and its diversion.

use base::{Span, Timestamp};

use super::message::{self, same};
use super::{
    Address, End, Entry, HOLD, Heard, PAUSE_MAX, PAUSE_MIN, PEACE, Seen, Started, TRIES, Trouble, Zone,
};

/// What follows from something heard.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    /// Change this to that.
    Update(Vec<Address>, Vec<Address>),
    Journal(Entry),
}

/// Where a diversion stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// What is there?
    Looking,
    /// What is there is on its way into the journal.
    Writing,
    /// The absorber's addresses shall be there.
    Diverting,
    /// They are.
    Held,
    /// What was there shall be back; with why it was not diverted, if it was not.
    Restoring(Option<Trouble>),
}

/// A diversion.
#[derive(Clone, Debug)]
pub struct Diversion {
    pub(super) started: Started,
    phase: Phase,
    /// The entry that has to be on the disk first.
    waits: Option<u64>,
    moved_by: Option<Timestamp>,
}

impl Diversion {
    pub(super) const fn new(started: Started) -> Self {
        Self { started, phase: Phase::Looking, waits: None, moved_by: None }
    }

    pub(super) const fn resumed(started: Started, restoring: bool) -> Self {
        let phase = if restoring { Phase::Restoring(None) } else { Phase::Diverting };
        Self { started, phase, waits: None, moved_by: None }
    }

    pub(super) const fn is_restoring(&self) -> bool {
        matches!(self.phase, Phase::Restoring(_))
    }

    /// Whether the journal has it.
    pub(super) const fn is_begun(&self) -> bool {
        !matches!(self.phase, Phase::Looking | Phase::Writing)
    }

    /// Whether it waits for the journal.
    pub(super) fn waits(&self) -> bool {
        self.phase == Phase::Writing
    }

    /// As the journal has it.
    pub const fn started(&self) -> &Started {
        &self.started
    }

    /// When those who respect TTLs have all heard of it.
    pub const fn moved_by(&self) -> Option<Timestamp> {
        self.moved_by
    }
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody wants it diverted.
    Idle,
    /// It is being looked at.
    Looking,
    /// The absorber's addresses are on their way.
    Diverting,
    /// They are there.
    Diverted,
    /// What was there is on its way back.
    Restoring,
}

impl State {
    /// One word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Looking => "looking",
            Self::Diverting => "diverting",
            Self::Diverted => "diverted",
            Self::Restoring => "restoring",
        }
    }
}

/// The last diversion that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Its number.
    pub id: u64,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub how: End,
    /// When those who respect TTLs have all heard of it.
    pub back_by: Option<Timestamp>,
}

/// A name that may be diverted.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) zone: Zone,
    pub(super) diversion: Option<Diversion>,
    seen: Option<(Timestamp, Seen)>,
    trouble: Option<Trouble>,
    /// The server is being asked.
    asked: bool,
    /// When it is asked next.
    due: Timestamp,
    /// Failures in a row.
    tries: u32,
    /// The last update was one back.
    back: bool,
    /// The server has taken it, and nothing else is wanted since.
    updated: bool,
    last: Option<Past>,
}

impl Place {
    pub(super) const fn new(zone: Zone, now: Timestamp) -> Self {
        Self {
            zone,
            diversion: None,
            seen: None,
            trouble: None,
            asked: false,
            due: now,
            tries: 0,
            back: false,
            updated: false,
            last: None,
        }
    }

    /// Something new is wanted.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.due = now;
        self.tries = 0;
        self.updated = false;
        self.trouble = None;
    }

    /// Its entry got this number.
    pub(super) fn wait_for(&mut self, number: u64) {
        if let Some(one) = self.diversion.as_mut().filter(|one| one.waits()) {
            one.waits.get_or_insert(number);
        }
    }

    /// What is to be changed now that the journal has it.
    pub(super) fn journalled(&mut self, upto: u64) -> Option<(Vec<Address>, Vec<Address>)> {
        let one = self.diversion.as_mut()?;
        if !one.waits() || one.waits.is_none_or(|number| number > upto) {
            return None;
        }
        one.phase = Phase::Diverting;
        (self.asked, self.back, self.updated, self.tries) = (true, false, false, 0);
        Some((one.started.was.clone(), one.started.to.clone()))
    }

    /// Whether it is time to look; then it is looked at.
    pub(super) fn look(&mut self, now: Timestamp) -> bool {
        let free = !self.asked && self.diversion.as_ref().is_none_or(|one| !one.waits());
        let look = free && self.due <= now;
        self.asked |= look;
        look
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let waits = self.diversion.as_ref().is_some_and(Diversion::waits);
        let look = (!self.asked && !waits).then_some(self.due);
        let end = self.diversion.as_ref().filter(|one| !one.is_restoring()).map(|one| one.started.until);
        look.into_iter().chain(end).min()
    }

    /// The end of its lease.
    pub(super) fn expire(&mut self, now: Timestamp) -> Step {
        let over = |one: &&mut Diversion| one.started.until <= now && !one.is_restoring();
        match self.diversion.as_mut().filter(over) {
            Some(_) => self.turn_back(now, None, ("spillway", "its time is over")),
            None => Step::Nothing,
        }
    }

    /// What was there shall be back; with why, where it did not come about.
    pub(super) fn turn_back(
        &mut self,
        now: Timestamp,
        failed: Option<Trouble>,
        (actor, reason): (&str, &str),
    ) -> Step {
        let Some(one) = &mut self.diversion else { return Step::Nothing };
        if !one.is_begun() {
            return self.end(now, End::LeftOut(format!("{reason}, before anything was changed")));
        }
        let id = one.started.id;
        let restoring = one.is_restoring();
        if !restoring {
            one.phase = Phase::Restoring(failed);
        }
        (self.tries, self.updated, self.due) = (0, false, now);
        if restoring {
            return Step::Nothing;
        }
        let (actor, reason) = (actor.to_owned(), reason.to_owned());
        Step::Journal(Entry::Restoring { id, at: now, actor, reason })
    }

    /// What the server answered.
    pub(super) fn hear(&mut self, now: Timestamp, heard: Heard) -> Step {
        self.asked = false;
        match heard {
            Heard::Looked(Ok(seen)) => {
                self.seen = Some((now, seen.clone()));
                self.looked(now, seen)
            }
            Heard::Updated(Ok(())) => {
                let back = self.diversion.as_ref().is_some_and(Diversion::is_restoring);
                self.updated = back == self.back;
                self.due = now;
                Step::Nothing
            }
            Heard::Looked(Err(trouble)) => self.failed(now, trouble),
            Heard::Updated(Err(trouble)) => {
                self.updated = false;
                self.failed(now, trouble)
            }
        }
    }

    /// One row per phase and what was seen.
    fn looked(&mut self, now: Timestamp, seen: Seen) -> Step {
        let there = &seen.addresses;
        let Some(one) = &mut self.diversion else {
            self.well(now, PEACE);
            return Step::Nothing;
        };
        let Started { was, to, .. } = &one.started;
        let (is_was, is_to) = (same(there, was), same(there, to));
        match &one.phase {
            Phase::Looking if there.is_empty() => self.failed(now, Trouble::Nothing),
            Phase::Looking if is_to => self.failed(now, Trouble::Already),
            Phase::Looking => {
                one.started.was = seen.addresses;
                one.phase = Phase::Writing;
                let entry = Entry::Started(one.started.clone());
                self.trouble = None;
                Step::Journal(entry)
            }
            Phase::Writing => Step::Nothing,
            Phase::Diverting if is_to => {
                one.phase = Phase::Held;
                one.moved_by = Some(now.plus(lag(was, to, seen.negative_ttl)));
                self.well(now, HOLD);
                Step::Nothing
            }
            Phase::Held if is_to => {
                self.well(now, HOLD);
                Step::Nothing
            }
            Phase::Restoring(failed) if is_was => {
                let how = failed.as_ref().map_or(End::Restored, |why| End::LeftOut(why.to_string()));
                let back_by = now.plus(lag(to, was, seen.negative_ttl));
                let restored = failed.is_none().then_some(back_by);
                let step = self.end(now, how);
                if let Some(past) = &mut self.last {
                    past.back_by = restored;
                }
                step
            }
            Phase::Diverting if is_was => {
                let change = (was.clone(), to.clone());
                self.change(now, change)
            }
            Phase::Restoring(_) if is_to => {
                let change = (to.clone(), was.clone());
                self.change(now, change)
            }
            Phase::Diverting | Phase::Held | Phase::Restoring(_) => {
                self.end(now, End::Foreign(message::text(there)))
            }
        }
    }

    fn change(&mut self, now: Timestamp, (from, to): (Vec<Address>, Vec<Address>)) -> Step {
        if std::mem::take(&mut self.updated) {
            return self.failed(now, Trouble::NotServed);
        }
        self.asked = true;
        self.back = self.diversion.as_ref().is_some_and(Diversion::is_restoring);
        Step::Update(from, to)
    }

    fn failed(&mut self, now: Timestamp, trouble: Trouble) -> Step {
        self.tries = self.tries.saturating_add(1);
        self.trouble = Some(trouble.clone());
        let pause = PAUSE_MIN.times(1 << (self.tries - 1).min(10)).min(PAUSE_MAX);
        let enough = self.tries >= TRIES || trouble.is_lasting();
        let phase = self.diversion.as_ref().map(|one| &one.phase);
        self.due = now.plus(match phase {
            None if trouble.is_lasting() => PEACE,
            Some(Phase::Held) => HOLD,
            _ => pause,
        });
        match phase {
            Some(Phase::Looking) if enough => self.end(now, End::LeftOut(trouble.to_string())),
            Some(Phase::Diverting | Phase::Held | Phase::Restoring(_)) if trouble.is_lasting() => {
                self.end(now, End::Foreign(trouble.to_string()))
            }
            Some(Phase::Diverting) if enough => {
                let reason = trouble.to_string();
                self.turn_back(now, Some(trouble), ("spillway", &reason))
            }
            _ => Step::Nothing,
        }
    }

    fn well(&mut self, now: Timestamp, next: Span) {
        self.begin(now.plus(next));
    }

    fn end(&mut self, now: Timestamp, how: End) -> Step {
        let Some(one) = self.diversion.take() else { return Step::Nothing };
        let id = one.started.id;
        self.last = Some(Past { id, at: now, how: how.clone(), back_by: None });
        (self.tries, self.updated, self.due) = (0, false, now.plus(PEACE));
        Step::Journal(Entry::Ended { id, at: now, how })
    }

    /// The zone that it is in.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// What was seen last, and when.
    pub const fn seen(&self) -> Option<&(Timestamp, Seen)> {
        self.seen.as_ref()
    }

    /// What is wrong.
    pub const fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// The diversion that holds or is on its way.
    pub const fn diversion(&self) -> Option<&Diversion> {
        self.diversion.as_ref()
    }

    /// The last one that is over.
    pub const fn last(&self) -> Option<&Past> {
        self.last.as_ref()
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self.diversion.as_ref().map(|one| &one.phase) {
            None => State::Idle,
            Some(Phase::Looking | Phase::Writing) => State::Looking,
            Some(Phase::Diverting) => State::Diverting,
            Some(Phase::Held) => State::Diverted,
            Some(Phase::Restoring(_)) => State::Restoring,
        }
    }
}

/// How long those who respect TTLs may still believe `old` after `new` took its place: its TTLs, and the negative TTL for a
/// family that it had nothing of.
fn lag(old: &[Address], new: &[Address], negative_ttl: Option<u32>) -> Span {
    let has = |all: &[Address], ipv4: bool| all.iter().any(|one| one.address.is_ipv4() == ipv4);
    let added = [true, false].iter().any(|ipv4| has(new, *ipv4) && !has(old, *ipv4));
    let negative = negative_ttl.filter(|_| added);
    let longest = old.iter().map(|one| one.ttl).chain(negative).max();
    Span::from_secs(longest.unwrap_or(0).into())
}
