//! What one worker counts between two ticks: sums, maxima and bottom-k choices, so that merging commutes.

use alloc::vec::Vec;

use base::prefix::{PrefixTable, wide};
use base::{Prefix, Span, Timestamp};
use telemetry::record::{Detail, Record};
use wire::packet::{self, flags};

use crate::cell::{Cell, CellKey, Cells, FINE, Lasting, Side, SourceCount, SourceKey, Sources, Touch};
use crate::class::{Class, Classifier};
use crate::connections::{ClientKey, Conduct, Connections, Pair};
use crate::log::merge;
use crate::pairs::{LANES, Lane, lane};
use crate::profile::Profile;
use crate::sample::{self, Bins, Chosen, Sample};

/// (victim, class, source) triples counted exactly per tick and shard. More are counted in `sources_dropped`.
const SOURCES_MAX: usize = 1 << 20;
/// (host, class) cells per tick and shard. More are counted in `cells_dropped`.
const CELLS_MAX: usize = 1 << 21;

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
    /// Cells of flows that lasted longer than a tick, by key.
    pub long: Vec<((CellKey, Lasting), Cell)>,
    /// Packets by triple, by key; exact feeds only.
    pub sources: Vec<(SourceKey, SourceCount)>,
    /// What clients did with their connections, by key; exact feeds only.
    pub conducts: Vec<(ClientKey, Conduct)>,
    /// Connections beyond the cap.
    pub connections_dropped: u64,
    /// Examples.
    pub chosen: Chosen,
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
    cells: Cells<CellKey>,
    long: Cells<(CellKey, Lasting)>,
    sources: Sources,
    samples: Bins,
    lanes: Vec<Lane>,
    connections: Connections,
    tally: ShardTick,
}

impl Shard {
    /// A worker for these networks; none: every destination is a possible victim. `key` steers the choice of samples.
    pub fn new(profile: Profile, networks: &[Prefix], tick: Span, key: u64) -> Self {
        let own =
            (!networks.is_empty()).then(|| PrefixTable::new(networks.iter().map(|prefix| (*prefix, ()))));
        Self {
            own,
            exact: profile.is_exact(),
            tick,
            key,
            classifier: Classifier::default(),
            cells: Cells::new(),
            long: Cells::new(),
            sources: Sources::new(),
            samples: Bins::new(profile.is_exact()),
            lanes: alloc::vec![Lane::default(); LANES],
            connections: Connections::new(key),
            tally: ShardTick::default(),
        }
    }

    /// For a worker that counts its exporters for ever: examples are thinned by the tick before ([`Bins::thin`]).
    #[must_use]
    pub const fn thinned(mut self) -> Self {
        self.samples.thin();
        self
    }

    /// Counts one record.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        let headers = &record.headers;
        let several = record.detail == Detail::Flow && record.packets > 1;
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
        let whole = self.exact && record.detail == Detail::Packet;
        let lane = if whole { lane(src, dst) } else { 0 };
        let unsolicited = whole && self.watch_pair(record, src, dst, lane);
        if whole && headers.protocol == packet::TCP {
            // A connection begins with the server's packet: its client is the receiver.
            let side = match (from_own, to_own) {
                (true, _) => Some(Side::Received),
                (false, true) => Some(Side::ReceivedFromUs),
                (false, false) => None,
            };
            self.connections.see(record, Pair { src, dst, lane, unsolicited }, side);
        }
        let touch = Touch {
            packets,
            bytes,
            first: record.start,
            last: record.end,
            part: self.part(record.at),
            unsolicited,
            unscaled: record.sampling.rate.is_none(),
            doubtful: record.doubtful,
        };
        let lasting = match record.detail {
            Detail::Packet => Lasting::default(),
            Detail::Flow => Lasting::of(record.end.since(record.start), self.tick),
        };
        let count = Count { record, touch, several, lasting };
        let asked = Touch { unsolicited: false, ..touch };
        if to_own {
            let class = self.classifier.received(headers, several);
            self.cell(dst, Side::Received, class, lasting, touch);
            self.victim(dst, src, Side::Received, class, &count);
        }
        // Where pairs are watched only answers count as sent: a forged source would make a cell for each of its packets.
        let answers = !self.exact || !unsolicited;
        if from_own && answers {
            let class = self.classifier.sent(headers, several);
            self.cell(src, Side::Sent, class, lasting, asked);
            // A flow that shows a SYN among others sent one: its answer was asked for.
            let opened = several && headers.tcp.is_some_and(|tcp| tcp.flags & flags::SYN != 0);
            if opened && class != Class::TCP_SYN {
                let syn = Touch { packets: rate, bytes: 40 * rate, ..asked };
                self.cell(src, Side::Sent, Class::TCP_SYN, Lasting::default(), syn);
            }
        }
        if self.own.is_none() {
            return;
        }
        match (from_own, to_own) {
            // Foreign hosts are too many to count each live: those that matter show in the samples.
            (true, false) => {
                let class = self.classifier.received(headers, several);
                if self.exact {
                    self.cell(dst, Side::ReceivedFromUs, class, lasting, touch);
                }
                self.victim(dst, src, Side::ReceivedFromUs, class, &count);
            }
            (false, true) if self.exact && answers => {
                self.cell(src, Side::SentToUs, self.classifier.sent(headers, several), lasting, asked);
            }
            (false, false) => self.tally.transit += 1,
            (_, true) => {}
        }
    }

    /// Looks at what no packet tells: to be called before [`Self::close`] where every packet is seen.
    pub fn sweep(&mut self, until: Timestamp) {
        self.connections.sweep(until);
    }

    /// Everything since the last call.
    pub fn close(&mut self) -> ShardTick {
        let mut tick = core::mem::take(&mut self.tally);
        tick.cells = self.cells.close(|key| key.host);
        tick.long = self.long.close(|(key, _)| key.host);
        tick.sources = self.sources.close();
        tick.conducts = self.connections.close();
        tick.connections_dropped = core::mem::take(&mut self.connections.dropped);
        tick.chosen = self.samples.take();
        tick
    }

    #[inline]
    fn part(&self, at: Timestamp) -> u8 {
        let tick = self.tick.nanos().max(1);
        let parts = FINE as u64;
        u8::try_from(at.nanos() % tick * parts / tick).unwrap_or(0)
    }

    /// Remembers the pair; tells whether the receiver had never spoken to the sender.
    #[inline]
    fn watch_pair(&mut self, record: &Record, src: u128, dst: u128, lane: usize) -> bool {
        let Some(memory) = self.lanes.get_mut(lane) else { return false };
        if speaks(record) {
            memory.spoke(record.at, src, dst);
        }
        !memory.has_spoken(dst, src)
    }

    #[inline]
    fn cell(&mut self, host: u128, side: Side, class: Class, lasting: Lasting, touch: Touch) {
        if self.cells.len() + self.long.len() >= CELLS_MAX {
            self.tally.cells_dropped += 1;
        } else if lasting == Lasting::default() {
            self.cells.push(host, side, class, lasting, touch);
        } else {
            self.long.push(host, side, class, lasting, touch);
        }
    }

    /// What is kept of packets towards a possible victim, besides counts.
    #[inline]
    fn victim(&mut self, host: u128, source: u128, side: Side, class: Class, count: &Count<'_>) {
        let Count { record, touch, several, lasting } = *count;
        if self.exact {
            if self.sources.len() < SOURCES_MAX {
                let unsolicited = if touch.unsolicited { touch.packets } else { 0 };
                let sent = SourceCount { packets: touch.packets, unsolicited };
                self.sources.push(SourceKey { host, side, class, source }, sent);
            } else {
                self.tally.sources_dropped += 1;
            }
        }
        let hash = sample::hash(self.key, record);
        let bin = Bins::bin(self.exact, class, host);
        if self.samples.wants(bin, hash) {
            let sample = Sample {
                at: record.at,
                last: record.end,
                headers: record.headers,
                class,
                detail: record.detail,
                several,
                snip: record.snip,
                packets: touch.packets,
                bytes: touch.bytes,
                entry: (record.exporter, record.input_if),
                outgoing: side == Side::ReceivedFromUs,
                unsolicited: touch.unsolicited,
                lasting,
                unscaled: touch.unscaled,
                doubtful: touch.doubtful,
            };
            self.samples.offer(bin, hash, sample);
        }
    }
}

struct Count<'a> {
    record: &'a Record,
    touch: Touch,
    several: bool,
    lasting: Lasting,
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
        self.cells = merge(core::mem::take(&mut self.cells), other.cells, Cell::merge);
        self.long = merge(core::mem::take(&mut self.long), other.long, Cell::merge);
        self.sources = merge(core::mem::take(&mut self.sources), other.sources, SourceCount::merge);
        self.conducts = merge(core::mem::take(&mut self.conducts), other.conducts, Conduct::merge);
        self.connections_dropped += other.connections_dropped;
        self.chosen.merge(other.chosen);
    }

    /// After the last merge: brings the examples down to what one shard would have kept.
    pub fn seal(&mut self, exact: bool) {
        self.chosen = Bins::rechoose(exact, core::mem::take(&mut self.chosen));
    }
}
