//! Numbers of the log of decisions.

use std::fmt;

use super::Page;

/// How the writing goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Entries in it.
    pub size: u64,
    /// Seconds since its last head was signed; `None`: none was since the start.
    pub head_age: Option<u64>,
    /// Decisions that found no room on their way to it.
    pub lost: u64,
    /// Attempts to write that failed.
    pub errors: u64,
    /// Looks that found it to be another one, an older one, or damaged.
    pub verify_failures: u64,
    /// Nothing can be written now, so nothing is disclosed.
    pub troubled: bool,
}

impl Ledger {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        out.gauge("spillway_ledger_size", "Entries in the log of decisions", self.size as f64)?;
        if let Some(age) = self.head_age {
            out.gauge("spillway_ledger_head_age_seconds", "Since its last head was signed", age as f64)?;
        }
        let help = "1 while it cannot be written; nothing is disclosed then";
        out.gauge("spillway_ledger_troubled", help, f64::from(u8::from(self.troubled)))?;
        for (name, help, count) in [
            ("spillway_ledger_lost", "Decisions that found no room on their way to it", self.lost),
            ("spillway_ledger_errors", "Attempts to write it that failed", self.errors),
            (
                "spillway_ledger_verify_failures",
                "Looks that found it to be an older one, another one, or damaged",
                self.verify_failures,
            ),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        Ok(())
    }
}
