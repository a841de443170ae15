//! DNS diversion for those without address space of their own: a name's addresses are exchanged for those of an absorber,
//! by dynamic update (RFC 2136), and put back.
//!
//! A machine without sockets and clock. It always looks before it changes, changes only what it has just seen (the update's
//! prerequisites say so), and looks again after: an answer that was lost, a crash between two steps and somebody else's
//! change all come out at the next look. [`message`] has what is said to the server.
//!
//! **Invariant:** no update goes before the line that says what was there has been journalled, and only names that the
//! configuration lists are ever touched.

pub mod entry;
pub mod message;
mod place;
mod trouble;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use base::{Span, Timestamp};
use wire::dns::Name;

pub use entry::{End, Entry, Started};
pub use message::{Address, Seen};
pub use place::{Diversion, Past, Place, State};
pub use trouble::Trouble;

/// Names that may be diverted at once, over all zones.
pub const NAMES_MAX: usize = 64;
/// A lease without a person's renewal holds at most so long.
pub const LONGEST_ALONE: Span = Span::from_secs(86_400);
/// Tries to divert before the diversion is left out.
const TRIES: u32 = 3;
/// Between looks at a name that is not diverted.
const PEACE: Span = Span::from_secs(300);
/// Between looks at a name that is diverted.
const HOLD: Span = Span::from_secs(60);
/// Before the second try; each further one waits twice as long.
const PAUSE_MIN: Span = Span::from_millis(500);
/// Before a further try to restore, at most.
const PAUSE_MAX: Span = Span::from_secs(60);

/// Names that may be diverted, and whereto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// What the configuration calls it.
    pub section: String,
    /// The zone's name.
    pub zone: Name,
    /// Names that may be diverted.
    pub names: Vec<Name>,
    /// The absorber's addresses.
    pub to: Vec<IpAddr>,
    /// The TTL of diverted records, seconds.
    pub ttl: u32,
    /// A lease is at most so long.
    pub lease_max: Span,
}

/// What the roof has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the server what there is.
    Look(Name),
    /// Change it from this to that.
    Update {
        /// The name.
        name: Name,
        /// What must be there, else nothing is changed.
        from: Vec<Address>,
        /// What shall be there.
        to: Vec<Address>,
    },
    /// Write it down, then say so.
    Journal(u64, Entry),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Of a look.
    Looked(Result<Seen, Trouble>),
    /// Of an update.
    Updated(Result<(), Trouble>),
}

/// Why an order was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not listed.
    #[error("{0} may not be diverted: name it in `names` of a section [dns.NAME], with its server and key")]
    Unknown(Name),
    /// The lease.
    #[error("a diversion holds at least 1s and at most {0} (`lease_max`); renew it with the same command")]
    Lease(Span),
    /// It is on its way back.
    #[error("{0} is being restored; divert it again when `spillway dns status` shows it as idle")]
    Restoring(Name),
    /// Nothing to restore.
    #[error("{0} is not diverted")]
    Idle(Name),
}

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Updates that were sent.
    pub updates: u64,
    /// Looks and updates that failed.
    pub troubles: u64,
    /// Diversions that were left out.
    pub left_out: u64,
    /// Diversions that ended because somebody else changed the records.
    pub foreign: u64,
}

/// All names that may be diverted.
#[derive(Debug)]
pub struct Core {
    places: BTreeMap<Name, Place>,
    /// Diversions that the journal has and no section covers.
    orphans: Vec<Started>,
    /// Number of the next diversion.
    next: u64,
    /// Entries that were made.
    entries: u64,
    counts: Counts,
    outputs: VecDeque<Output>,
}

impl Core {
    /// With what the journal holds, oldest first.
    pub fn restore(zones: &[Zone], entries: &[Entry], now: Timestamp) -> Self {
        let (open, next) = entry::open(entries);
        let mut places: BTreeMap<Name, Place> = zones
            .iter()
            .flat_map(|zone| zone.names.iter().map(move |name| (name.clone(), Place::new(zone.clone(), now))))
            .take(NAMES_MAX)
            .collect();
        let mut orphans = Vec::new();
        for (started, restoring) in open {
            let name = started.name.parse::<Name>().ok();
            match name.and_then(|name| places.get_mut(&name)) {
                Some(place) => place.diversion = Some(Diversion::resumed(started, restoring)),
                None => orphans.push(started),
            }
        }
        Self { places, orphans, next, entries: 0, counts: Counts::default(), outputs: VecDeque::new() }
    }

    /// Exchange a name's addresses for so long, or go on for so long from now.
    ///
    /// # Errors
    /// Which rail refuses it.
    pub fn divert(
        &mut self,
        now: Timestamp,
        name: &Name,
        hold: Span,
        (actor, reason): (&str, &str),
    ) -> Result<u64, Refusal> {
        let place = self.places.get_mut(name).ok_or_else(|| Refusal::Unknown(name.clone()))?;
        let most = place.zone.lease_max;
        if hold < Span::from_secs(1) || hold > most {
            return Err(Refusal::Lease(most));
        }
        let until = now.plus(hold);
        match &mut place.diversion {
            Some(one) if one.is_restoring() => Err(Refusal::Restoring(name.clone())),
            Some(one) => {
                let id = one.started.id;
                one.started.until = until;
                if one.is_begun() {
                    let (actor, reason) = (actor.to_owned(), reason.to_owned());
                    self.journal(Entry::Renewed { id, at: now, until, actor, reason });
                }
                Ok(id)
            }
            none => {
                let id = self.next;
                self.next += 1;
                let to =
                    place.zone.to.iter().map(|address| Address { address: *address, ttl: place.zone.ttl });
                *none = Some(Diversion::new(Started {
                    id,
                    at: now,
                    name: name.to_string(),
                    was: Vec::new(),
                    to: message::sorted(to),
                    until,
                    actor: actor.to_owned(),
                    reason: reason.to_owned(),
                }));
                place.begin(now);
                Ok(id)
            }
        }
    }

    /// Put back what was there.
    ///
    /// # Errors
    /// When it is not diverted.
    pub fn put_back(&mut self, now: Timestamp, name: &Name, who: (&str, &str)) -> Result<u64, Refusal> {
        let place = self.places.get_mut(name).ok_or_else(|| Refusal::Unknown(name.clone()))?;
        let Some(one) = &place.diversion else { return Err(Refusal::Idle(name.clone())) };
        let id = one.started.id;
        let step = place.turn_back(now, None, who);
        self.after(name, step);
        Ok(id)
    }

    /// Entries up to this one are on the disk.
    pub fn journalled(&mut self, upto: u64) {
        let mut updates = Vec::new();
        for (name, place) in &mut self.places {
            if let Some((from, to)) = place.journalled(upto) {
                updates.push(Output::Update { name: name.clone(), from, to });
            }
        }
        self.counts.updates += updates.len() as u64;
        self.outputs.extend(updates);
    }

    /// What the server answered.
    pub fn handle(&mut self, now: Timestamp, name: &Name, heard: Heard) {
        let Some(place) = self.places.get_mut(name) else { return };
        if matches!(&heard, Heard::Looked(Err(_)) | Heard::Updated(Err(_))) {
            self.counts.troubles += 1;
        }
        let step = place.hear(now, heard);
        self.after(name, step);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let names: Vec<Name> = self.places.keys().cloned().collect();
        for name in names {
            let Some(place) = self.places.get_mut(&name) else { continue };
            let over = place.expire(now);
            let look = place.look(now);
            self.after(&name, over);
            if look {
                self.outputs.push_back(Output::Look(name));
            }
        }
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.places.values().filter_map(Place::due).min()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The names, in order.
    pub fn places(&self) -> impl Iterator<Item = (&Name, &Place)> {
        self.places.iter()
    }

    /// One of them.
    pub fn place(&self, name: &Name) -> Option<&Place> {
        self.places.get(name)
    }

    /// Diversions that hold, though no section covers their names any more.
    pub fn orphans(&self) -> &[Started] {
        &self.orphans
    }

    /// What happened.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn journal(&mut self, entry: Entry) -> u64 {
        self.entries += 1;
        self.outputs.push_back(Output::Journal(self.entries, entry));
        self.entries
    }

    fn after(&mut self, name: &Name, step: place::Step) {
        match step {
            place::Step::Nothing => {}
            place::Step::Update(from, to) => {
                self.counts.updates += 1;
                self.outputs.push_back(Output::Update { name: name.clone(), from, to });
            }
            place::Step::Journal(entry) => {
                match &entry {
                    Entry::Ended { how: End::LeftOut(_), .. } => self.counts.left_out += 1,
                    Entry::Ended { how: End::Foreign(_), .. } => self.counts.foreign += 1,
                    _ => {}
                }
                let number = self.journal(entry);
                if let Some(place) = self.places.get_mut(name) {
                    place.wait_for(number);
                }
            }
        }
    }
}
