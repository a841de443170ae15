//! Erasure by destroying the salt. The log cannot forget an entry; without its salt the entry says nothing.

use std::collections::BTreeMap;

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use serde_json::json;

use super::place::Place;
use super::store::{Item, Store, Trouble};
use crate::daemon::clock::Clock;

/// Destroys what is kept of an entry, and says so in the ledger; `false`: nothing is kept of it.
///
/// # Errors
/// The ledger cannot be used.
pub fn erase(place: &Place, index: u64, reason: &str, person: Option<&str>) -> Result<bool, Trouble> {
    let mut store = Store::open(place)?;
    if !store.erase(index)? {
        return Ok(false);
    }
    let salt = super::random().map_err(|cause| Trouble::Damaged(format!("no random numbers: {cause}")))?;
    let salt = Salt::new(salt);
    let content = json!({"entry": index, "reason": reason, "person": person}).to_string();
    let decision = Decision {
        act: Act::Erasure,
        by: By::Person,
        customer: None,
        commitment: salt.commit(content.as_bytes()),
        counts: BTreeMap::from([("entry".to_owned(), index)]),
    };
    let entry = Entry::new(Clock::start().now(), What::Decision(decision));
    store.append(&[Item { entry, salt, content: Some(content), record: None }])?;
    Ok(true)
}
