//! Honest packets remembered per host, to put a price on rules.

use base::Prefix;
use base::map::{Map, Seed};
use base::prefix::wide;
use detect::class::Class;
use detect::sample::{BottomK, Sample};
use detect::signature::Kin;
use serde::{Deserialize, Serialize};

use crate::example::{Example, smallest};
use crate::frozen::Frozen;
use crate::incident::Incident;
use crate::kin::{Kindred, Kinds};
use crate::report::Direction;
use crate::settings::{Profile, Settings};
use crate::signature;
use crate::tick::{Tick, hosts};

/// Own hosts remembered, and foreign ones; the ones with the fewest packets go first, counted in `evicted`.
const HOSTS_MAX: (usize, usize) = (4096, 1024);
/// Examples of a live tick that are looked at, about: a busy feed has more of them, a quiet one needs them all.
const LIVE_MAX: usize = 128;

/// Examples kept over a restart, of own hosts and of foreign ones: as many of each host, at least some of every one.
const SAVED_MAX: (usize, usize) = (8192, 1024);
const SAVED_MIN: usize = 2;

/// Examples of ordinary traffic, as a snapshot has them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Honest {
    own: Vec<Example>,
    foreign: Vec<Example>,
    kinds: Option<Kinds>,
}

/// Examples of ordinary traffic by receiver.
#[derive(Debug)]
pub(crate) struct Reservoir {
    own: Hosts,
    /// Whom own hosts send to; where no networks are named every host is an own one.
    foreign: Hosts,
    /// What hosts of a kind receive: live, where few packets of each are seen.
    kindred: Option<Kindred>,
    exact: bool,
}

impl Reservoir {
    pub(crate) fn new(settings: &Settings, seed: Seed) -> Self {
        let per_host = match settings.profile {
            Profile::Capture => 512,
            Profile::Daemon => 32,
        };
        let exact = settings.profile.is_exact();
        Self {
            own: Hosts::new(seed.clone(), per_host, HOSTS_MAX.0),
            foreign: Hosts::new(seed.clone(), per_host, HOSTS_MAX.1),
            kindred: (!exact).then(|| Kindred::new(seed)),
            exact,
        }
    }

    /// Keeps a tick's examples that no attack claims.
    pub(crate) fn take(&mut self, tick: &Tick, incidents: &[Incident], frozen: &Frozen) {
        for (hash, sample) in tick.some(if self.exact { usize::MAX } else { LIVE_MAX }) {
            let attacked = frozen.touches(wide(sample.headers.dst));
            // Live, what comes to a victim besides the attack is not all its honest traffic: what is taken for the attack's is
            // missing, and the rest would stand for too much.
            let claimed = attacked && !self.exact && !sample.outgoing;
            let claimed = claimed
                || attacked
                    && incidents.iter().any(|i| {
                        i.areas.iter().any(|area| area.contains(sample.headers.dst))
                            && i.claims(sample, self.exact)
                    });
            if claimed {
                continue;
            }
            if sample.outgoing { &mut self.foreign } else { &mut self.own }.offer(*hash, sample);
            if let Some(kindred) = &mut self.kindred {
                kindred.offer(*hash, sample, tick.until);
            }
        }
        self.own.evict();
        self.foreign.evict();
    }

    /// Gives up what may be an attack's first packets: one that is found later than the ring is long has left some here, and a
    /// price that has them in it would spare it, and those on hosts of its target's kind, to their end.
    pub(crate) fn disown(&mut self, incident: &Incident) {
        if self.exact || incident.key.direction != Direction::In {
            return;
        }
        let lead = signature::lead(incident);
        if let Some(kindred) = &mut self.kindred {
            kindred.retain(|sample| {
                sample.at < lead
                    || incident.vector(sample.class).is_none()
                    || !incident.areas.iter().any(|area| area.contains(sample.headers.dst))
            });
        }
        // The target's own are few: they go only where they are more than ever before.
        let found = self.own.of(&incident.areas);
        let found: Vec<(u64, &Sample)> = found.iter().map(|(hash, sample)| (*hash, sample)).collect();
        let rose = |class| signature::rose(&found, class, lead, incident.started);
        let gone: Vec<Class> =
            incident.vectors.iter().map(|vector| vector.class).filter(|class| rose(*class)).collect();
        if !gone.is_empty() {
            self.own.retain(&incident.areas, |sample| sample.at < lead || !gone.contains(&sample.class));
        }
    }

    /// What has to outlive a restart.
    pub(crate) fn saved(&self) -> Honest {
        Honest {
            own: self.own.saved(SAVED_MAX.0),
            foreign: self.foreign.saved(SAVED_MAX.1),
            kinds: self
                .kindred
                .as_ref()
                .map(|kindred| kindred.saved(self.own.by_host.sorted().into_iter().map(|(host, _)| *host))),
        }
    }

    /// Takes up what an earlier run saved.
    pub(crate) fn restore(&mut self, honest: Honest) {
        self.own.restore(honest.own);
        self.foreign.restore(honest.foreign);
        if let (Some(kindred), Some(kinds)) = (&mut self.kindred, honest.kinds) {
            kindred.restore(kinds);
        }
    }

    /// Examples of what these targets receive in peace.
    pub(crate) fn of(&self, areas: &[Prefix]) -> Vec<(u64, Sample)> {
        let mut found = self.own.of(areas);
        found.extend(self.foreign.of(areas));
        found
    }

    /// Examples of what hosts receive that these targets are like.
    pub(crate) fn kin(&self, areas: &[Prefix]) -> (Vec<Kin>, String) {
        self.kindred.as_ref().map(|kindred| kindred.of(areas)).unwrap_or_default()
    }
}

/// A table of receivers.
#[derive(Debug)]
struct Hosts {
    by_host: Map<u128, BottomK>,
    per_host: usize,
    max: usize,
    evicted: u64,
}

impl Hosts {
    fn new(seed: Seed, per_host: usize, max: usize) -> Self {
        Self { by_host: Map::new(seed), per_host, max, evicted: 0 }
    }

    fn offer(&mut self, hash: u64, sample: &Sample) {
        let per_host = self.per_host;
        self.by_host
            .get_or_insert_with(wide(sample.headers.dst), || BottomK::new(per_host))
            .offer(hash, *sample);
    }

    fn of(&self, areas: &[Prefix]) -> Vec<(u64, Sample)> {
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

    fn retain(&mut self, areas: &[Prefix], keep: impl Fn(&Sample) -> bool) {
        let ranges: Vec<_> = areas.iter().map(hosts).collect();
        self.by_host.retain(|host, kept| {
            if ranges.iter().any(|range| range.contains(host)) {
                kept.retain(&keep);
            }
            !kept.is_empty()
        });
    }

    fn saved(&self, max: usize) -> Vec<Example> {
        let each = (max / self.by_host.len().max(1)).clamp(SAVED_MIN, self.per_host);
        let hosts = self.by_host.sorted().into_iter();
        hosts.flat_map(|(_, kept)| smallest(kept.kept(), each)).map(Example::of).collect()
    }

    fn restore(&mut self, saved: Vec<Example>) {
        for (hash, sample) in saved.into_iter().filter_map(Example::read) {
            self.offer(hash, &sample);
        }
        self.evict();
    }

    fn evict(&mut self) {
        if self.by_host.len() <= self.max {
            return;
        }
        let mut sizes: Vec<(usize, u128)> =
            self.by_host.sorted().into_iter().map(|(h, k)| (k.len(), *h)).collect();
        sizes.sort_unstable();
        for (_, host) in sizes.into_iter().take(self.max / 4) {
            self.by_host.remove(&host);
            self.evicted += 1;
        }
    }
}
