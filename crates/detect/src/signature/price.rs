//! What rules would cost honest traffic, from the evidence at hand.

use alloc::vec;
use alloc::vec::Vec;

use rules::Match;
use rules::collateral::{self, Collateral, Crowd};

use super::arena::{Arena, is_kept_back};
use super::bits::Bits;
use super::row::{Row, Unknown, holds};

/// The honest rows that tell the price, by whose they are. Where rules are fitted to some of the other hosts' rows, the others
/// alone do.
pub(crate) struct Price<'a> {
    arena: &'a Arena,
    fitted: bool,
    own: Crowd,
    kin: Vec<Crowd>,
}

impl<'a> Price<'a> {
    pub(crate) fn new(arena: &'a Arena, fitted: bool) -> Self {
        let mut price = Self { arena, fitted, own: Crowd::default(), kin: Vec::new() };
        price.own = price.crowd(None);
        price.kin = (0..arena.kinds.len()).map(|kind| price.crowd(Some(kind))).collect();
        price
    }

    /// Those of these rows that a rule hits. What a flow record does not tell counts as hit; packets of other hosts are asked
    /// everything but where they went.
    pub(crate) fn hits(&self, matches: &Match, of: &Bits) -> Bits {
        let anywhere = Match { dst: None, ..matches.clone() };
        let mut hits = Bits::empty(self.arena.benign.len());
        for (at, row) in of.iter().filter_map(|at| Some((at, self.arena.benign.get(at)?))) {
            let asked = if row.kin.is_some() { &anywhere } else { matches };
            if holds(asked, row, Unknown::Matches) {
                hits.set(at);
            }
        }
        hits
    }

    /// All honest rows that a rule hits.
    pub(crate) fn hits_of_all(&self, matches: &Match) -> Bits {
        self.hits(matches, &Bits::of(self.arena.benign.len(), |_| true))
    }

    /// The price of hitting these rows; `None` without evidence.
    pub(crate) fn of(&self, hits: &Bits) -> Option<Collateral> {
        let kin: Vec<collateral::Kin> = self
            .kin
            .iter()
            .zip(&self.arena.kinds)
            .enumerate()
            .map(|(kind, (crowd, weight))| collateral::Kin {
                weight: *weight,
                crowd: self.hit(*crowd, hits, Some(kind)),
            })
            .collect();
        collateral::pooled(&self.hit(self.own, hits, None), &kin)
    }

    /// A crowd of which these are hit.
    fn hit(&self, crowd: Crowd, hits: &Bits, kin: Option<usize>) -> Crowd {
        let mut seen = Bits::empty(self.arena.peers);
        let (mut packets, mut bytes, mut peers) = (0u64, 0u64, 0);
        for at in hits.iter() {
            if let Some((row, peer)) = self.row(at, kin) {
                packets = packets.saturating_add(row.packets);
                bytes = bytes.saturating_add(row.bytes);
                peers += usize::from(seen.insert(peer));
            }
        }
        crowd.with_hit(packets, bytes, peers)
    }

    fn crowd(&self, kin: Option<usize>) -> Crowd {
        let mut sent: Vec<Option<(u64, u64)>> = vec![None; self.arena.peers];
        for (row, peer) in (0..self.arena.benign.len()).filter_map(|at| self.row(at, kin)) {
            if let Some(sent) = sent.get_mut(peer) {
                let (packets, bytes) = sent.unwrap_or_default();
                *sent = Some((packets.saturating_add(row.packets), bytes.saturating_add(row.bytes)));
            }
        }
        Crowd::new(sent.into_iter().flatten())
    }

    /// A row and its peer, if it tells the price for this kind.
    fn row(&self, at: usize, kin: Option<usize>) -> Option<(&Row, usize)> {
        let row = self.arena.benign.get(at).filter(|row| row.kin == kin)?;
        let counts = !self.fitted || row.kin.is_none() || is_kept_back(at, row);
        Some((row, *self.arena.peer_of.get(at)? as usize)).filter(|_| counts)
    }
}
