//! Single rules, in force at once beside a set that stays: decided as if all had been put in force together.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rules::compile::bpf::tables::Asked;
use rules::{Rule, order};

use crate::abi::{self, RULES_MAX, SETS, SLOT_BEHIND, number, put};
use crate::engine::{Bank, INCREMENTS_MAX, order_before};
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::Policy;

/// A rule that came after its set.
#[derive(Clone, Debug)]
struct Added {
    rule: Rule,
    /// The place of the set's rule before which it goes.
    before: u32,
    /// Its place among rules and counters, from the set's first on.
    slot: u32,
}

/// What this process knows of a set: without its rules nobody can tell where another one belongs.
#[derive(Debug)]
struct Known {
    /// In deciding order.
    rules: Vec<Rule>,
    /// Places of those that were removed.
    removed: Vec<usize>,
    /// Likewise in deciding order.
    added: Vec<Added>,
    /// Where the search for a free slot begins: slots are not used again at once.
    next: u32,
    /// The tables written last.
    bank: Bank,
}

/// What this process knows of the sets.
#[derive(Debug, Default)]
pub(crate) struct Sets(Mutex<[Option<Known>; SETS as usize]>);

impl Sets {
    fn lock(&self) -> MutexGuard<'_, [Option<Known>; SETS as usize]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another set stands there.
    pub(crate) fn put(&self, set: u32, rules: Vec<Rule>) {
        let next = u32::try_from(rules.len()).unwrap_or(RULES_MAX);
        if let Some(place) = self.lock().get_mut(usize::try_from(set).unwrap_or(0)) {
            *place =
                Some(Known { rules, removed: Vec::new(), added: Vec::new(), next, bank: Bank::Whole(set) });
        }
    }
}

/// What became of a rule that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It had come by [`Plane::add`]: packets meet what they would have met without it.
    Gone,
    /// It belongs to the set: what it decides passes from now on, as if its lease were over, until the next set.
    Lapsed,
}

impl Known {
    fn is_there(&self, id: &str) -> bool {
        let own = self.rules.iter().enumerate().any(|(i, rule)| rule.id == id && !self.removed.contains(&i));
        own || self.added.iter().any(|added| added.rule.id == id)
    }

    fn free_slot(&self) -> Option<u32> {
        let first = u32::try_from(self.rules.len()).unwrap_or(RULES_MAX);
        let free = |slot: &u32| self.added.iter().all(|added| added.slot != *slot);
        (self.next..RULES_MAX).chain(first..self.next).find(free)
    }

    fn asked(&self, set: u32) -> Vec<Asked<'_>> {
        let asked = (0u32..).zip(&self.added).map(|(among, added)| Asked {
            matches: &added.rule.matches,
            order: order_before(added.before, among),
            slot: set * RULES_MAX + added.slot,
        });
        asked.collect()
    }
}

impl Plane {
    /// Takes note that a policy is in force which another process has put there, so that single rules can come after it;
    /// whether it is: by its digest and the ids of its rules, and without single rules beside it. If not, nothing happens:
    /// install it.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn adopt(&self, policy: &Policy) -> Result<bool, Error> {
        let force = self.in_force()?;
        let rules = policy.rules.rules();
        let same = force.digest == policy.digest && force.added == 0 && {
            let ids = self.counts()?.into_iter().map(|count| count.id);
            ids.eq(rules.iter().map(|rule| String::from_utf8_lossy(abi::name(rule)).into_owned()))
        };
        if same {
            self.sets.put(self.active()?, rules.to_vec());
        }
        Ok(same)
    }

    /// Puts one more rule in force. The set stays as it is; the rule goes before those of the set that it would go before
    /// if all were one set. A lease counts from now.
    ///
    /// # Errors
    /// When this process has not installed the set in force, the id is taken, there is no room, or the kernel refuses;
    /// then nothing changes.
    pub fn add(&self, rule: &Rule) -> Result<(), Error> {
        let set = self.active()?;
        self.check_programs(std::slice::from_ref(rule))?;
        let mut sets = self.sets.lock();
        let known = known(sets.as_mut_slice(), set)?;
        if known.is_there(&rule.id) {
            return Err(Error::Twice(rule.id.clone()));
        }
        let most = usize::try_from(INCREMENTS_MAX).unwrap_or(0);
        let slot = known.free_slot().filter(|_| known.added.len() < most).ok_or(Error::Added { most })?;
        let before = known.rules.partition_point(|other| order::rules(other, rule).is_lt());
        let among = known.added.partition_point(|other| order::rules(&other.rule, rule).is_lt());
        let before = u32::try_from(before).unwrap_or(RULES_MAX);
        let mut added = known.added.clone();
        added.insert(among, Added { rule: rule.clone(), before, slot });
        let was = std::mem::replace(&mut known.added, added);
        let done = self
            .write_rules(std::slice::from_ref(rule), |_| 0, set * RULES_MAX + slot)
            .and_then(|()| self.write_targets(std::slice::from_ref(rule), set * RULES_MAX + slot))
            .and_then(|()| self.ask_for(rule, set))
            .and_then(|()| self.write_increments(set, known));
        match done {
            Ok(()) => known.next = slot + 1,
            Err(_) => known.added = was,
        }
        done
    }

    /// Takes a rule of the set in force away; what became of it.
    ///
    /// # Errors
    /// When this process has not installed the set in force, there is no such rule, or the kernel refuses; then nothing
    /// changes.
    pub fn remove(&self, id: &str) -> Result<Removed, Error> {
        let set = self.active()?;
        let mut sets = self.sets.lock();
        let known = known(sets.as_mut_slice(), set)?;
        if let Some(at) = known.added.iter().position(|added| added.rule.id == id) {
            let gone = known.added.remove(at);
            return match self.write_increments(set, known) {
                Ok(()) => Ok(Removed::Gone),
                Err(error) => {
                    known.added.insert(at, gone);
                    Err(error)
                }
            };
        }
        let removed = &known.removed;
        let own = known.rules.iter().enumerate().find(|(i, rule)| rule.id == id && !removed.contains(i));
        let Some((at, _)) = own else { return Err(Error::Unknown(id.to_owned())) };
        let place = set * RULES_MAX + u32::try_from(at).unwrap_or(0);
        let mut rule = self.maps.read("rules", place)?;
        // Long ago.
        put(&mut rule, abi::UNTIL_AT, &1u64.to_ne_bytes());
        self.maps.write("rules", place, &rule)?;
        known.removed.push(at);
        Ok(Removed::Lapsed)
    }

    /// The rules in force, those added included and those removed left out, for the next whole set; `None` where this
    /// process has not installed the set in force.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn rules(&self) -> Result<Option<Vec<Rule>>, Error> {
        let set = self.active()?;
        let mut sets = self.sets.lock();
        let Ok(known) = known(sets.as_mut_slice(), set) else { return Ok(None) };
        let removed = &known.removed;
        let own = known.rules.iter().enumerate().filter(|(i, _)| !removed.contains(i)).map(|(_, rule)| rule);
        Ok(Some(own.chain(known.added.iter().map(|added| &added.rule)).cloned().collect()))
    }

    /// Lets the entry program do what a rule asks of it.
    fn ask_for(&self, rule: &Rule, set: u32) -> Result<(), Error> {
        let mut config = self.maps.read("config", 0)?;
        let at = abi::SETS_AT + usize::try_from(set).unwrap_or(0) * abi::SET;
        let was = number(&config, at);
        let flags = was | abi::asks(std::slice::from_ref(rule));
        if flags == was {
            return Ok(());
        }
        put(&mut config, at, &flags.to_ne_bytes());
        self.maps.write("config", 0, &config)
    }

    /// Writes all increments of a set beside those in force, and lets them take their place.
    fn write_increments(&self, set: u32, known: &mut Known) -> Result<(), Error> {
        let was = Bank::in_force(set, &self.maps)?;
        let behind = SLOT_BEHIND + set;
        if known.added.is_empty() {
            self.put_program(behind, self.fixed("verdict")?)?;
            return Bank::put_in_force(set, None, &self.maps);
        }
        let bank = known.bank.next();
        let tables = bank.tables(&known.asked(set))?;
        bank.write(&tables, &self.maps)?;
        Bank::put_in_force(set, Some(bank), &self.maps)?;
        known.bank = bank;
        if was.is_none() {
            self.put_program(behind, self.fixed("increment")?)?;
        }
        Ok(())
    }
}

fn known(sets: &mut [Option<Known>], set: u32) -> Result<&mut Known, Error> {
    sets.get_mut(usize::try_from(set).unwrap_or(0)).and_then(Option::as_mut).ok_or(Error::NotOurs)
}
