//! The dead-man switch, and leases that go on: what keeps automatic rules in force.

use base::Span;

use crate::abi::{self, RULES_MAX, SETS, number, put, word};
use crate::error::Error;
use crate::plane::{Clock, Plane};

impl Plane {
    /// Whoever made the automatic rules lives. Without another beat within `patience` they count what they would have
    /// dropped, and drop nothing; `None`: they act until their leases end.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn beat(&self, patience: Option<Span>) -> Result<(), Error> {
        let mut heart = [0; 16];
        put(&mut heart, 0, &self.now()?.to_ne_bytes());
        put(&mut heart, 8, &patience.map_or(0, Span::nanos).to_ne_bytes());
        self.maps.write("heartbeat", 0, &heart)
    }

    /// Gives rules of the set in force so long from now, each by its id; how many there were. Nothing else changes: no
    /// counter begins anew.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn renew(&self, leases: &[(&str, Span)]) -> Result<usize, Error> {
        let active = number(&self.maps.read("config", 0)?, 0) % SETS;
        let rules = usize::try_from(self.in_force()?.rules).unwrap_or(0);
        let now = self.now()?;
        let mut renewed = 0;
        for place in (active * RULES_MAX..).take(rules) {
            let name = self.maps.read("names", place)?;
            let name = name.split(|octet| *octet == 0).next().unwrap_or(&[]);
            let kept = |id: &str| id.as_bytes().get(..abi::NAME).unwrap_or(id.as_bytes()) == name;
            let Some((_, lease)) = leases.iter().find(|(id, _)| kept(id)) else { continue };
            let mut rule = self.maps.read("rules", place)?;
            let until = now.saturating_add(lease.nanos()).max(1);
            put(&mut rule, abi::RULE_UNTIL_AT, &until.to_ne_bytes());
            self.maps.write("rules", place, &rule)?;
            renewed += 1;
        }
        Ok(renewed)
    }

    /// The programs' clock, nanoseconds.
    pub(crate) fn now(&self) -> Result<u64, Error> {
        match self.clock {
            Clock::Kernel => Ok(sys::clock::monotonic()),
            Clock::Set => Ok(word(&self.maps.read("clock", 0)?, 0)),
        }
    }
}
