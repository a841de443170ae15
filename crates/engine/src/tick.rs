//! The last ticks, merged and sorted, so that nothing has to be collected after an alarm.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use base::prefix::{narrow, wide};
use base::{Prefix, Timestamp};
use detect::cell::{Cell, CellKey, Lasting, Side, SourceCount, SourceKey};
use detect::class::{Class, Classifier};
use detect::log::merge;
use detect::sample::{Bins, Chosen, Sample};
use detect::shard::ShardTick;

use crate::late::Late;
use crate::pour::Pours;
use crate::report::Direction;
use crate::settings::Settings;
use crate::target::TargetKey;

/// One merged tick.
#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) until: Timestamp,
    pub(crate) counts: ShardTick,
    /// Live: cells of foreign hosts, from the examples.
    foreign: Option<Vec<(CellKey, Cell)>>,
}

impl Tick {
    /// All shards' counts as one, whatever their order.
    pub(crate) fn merge(
        until: Timestamp,
        shards: Vec<ShardTick>,
        classifier: &Classifier,
        settings: &Settings,
        (pours, late): (&mut Pours, &mut Late),
    ) -> Self {
        let exact = settings.profile.is_exact();
        let mut shards = shards.into_iter();
        let mut counts = shards.next().unwrap_or_default();
        let mut several = false;
        for other in shards {
            several = true;
            counts.merge(other);
        }
        if several {
            counts.seal(exact);
        }
        let mut long = std::mem::take(&mut counts.long);
        late.drop_history(&mut long, until, settings.quiet);
        late.drop_history(&mut counts.cells, until, settings.quiet);
        let flowing = pours.tick(until, settings.tick, &long);
        let floor = settings.profile.floor_pps(settings.floor);
        late.take((until, settings.tick), floor, &long, &counts.cells, &flowing);
        if !flowing.is_empty() {
            counts.cells = merge(std::mem::take(&mut counts.cells), flowing, Cell::merge);
        }
        let foreign = (!exact).then(|| foreign_cells(&counts, classifier));
        Self { until, counts, foreign }
    }

    /// All cells of possible victims in a direction, by host, side and class; others may be among them.
    pub(crate) fn all_cells(&self, direction: Direction) -> &[(CellKey, Cell)] {
        match (direction, &self.foreign) {
            (Direction::Out, Some(foreign)) => foreign,
            _ => &self.counts.cells,
        }
    }

    /// The cells of these hosts, likewise.
    pub(crate) fn cells(&self, direction: Direction, hosts: RangeInclusive<u128>) -> &[(CellKey, Cell)] {
        span(self.all_cells(direction), hosts, |key| key.host)
    }

    /// The exact source counts of these hosts.
    pub(crate) fn sources(&self, hosts: RangeInclusive<u128>) -> &[(SourceKey, SourceCount)] {
        span(&self.counts.sources, hosts, |key| key.host)
    }

    /// The examples of packets to these hosts.
    pub(crate) fn samples(&self, hosts: RangeInclusive<u128>) -> &[(u64, Sample)] {
        let samples = &self.counts.chosen.samples;
        let from = samples.partition_point(|(_, s)| wide(s.headers.dst) < *hosts.start());
        let to = samples.partition_point(|(_, s)| wide(s.headers.dst) <= *hosts.end());
        samples.get(from..to).unwrap_or(&[])
    }

    /// About so many of all examples, whoever chose them; all, where there are fewer.
    pub(crate) fn some(&self, max: usize) -> impl Iterator<Item = &(u64, Sample)> {
        let samples = &self.counts.chosen.samples;
        let times = samples.len().div_ceil(max).max(1).next_power_of_two();
        let thin = u64::try_from(times).unwrap_or(u64::MAX) - 1;
        samples.iter().filter(move |(hash, _)| hash >> 7 & thin == 0)
    }

    /// What own hosts of interest send to foreign ones, from the examples: those of flows longer than a tick apart.
    pub(crate) fn sent(&self, exact: bool, of_interest: impl Fn(u128) -> bool) -> Sent {
        let weights = Weights::of(&self.counts.chosen, exact);
        let (mut short, mut long) = (Vec::new(), Vec::new());
        for (_, sample) in self.counts.chosen.samples.iter().filter(|(_, s)| s.outgoing) {
            let host = wide(sample.headers.src);
            if of_interest(host) {
                let key = CellKey { host, side: Side::Sent, class: sample.class };
                let cell = weights.cell(sample);
                if sample.lasting == Lasting::default() {
                    short.push((key, cell));
                } else {
                    long.push(((key, sample.lasting), cell));
                }
            }
        }
        Sent { short: added_up(short), long: added_up(long) }
    }

    /// All examples, with the records that each stands for, times 256.
    pub(crate) fn weighed(&self, exact: bool) -> impl Iterator<Item = (&Sample, u64)> {
        let weights = Weights::of(&self.counts.chosen, exact);
        self.counts.chosen.samples.iter().map(move |(_, sample)| (sample, weights.times(sample)))
    }

    fn weight(&self) -> usize {
        self.counts.cells.len() + self.counts.sources.len() + self.counts.chosen.samples.len()
    }
}

/// What own hosts send, by host and class.
pub(crate) struct Sent {
    /// Packets, and flows no longer than a tick.
    pub(crate) short: Vec<(CellKey, Cell)>,
    /// Flows to be poured out.
    pub(crate) long: Vec<((CellKey, Lasting), Cell)>,
}

/// How many records each example stands for.
struct Weights<'a> {
    chosen: &'a Chosen,
    exact: bool,
    kept: Vec<u64>,
}

impl<'a> Weights<'a> {
    fn of(chosen: &'a Chosen, exact: bool) -> Self {
        let mut kept = vec![0u64; chosen.offered.len()];
        for (_, sample) in &chosen.samples {
            let bin = Bins::bin(exact, sample.class, wide(sample.headers.dst));
            if let Some(kept) = kept.get_mut(bin) {
                *kept += 1;
            }
        }
        Self { chosen, exact, kept }
    }

    /// What an example counts. It is one observation, however many it stands for.
    fn cell(&self, sample: &Sample) -> Cell {
        let times = self.times(sample);
        let packets = sample.packets.saturating_mul(times) / 256;
        let mut cell = Cell {
            samples: 1,
            packets,
            bytes: sample.bytes.saturating_mul(times) / 256,
            unscaled: sample.unscaled.into(),
            doubtful: sample.doubtful.into(),
            first: sample.at,
            last: sample.at,
            ..Cell::EMPTY
        };
        if let Some(part) = cell.fine_packets.first_mut() {
            *part = u32::try_from(packets).unwrap_or(u32::MAX);
        }
        cell
    }

    /// How many records of its bin one example stands for, times 256.
    fn times(&self, sample: &Sample) -> u64 {
        let bin = Bins::bin(self.exact, sample.class, wide(sample.headers.dst));
        let offered = self.chosen.offered.get(bin).copied().unwrap_or(1);
        let kept = self.kept.get(bin).copied().unwrap_or(1).max(1);
        (offered * 256 / kept).max(256)
    }
}

/// What own hosts send to foreign ones and get back, from the examples: whoever suffers a flood of ours fills them.
fn foreign_cells(counts: &ShardTick, classifier: &Classifier) -> Vec<(CellKey, Cell)> {
    let weights = Weights::of(&counts.chosen, false);
    let cell = |sample: &Sample| weights.cell(sample);
    let mut cells: Vec<(CellKey, Cell)> = counts
        .chosen
        .samples
        .iter()
        .filter(|(_, s)| s.outgoing)
        .map(|(_, s)| {
            let class = s.class;
            (CellKey { host: wide(s.headers.dst), side: Side::ReceivedFromUs, class }, cell(s))
        })
        .collect();
    // The samples are in the order of their destination, and so are these.
    let hosts: Vec<u128> = cells.iter().map(|(key, _)| key.host).collect();
    for (_, s) in counts.chosen.samples.iter().filter(|(_, s)| !s.outgoing) {
        let host = wide(s.headers.src);
        if hosts.binary_search(&host).is_ok() {
            let class = classifier.sent(&s.headers, s.several);
            cells.push((CellKey { host, side: Side::SentToUs, class }, cell(s)));
        }
    }
    added_up(cells)
}

/// Sorted, equal keys made one.
fn added_up<K: Ord + Copy>(mut cells: Vec<(K, Cell)>) -> Vec<(K, Cell)> {
    cells.sort_by_key(|a| a.0);
    cells.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1.merge(&later.1);
        }
        same
    });
    cells
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

/// Entries (cells, sources and samples) kept in the ring at most, in a capture and live; the oldest ticks go first.
const ENTRIES_MAX: (usize, usize) = (1 << 19, 1 << 17);
/// Ticks kept at most: a good three seconds of a capture, two seconds live.
const TICKS_MAX: (usize, usize) = (64, 8);

/// The last ticks.
#[derive(Debug)]
pub(crate) struct Ring {
    ticks: VecDeque<Tick>,
    weight: usize,
    ticks_max: usize,
    entries_max: usize,
}

impl Ring {
    /// For exact feeds, or for live ones.
    pub(crate) fn new(exact: bool) -> Self {
        let of = |(capture, live): (usize, usize)| if exact { capture } else { live };
        Self { ticks: VecDeque::new(), weight: 0, ticks_max: of(TICKS_MAX), entries_max: of(ENTRIES_MAX) }
    }

    /// Takes the newest tick and gives back those that had to go for it.
    pub(crate) fn push(&mut self, tick: Tick) -> Vec<Tick> {
        self.weight += tick.weight();
        self.ticks.push_back(tick);
        let mut gone = Vec::new();
        while self.ticks.len() > self.ticks_max || (self.weight > self.entries_max && self.ticks.len() > 1) {
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

    /// Examples of packets to the target from whole ticks that end after `from`, the newest first, until there are `enough`.
    pub(crate) fn latest(
        &self,
        from: Timestamp,
        target: Prefix,
        enough: usize,
    ) -> impl Iterator<Item = &Sample> {
        let mut taken = 0;
        let ticks = self.since(from).rev().map(move |tick| tick.samples(hosts(&target)));
        let some = ticks.take_while(move |samples| {
            let go_on = taken < enough;
            taken += samples.len();
            go_on
        });
        some.flatten().map(|(_, sample)| sample)
    }

    /// Examples of these classes towards the target, from ticks that end after `from`.
    pub(crate) fn samples<'r>(
        &'r self,
        from: Timestamp,
        target: Prefix,
        wanted: impl Fn(Class) -> bool + 'r,
    ) -> impl Iterator<Item = (u64, &'r Sample)> {
        self.since(from)
            .flat_map(move |tick| tick.samples(hosts(&target)))
            .filter(move |(_, s)| wanted(s.class))
            .map(|(hash, sample)| (*hash, sample))
    }
}
