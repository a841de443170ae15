//! Honest packets remembered per host, to put a price on rules.

use base::Prefix;
use base::map::{Map, Seed};
use base::prefix::wide;
use detect::sample::{BottomK, Sample};

use crate::frozen::Frozen;
use crate::incident::Incident;
use crate::settings::{Profile, Settings};
use crate::tick::{Tick, hosts};

/// Hosts remembered; the ones with the fewest packets go first.
const HOSTS_MAX: usize = 4096;

/// Examples of ordinary traffic by receiver.
#[derive(Debug)]
pub(crate) struct Reservoir {
    by_host: Map<u128, BottomK>,
    per_host: usize,
    exact: bool,
}

impl Reservoir {
    pub(crate) fn new(settings: &Settings, seed: Seed) -> Self {
        let per_host = match settings.profile {
            Profile::Capture => 512,
            Profile::Daemon => 32,
        };
        Self { by_host: Map::new(seed), per_host, exact: settings.profile.is_exact() }
    }

    /// Keeps a tick's examples that no attack claims.
    pub(crate) fn take(&mut self, tick: &Tick, incidents: &[Incident], frozen: &Frozen) {
        // Live, one example of eight will do: the hosts that matter send many.
        let thin = if self.exact { 0 } else { 7 };
        for (hash, sample) in &tick.counts.chosen.samples {
            if hash >> 7 & thin != 0 {
                continue;
            }
            let attacked = frozen.touches(wide(sample.headers.dst));
            let claimed = attacked
                && incidents.iter().any(|i| {
                    i.areas.iter().any(|area| area.contains(sample.headers.dst))
                        && i.claims(sample, self.exact)
                });
            if claimed {
                continue;
            }
            let per_host = self.per_host;
            self.by_host
                .get_or_insert_with(wide(sample.headers.dst), || BottomK::new(per_host))
                .offer(*hash, *sample);
        }
        self.evict();
    }

    /// Examples of what these targets receive in peace.
    pub(crate) fn of(&self, areas: &[Prefix]) -> Vec<(u64, Sample)> {
        if areas.iter().all(Prefix::is_host) {
            let hosts = areas.iter().filter_map(|area| self.by_host.get(&wide(area.addr())));
            return hosts.flat_map(BottomK::kept).copied().collect();
        }
        let ranges: Vec<_> = areas.iter().map(hosts).collect();
        let inside = |host: &u128| ranges.iter().any(|range| range.contains(host));
        self.by_host
            .sorted()
            .into_iter()
            .filter(|(host, _)| inside(host))
            .flat_map(|(_, kept)| kept.kept())
            .copied()
            .collect()
    }

    fn evict(&mut self) {
        if self.by_host.len() <= HOSTS_MAX {
            return;
        }
        let mut sizes: Vec<(usize, u128)> =
            self.by_host.sorted().into_iter().map(|(h, k)| (k.len(), *h)).collect();
        sizes.sort_unstable();
        for (_, host) in sizes.into_iter().take(HOSTS_MAX / 4) {
            self.by_host.remove(&host);
        }
    }
}
