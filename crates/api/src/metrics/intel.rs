//! Numbers of those who look at the sources of attacks.

use std::fmt;

use super::Page;

/// What is followed of the sources of attacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intel {
    /// Attacks that are followed.
    pub followed: u64,
    /// Attacks that were not, for there were too many at once.
    pub not_followed: u64,
    /// Sources that the kernel told of at the last look, for they had proven themselves to it.
    pub proven: u64,
    /// Records of attacks that were not looked at.
    pub left_out: u64,
    /// Evidence bags sealed.
    pub sealed: u64,
    /// Evidence bags that could not be opened, written or sealed.
    pub failed: u64,
}

impl Intel {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        let help = "Attacks whose sources are followed";
        out.gauge("spillway_intel_attacks_followed", help, self.followed as f64)?;
        let help = "Sources that had proven themselves to the kernel when it was asked last";
        out.gauge("spillway_intel_sources_proven", help, self.proven as f64)?;
        for (name, help, count) in [
            (
                "spillway_intel_attacks_left_out",
                "Attacks whose sources were not followed, for there were too many at once",
                self.not_followed,
            ),
            (
                "spillway_intel_records_left_out",
                "Records of attacks whose sources were not looked at",
                self.left_out,
            ),
            ("spillway_evidence_packages", "Evidence bags sealed", self.sealed),
            (
                "spillway_evidence_failures",
                "Evidence bags that could not be opened, written or sealed",
                self.failed,
            ),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        Ok(())
    }
}
