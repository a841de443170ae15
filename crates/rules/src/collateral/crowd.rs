//! Benign traffic counted once, of which one rule after another hits something.

use super::{Collateral, Trials, Weighed, square};

/// Sums over benign samples and their peers, and over those of them that are hit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Crowd {
    packets: Weighed,
    bytes: Weighed,
    /// Over peers, of packets and of octets.
    squares: (f64, f64),
    peers_hit: usize,
    peers: usize,
}

impl Crowd {
    /// Of peers by the packets and octets that each sent, none of them hit.
    pub fn new(peers: impl Iterator<Item = (u64, u64)> + Clone) -> Self {
        let (mut packets, mut bytes) = (Weighed::default(), Weighed::default());
        for (of_packets, of_bytes) in peers.clone() {
            packets.add(false, of_packets);
            bytes.add(false, of_bytes);
        }
        Self::of(packets, bytes, peers)
    }

    pub(super) fn of(packets: Weighed, bytes: Weighed, peers: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut crowd = Self { packets, bytes, ..Self::default() };
        for (of_packets, of_bytes) in peers {
            crowd.squares.0 += square(of_packets);
            crowd.squares.1 += square(of_bytes);
            crowd.peers += 1;
        }
        crowd
    }

    pub(super) const fn with_peers_hit(self, peers_hit: usize) -> Self {
        Self { peers_hit, ..self }
    }

    /// The same crowd, of which so many packets, octets and distinct peers are hit.
    #[must_use]
    pub const fn with_hit(self, packets: u64, bytes: u64, peers: usize) -> Self {
        let (packets, bytes) =
            (Weighed { hit: packets, ..self.packets }, Weighed { hit: bytes, ..self.bytes });
        Self { packets, bytes, peers_hit: peers, ..self }
    }

    /// The shares; `None` when nothing was counted.
    pub fn collateral(&self) -> Option<Collateral> {
        let [packets, bytes, peers] = self.trials()?;
        Some(Collateral { packets: packets.share(), bytes: bytes.share(), peers: peers.share() })
    }

    /// Packets, octets and peers as trials; `None` when nothing was counted.
    pub(super) fn trials(&self) -> Option<[Trials; 3]> {
        let packets = self.packets.trials(self.squares.0)?;
        let bytes = self.bytes.trials(self.squares.1).unwrap_or(packets);
        #[expect(clippy::cast_precision_loss, reason = "a count below the cap of peers")]
        let peers = Trials { hit: self.peers_hit as f64, all: self.peers as f64 };
        Some([packets, bytes, peers])
    }
}
