//! What is held of each class, and when it goes.

use anyhow::Context as _;
use base::{Span, Timestamp};
use serde::Serialize;
use store::Held;

use super::keys::Keys;
use super::units;
use crate::config::Config;
use crate::dns::JOURNAL as DNS;

/// A class of data.
#[derive(Debug, Serialize)]
pub(crate) struct Class {
    /// `attacks`, `evidence`, …
    pub(crate) class: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// `pseudonyms`, `clear` or `none`: how addresses of others stand in it.
    pub(crate) addresses: &'static str,
    /// How long it is kept.
    pub(crate) retention: String,
    /// How much there is.
    pub(crate) held: u64,
    /// Of it, what a legal hold keeps.
    pub(crate) on_hold: u64,
    /// The earliest.
    pub(crate) first: Option<Timestamp>,
    /// The latest.
    pub(crate) last: Option<Timestamp>,
    /// When the earliest goes; `null`: nothing goes.
    pub(crate) goes: Option<Timestamp>,
}

/// All classes of a state folder.
///
/// # Errors
/// When something cannot be read.
pub(crate) fn show(config: &Config) -> anyhow::Result<Vec<Class>> {
    let (terms, folder) = (&config.privacy, &config.state_dir);
    let mut lines = store::lines_held(folder, None)?;
    join(&mut lines, store::lines_held(folder, Some(DNS))?);
    let days = Keys::new(folder).days()?;
    let keys = Held {
        count: u64::try_from(days.len()).unwrap_or(u64::MAX),
        first: days.first().map(|day| day.end()),
        last: days.last().map(|day| day.end()),
    };
    let attacks = store::attacks_held(folder)?;
    let mut classes = vec![
        class("attacks", "attacks and their rules", "pseudonyms", terms.attacks, attacks),
        class("keys", "keys of pseudonyms, one a day", "none", terms.keys, keys),
        class("journal", "journals of mitigations and of names", "clear", terms.journal, lines),
    ];
    for (name, what, addresses, retention, inside) in [
        (
            "ledger",
            "what entries of the ledger commit to, 256 each",
            "clear",
            terms.journal,
            "ledger/private",
        ),
        ("evidence", "folders of evidence", "clear", terms.evidence, super::EVIDENCE),
        ("disclosures", "what left the house, and what was to", "clear", terms.evidence, super::DISCLOSURES),
        ("samples", "flow samples", "pseudonyms", terms.samples, super::SAMPLES),
    ] {
        let folder = folder.join(inside);
        let units = units::units(&folder).with_context(|| folder.display().to_string())?;
        let free = || units.iter().filter(|unit| !unit.held).map(|unit| unit.last);
        let held = Held { count: count(units.len()), first: free().min(), last: free().max() };
        let mut class = class(name, what, addresses, retention, held);
        class.on_hold = count(units.iter().filter(|unit| unit.held).count());
        classes.push(class);
    }
    Ok(classes)
}

fn class(
    class: &'static str,
    what: &'static str,
    addresses: &'static str,
    retention: Span,
    held: Held,
) -> Class {
    let Held { count, first, last } = held;
    let goes = first.map(|first| first.plus(retention));
    Class {
        class,
        what,
        addresses,
        retention: retention.to_string(),
        held: count,
        on_hold: 0,
        first,
        last,
        goes,
    }
}

fn join(held: &mut Held, more: Held) {
    held.count += more.count;
    held.first = [held.first, more.first].into_iter().flatten().min();
    held.last = held.last.max(more.last);
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
