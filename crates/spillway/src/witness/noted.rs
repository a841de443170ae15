//! That a bag was sealed stands in the ledger, and the proof of that in the bag: one entry per bag, whose commitment is over the
//! bag's tag manifest, so that the proof verifies that file. A daemon that was killed in between does it when it starts again.

use std::collections::BTreeMap;

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use ::ledger::opening::Opening;
use anyhow::Context as _;
use base::Timestamp;
use intel::bag::TAG_MANIFEST;

use super::folder::Place;
use crate::config::Config;
use crate::evidence::add_proof;
use crate::ledger::{Item, Store, View};

/// The proof's name in a bag.
const NAME: &str = "seal";
/// Entries that are looked through, from the last one back, for that of a bag which has no proof.
const LOOKED_THROUGH: u64 = 4_096;

/// Whether a bag is sealed, and nobody has put the ledger's proof into it.
pub(super) fn is_due(place: &Place) -> bool {
    place.is_sealed() && !place.bag().join(format!("ledger/{NAME}.tlog-proof")).is_file()
}

/// Notes it. `again`: it may have been noted by somebody who was killed before he could say so.
///
/// # Errors
/// The ledger or the bag cannot be read or written; it is due as before.
pub(super) fn note(config: &Config, place: &Place, at: Timestamp, again: bool) -> anyhow::Result<()> {
    if !config.ledger.enabled || !is_due(place) {
        return Ok(());
    }
    let path = place.bag().join(TAG_MANIFEST);
    let manifest =
        std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let ledger = config.ledger_place();
    let mut store = Store::open(&ledger)?;
    let known = if again { find(&View::at(&ledger).ok(), &manifest) } else { None };
    let index = match known {
        Some(index) => index,
        None => {
            let salt = Salt::new(crate::ledger::random().context("no random numbers")?);
            let decision = Decision {
                act: Act::Sealing,
                by: By::Product,
                customer: None,
                commitment: salt.commit(manifest.as_bytes()),
                counts: BTreeMap::new(),
            };
            let entry = Entry::new(at, What::Decision(decision));
            store.append(&[Item { entry, salt, content: Some(manifest.clone()), record: None }])?.start
        }
    };
    let view = View::at(&ledger)?;
    let secret = view.secret(index)?.context("what was written beside the ledger")?;
    let salt = Salt::from_hex(&secret.salt).context("a damaged salt beside the ledger")?;
    let entry = Entry::parse(&view.entry(index)?)?;
    let proof = Opening::new(entry, salt, None).attach(view.prove(index)?)?;
    add_proof(&place.bag(), NAME, &proof.to_string())
}

/// The entry of a bag with this manifest.
fn find(view: &Option<View>, manifest: &str) -> Option<u64> {
    let view = view.as_ref()?;
    let size = view.checkpoint().size;
    (size.saturating_sub(LOOKED_THROUGH)..size).rev().find(|index| {
        let entry = view.entry(*index).ok().and_then(|octets| Entry::parse(&octets).ok());
        let sealing = |entry: Entry| matches!(entry.what, What::Decision(one) if one.act == Act::Sealing);
        entry.is_some_and(sealing)
            && view.secret(*index).ok().flatten().and_then(|secret| secret.content).as_deref()
                == Some(manifest)
    })
}
