//! What is counted of a host in one tick, and the keys under which it stands.

use alloc::vec::Vec;

use base::{Span, Timestamp};

use crate::class::Class;
use crate::log::{Broad, Log, Narrow, Sum, Wide, merge};

/// Parts of a tick in which packets are counted apart, for the busiest sliding second.
pub const FINE: usize = 5;
/// Later than any packet.
const NEVER: Timestamp = Timestamp::from_nanos(u64::MAX);

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

impl Side {
    const ALL: [Self; 4] = [Self::Received, Self::Sent, Self::ReceivedFromUs, Self::SentToUs];
}

/// A cell's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// The host, as [`base::prefix::wide`].
    pub host: u128,
    /// Which of its traffic.
    pub side: Side,
    /// Which class.
    pub class: Class,
}

/// How long the flows behind a count lasted: the number of ticks over which they are spread, in half octaves. 0: no
/// longer than a tick, or packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lasting(pub u8);

impl Lasting {
    /// The longest that is told apart: a good day of quarter seconds.
    const MAX: u8 = 36;

    /// Of a flow.
    #[inline]
    pub fn of(lasted: Span, tick: Span) -> Self {
        let ticks = lasted.nanos() / tick.nanos().max(1);
        if ticks <= 1 {
            return Self(0);
        }
        // 2, 3, 4, 6, 8, 12, …: the nearest that is not below, so that flows told in turn leave no gaps.
        let octave = (ticks - 1).ilog2();
        let half = u32::from(octave > 0 && ticks <= 3 << (octave - 1));
        Self(u8::try_from(2 * (octave + 1) - half).unwrap_or(Self::MAX).saturating_sub(1).min(Self::MAX))
    }

    /// Ticks over which it is spread.
    pub const fn ticks(self) -> u64 {
        match self.0 {
            0 => 1,
            n if n % 2 == 1 => 1 << n.div_ceil(2),
            n => 3 << (n / 2 - 1),
        }
    }
}

/// Counts of one host, side and class in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Packets, scaled.
    pub packets: u64,
    /// Layer-3 octets, scaled.
    pub bytes: u64,
    /// Of these packets, those whose receiver had not spoken to the sender; exact feeds only.
    pub unsolicited: u64,
    /// First packet.
    pub first: Timestamp,
    /// First unsolicited packet.
    pub first_unsolicited: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// Records counted, unscaled.
    pub samples: u32,
    /// Of these, records whose sampling rate nobody knows.
    pub unscaled: u32,
    /// Of these, records of exporters whose own counters belie them.
    pub doubtful: u32,
    /// Packets by part of the tick.
    pub fine_packets: [u32; FINE],
}

impl Cell {
    /// Nothing counted.
    pub const EMPTY: Self = Self {
        packets: 0,
        bytes: 0,
        unsolicited: 0,
        first: NEVER,
        first_unsolicited: NEVER,
        last: Timestamp::ZERO,
        samples: 0,
        unscaled: 0,
        doubtful: 0,
        fine_packets: [0; FINE],
    };

    /// Adds another cell's counts.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.unsolicited += other.unsolicited;
        self.first = self.first.min(other.first);
        self.first_unsolicited = self.first_unsolicited.min(other.first_unsolicited);
        self.last = self.last.max(other.last);
        self.samples = self.samples.saturating_add(other.samples);
        self.unscaled = self.unscaled.saturating_add(other.unscaled);
        self.doubtful = self.doubtful.saturating_add(other.doubtful);
        for (a, b) in self.fine_packets.iter_mut().zip(other.fine_packets) {
            *a = a.saturating_add(b);
        }
    }
}

/// One record, as it is written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) part: u8,
    pub(crate) unsolicited: bool,
    pub(crate) unscaled: bool,
    pub(crate) doubtful: bool,
}

impl Touch {
    #[inline]
    fn add_to(&self, cell: &mut Cell) {
        cell.packets += self.packets;
        cell.bytes += self.bytes;
        if self.unsolicited {
            cell.unsolicited += self.packets;
            cell.first_unsolicited = cell.first_unsolicited.min(self.first);
        }
        cell.first = cell.first.min(self.first);
        cell.last = cell.last.max(self.last);
        cell.samples = cell.samples.saturating_add(1);
        cell.unscaled = cell.unscaled.saturating_add(u32::from(self.unscaled));
        cell.doubtful = cell.doubtful.saturating_add(u32::from(self.doubtful));
        if let Some(part) = cell.fine_packets.get_mut(usize::from(self.part)) {
            *part = part.saturating_add(u32::try_from(self.packets).unwrap_or(u32::MAX));
        }
    }
}

/// Who sent what to whom, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The victim, as [`base::prefix::wide`].
    pub host: u128,
    /// Towards or from own hosts.
    pub side: Side,
    /// Class of the packets.
    pub class: Class,
    /// Their source, as [`base::prefix::wide`].
    pub source: u128,
}

/// How much a source sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCount {
    /// Packets, scaled.
    pub packets: u64,
    /// Of these, packets to a receiver who had not spoken to it.
    pub unsolicited: u64,
}

impl SourceCount {
    /// Adds another count.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.unsolicited += other.unsolicited;
    }
}

/// Side and class in eight bits, in their order.
#[inline]
const fn tag(side: Side, class: Class) -> u8 {
    (side as u8) << 6 | class.0
}

#[inline]
fn untag(tag: u8) -> (Side, Class) {
    let side = Side::ALL.get(usize::from(tag >> 6)).copied().unwrap_or(Side::Received);
    (side, Class(tag & 0x3f))
}

/// The upper 96 bits of an IPv4 address as [`base::prefix::wide`].
const IPV4: u128 = 0xffff;

/// The IPv4 address of a host, if it is one.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are the IPv4 address")]
const fn ipv4(host: u128) -> Option<u32> {
    if host >> 32 == IPV4 { Some(host as u32) } else { None }
}

#[inline]
fn wide_of(ipv4: u32) -> u128 {
    IPV4 << 32 | u128::from(ipv4)
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AddTouches;

macro_rules! sum_touches {
    ($packed:ty, $key:ty, $unpack:expr) => {
        impl Sum<$packed, Touch, $key, Cell> for AddTouches {
            #[inline]
            fn key(self, packed: $packed) -> $key {
                ($unpack)(packed)
            }
            #[inline]
            fn first(self, entry: &Touch) -> Cell {
                let mut cell = Cell::EMPTY;
                entry.add_to(&mut cell);
                cell
            }
            #[inline]
            fn add(self, sum: &mut Cell, entry: &Touch) {
                entry.add_to(sum);
            }
            #[inline]
            fn merge(self, sum: &mut Cell, other: &Cell) {
                sum.merge(other);
            }
        }
    };
}

type Lasted = (CellKey, Lasting);

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the parts are taken out one by one")]
fn unpack_cell(packed: Narrow) -> CellKey {
    let (side, class) = untag((packed.key() >> LASTING_BITS) as u8);
    CellKey { host: wide_of((packed.key() >> (LASTING_BITS + 8)) as u32), side, class }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "six bits")]
fn unpack_lasted(packed: Narrow) -> Lasted {
    (unpack_cell(packed), Lasting(packed.key() as u8 & ((1 << LASTING_BITS) - 1)))
}

/// Bits of a [`Lasting`] in a packed key.
const LASTING_BITS: u32 = 6;

sum_touches!(Narrow, CellKey, unpack_cell);
sum_touches!(Narrow, Lasted, unpack_lasted);
sum_touches!(Broad<Lasted>, CellKey, |packed: Broad<Lasted>| packed.0.0);
sum_touches!(Broad<Lasted>, Lasted, |packed: Broad<Lasted>| packed.0);

/// Cells under way: `K` is a [`CellKey`], with a [`Lasting`] for flows that lasted longer than a tick.
#[derive(Debug)]
pub(crate) struct Cells<K> {
    v4: Log<Narrow, Touch, K, Cell>,
    v6: Log<Broad<Lasted>, Touch, K, Cell>,
}

impl<K: Ord> Cells<K>
where
    AddTouches: Sum<Narrow, Touch, K, Cell> + Sum<Broad<Lasted>, Touch, K, Cell>,
{
    pub(crate) const fn new() -> Self {
        Self { v4: Log::new(), v6: Log::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, host: u128, side: Side, class: Class, lasting: Lasting, touch: Touch) {
        match ipv4(host) {
            Some(v4) => {
                let tagged = u64::from(v4) << 8 | u64::from(tag(side, class));
                let key = tagged << LASTING_BITS | u64::from(lasting.0);
                self.v4.push(Narrow::of(key), touch, AddTouches);
            }
            None => {
                let key = (CellKey { host, side, class }, lasting);
                self.v6.push(Broad::of(key), touch, AddTouches);
            }
        }
    }

    /// Cells there are already, about.
    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// All by key.
    pub(crate) fn close(&mut self, host: impl Fn(&K) -> u128) -> Vec<(K, Cell)> {
        let v6 = self.v6.close(0, AddTouches);
        let v4 = self.v4.close(v6.len(), AddTouches);
        concat(v6, v4, |(key, _)| host(key))
    }
}

/// Sums of IPv6 and of IPv4 hosts as one list by host: the IPv4 ones are a contiguous range of all.
fn concat<E>(mut v6: Vec<E>, mut v4: Vec<E>, host: impl Fn(&E) -> u128) -> Vec<E> {
    if v4.is_empty() {
        return v6;
    }
    let below = v6.partition_point(|entry| host(entry) < IPV4 << 32);
    // Addresses in use stand above the IPv4 ones, where there is room for them.
    if below > 0 {
        v4.splice(..0, v6.drain(..below));
    }
    v4.append(&mut v6);
    v4
}

#[derive(Clone, Copy)]
struct AddSources;

macro_rules! sum_sources {
    ($packed:ty, $unpack:expr) => {
        impl Sum<$packed, SourceCount, SourceKey, SourceCount> for AddSources {
            #[inline]
            fn key(self, packed: $packed) -> SourceKey {
                ($unpack)(packed)
            }
            #[inline]
            fn first(self, entry: &SourceCount) -> SourceCount {
                *entry
            }
            #[inline]
            fn add(self, sum: &mut SourceCount, entry: &SourceCount) {
                sum.merge(entry);
            }
            #[inline]
            fn merge(self, sum: &mut SourceCount, other: &SourceCount) {
                sum.merge(other);
            }
        }
    };
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the parts are taken out one by one")]
fn unpack_wide(packed: Wide) -> SourceKey {
    let key = packed.key();
    let (side, class) = untag((key >> 32) as u8);
    SourceKey { host: wide_of((key >> 40) as u32), side, class, source: wide_of(key as u32) }
}

sum_sources!(Wide, unpack_wide);
sum_sources!(Broad<SourceKey>, |packed: Broad<SourceKey>| packed.0);

/// The sources of a tick under way.
#[derive(Debug)]
pub(crate) struct Sources {
    v4: Log<Wide, SourceCount, SourceKey, SourceCount>,
    v6: Log<Broad<SourceKey>, SourceCount, SourceKey, SourceCount>,
}

impl Sources {
    pub(crate) const fn new() -> Self {
        Self { v4: Log::new(), v6: Log::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, key: SourceKey, count: SourceCount) {
        match (ipv4(key.host), ipv4(key.source)) {
            (Some(host), Some(source)) => {
                let tagged = u128::from(tag(key.side, key.class));
                let packed = u128::from(host) << 40 | tagged << 32 | u128::from(source);
                self.v4.push(Wide::of(packed), count, AddSources);
            }
            _ => self.v6.push(Broad::of(key), count, AddSources),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// All by key.
    pub(crate) fn close(&mut self) -> Vec<(SourceKey, SourceCount)> {
        let v6 = self.v6.close(0, AddSources);
        let v4 = self.v4.close(v6.len(), AddSources);
        // A packet of one family with an address that is written as one of the other is odd, and possible.
        if v6.iter().any(|(key, _)| ipv4(key.host).is_some()) {
            return merge(v6, v4, SourceCount::merge);
        }
        concat(v6, v4, |(key, _)| key.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_spread_over_about_as_long_as_they_lasted() {
        let tick = Span::from_millis(250);
        for ms in [0, 100, 250, 499, 500, 750, 1000, 1500, 60_000, 900_000, 3_600_000] {
            let lasting = Lasting::of(Span::from_millis(ms), tick);
            let ticks = (ms / 250).max(1);
            let over = lasting.ticks();
            assert!(over >= ticks && 2 * over < 3 * ticks.max(2), "{ms} ms over {over} ticks");
        }
        assert!(Lasting::of(Span::from_secs(10 * 86_400), tick).0 <= 0x3f);
    }

    #[test]
    fn keys_come_back_and_keep_their_order() {
        let mut cells: Cells<Lasted> = Cells::new();
        let touch = Touch {
            packets: 3,
            bytes: 180,
            first: Timestamp::from_secs(1),
            last: Timestamp::from_secs(2),
            part: 1,
            unsolicited: true,
            unscaled: false,
            doubtful: false,
        };
        let hosts = ["198.51.100.7", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::1", "::fffe:0:0"];
        let mut expected = Vec::new();
        for host in hosts.iter().map(|text| base::prefix::wide(text.parse().unwrap())) {
            for (side, class) in [(Side::Received, Class::TCP_SYN), (Side::SentToUs, Class::OTHER)] {
                for lasting in [Lasting(0), Lasting(36)] {
                    cells.push(host, side, class, lasting, touch);
                    cells.push(host, side, class, lasting, touch);
                    expected.push((CellKey { host, side, class }, lasting));
                }
            }
        }
        expected.sort_unstable();
        let closed = cells.close(|(key, _)| key.host);
        assert_eq!(closed.iter().map(|c| c.0).collect::<Vec<_>>(), expected);
        assert!(closed.iter().all(|(_, c)| (c.packets, c.samples, c.unsolicited) == (6, 2, 6)));
        assert!(closed.iter().all(|(_, c)| c.fine_packets == [0, 6, 0, 0, 0]));
    }

    #[test]
    fn sources_of_both_families_come_back() {
        let mut sources = Sources::new();
        let wide = |text: &str| base::prefix::wide(text.parse().unwrap());
        let key = |host, source| SourceKey { host, side: Side::Received, class: Class::TCP_SYN, source };
        let keys = [
            key(wide("192.0.2.1"), wide("198.51.100.9")),
            key(wide("192.0.2.1"), wide("198.51.100.10")),
            key(wide("2001:db8::1"), wide("2001:db8::2")),
        ];
        for _ in 0..3 {
            keys.iter().for_each(|k| sources.push(*k, SourceCount { packets: 2, unsolicited: 1 }));
        }
        let closed = sources.close();
        assert_eq!(closed.iter().map(|s| s.0).collect::<Vec<_>>(), keys);
        assert!(closed.iter().all(|(_, s)| (s.packets, s.unsolicited) == (6, 3)));
    }
}
