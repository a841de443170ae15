//! Of how many hosts it is known what is usual.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::prefix::narrow;

use super::Watch;
use crate::report::Direction;
use crate::tick::prefix;

/// Own hosts under watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// All of them: those that got enough to be remembered.
    pub hosts: u64,
    /// Those with a class of traffic that a whole window of ten seconds has taught, in this run or one before. The others are judged
    /// by their peers and by the floors.
    pub learned: u64,
}

impl Watch {
    /// How many there are in each group.
    pub(crate) fn ready(&mut self, group: impl Fn(IpAddr) -> usize) -> BTreeMap<usize, Ready> {
        let mut all: BTreeMap<usize, Ready> = BTreeMap::new();
        // Sums do not depend on the order, and nothing is sorted for them.
        self.targets.retain(|key, target| {
            if key.direction == Direction::In && prefix(key).is_host() {
                let ready = all.entry(group(narrow(key.addr))).or_default();
                ready.hosts += 1;
                ready.learned += u64::from(target.streams.iter().any(|s| s.baselines[0].is_learned()));
            }
            true
        });
        all
    }
}
