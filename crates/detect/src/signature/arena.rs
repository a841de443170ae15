//! Everything that a search looks at.

use alloc::vec::Vec;

use rules::Match;

use super::bits::Bits;
use super::row::Row;
use super::shape::Shape;
use super::work::{self, Work};

/// The rows, who sent the honest ones, and what may be lost.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) attack: Vec<Row>,
    /// Those that are no copies.
    pub(crate) originals: Bits,
    /// Of the targets, then of hosts like them.
    pub(crate) benign: Vec<Row>,
    /// How likely the targets are of each kind of host.
    pub(crate) kinds: Vec<f64>,
    /// The targets' own honest rows, and how many.
    pub(crate) own: (Bits, usize),
    /// For each benign row the number of its peer, in the order of their names.
    pub(crate) peer_of: Vec<u32>,
    pub(crate) peers: usize,
    /// Peers of the targets themselves.
    pub(crate) own_peers: usize,
    pub(crate) collateral_max: f64,
    /// Share of the attack rows that is attack.
    pub(crate) attack_share: f64,
    pub(super) work: Work,
    /// Whether only what FlowSpec can say is asked.
    pub(super) flowspec: bool,
}

/// Attack rows of one shape.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    /// Attack rows not covered yet.
    pub(crate) left: Bits,
    /// Honest rows of (or feared to be of) the shape.
    pub(crate) benign: Bits,
}

/// A possible rule.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    pub(crate) matches: Match,
    /// Attack rows it covers, of those not covered before.
    pub(crate) attack: Bits,
    /// Honest rows it hits.
    pub(crate) benign: Bits,
    /// Within the collateral that is left.
    pub(crate) fair: bool,
    /// Whether some of its values were chosen with an eye on honest packets.
    pub(crate) fitted: bool,
}

/// Whether this honest row is not looked at when facts are made: every second one of other hosts.
pub(crate) const fn is_kept_back(at: usize, row: &Row) -> bool {
    row.kin.is_some() && at % 2 == 1
}

impl Arena {
    pub(crate) fn new(
        attack: Vec<Row>,
        (benign, kinds): (Vec<Row>, Vec<f64>),
        collateral_max: f64,
        attack_share: f64,
        work: Work,
    ) -> Self {
        work.spend(attack.len() + benign.len(), work::ROW);
        let mut names: Vec<(u128, usize)> =
            benign.iter().enumerate().map(|(at, row)| (row.peer, at)).collect();
        names.sort_unstable();
        let mut peer_of = alloc::vec![0u32; benign.len()];
        let (mut peers, mut own_peers, mut last, mut is_own) = (0u32, 0, None, false);
        for (peer, at) in names {
            if last.replace(peer) != Some(peer) {
                peers += 1;
                is_own = false;
            }
            if let Some(number) = peer_of.get_mut(at) {
                *number = peers - 1;
            }
            if !is_own && benign.get(at).is_some_and(|row| row.kin.is_none()) {
                is_own = true;
                own_peers += 1;
            }
        }
        let own = Bits::of(benign.len(), |i| benign.get(i).is_some_and(|r| r.kin.is_none()));
        let (own, peers) = ((own.clone(), own.count()), peers as usize);
        let before = |i: usize| i.checked_sub(1).and_then(|before| attack.get(before));
        let is_copy = |i: usize| before(i).zip(attack.get(i)).is_some_and(|(old, row)| row.is_copy_of(old));
        let originals = Bits::of(attack.len(), |i| !is_copy(i));
        Self {
            attack,
            originals,
            benign,
            kinds,
            own,
            peer_of,
            peers,
            own_peers,
            collateral_max,
            attack_share,
            work,
            flowspec: false,
        }
    }
}
