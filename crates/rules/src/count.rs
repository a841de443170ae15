//! What a set of rules would have done with a capture, counted: the answer of `spillway rules eval`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use wire::packet::Parsed;

use crate::set::RuleSet;

/// Counts over all packets shown.
#[derive(Clone, Debug, Serialize)]
pub struct EvalCounts {
    /// One entry a rule, in the order in which they were given.
    pub rules: Vec<RuleCounts>,
    /// All packets.
    pub packets: u64,
    /// Their layer-3 octets.
    pub bytes: u64,
    /// Packets that no rule matched.
    pub unmatched_packets: u64,
}

/// Counts of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleCounts {
    /// Its id.
    pub id: String,
    /// Packets it matches by itself.
    pub matched_packets: u64,
    /// Their layer-3 octets.
    pub matched_bytes: u64,
    /// Packets it decides, by the order of all rules.
    pub decided_packets: u64,
}

impl EvalCounts {
    /// Zeros for each rule of the set.
    pub fn new(set: &RuleSet) -> Self {
        let mut named: Vec<_> = set.given().iter().zip(set.rules()).collect();
        named.sort_unstable_by_key(|(given, _)| **given);
        let zero = |id: &String| RuleCounts {
            id: id.clone(),
            matched_packets: 0,
            matched_bytes: 0,
            decided_packets: 0,
        };
        let rules = named.into_iter().map(|(_, rule)| zero(&rule.id)).collect();
        Self { rules, packets: 0, bytes: 0, unmatched_packets: 0 }
    }

    /// Counts one packet against the set that [`Self::new`] was given. Octets are those the IP header tells, or the
    /// frame less layer 2 where it tells none, as [`wire::packet::parse`] has found them.
    pub fn add(&mut self, set: &RuleSet, packet: &Parsed<'_>) {
        let bytes = u64::from(packet.headers.length);
        self.packets += 1;
        self.bytes += bytes;
        let mut decided = false;
        for (given, matches) in set.given().iter().zip(set.matching(packet)) {
            if let (true, Some(counts)) = (matches, self.rules.get_mut(*given)) {
                counts.matched_packets += 1;
                counts.matched_bytes += bytes;
                counts.decided_packets += u64::from(!decided);
                decided = true;
            }
        }
        self.unmatched_packets += u64::from(!decided);
    }

    /// Counts a frame that is not IP, or not readable as such: no rule matches it.
    pub fn add_unreadable(&mut self, layer3_bytes: u64) {
        self.packets += 1;
        self.bytes += layer3_bytes;
        self.unmatched_packets += 1;
    }
}
