//! From a collector's running counters to what came of each exporter since the last look.

use telemetry::Collector;
use telemetry::stats::Stats;

use crate::silence::Feed;

/// What was already told, by the collector's index of the exporter.
#[derive(Clone, Debug, Default)]
pub struct Feeds(Vec<Counts>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    datagrams: u64,
    records: u64,
    lost_datagrams: u64,
    lost_records: u64,
}

impl Counts {
    const fn of(stats: &Stats) -> Self {
        Self {
            datagrams: stats.datagrams,
            records: stats.flows,
            lost_datagrams: stats.lost_datagrams,
            lost_records: stats.lost_records,
        }
    }
}

impl Feeds {
    /// Exporters of which something came since the last call.
    pub fn since(&mut self, collector: &mut Collector) -> Vec<Feed> {
        let discards = collector.take_discards();
        let mut feeds = Vec::new();
        for (at, view) in collector.exporters().enumerate() {
            if self.0.len() <= at {
                self.0.resize(at + 1, Counts::default());
            }
            let Some(told) = self.0.get_mut(at) else { continue };
            let now = Counts::of(view.stats);
            let before = std::mem::replace(told, now);
            if now == before {
                continue;
            }
            feeds.push(Feed {
                exporter: view.index,
                address: view.address,
                datagrams: now.datagrams.saturating_sub(before.datagrams),
                records: now.records.saturating_sub(before.records),
                // What came late was counted as lost at first, and is taken back.
                lost_datagrams: now.lost_datagrams.saturating_sub(before.lost_datagrams),
                lost_records: now.lost_records.saturating_sub(before.lost_records),
                discards: discards
                    .iter()
                    .filter(|discard| discard.record.exporter == view.index)
                    .copied()
                    .collect(),
                delay: view.delay.export().zip(view.delay.lasting()),
                doubt: view.doubt(),
            });
        }
        feeds
    }
}
