//! What one worker counts between two ticks: sums, maxima and bottom-k choices, so that merging commutes.

use alloc::vec::Vec;

use base::map::{Map, Seed};
use base::prefix::{PrefixTable, wide};
use base::{Prefix, Span, Timestamp};
use telemetry::record::{Detail, Record};
use wire::packet::{self, flags};

use crate::class::{COUNT, Class, Classifier};
use crate::pairs::{LANES, Lane, lane};
use crate::profile::Profile;
use crate::sample::{self, BottomK, Sample};

/// Parts of a tick in which packets are counted apart, for the busiest sliding second.
pub const FINE: usize = 5;
/// Samples kept per class and tick, of a capture and live.
const SAMPLES_MAX: (usize, usize) = (1024, 256);
/// (victim, class, source) triples counted exactly per tick and shard. More are counted in `sources_dropped`.
const SOURCES_MAX: usize = 1 << 20;
/// (host, class) cells per tick and shard. More are counted in `cells_dropped`.
const CELLS_MAX: usize = 1 << 21;

/// Which traffic of a host a cell counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What an own (or any) host receives.
    Received,
    /// What that host sends, under the class of the answer.
    Sent,
    /// What a foreign host receives from own hosts.
    ReceivedFromUs,
    /// What a foreign host sends to own hosts.
    SentToUs,
}

/// A cell's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// The host, as [`wide`].
    pub host: u128,
    /// Which of its traffic.
    pub side: Side,
    /// Which class.
    pub class: Class,
}

/// Counts of one host, side and class in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Records counted, unscaled.
    pub samples: u64,
    /// Packets, scaled.
    pub packets: u64,
    /// Layer-3 octets, scaled.
    pub bytes: u64,
    /// Of these packets, those whose receiver had not spoken to the sender; exact feeds only.
    pub unsolicited: u64,
    /// Of these packets, those of records whose sampling rate nobody knows.
    pub unscaled: u64,
    /// First packet.
    pub first: Timestamp,
    /// First unsolicited packet.
    pub first_unsolicited: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// Packets by part of the tick.
    pub fine_packets: [u32; FINE],
}

/// Later than any packet.
const NEVER: Timestamp = Timestamp::from_nanos(u64::MAX);

impl Cell {
    /// Nothing counted.
    pub const EMPTY: Self = Self {
        samples: 0,
        packets: 0,
        bytes: 0,
        unsolicited: 0,
        unscaled: 0,
        first: NEVER,
        first_unsolicited: NEVER,
        last: Timestamp::ZERO,
        fine_packets: [0; FINE],
    };

    /// Adds another cell's counts.
    pub fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.unsolicited += other.unsolicited;
        self.unscaled += other.unscaled;
        self.first = self.first.min(other.first);
        self.first_unsolicited = self.first_unsolicited.min(other.first_unsolicited);
        self.last = self.last.max(other.last);
        for (a, b) in self.fine_packets.iter_mut().zip(other.fine_packets) {
            *a = a.saturating_add(b);
        }
    }
}

/// Who sent what to whom, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The victim, as [`wide`].
    pub host: u128,
    /// Towards or from own hosts.
    pub side: Side,
    /// Class of the packets.
    pub class: Class,
    /// Their source, as [`wide`].
    pub source: u128,
}

impl SourceKey {
    /// What the triples are sorted by; within a group their order means nothing.
    pub const fn group(&self) -> (u128, Side, Class) {
        (self.host, self.side, self.class)
    }
}

/// How much a source sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCount {
    /// Packets, scaled.
    pub packets: u64,
    /// Of these, packets to a receiver who had not spoken to it.
    pub unsolicited: u64,
}

/// Everything a worker saw since the last tick. `merge` commutes and associates.
#[derive(Clone, Debug, Default)]
pub struct ShardTick {
    /// Records taken in.
    pub records: u64,
    /// Packets, scaled.
    pub packets: u64,
    /// Octets, scaled.
    pub bytes: u64,
    /// Records between foreign hosts.
    pub transit: u64,
    /// Cells, by key.
    pub cells: Vec<(CellKey, Cell)>,
    /// Packets by triple, by [`SourceKey::group`]; exact feeds only.
    pub sources: Vec<(SourceKey, SourceCount)>,
    /// Examples by class.
    pub samples: Vec<(u64, Sample)>,
    /// Records of each class of which examples were chosen; empty when there were none.
    pub offered: Vec<u64>,
    /// Triples beyond the cap.
    pub sources_dropped: u64,
    /// Cells beyond the cap.
    pub cells_dropped: u64,
}

/// A worker's counters.
#[derive(Debug)]
pub struct Shard {
    own: Option<PrefixTable<()>>,
    exact: bool,
    tick: Span,
    key: u64,
    classifier: Classifier,
    cells: Map<CellKey, Cell>,
    sources: Map<SourceKey, SourceCount>,
    samples: Vec<BottomK>,
    lanes: Vec<Lane>,
    tally: ShardTick,
}

impl Shard {
    /// A worker for these networks; none: every destination is a possible victim. `key` steers the choice of samples.
    pub fn new(profile: Profile, networks: &[Prefix], tick: Span, key: u64, seed: Seed) -> Self {
        let own =
            (!networks.is_empty()).then(|| PrefixTable::new(networks.iter().map(|prefix| (*prefix, ()))));
        Self {
            own,
            exact: profile.is_exact(),
            tick,
            key,
            classifier: Classifier::default(),
            cells: Map::new(seed.clone()),
            sources: Map::new(seed),
            samples: alloc::vec![BottomK::new(samples_max(profile.is_exact())); COUNT],
            lanes: alloc::vec![Lane::default(); LANES],
            tally: ShardTick::default(),
        }
    }

    /// Counts one record.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        let headers = &record.headers;
        let rate = u64::from(record.sampling.rate.unwrap_or(1));
        let packets = record.packets.saturating_mul(rate);
        let bytes = record.bytes.saturating_mul(rate);
        self.tally.records += 1;
        self.tally.packets += packets;
        self.tally.bytes += bytes;
        let (to_own, from_own) = match &self.own {
            None => (true, true),
            Some(table) => (table.longest(headers.dst).is_some(), table.longest(headers.src).is_some()),
        };
        let (src, dst) = (wide(headers.src), wide(headers.dst));
        let unsolicited = self.exact && record.detail == Detail::Packet && self.watch_pair(record, src, dst);
        let mut count = Count { record, packets, bytes, unsolicited, part: self.part(record.at) };
        if to_own {
            self.cell(dst, Side::Received, self.classifier.received(headers), &count);
            self.victim(dst, src, Side::Received, &count);
        }
        count.unsolicited = false;
        // Where pairs are watched only answers count as sent: a forged source would make a cell for each of its packets.
        let answers = !self.exact || !unsolicited;
        if from_own && answers {
            self.cell(src, Side::Sent, self.classifier.sent(headers), &count);
        }
        if self.own.is_some() && !self.exact {
            // Foreign hosts are too many to count each: those that matter show in the samples.
            match (from_own, to_own) {
                (true, false) => self.victim(dst, src, Side::ReceivedFromUs, &count),
                (false, false) => self.tally.transit += 1,
                (_, true) => {}
            }
        } else if self.own.is_some() {
            count.unsolicited = unsolicited;
            match (from_own, to_own) {
                (true, false) => {
                    self.cell(dst, Side::ReceivedFromUs, self.classifier.received(headers), &count);
                    self.victim(dst, src, Side::ReceivedFromUs, &count);
                }
                (false, true) if answers => {
                    count.unsolicited = false;
                    self.cell(src, Side::SentToUs, self.classifier.sent(headers), &count);
                }
                (false, false) => self.tally.transit += 1,
                (_, true) => {}
            }
        }
    }

    /// Everything since the last call.
    pub fn close(&mut self) -> ShardTick {
        let mut tick = core::mem::take(&mut self.tally);
        tick.cells = self.cells.drain_sorted();
        tick.sources = self.sources.drain_grouped(SourceKey::group);
        tick.samples = self.samples.iter_mut().flat_map(BottomK::take).collect();
        tick
    }

    fn part(&self, at: Timestamp) -> usize {
        let tick = self.tick.nanos().max(1);
        let parts = FINE as u64;
        usize::try_from(at.nanos() % tick * parts / tick).unwrap_or(0)
    }

    /// Remembers the pair; tells whether the receiver had never spoken to the sender.
    #[inline]
    fn watch_pair(&mut self, record: &Record, src: u128, dst: u128) -> bool {
        let Some(memory) = self.lanes.get_mut(lane(src, dst)) else { return false };
        if speaks(record) {
            memory.spoke(record.at, src, dst);
        }
        !memory.has_spoken(dst, src)
    }

    #[inline]
    fn cell(&mut self, host: u128, side: Side, class: Class, count: &Count<'_>) {
        let key = CellKey { host, side, class };
        if self.cells.len() >= CELLS_MAX && !self.cells.contains_key(&key) {
            self.tally.cells_dropped += 1;
            return;
        }
        let cell = self.cells.get_or_insert_with(key, || Cell::EMPTY);
        cell.samples += 1;
        cell.packets += count.packets;
        cell.bytes += count.bytes;
        if count.unsolicited {
            cell.unsolicited += count.packets;
            cell.first_unsolicited = cell.first_unsolicited.min(count.record.start);
        }
        if count.record.sampling.rate.is_none() {
            cell.unscaled += count.packets;
        }
        cell.first = cell.first.min(count.record.start);
        cell.last = cell.last.max(count.record.end);
        if let Some(part) = cell.fine_packets.get_mut(count.part) {
            *part = part.saturating_add(u32::try_from(count.packets).unwrap_or(u32::MAX));
        }
    }

    /// What is kept of packets towards a possible victim, besides counts.
    #[inline]
    fn victim(&mut self, host: u128, source: u128, side: Side, count: &Count<'_>) {
        let record = count.record;
        let class = self.classifier.received(&record.headers);
        if self.exact {
            let key = SourceKey { host, side, class, source };
            if self.sources.len() < SOURCES_MAX || self.sources.contains_key(&key) {
                let sent = self.sources.get_or_insert_with(key, SourceCount::default);
                sent.packets += count.packets;
                sent.unsolicited += if count.unsolicited { count.packets } else { 0 };
            } else {
                self.tally.sources_dropped += 1;
            }
        }
        if self.tally.offered.is_empty() {
            self.tally.offered.resize(COUNT, 0);
        }
        if let Some(offered) = self.tally.offered.get_mut(class.index()) {
            *offered += 1;
        }
        let Some(samples) = self.samples.get_mut(class.index()) else { return };
        let hash = sample::hash(self.key, record);
        if samples.wants(hash) {
            let sample = Sample {
                at: record.at,
                headers: record.headers,
                detail: record.detail,
                snip: record.snip,
                packets: count.packets,
                bytes: count.bytes,
                entry: (record.exporter, record.input_if),
                outgoing: side == Side::ReceivedFromUs,
                unsolicited: count.unsolicited,
            };
            samples.offer(hash, sample);
        }
    }
}

const fn samples_max(exact: bool) -> usize {
    if exact { SAMPLES_MAX.0 } else { SAMPLES_MAX.1 }
}

struct Count<'a> {
    record: &'a Record,
    packets: u64,
    bytes: u64,
    unsolicited: bool,
    part: usize,
}

/// Whether this packet makes later packets of the other side expected: a reset or an ICMP error is only an echo of what
/// that side sent, wanted or not.
fn speaks(record: &Record) -> bool {
    match record.headers.protocol {
        packet::TCP => record.headers.tcp.is_none_or(|tcp| tcp.flags & flags::RST == 0),
        packet::ICMP => matches!(record.headers.icmp, Some((0 | 8, _))),
        packet::ICMP6 => matches!(record.headers.icmp, Some((128 | 129, _))),
        _ => true,
    }
}

impl ShardTick {
    /// Adds another worker's tick.
    pub fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.transit += other.transit;
        self.sources_dropped += other.sources_dropped;
        self.cells_dropped += other.cells_dropped;
        self.cells = merge_sorted(core::mem::take(&mut self.cells), other.cells, |a, b| a.merge(&b));
        // A pair of hosts lives in one lane and so in one shard: no triple comes twice.
        self.sources.extend(other.sources);
        self.sources.sort_by_key(|(key, _)| key.group());
        self.samples.extend(other.samples);
        if self.offered.is_empty() {
            self.offered = other.offered;
        } else {
            for (a, b) in self.offered.iter_mut().zip(other.offered) {
                *a += b;
            }
        }
    }

    /// After the last merge: brings the samples down to what one shard would have kept, in order.
    pub fn seal(&mut self, classifier: &Classifier, exact: bool) {
        let mut by_class = alloc::vec![BottomK::new(samples_max(exact)); COUNT];
        for (hash, sample) in core::mem::take(&mut self.samples) {
            if let Some(kept) = by_class.get_mut(classifier.received(&sample.headers).index()) {
                kept.offer(hash, sample);
            }
        }
        self.samples = by_class.iter_mut().flat_map(BottomK::take).collect();
    }
}

/// Two lists without equal keys in themselves, made one; equal keys of the two are added up.
fn merge_sorted<K: Ord, V>(a: Vec<(K, V)>, b: Vec<(K, V)>, add: impl Fn(&mut V, V)) -> Vec<(K, V)> {
    if a.is_empty() {
        return b;
    }
    if b.is_empty() {
        return a;
    }
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => match x.0.cmp(&y.0) {
                core::cmp::Ordering::Less => out.extend(a.next()),
                core::cmp::Ordering::Greater => out.extend(b.next()),
                core::cmp::Ordering::Equal => {
                    if let (Some((key, mut value)), Some((_, other))) = (a.next(), b.next()) {
                        add(&mut value, other);
                        out.push((key, value));
                    }
                }
            },
            (Some(_), None) => out.extend(a.next()),
            (None, Some(_)) => out.extend(b.next()),
            (None, None) => return out,
        }
    }
}
