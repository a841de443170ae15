//! Numbers of flow samples that are kept.

use std::collections::BTreeMap;
use std::fmt;

use super::Page;

/// What became of flow samples.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Samples by what became of them.
    pub samples: BTreeMap<&'static str, u64>,
    /// Sums by minute: lines written, records under their network for want of room, records lost.
    pub sums: BTreeMap<&'static str, u64>,
    /// Attempts to write sums that the disk refused.
    pub sums_errors: u64,
    /// Samples in memory alone.
    pub waiting: u64,
    /// Attempts to write that the disk refused.
    pub errors: u64,
    /// Octets of all segments.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Beginning of the oldest hour, seconds since 1970; `None`: there is none.
    pub oldest: Option<u64>,
    /// The disk is too full to write.
    pub full: bool,
}

impl History {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        let samples =
            self.samples.iter().map(|(result, count)| (vec![("result", (*result).to_owned())], *count));
        out.counters("spillway_history_samples", "Flow samples by what became of them", samples.collect())?;
        let sums = self.sums.iter().map(|(result, count)| (vec![("result", (*result).to_owned())], *count));
        let help = "Sums by minute: lines written, records under their network, records lost";
        out.counters("spillway_history_rollups", help, sums.collect())?;
        let errors = vec![(Vec::new(), self.sums_errors)];
        out.counters(
            "spillway_history_rollup_errors",
            "Attempts to write sums that the disk refused",
            errors,
        )?;
        let errors = vec![(Vec::new(), self.errors)];
        out.counters("spillway_history_errors", "Attempts to write samples that the disk refused", errors)?;
        out.gauge("spillway_history_waiting_samples", "Flow samples in memory alone", self.waiting as f64)?;
        out.gauge("spillway_history_segments", "Segments of flow samples", self.segments as f64)?;
        out.gauge(
            "spillway_history_disk_full",
            "1 while the disk has less free than it shall: no samples are written",
            f64::from(u8::from(self.full)),
        )?;
        let oldest = self.oldest.unwrap_or(0) as f64;
        out.gauge(
            "spillway_history_oldest_timestamp_seconds",
            "Beginning of the oldest hour; 0: there is none",
            oldest,
        )
    }
}
