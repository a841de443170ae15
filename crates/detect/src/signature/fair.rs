//! Whether it is within bounds to lose honest rows besides those lost already.

use super::bits::Bits;
use super::excerpt::Excerpt;
use super::work;

/// Shares of what was seen, so that little evidence allows none; for an excerpt's rows, when some of the arena's are harmed.
pub(crate) struct Fair<'a> {
    excerpt: &'a Excerpt<'a>,
    harmed: &'a Bits,
    all: Bound,
    /// What was seen of the targets themselves counts by itself, too: others do not water it down.
    own: Bound,
    /// Peers that were counted; empty between two questions.
    seen: Bits,
    own_seen: Bits,
}

/// What is lost already, and what may be.
struct Bound {
    rows: usize,
    peers: Bits,
    peers_lost: usize,
    rows_max: f64,
    peers_max: f64,
}

/// What losing some rows would mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost {
    pub(crate) fair: bool,
    /// Distinct peers of these rows; 0 where there are more rows than may be lost.
    pub(crate) peers: usize,
}

impl Bound {
    fn is_kept(&self, rows: usize, peers: usize) -> bool {
        (self.rows + rows) as f64 <= self.rows_max && (self.peers_lost + peers) as f64 <= self.peers_max
    }
}

impl<'a> Fair<'a> {
    pub(crate) fn of(excerpt: &'a Excerpt<'a>, harmed: &'a Bits) -> Self {
        let arena = excerpt.arena;
        let bound = |harmed: &Bits, rows: usize, peers: usize| {
            let mut of = Bits::empty(arena.peers);
            let known = harmed.iter().filter_map(|at| arena.peer_of.get(at));
            let peers_lost = known.filter(|peer| of.insert(**peer as usize)).count();
            let max = |n: usize| arena.collateral_max * n as f64;
            Bound { rows: harmed.count(), peers: of, peers_lost, rows_max: max(rows), peers_max: max(peers) }
        };
        Self {
            excerpt,
            harmed,
            all: bound(harmed, arena.benign.len(), arena.peers),
            own: bound(&harmed.and(&arena.own.0), arena.own.1, arena.own_peers),
            seen: Bits::empty(arena.peers),
            own_seen: Bits::empty(arena.peers),
        }
    }

    /// What it means to lose these, so many rows.
    pub(crate) fn lost(&mut self, rows: &Bits, count: usize) -> Lost {
        if count == 0 || count as f64 > self.all.rows_max {
            return Lost { fair: count == 0, peers: 0 };
        }
        let arena = self.excerpt.arena;
        arena.work.spend(count, work::PEER);
        let of = |i: usize| {
            let at = *self.excerpt.benign.rows.get(i)?;
            Some((at, *arena.peer_of.get(at)? as usize))
        };
        let (mut peers, mut more, mut own) = (0, (0, 0), (0, 0));
        for (at, peer) in rows.iter().filter_map(of) {
            if self.seen.insert(peer) {
                peers += 1;
                more.1 += usize::from(!self.all.peers.contains(peer));
            }
            if self.harmed.contains(at) {
                continue;
            }
            more.0 += 1;
            if arena.own.0.contains(at) {
                own.0 += 1;
                own.1 += usize::from(!self.own.peers.contains(peer) && self.own_seen.insert(peer));
            }
        }
        for (_, peer) in rows.iter().filter_map(of) {
            self.seen.unset(peer);
            self.own_seen.unset(peer);
        }
        Lost { fair: self.all.is_kept(more.0, more.1) && self.own.is_kept(own.0, own.1), peers }
    }
}
