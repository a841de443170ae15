//! What an absorber did not give back of what no rule dropped, by why, and the sentence about it.

use serde::{Deserialize, Serialize};

/// Fewer packets a second are no matter: a neighbour that moves costs as much.
const PPS_MIN: u64 = 10;
/// Likewise a smaller part of what is clean: one of so many.
const PART: u64 = 100;

/// Packets per second that no rule dropped and that did not go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// No route or no neighbour towards the far end of the tunnel.
    pub no_way: u64,
    /// Too big for the tunnel, and nobody was told.
    pub too_big: u64,
    /// Too big for the tunnel or at the end of their time to live, and their senders were told so.
    pub told: u64,
    /// Time to live (hop limit) over, and nobody was told.
    pub expired: u64,
    /// Came out of the tunnel into which they would go back.
    pub looped: u64,
}

impl Lost {
    /// Nothing is lost.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// All of them.
    pub const fn pps(&self) -> u64 {
        let silent = self.no_way.saturating_add(self.too_big).saturating_add(self.expired);
        silent.saturating_add(self.told).saturating_add(self.looped)
    }

    /// What is wrong, and what to do, where more than a little of `clean` packets per second is lost.
    pub fn trouble(&self, clean: u64) -> Option<String> {
        let all = self.pps();
        if all < PPS_MIN || all < clean / PART {
            return None;
        }
        let reasons = [
            (
                self.no_way,
                "find no way to the tunnel's far end: look for its route and neighbour at the absorber",
            ),
            (self.too_big, "are too big for the tunnel: raise its `mtu`, or lower the MSS of the servers"),
            (self.told, "are too big or at the end of their time to live, and their senders were told"),
            (
                self.expired,
                "are at the end of their time to live: look for a loop of routes before the absorber",
            ),
            (
                self.looped,
                "came out of the tunnel into which they would go back: the far end sends them round, its own route is to lead to the server",
            ),
        ];
        let said = reasons.iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = said.map(|(count, why)| format!("{count} {why}")).collect();
        Some(format!("{all} of {clean} clean packets/s do not go back: {}", said.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_little_that_does_not_go_back_is_said_with_its_reason_and_a_remedy() {
        let lost = Lost { no_way: 150, looped: 50, ..Lost::default() };
        let said = lost.trouble(1000).unwrap();
        assert!(said.starts_with("200 of 1000 clean packets/s do not go back: 150 find no way"), "{said}");
        assert!(said.contains("; 50 came out of the tunnel"), "{said}");
        for (lost, clean) in [(Lost::default(), 0), (Lost { too_big: 9, ..Lost::default() }, 20)] {
            assert_eq!(lost.trouble(clean), None);
        }
        assert_eq!(Lost { expired: 20, ..Lost::default() }.trouble(100_000), None, "a part of nothing");
    }
}
