//! The last ticks, merged and sorted, so that nothing has to be collected after an alarm.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use base::prefix::{narrow, wide};
use base::{Prefix, Timestamp};
use detect::class::{Class, Classifier};
use detect::sample::Sample;
use detect::shard::{Cell, CellKey, ShardTick, Side, SourceCount, SourceKey};

use crate::report::Direction;
use crate::target::TargetKey;

/// One merged tick.
#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) until: Timestamp,
    pub(crate) counts: ShardTick,
}

impl Tick {
    /// All shards' counts as one, whatever their order.
    pub(crate) fn merge(until: Timestamp, shards: Vec<ShardTick>, classifier: &Classifier) -> Self {
        let mut shards = shards.into_iter();
        let mut counts = shards.next().unwrap_or_default();
        let mut several = false;
        for other in shards {
            several = true;
            counts.merge(other);
        }
        if several {
            counts.seal(classifier);
        }
        Self { until, counts }
    }

    /// The cells of these hosts and this side, by host, then class.
    pub(crate) fn cells(&self, hosts: RangeInclusive<u128>) -> &[(CellKey, Cell)] {
        span(&self.counts.cells, hosts, |key| key.host)
    }

    /// The exact source counts of these hosts.
    pub(crate) fn sources(&self, hosts: RangeInclusive<u128>) -> &[(SourceKey, SourceCount)] {
        span(&self.counts.sources, hosts, |key| key.host)
    }

    fn weight(&self) -> usize {
        self.counts.cells.len() + self.counts.sources.len() + self.counts.samples.len()
    }
}

fn span<K, V>(sorted: &[(K, V)], hosts: RangeInclusive<u128>, host: impl Fn(&K) -> u128) -> &[(K, V)] {
    let from = sorted.partition_point(|(key, _)| host(key) < *hosts.start());
    let to = sorted.partition_point(|(key, _)| host(key) <= *hosts.end());
    sorted.get(from..to).unwrap_or(&[])
}

/// The first and last address of a target.
pub(crate) fn hosts(prefix: &Prefix) -> RangeInclusive<u128> {
    let first = wide(prefix.addr());
    let free = if prefix.is_ipv4() { 32 } else { 128 } - u32::from(prefix.bits());
    let last = if free >= 128 { u128::MAX } else { first | ((1u128 << free) - 1) };
    first..=last
}

/// The prefix of a key.
pub(crate) fn prefix(key: &TargetKey) -> Prefix {
    Prefix::of(narrow(key.addr), key.bits)
}

/// The side of a cell that counts what a target of this direction receives.
pub(crate) const fn received(direction: Direction) -> Side {
    match direction {
        Direction::In => Side::Received,
        Direction::Out => Side::ReceivedFromUs,
    }
}

/// Entries (cells, sources and samples) kept in the ring at most; the oldest ticks go first.
const ENTRIES_MAX: usize = 1 << 20;
/// Ticks kept at most.
const TICKS_MAX: usize = 64;

/// The last ticks.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    ticks: VecDeque<Tick>,
    weight: usize,
}

impl Ring {
    /// Takes the newest tick and gives back those that had to go for it.
    pub(crate) fn push(&mut self, tick: Tick) -> Vec<Tick> {
        self.weight += tick.weight();
        self.ticks.push_back(tick);
        let mut gone = Vec::new();
        while self.ticks.len() > TICKS_MAX || (self.weight > ENTRIES_MAX && self.ticks.len() > 1) {
            if let Some(old) = self.ticks.pop_front() {
                self.weight -= old.weight();
                gone.push(old);
            }
        }
        gone
    }

    /// Ticks that end after `from`, oldest first.
    pub(crate) fn since(&self, from: Timestamp) -> impl DoubleEndedIterator<Item = &Tick> {
        self.ticks.iter().filter(move |tick| tick.until > from)
    }

    /// Examples of these classes towards the target, from ticks that end after `from`.
    pub(crate) fn samples<'r>(
        &'r self,
        from: Timestamp,
        target: Prefix,
        classifier: &'r Classifier,
        wanted: impl Fn(Class) -> bool + 'r,
    ) -> impl Iterator<Item = (u64, &'r Sample)> {
        self.since(from)
            .flat_map(|tick| &tick.counts.samples)
            .filter(move |(_, s)| target.contains(s.headers.dst) && wanted(classifier.received(&s.headers)))
            .map(|(hash, sample)| (*hash, sample))
    }
}
