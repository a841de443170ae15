//! What rules would cost honest traffic, from the evidence at hand.

use rules::Match;
use rules::collateral::{self, Collateral, Tally};

use super::row::{Unknown, holds};
use super::search::Arena;

/// Price of these rules together; `None` without evidence. What a flow record does not tell counts as hit. Packets of other
/// hosts are asked everything but where they went.
pub(crate) fn of(matches: &[&Match], arena: &Arena) -> Option<Collateral> {
    let anywhere: alloc::vec::Vec<Match> =
        matches.iter().map(|m| Match { dst: None, ..(*m).clone() }).collect();
    let mut own = Tally::default();
    let mut kin = arena.kinds();
    for row in &arena.benign {
        let (tally, hit) = match row.kin.map(|kind| kin.get_mut(kind)) {
            None => (&mut own, matches.iter().any(|m| holds(m, row, Unknown::Matches))),
            Some(Some(kind)) => (&mut kind.tally, anywhere.iter().any(|m| holds(m, row, Unknown::Matches))),
            Some(None) => continue,
        };
        tally.add_by(hit, row.peer, row.packets, row.bytes);
    }
    collateral::pooled(&own, &kin)
}
