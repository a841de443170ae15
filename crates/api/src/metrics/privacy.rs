//! Numbers of what was kept of others and went.

use std::collections::BTreeMap;
use std::fmt;

use super::Page;

/// What retention did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// What went, by class.
    pub gone: BTreeMap<String, u64>,
    /// Steps that failed; each is tried again.
    pub errors: u64,
    /// When it was looked at last, in seconds since 1970; `None`: not yet.
    pub swept_at: Option<u64>,
}

impl Privacy {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        let help = "What went because its retention was over, by class";
        let gone = self.gone.iter().map(|(class, count)| (vec![("class", class.clone())], *count));
        out.counters("spillway_privacy_expired", help, gone.collect())?;
        let help = "Steps of retention that failed and are tried again";
        out.counters("spillway_privacy_errors", help, vec![(Vec::new(), self.errors)])?;
        if let Some(at) = self.swept_at {
            out.gauge(
                "spillway_privacy_sweep_timestamp_seconds",
                "When retention was looked at last",
                at as f64,
            )?;
        }
        Ok(())
    }
}
