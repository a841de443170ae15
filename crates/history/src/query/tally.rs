//! Sums by address.
//!
//! A question about everything meets hundreds of thousands of addresses, whose sums lie far apart in memory. So what is to be added waits
//! until there is much of it, spread over parts by a hash; each part's table fits into a processor's cache and is gone over by itself.
//!
//! **Invariant:** the addresses that have sums of their own are the first that came, however many wait: what a question answers does not
//! depend on it.

use std::cmp::Reverse;
use std::hash::Hash;

use base::map::Seed;
use base::prefix::narrow;
use hashbrown::HashMap;

use super::names::going_in;
use super::{Measure, Sum, Value};
use crate::chunk::{Cells, Chunk};
use crate::column::{Column, Field};

/// Parts, as a number of bits.
const PARTS: u32 = 6;
/// Sums that wait, of all parts together, in units of [`Key::SIZE`]: some 32 MB. More of them meet the same addresses more often.
const WAITING_MAX: u32 = 1_048_576;

/// What is added up by: an IPv4 address, or anything else ([`wide`](base::prefix::wide); `None`: no address).
trait Key: Copy + Eq + Hash {
    /// What one takes that waits.
    const SIZE: u32;

    /// The number that chooses the part.
    fn fold(self) -> u64;
}

impl Key for u32 {
    const SIZE: Self = 1;

    fn fold(self) -> u64 {
        u64::from(self)
    }
}

impl Key for Option<u128> {
    const SIZE: u32 = 2;

    fn fold(self) -> u64 {
        let value = self.unwrap_or(0);
        let half = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
        half(value >> 64).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ half(value)
    }
}

/// One that waits, and how many came before it.
#[derive(Clone, Copy, Debug)]
struct Waiting<K> {
    key: K,
    order: u32,
    sum: Sum,
}

#[derive(Debug)]
struct Part<K> {
    waiting: Vec<Waiting<K>>,
    sums: HashMap<K, Sum, Seed>,
}

#[derive(Debug)]
struct Spread<K> {
    parts: Vec<Part<K>>,
}

impl<K: Key> Spread<K> {
    fn new() -> Self {
        let part = |_| Part { waiting: Vec::new(), sums: HashMap::with_hasher(Seed::default()) };
        Self { parts: (0..1 << PARTS).map(part).collect() }
    }

    fn part(&mut self, key: K) -> Option<&mut Part<K>> {
        let place = key.fold().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PARTS);
        self.parts.get_mut(usize::try_from(place).ok()?)
    }

    fn put(&mut self, key: K, order: u32, sum: Sum) {
        if let Some(part) = self.part(key) {
            part.waiting.push(Waiting { key, order, sum });
        }
    }

    fn known(&self) -> usize {
        self.parts.iter().map(|part| part.sums.len()).sum()
    }

    /// Adds what waits; `fresh` is told of each address that was not known, or, where there is no room, what it brought goes into `rest`.
    fn settle(&mut self, mut fresh: Option<&mut dyn FnMut(u32, K)>, mut rest: Option<&mut Sum>) {
        for part in &mut self.parts {
            for Waiting { key, order, sum } in part.waiting.drain(..) {
                if let Some(known) = part.sums.get_mut(&key) {
                    known.add(sum);
                } else if let Some(rest) = &mut rest {
                    rest.add(sum);
                } else {
                    part.sums.insert(key, sum);
                    if let Some(fresh) = &mut fresh {
                        fresh(order, key);
                    }
                }
            }
        }
    }

    fn remove(&mut self, key: K) -> Sum {
        self.part(key).and_then(|part| part.sums.remove(&key)).unwrap_or_default()
    }

    fn each(&self) -> impl Iterator<Item = (K, Sum)> {
        let sums = self.parts.iter().flat_map(|part| &part.sums);
        sums.map(|(key, sum)| (*key, *sum)).filter(|(_, sum)| sum.samples > 0)
    }
}

/// Sums by the address in one field.
#[derive(Debug)]
pub(super) struct Tally {
    field: Field,
    max: usize,
    ipv4: Spread<u32>,
    others: Spread<Option<u128>>,
    /// How many wait, and what they take.
    waiting: u32,
    taken: u32,
    /// What found no room.
    rest: Option<Sum>,
    /// By the place of an address in a chunk's dictionary.
    local: Vec<Sum>,
}

/// The greatest with their sums, in their order, and the sum of all others where there are any.
pub(super) struct Greatest {
    pub(super) named: Vec<(Value, Sum)>,
    pub(super) others: Option<Sum>,
    /// Some found no room.
    pub(super) crowded: bool,
}

impl Tally {
    /// Of this field, if it has addresses; at most `max` of them have sums of their own.
    pub(super) fn of(field: Field, max: usize) -> Option<Self> {
        let ours = field.columns().iter().any(|column| column.kind() == crate::column::Kind::Address);
        let either = matches!(field, Field::Either(..));
        (ours && !either).then(|| Self {
            field,
            max,
            ipv4: Spread::new(),
            others: Spread::new(),
            waiting: 0,
            taken: 0,
            rest: None,
            local: Vec::new(),
        })
    }

    /// Adds the samples of a chunk that the mask names; the sum of them all.
    pub(super) fn add(&mut self, chunk: &Chunk, mask: Option<&[bool]>) -> Sum {
        match (self.field, mask) {
            (Field::Of(column), None) => self.column(chunk, column, |_| true),
            (Field::Of(column), Some(mask)) => {
                self.column(chunk, column, |place| mask.get(place).copied().unwrap_or(false))
            }
            (Field::Source(when_in, when_out) | Field::Destination(when_out, when_in), mask) => {
                let ins = going_in(chunk);
                let wanted = |place: usize, way: bool| {
                    let here = mask.is_none_or(|mask| mask.get(place).copied().unwrap_or(false));
                    here && ins.get(place) == Some(&way)
                };
                let mut total = self.column(chunk, when_in, |place| wanted(place, true));
                total.add(self.column(chunk, when_out, |place| wanted(place, false)));
                total
            }
            (Field::Either(..), _) => Sum::default(),
        }
    }

    fn column(&mut self, chunk: &Chunk, column: Column, wanted: impl Fn(usize) -> bool) -> Sum {
        let (
            Some(Cells::Addresses(keys, values)),
            Some(Cells::Numbers(packets)),
            Some(Cells::Numbers(bytes)),
        ) = (chunk.cells(column), chunk.cells(Column::Packets), chunk.cells(Column::Bytes))
        else {
            return Sum::default();
        };
        let mut local = std::mem::take(&mut self.local);
        local.clear();
        local.resize(values.len(), Sum::default());
        let mut without = Sum::default();
        for (place, ((key, packets), bytes)) in keys.iter().zip(packets).zip(bytes).enumerate() {
            if wanted(place) {
                let known = usize::try_from(*key).ok().and_then(|key| local.get_mut(key));
                let sum = Sum { bytes: *bytes, packets: *packets, samples: chunk.weight(place) };
                known.unwrap_or(&mut without).add(sum);
            }
        }
        let mut total = Sum::default();
        for (value, sum) in values.iter().zip(&local).filter(|(_, sum)| **sum != Sum::default()) {
            total.add(*sum);
            match u32::try_from(value & 0xffff_ffff) {
                Ok(ipv4) if value >> 32 == 0xffff => {
                    self.ipv4.put(ipv4, self.waiting, *sum);
                    self.came(u32::SIZE);
                }
                _ => {
                    self.others.put(Some(*value), self.waiting, *sum);
                    self.came(Option::<u128>::SIZE);
                }
            }
        }
        if without != Sum::default() {
            total.add(without);
            self.others.put(None, self.waiting, without);
            self.came(Option::<u128>::SIZE);
        }
        self.local = local;
        total
    }

    fn came(&mut self, size: u32) {
        self.waiting += 1;
        self.taken += size;
        if self.taken >= WAITING_MAX {
            self.settle();
        }
    }

    /// Adds what waits.
    fn settle(&mut self) {
        let waiting = usize::try_from(std::mem::take(&mut self.waiting)).unwrap_or(usize::MAX);
        self.taken = 0;
        let room = self.max.saturating_sub(self.ipv4.known() + self.others.known());
        if waiting <= room {
            self.ipv4.settle(None, None);
            self.others.settle(None, None);
        } else if room == 0 {
            let rest = self.rest.get_or_insert_default();
            self.ipv4.settle(None, Some(rest));
            self.others.settle(None, Some(rest));
        } else {
            let mut ipv4 = Vec::new();
            self.ipv4.settle(Some(&mut |order, key| ipv4.push((order, key))), None);
            let mut others = Vec::new();
            self.others.settle(Some(&mut |order, key| others.push((order, key))), None);
            let orders =
                || ipv4.iter().map(|(order, _)| *order).chain(others.iter().map(|(order, _)| *order));
            let mut all: Vec<u32> = orders().collect();
            all.sort_unstable();
            // The first that found none.
            let Some(bound) = all.get(room).copied() else { return };
            let rest = self.rest.get_or_insert_default();
            for (_, key) in ipv4.iter().filter(|(order, _)| *order >= bound) {
                rest.add(self.ipv4.remove(*key));
            }
            for (_, key) in others.iter().filter(|(order, _)| *order >= bound) {
                rest.add(self.others.remove(*key));
            }
        }
    }

    /// The greatest `top` by this; equal ones by their values.
    pub(super) fn greatest(mut self, top: usize, order: Measure) -> Greatest {
        self.settle();
        let crowded = self.rest.is_some_and(|rest| rest != Sum::default());
        let measure = |sum: &Sum| match order {
            Measure::Bytes => sum.bytes,
            Measure::Packets => sum.packets,
            Measure::Samples => sum.samples,
        };
        let sums = || self.ipv4.each().map(|(_, sum)| sum).chain(self.others.each().map(|(_, sum)| sum));
        let mut measures: Vec<u64> = sums().map(|sum| measure(&sum)).collect();
        let least = match top.checked_sub(1).filter(|last| *last < measures.len()) {
            Some(last) => *measures.select_nth_unstable_by(last, |a, b| b.cmp(a)).1,
            None => 0,
        };
        drop(measures);
        let mut others = self.rest.filter(|_| crowded);
        let mut named: Vec<(Reverse<u64>, Value, Sum)> = Vec::new();
        let ipv4 = self.ipv4.each().map(|(key, sum)| (Some(0xffff_0000_0000 | u128::from(key)), sum));
        for (key, sum) in ipv4.chain(self.others.each()) {
            if measure(&sum) >= least && top > 0 {
                let value = key.map_or(Value::None, |key| Value::Address(narrow(key)));
                named.push((Reverse(measure(&sum)), value, sum));
            } else {
                others.get_or_insert_default().add(sum);
            }
        }
        named.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        for (_, _, sum) in named.drain(top.min(named.len())..) {
            others.get_or_insert_default().add(sum);
        }
        Greatest { named: named.into_iter().map(|(_, value, sum)| (value, sum)).collect(), others, crowded }
    }
}
