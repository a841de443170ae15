//! Of which time.

use base::{Span, Timestamp};

use crate::daemon::clock::Clock;
use crate::error::usage;

/// Without a word, the last hour.
const USUAL: Span = Span::from_secs(3_600);

/// Of which time.
#[derive(Debug, clap::Args)]
pub(super) struct Range {
    /// The time up to now, like 1h or 7d [default: 1h]
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["from", "to"])]
    last: Option<Span>,
    /// From this time on, like 2026-11-26T16:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// The answer may take so long; what was not looked at by then is said
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    pub(super) within: Span,
}

impl Range {
    /// Beginning and end.
    pub(super) fn bounds(&self) -> anyhow::Result<(Timestamp, Timestamp)> {
        let to = self.to.unwrap_or_else(|| Clock::start().now());
        let from = match (self.last, self.from) {
            (_, Some(from)) => from,
            (last, None) => to.minus(last.unwrap_or(USUAL)),
        };
        if from >= to {
            return Err(usage(format!("the time from {from} to {to} is empty; --from is before --to")));
        }
        Ok((from, to))
    }
}
