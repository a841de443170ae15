//! What became of notifications.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Results by (channel, result): `sent`, `failed`, `refused`, `dead`, `handed_over`, `dropped`.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<(String, &'static str), u64>>);

/// From the start, so that a rate over them exists before the first failure.
const RESULTS: [&str; 6] = ["sent", "failed", "refused", "dead", "handed_over", "dropped"];

impl Counts {
    /// Shows this channel with zeros.
    pub fn begin(&self, channel: &str) {
        for result in RESULTS {
            self.add(channel, result, 0);
        }
    }

    /// Counts.
    pub fn add(&self, channel: &str, result: &'static str, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((channel.to_owned(), result)).or_insert(0) += count;
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<(String, String), u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|((channel, result), count)| ((channel.clone(), (*result).to_owned()), *count))
            .collect()
    }
}
