//! What rules would cost honest traffic, from the evidence at hand.

use rules::Match;
use rules::collateral::{Collateral, Tally};

use super::row::{Row, Unknown, holds};

/// Price of these rules together; `None` without evidence. What a flow record does not tell counts as hit.
pub(crate) fn of(matches: &[&Match], benign: &[Row]) -> Option<Collateral> {
    let mut tally = Tally::default();
    for row in benign {
        let hit = matches.iter().any(|m| holds(m, row, Unknown::Matches));
        tally.add(hit, row.src, row.packets, row.bytes);
    }
    tally.collateral()
}
