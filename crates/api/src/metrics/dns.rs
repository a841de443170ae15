//! Numbers of names that may be diverted.

use std::collections::BTreeMap;
use std::fmt;

use super::Page;

/// Names whose addresses may be exchanged for an absorber's.
#[derive(Clone, Debug, Default)]
pub struct Dns {
    /// Names by state.
    pub names: BTreeMap<&'static str, u64>,
    /// Names with which something is wrong at the moment.
    pub troubled: u64,
    /// Diverted names that no section of the configuration lists any more.
    pub orphans: u64,
    /// Updates that were sent.
    pub updates: u64,
    /// Questions and updates that failed.
    pub troubles: u64,
    /// Diversions that did not come about.
    pub left_out: u64,
    /// Diversions that ended because somebody else changed the records.
    pub foreign: u64,
    /// Orders that were refused.
    pub refused: u64,
    /// Writes to the journal that failed.
    pub journal_errors: u64,
}

impl Dns {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        let names =
            self.names.iter().map(|(state, count)| (vec![("state", (*state).to_owned())], *count as f64));
        out.gauges("spillway_dns_names", "Names that may be diverted, by state", names.collect())?;
        out.gauge("spillway_dns_troubled", "Names with which something is wrong", self.troubled as f64)?;
        let help = "Diverted names that no section lists any more: nobody restores them";
        out.gauge("spillway_dns_orphans", help, self.orphans as f64)?;
        for (name, help, count) in [
            ("spillway_dns_updates", "Updates that were sent", self.updates),
            ("spillway_dns_troubles", "Questions and updates that failed", self.troubles),
            ("spillway_dns_left_out", "Diversions that did not come about", self.left_out),
            (
                "spillway_dns_changed_by_others",
                "Diversions that ended because somebody else changed the records",
                self.foreign,
            ),
            ("spillway_dns_orders_refused", "Orders about names that were refused", self.refused),
            (
                "spillway_dns_journal_errors",
                "Writes to the journal of names that failed",
                self.journal_errors,
            ),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        Ok(())
    }
}
