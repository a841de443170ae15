//! Whether what we announce is ours by the RPKI (RFC 6811): an optional rail.

mod cache;

use std::collections::BTreeSet;

use base::Prefix;
use wire::rtr::Vrp;

use crate::covering::Covering;
use crate::rails::Refusal;

pub use cache::{Cache, Input, Output};

/// What the RPKI says of a route (RFC 6811 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// A payload allows it.
    Valid,
    /// Payloads cover it, and none allows it.
    Invalid,
    /// No payload covers it.
    NotFound,
}

/// How the rail judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// What no payload covers is refused too.
    pub not_found: bool,
    /// The maximum length holds: off for peers that take blackholes of any length from who owns the prefix.
    pub length: bool,
}

/// Validated payloads.
#[derive(Clone, Debug)]
pub struct Payloads {
    table: Covering<BTreeSet<(u8, u32)>>,
    count: usize,
    most: usize,
}

impl Payloads {
    /// For so many at most.
    pub fn new(most: usize) -> Self {
        Self { table: Covering::default(), count: 0, most }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one; `false`: there is no room.
    pub fn insert(&mut self, vrp: Vrp) -> bool {
        if let Some(set) = self.table.get_mut(&vrp.prefix)
            && set.contains(&(vrp.max_length, vrp.asn))
        {
            return true;
        }
        if self.count >= self.most {
            return false;
        }
        self.count += 1;
        match self.table.get_mut(&vrp.prefix) {
            Some(set) => drop(set.insert((vrp.max_length, vrp.asn))),
            None => self.table.insert(vrp.prefix, BTreeSet::from([(vrp.max_length, vrp.asn)])),
        }
        true
    }

    /// Takes one away.
    pub fn remove(&mut self, vrp: &Vrp) {
        let Some(set) = self.table.get_mut(&vrp.prefix) else { return };
        if set.remove(&(vrp.max_length, vrp.asn)) {
            self.count -= 1;
        }
        if set.is_empty() {
            self.table.remove(&vrp.prefix);
        }
    }

    /// What they say of a route. `length`: whether the maximum length matters.
    pub fn validity(&self, prefix: Prefix, origin: u32, length: bool) -> Validity {
        let mut found = Validity::NotFound;
        for (max_length, asn) in self.table.covering(prefix).flat_map(|(_, set)| set) {
            // Nobody is AS 0 (RFC 6483 §4).
            if *asn == origin && *asn != 0 && (!length || prefix.bits() <= *max_length) {
                return Validity::Valid;
            }
            found = Validity::Invalid;
        }
        found
    }

    /// Whether this origin may announce that prefix.
    ///
    /// # Errors
    /// What the RPKI says, and what to do.
    pub fn judge(&self, prefix: Prefix, origin: u32, strictness: Strictness) -> Result<(), Refusal> {
        let (state, hint) = match self.validity(prefix, origin, strictness.length) {
            Validity::Valid => return Ok(()),
            Validity::NotFound if !strictness.not_found => return Ok(()),
            Validity::NotFound => ("not found", "make a ROA for it, or set `rpki.not_found = \"allow\"`"),
            Validity::Invalid if self.validity(prefix, origin, false) == Validity::Valid => (
                "invalid (longer than the ROA's maxLength)",
                "raise maxLength, or mark the peer with `rpki_length = false` if it takes blackholes regardless",
            ),
            Validity::Invalid => ("invalid (another AS may)", "make a ROA for our AS, or ask who owns it"),
        };
        Err(Refusal::Rpki { prefix, state, hint })
    }
}
