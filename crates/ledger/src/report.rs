//! The transparency report: what stands in the log, counted by half-year.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::Serialize;

use crate::entry::{Entry, What};

/// Half a year: the year, and 1 or 2.
pub type HalfYear = (u16, u8);

/// Counts of one half-year. They add up to `entries`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Entries.
    pub entries: u64,
    /// Decisions by kind.
    pub decisions: BTreeMap<&'static str, u64>,
    /// Disclosures by what their recipients are.
    pub recipients: BTreeMap<&'static str, u64>,
    /// The same disclosures by their legal bases.
    pub bases: BTreeMap<String, u64>,
    /// Disclosures that may not be spoken of yet, or could not when they were made.
    pub sealed: u64,
    /// Entries that open earlier sealed ones.
    pub unsealed: u64,
    /// Entries that this version cannot read.
    pub unknown: u64,
}

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(BTreeMap<HalfYear, Counts>);

impl Report {
    /// Takes an entry, as the log has it. One that cannot be read counts in the half-year before it.
    pub fn add(&mut self, octets: &[u8]) {
        let read = Entry::parse(octets).ok();
        let last = self.0.last_key_value().map_or((1970, 1), |(half, _)| *half);
        let half = read.as_ref().map_or(last, |entry| half_year(entry.time));
        let counts = self.0.entry(half).or_default();
        counts.entries += 1;
        match read.map(|entry| entry.what) {
            Some(What::Decision(decision)) => *counts.decisions.entry(decision.act.name()).or_default() += 1,
            Some(What::Disclosure(record)) => {
                *counts.recipients.entry(record.recipient_class.word()).or_default() += 1;
                *counts.bases.entry(record.basis).or_default() += 1;
            }
            Some(What::Sealed(_)) => counts.sealed += 1,
            Some(What::Unsealed(_)) => counts.unsealed += 1,
            None => counts.unknown += 1,
        }
    }

    /// The half-years in their order.
    pub fn halves(&self) -> impl Iterator<Item = (HalfYear, &Counts)> {
        self.0.iter().map(|(half, counts)| (*half, counts))
    }
}

fn half_year(time: Timestamp) -> HalfYear {
    let text = time.to_string();
    let mut parts = text.split('-').map(str::parse::<u16>);
    match (parts.next(), parts.next()) {
        (Some(Ok(year)), Some(Ok(month))) => (year, if month <= 6 { 1 } else { 2 }),
        _ => (1970, 1),
    }
}
