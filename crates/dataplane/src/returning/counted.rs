//! What went back, and what did not.

use base::Prefix;

use crate::abi::word;
use crate::error::Error;
use crate::plane::Plane;

/// Octets of `struct return_counter`.
pub(super) const COUNTER: usize = 14 * 8;

/// What became of the packets to one declared prefix, since it was declared. Octets are those of the IP packet, without tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The prefix.
    pub prefix: Prefix,
    /// Packets that went back.
    pub packets: u64,
    /// Their octets.
    pub octets: u64,
    /// Packets that lists, rules and challenges dropped.
    pub dropped: u64,
    /// Their octets.
    pub dropped_octets: u64,
    /// Packets of a prefix that is to be discarded.
    pub discarded: u64,
    /// Their octets.
    pub discarded_octets: u64,
    /// Packets too big for the tunnel that were dropped without a word: senders who cannot be told, may cut packets, or have been told
    /// often enough.
    pub too_big: u64,
    /// Packets too big for the tunnel, or whose time to live (hop limit) was over, whose sender was told so.
    pub told: u64,
    /// Packets that were dropped because the kernel knows no route or no neighbour towards the far end, or the driver leaves no room
    /// for an outer header.
    pub no_way: u64,
    /// Packets whose time to live (hop limit) was over that were dropped without a word: whose senders must not be told, or have been
    /// told often enough.
    pub expired: u64,
    /// Packets that were dropped because they came from the tunnel into which they would go back.
    pub looped: u64,
    /// SYNs and SYN-ACKs, in both directions, whose MSS was lowered.
    pub clamped: u64,
    /// Packets too big for the tunnel, and allowed to be cut, that the kernel got in their outer header to cut that.
    pub handed: u64,
    /// Packets that the owner sent through his tunnel to others.
    pub sent: u64,
}

impl Plane {
    /// What went back, by declared prefix in the order of prefixes.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn returned(&self) -> Result<Vec<Returned>, Error> {
        let mut all = Vec::new();
        for (prefix, place) in self.places(self.active()?)? {
            let value = self.maps.read("return_counters", place)?;
            let sum = |index: usize| value.chunks(COUNTER).map(|one| word(one, index * 8)).sum();
            all.push(Returned {
                prefix,
                packets: sum(0),
                octets: sum(1),
                dropped: sum(2),
                dropped_octets: sum(3),
                discarded: sum(4),
                discarded_octets: sum(5),
                too_big: sum(6),
                told: sum(7),
                no_way: sum(8),
                expired: sum(9),
                looped: sum(10),
                clamped: sum(11),
                handed: sum(12),
                sent: sum(13),
            });
        }
        Ok(all)
    }
}
