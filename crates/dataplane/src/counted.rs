//! What a plane has counted, what is in force on it, and what it makes of a frame.

use std::io;
use std::os::fd::AsFd;

use rules::compile::bpf;
use sys::bpf::Run;

use crate::abi::{self, COUNTER, LEAVES, LISTS, RULES_MAX, SET, SETS, TALLY, number, put, word};
use crate::engine::{self, Bank};
use crate::error::Error;
use crate::lists::ENTRIES_AT;
use crate::plane::Plane;
use crate::policy::Engine;

/// No program has been here.
const UNREAD: u32 = bpf::record::NO_RULE - 1;

/// What a rule has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The rule's id, its first 64 octets.
    pub id: String,
    /// Packets it decided, also below a rate.
    pub packets: u64,
    /// Their layer-3 octets.
    pub bytes: u64,
    /// Packets of these that were dropped, or would have been in a dry run.
    pub dropped: u64,
}

/// Packets that left at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Which: `unmatched`, `dropped`, ….
    pub place: &'static str,
    /// Packets.
    pub packets: u64,
    /// Layer-3 octets; of frames that are not IP, octets of the frame.
    pub bytes: u64,
}

impl Tally {
    /// Whether packets that left here ended here.
    pub fn is_drop(&self) -> bool {
        matches!(
            self.place,
            "dropped"
                | "blocked"
                | "discarded"
                | "undeclared"
                | "nested"
                | "looped"
                | "expired"
                | "no-way"
                | "oversized"
        )
    }
}

/// The set in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Rules.
    pub rules: u32,
    /// What finds the one that decides.
    pub engine: Engine,
    /// Single rules beside them.
    pub added: usize,
    /// Sets that became no tree since the programs were loaded.
    pub fallbacks: u64,
    /// Entries of the lists of allowed and blocked sources and of protected destinations; `None` for the last: all are.
    pub lists: [Option<u32>; LISTS],
    /// Everything passes.
    pub dry: bool,
    /// Names the policy.
    pub digest: [u8; 32],
    /// Whether there is a whole set before it.
    pub can_roll_back: bool,
    /// Names that.
    pub previous: Option<[u8; 32]>,
}

impl Plane {
    /// What is in force.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn in_force(&self) -> Result<InForce, Error> {
        let config = self.maps.read("config", 0)?;
        let active = number(&config, 0) % SETS;
        let added = Bank::in_force(active, &self.maps)?.map(|bank| bank.slots(&self.maps)).transpose()?;
        let at = abi::SETS_AT + usize::try_from(active).unwrap_or(0) * SET;
        let set = config.get(at..at + SET).unwrap_or(&[]);
        let flags = number(set, 0);
        let entries = |kind: usize| number(set, 8 + kind * abi::LIST + ENTRIES_AT);
        let protects = flags & abi::SET_LISTS[2] != 0;
        let before = usize::try_from(number(&config, 4)).ok().filter(|_| number(&config, 4) < SETS);
        let end = before.map(|set| abi::SETS_AT + (set + 1) * SET);
        let previous = end.and_then(|end| config.get(end - 32..end));
        Ok(InForce {
            rules: number(set, 4),
            engine: if flags & abi::SET_ENGINE == 0 { Engine::Tree } else { Engine::Maps },
            added: added.map_or(0, |slots| slots.len()),
            fallbacks: engine::fallbacks(&self.maps)?,
            lists: [Some(entries(0)), Some(entries(1)), protects.then(|| entries(2))],
            dry: flags & abi::SET_DRY != 0,
            digest: set.get(SET - 32..).and_then(|d| d.try_into().ok()).unwrap_or_default(),
            can_roll_back: number(&config, 4) < SETS,
            previous: previous.and_then(|set| set.try_into().ok()),
        })
    }

    /// What the rules in force have decided, those added included, in deciding order.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn counts(&self) -> Result<Vec<Counts>, Error> {
        let active = self.active()?;
        let added = Bank::in_force(active, &self.maps)?.map(|bank| bank.slots(&self.maps)).transpose()?;
        let own = (0..self.in_force()?.rules).map(|place| (engine::order(place), active * RULES_MAX + place));
        let mut slots: Vec<(u32, u32)> = own.chain(added.unwrap_or_default()).collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, slot)| self.count(slot)).collect()
    }

    fn count(&self, place: u32) -> Result<Counts, Error> {
        let name = self.maps.read("names", place)?;
        let name = name.split(|octet| *octet == 0).next().unwrap_or(&[]);
        let value = self.maps.read("counters", place)?;
        let sum = |at: usize| value.chunks(COUNTER).map(|one| word(one, at)).sum();
        let id = String::from_utf8_lossy(name).into_owned();
        Ok(Counts { id, packets: sum(0), bytes: sum(8), dropped: sum(16) })
    }

    /// How full what can be full is: what, entries, and how many there can be.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn fill(&self) -> Result<Vec<(&'static str, u64, u64)>, Error> {
        let force = self.in_force()?;
        let most = u64::try_from(crate::policy::LIST_MAX).unwrap_or(u64::MAX);
        let rules = u64::from(force.rules) + u64::try_from(force.added).unwrap_or(0);
        let lists = ["allow", "block", "protect"].into_iter().zip(force.lists);
        let lists = lists.map(|(name, entries)| (name, u64::from(entries.unwrap_or(0)), most));
        Ok(std::iter::once(("rules", rules, u64::from(RULES_MAX))).chain(lists).collect())
    }

    /// Where packets left.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn leaves(&self) -> Result<Vec<Tally>, Error> {
        let tallies = (0u32..).zip(LEAVES).map(|(key, place)| {
            let value = self.maps.read("leaves", key)?;
            let sum = |at: usize| value.chunks(TALLY).map(|one| word(one, at)).sum();
            Ok(Tally { place, packets: sum(0), bytes: sum(8) })
        });
        tallies.collect()
    }

    /// Runs the programs on a frame, so many times, without an interface.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn test_run(&self, frame: &[u8], repeat: u32) -> io::Result<Run> {
        sys::bpf::test_run(self.entry.as_fd(), frame, repeat)
    }

    /// Runs the programs on a frame; what they returned, and the frame as they left it: an answer, where they gave one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn answer(&self, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        sys::bpf::test_run_frame(self.entry.as_fd(), frame)
    }

    /// The id of the rule at a place that [`Self::trace`] has told.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn id_at(&self, place: usize) -> Result<String, Error> {
        let place = u32::try_from(place).unwrap_or(0) % RULES_MAX;
        Ok(self.count(self.active()? * RULES_MAX + place)?.id)
    }

    /// Runs the programs on a frame and tells which rule of the set in force decided, by its place in deciding order; a
    /// rule added later has a place behind them all.
    /// For tests and questions; packets that arrive meanwhile can disturb the answer.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn trace(&self, frame: &[u8]) -> Result<(u32, Option<usize>), Error> {
        let size = bpf::record::SIZE;
        let at = usize::try_from(bpf::record::RULE.offset).unwrap_or(0);
        let mut unread = vec![0; self.maps.get("scratch")?.value_size()];
        for one in unread.chunks_mut(size) {
            put(one, at, &UNREAD.to_ne_bytes());
        }
        self.maps.write("scratch", 0, &unread)?;
        let run = self.test_run(frame, 1).map_err(Error::system("a test run"))?;
        let records = self.maps.read("scratch", 0)?;
        let found = records.chunks(size).map(|one| number(one, at)).find(|rule| *rule != UNREAD);
        let rule = found.filter(|rule| *rule != bpf::record::NO_RULE).map(|rule| rule % RULES_MAX);
        Ok((run.returned, rule.and_then(|rule| usize::try_from(rule).ok())))
    }
}
