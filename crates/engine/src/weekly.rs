//! Whose hours of the week are remembered: those of the networks of customers and of the operator, as far as they matter.
//! Hosts have the hours of the day: there are too many of them, and one host's Mondays say little.

use base::Prefix;

use crate::settings::Settings;
use crate::target::{Stream, TargetKey};
use crate::tick::prefix;

/// Streams whose weeks are remembered, half a kilobyte each; further ones go by the hours of the day, counted in
/// `refused` for each tick in which one had to.
const STREAMS_MAX: usize = 1 << 14;

/// Networks with a memory of their weeks.
#[derive(Debug)]
pub(crate) struct Weekly {
    /// In their order.
    networks: Vec<Prefix>,
    kept: usize,
    pub(crate) refused: u64,
}

impl Weekly {
    pub(crate) fn of(settings: &Settings) -> Self {
        let customers = settings.customers.iter().flat_map(|(_, networks)| networks);
        let mut networks: Vec<Prefix> = customers.chain(&settings.networks).copied().collect();
        networks.retain(|network| !network.is_host());
        networks.sort_unstable();
        networks.dedup();
        Self { networks, kept: 0, refused: 0 }
    }

    /// Begins to remember the weeks of a network's streams that are expected to reach this rate.
    pub(crate) fn begin(&mut self, key: &TargetKey, streams: &mut [Stream], least: f64) {
        let matters = |s: &Stream| {
            let [packets, octets] = s.expected();
            packets.max(octets).max(s.usual.expected()) >= least
        };
        if self.networks.is_empty() || streams.iter().all(|s| s.week.is_some() || !matters(s)) {
            return;
        }
        if !self.covers(key) {
            return;
        }
        for stream in streams.iter_mut().filter(|s| s.week.is_none() && matters(s)) {
            if self.kept < STREAMS_MAX {
                self.kept += 1;
                stream.week = Some(Box::default());
            } else {
                self.refused += 1;
            }
        }
    }

    /// Whether the weeks of this target are of interest.
    pub(crate) fn covers(&self, key: &TargetKey) -> bool {
        self.networks.binary_search(&prefix(key)).is_ok()
    }

    /// So many are remembered now.
    pub(crate) const fn recount(&mut self, kept: usize) {
        self.kept = kept;
    }

    /// So many are no longer.
    pub(crate) const fn forget(&mut self, weeks: usize) {
        self.kept = self.kept.saturating_sub(weeks);
    }
}
