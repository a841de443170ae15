//! What rules would cost honest traffic, from the evidence at hand.

use rules::Match;
use rules::collateral::{self, Collateral, Tally};

use super::row::{Unknown, holds};
use super::search::{Arena, is_kept_back};

/// Price of these rules together; `None` without evidence. What a flow record does not tell counts as hit. Packets of other
/// hosts are asked everything but where they went; rules that are `fitted` to some of these are priced by the others alone.
pub(crate) fn of(matches: &[&Match], fitted: bool, arena: &Arena) -> Option<Collateral> {
    let anywhere: alloc::vec::Vec<Match> =
        matches.iter().map(|m| Match { dst: None, ..(*m).clone() }).collect();
    let mut own = Tally::default();
    let mut kin = arena.kinds();
    for (at, row) in arena.benign.iter().enumerate() {
        if fitted && row.kin.is_some() && !is_kept_back(at, row) {
            continue;
        }
        let (tally, hit) = match row.kin.map(|kind| kin.get_mut(kind)) {
            None => (&mut own, matches.iter().any(|m| holds(m, row, Unknown::Matches))),
            Some(Some(kind)) => (&mut kind.tally, anywhere.iter().any(|m| holds(m, row, Unknown::Matches))),
            Some(None) => continue,
        };
        tally.add_by(hit, row.peer, row.packets, row.bytes);
    }
    collateral::pooled(&own, &kin)
}
