//! What of the journal of names is a decision: a name that is led elsewhere, and its end.

use std::collections::BTreeMap;

use ::ledger::entry::{Act, By};
use base::Prefix;
use serde_json::json;
use steer::dnsdiversion::Entry;
use store::Line;

use crate::ledger::Deed;

/// The decision that an entry is, with its line; `None`: it is none.
pub(super) fn deed(entry: &Entry, line: &Line) -> Option<Deed> {
    let (act, by, about, addresses) = match entry {
        // Only people divert names.
        Entry::Started(one) => {
            let own = one.was.first().map(|address| Prefix::host(address.address));
            (Act::Announcement, By::Person, own, one.to.len())
        }
        Entry::Ended { .. } => (Act::Withdrawal, By::Product, None, 0),
        Entry::Renewed { .. } | Entry::Restoring { .. } => return None,
    };
    let content = json!({
        "diversion": line.mitigation, "event": line.event, "actor": line.actor, "reason": line.reason, "what": line.what,
        "entry": line.entry,
    });
    let counts = match u64::try_from(addresses) {
        Ok(count @ 1..) => BTreeMap::from([("addresses".to_owned(), count)]),
        _ => BTreeMap::new(),
    };
    Some(Deed { at: line.at, act, by, about, content, counts })
}
