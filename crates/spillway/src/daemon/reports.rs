//! How many disclosures left the house, for the metrics.
//!
//! They leave by `spillway disclosure send`, another process; their files say so. A file goes at the end of its time, and a count must not go
//! down, so what was seen is remembered. **Invariant:** nothing is counted whose embargo lasts: an order forbids to speak of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use base::Timestamp;

use crate::disclosure::Cases;

/// What was seen since the start; those of before count too, where their files are there.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Those that are counted and whose files are there.
    counted: BTreeSet<String>,
    /// By (purpose, result).
    sums: BTreeMap<(String, String), u64>,
}

impl Reports {
    /// How many were sent by now, by (purpose, result). Files that cannot be read are left for the next look.
    pub(super) fn sums(&self, cases: &Cases, now: Timestamp) -> BTreeMap<(String, String), u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(all) = cases.all() else { return seen.sums.clone() };
        let there: BTreeSet<&str> = all.iter().map(|case| case.draft.id.as_str()).collect();
        seen.counted.retain(|id| there.contains(id.as_str()));
        for case in all {
            let secret = case.draft.embargo_until.is_some_and(|until| now < until);
            if case.sent.is_some() && !secret && seen.counted.insert(case.draft.id) {
                let key = (case.draft.purpose.word().to_owned(), "sent".to_owned());
                *seen.sums.entry(key).or_default() += 1;
            }
        }
        seen.sums.clone()
    }
}
