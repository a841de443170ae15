//! The private half of old entries goes: content and salt, so that the entries say nothing any more.

use std::collections::BTreeMap;

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use base::Timestamp;

use super::place::Place;
use super::store::{Item, Store, Trouble};
use super::view::View;
use crate::daemon::clock::Clock;

/// Destroys what is kept beside entries from before this time, and says so in the ledger; says how many. What a sealed entry hides
/// stays, for it has to be opened one day; it holds no address.
///
/// # Errors
/// The ledger cannot be used.
pub(crate) fn expire(place: &Place, before: Timestamp, by: By) -> Result<u64, Trouble> {
    if !place.checkpoint().exists() {
        return Ok(0);
    }
    let view = View::at(place)?;
    let old = |index| {
        let entry = view.entry(index).ok().and_then(|octets| Entry::parse(&octets).ok());
        entry.is_some_and(|entry| entry.time < before)
    };
    let mut store = Store::open(place)?;
    let gone = store.erase_while(old)?;
    if gone == 0 {
        return Ok(0);
    }
    let salt = super::random().map_err(|cause| Trouble::Damaged(format!("no random numbers: {cause}")))?;
    let salt = Salt::new(salt);
    let decision = Decision {
        act: Act::Erasure,
        by,
        customer: None,
        // All of it is in the counts: there is nothing more that would have to go one day.
        commitment: salt.commit(&[]),
        counts: BTreeMap::from([("entries".to_owned(), gone)]),
    };
    let entry = Entry::new(Clock::start().now(), What::Decision(decision));
    store.append(&[Item { entry, salt, content: None, record: None }])?;
    Ok(gone)
}
