//! Adding up by groups, within a cap.

use std::collections::BTreeMap;

use base::map::Seed;
use base::{Span, Timestamp};
use hashbrown::HashMap;

use super::names::{CROWDED, Names};
use super::tally::{Greatest, Tally};
use super::{Answer, FIELDS_MAX, Kept, Measure, Question, Scanned, Sum, Value};
use crate::chunk::{Cells, Chunk};
use crate::column::{Column, Field};

/// A group: the number of its step, and of its value of each field.
type Key = [u32; FIELDS_MAX + 1];

/// Sums by group.
pub(crate) struct Groups {
    by: Vec<Field>,
    step: Option<Span>,
    /// The first step.
    from: u64,
    names: Vec<Names>,
    /// Where the addresses of one field alone are the groups: all of them.
    addresses: Option<Tally>,
    /// By the place of the group: the number of its only value, or what `places` says.
    sums: Vec<Sum>,
    places: HashMap<Key, usize, Seed>,
    /// What found no room, by step.
    rest: BTreeMap<u32, Sum>,
    total: Sum,
    max: usize,
}

impl Groups {
    /// None yet.
    pub(crate) fn new(question: &Question, max: usize) -> Self {
        let addresses = match (question.by.as_slice(), question.step) {
            ([field], None) => Tally::of(*field, max.max(1)),
            _ => None,
        };
        Self {
            addresses,
            by: question.by.clone(),
            step: question.step,
            from: question.step.map_or(0, |step| question.from.tick(step)),
            names: question.by.iter().map(|_| Names::default()).collect(),
            sums: Vec::new(),
            places: HashMap::with_hasher(Seed::default()),
            rest: BTreeMap::new(),
            total: Sum::default(),
            max: max.max(1),
        }
    }

    /// What it needs of each sample.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut all = vec![Column::Packets, Column::Bytes];
        all.extend(self.step.map(|_| Column::Time));
        for column in self.by.iter().flat_map(|field| field.columns()) {
            if !all.contains(&column) {
                all.push(column);
            }
        }
        all
    }

    /// The values of one field alone are the groups.
    const fn is_plain(&self) -> bool {
        self.step.is_none() && self.by.len() == 1
    }

    /// Adds the samples of a chunk that the mask names.
    pub(crate) fn add(&mut self, chunk: &Chunk, mask: Option<&[bool]>) {
        if let Some(addresses) = &mut self.addresses {
            self.total.add(addresses.add(chunk, mask));
            return;
        }
        let max = self.max;
        let mut ids: Vec<Vec<u32>> = Vec::new();
        for (field, names) in self.by.iter().zip(&mut self.names) {
            ids.push(names.of(chunk, *field, mask, max));
        }
        let (Some(Cells::Numbers(packets)), Some(Cells::Numbers(bytes))) =
            (chunk.cells(Column::Packets), chunk.cells(Column::Bytes))
        else {
            return;
        };
        let amounts = packets.iter().zip(bytes).enumerate().map(|(place, (packets, bytes))| Sum {
            bytes: *bytes,
            packets: *packets,
            samples: chunk.weight(place),
        });
        let wanted = |place: usize| mask.is_none_or(|mask| mask.get(place).copied().unwrap_or(false));
        if let (true, Some(ids)) = (self.is_plain(), ids.first()) {
            for (place, (sum, id)) in amounts.zip(ids).enumerate() {
                if wanted(place) {
                    self.add_plain(*id, sum);
                }
            }
            return;
        }
        let times = match (self.step, chunk.cells(Column::Time)) {
            (Some(step), Some(Cells::Numbers(times))) => Some((step, times)),
            _ => None,
        };
        // Neighbours are often of one group: they are added up before the table is asked.
        let mut run: Option<(Key, Sum)> = None;
        for (place, sum) in amounts.enumerate() {
            if !wanted(place) {
                continue;
            }
            let mut key: Key = [0; FIELDS_MAX + 1];
            if let (Some((step, times)), Some(slot)) = (times, key.first_mut()) {
                let number = Timestamp::from_nanos(times.get(place).copied().unwrap_or(0)).tick(step);
                *slot = u32::try_from(number.saturating_sub(self.from)).unwrap_or(u32::MAX);
            }
            for (slot, ids) in key.iter_mut().skip(1).zip(&ids) {
                *slot = ids.get(place).copied().unwrap_or(CROWDED);
            }
            match &mut run {
                Some((of, sums)) if *of == key => sums.add(sum),
                _ => {
                    if let Some((of, sums)) = run.replace((key, sum)) {
                        self.put(of, sums);
                    }
                }
            }
        }
        if let Some((of, sums)) = run {
            self.put(of, sums);
        }
    }

    /// Adds what has no group of its own.
    pub(crate) fn add_rest(&mut self, at: Timestamp, sum: Sum) {
        self.total.add(sum);
        let step = self.step.map_or(0, |step| at.tick(step).saturating_sub(self.from));
        self.rest.entry(u32::try_from(step).unwrap_or(u32::MAX)).or_default().add(sum);
    }

    fn add_plain(&mut self, id: u32, sum: Sum) {
        self.total.add(sum);
        let place = usize::try_from(id).unwrap_or(usize::MAX);
        if let Some(known) = self.sums.get_mut(place) {
            known.add(sum);
        } else if id == CROWDED {
            self.rest.entry(0).or_default().add(sum);
        } else {
            self.sums.resize(place + 1, Sum::default());
            self.sums.last_mut().into_iter().for_each(|fresh| fresh.add(sum));
        }
    }

    fn put(&mut self, key: Key, sum: Sum) {
        self.total.add(sum);
        if let Some(known) = self.places.get(&key).and_then(|place| self.sums.get_mut(*place)) {
            known.add(sum);
        } else if self.sums.len() < self.max && !key.contains(&CROWDED) {
            self.places.insert(key, self.sums.len());
            self.sums.push(sum);
        } else {
            self.rest.entry(key.first().copied().unwrap_or(0)).or_default().add(sum);
        }
    }

    /// The greatest, and the rest.
    pub(crate) fn answer(mut self, question: &Question, scanned: Scanned) -> Answer {
        let (rows, crowded) = match self.addresses.take() {
            Some(addresses) => self.rows_of(addresses.greatest(question.top, question.order)),
            None => (self.rows(question), !self.rest.is_empty()),
        };
        let step = question.step.map(|_| "time".to_owned());
        let columns = step.into_iter().chain(self.by.iter().map(|field| field.name()));
        let sums = ["bytes", "packets", "samples"].map(str::to_owned);
        let columns = columns.chain(sums).collect();
        Answer {
            columns,
            rows,
            total: self.total,
            crowded,
            kept: Kept::Samples,
            from: question.from,
            to: question.to,
            scanned,
        }
    }

    /// Of addresses alone; and whether some found no room.
    fn rows_of(&self, greatest: Greatest) -> (Vec<Vec<Value>>, bool) {
        let mut others = greatest.others;
        for sum in self.rest.values() {
            others.get_or_insert_default().add(*sum);
        }
        let others = others.map(|sum| (Value::Other, sum));
        let rows = greatest.named.into_iter().chain(others);
        let rows = rows.map(|(value, sum)| [value].into_iter().chain(sum.values()).collect()).collect();
        (rows, greatest.crowded || !self.rest.is_empty())
    }

    fn rows(&self, question: &Question) -> Vec<Vec<Value>> {
        let mut cells = self.cells();
        cells.sort_unstable_by_key(|(key, _)| *key);
        // Over all steps, and the greatest of them.
        let mut whole: HashMap<Key, Sum, Seed> = HashMap::with_hasher(Seed::default());
        for (key, sum) in &cells {
            whole.entry(without_step(*key)).or_default().add(*sum);
        }
        let named = self.greatest(whole.into_iter().collect(), question);
        let rank: HashMap<Key, usize, Seed> =
            named.iter().enumerate().map(|(rank, key)| (*key, rank)).collect();
        // By step, in the order of the ranks; the others last.
        let mut rows: BTreeMap<(u32, usize), Sum> = BTreeMap::new();
        for (key, sum) in &cells {
            let rank = rank.get(&without_step(*key)).copied().unwrap_or(usize::MAX);
            rows.entry((key.first().copied().unwrap_or(0), rank)).or_default().add(*sum);
        }
        for (step, sum) in &self.rest {
            rows.entry((*step, usize::MAX)).or_default().add(*sum);
        }
        let row = |((step, rank), sum): (&(u32, usize), &Sum)| {
            let at = self.step.map(|span| {
                Value::Time(Timestamp::ZERO.plus(span.times(self.from.saturating_add(u64::from(*step)))))
            });
            let values =
                named.get(*rank).map_or_else(|| vec![Value::Other; self.by.len()], |key| self.values(key));
            at.into_iter().chain(values).chain(sum.values()).collect()
        };
        rows.iter().map(row).collect()
    }

    /// All groups that have samples.
    fn cells(&self) -> Vec<(Key, Sum)> {
        if self.is_plain() {
            let mut key: Key = [0; FIELDS_MAX + 1];
            let cell = |(id, sum): (usize, &Sum)| {
                if let Some(slot) = key.get_mut(1) {
                    *slot = u32::try_from(id).unwrap_or(CROWDED);
                }
                (sum.samples > 0).then_some((key, *sum))
            };
            return self.sums.iter().enumerate().filter_map(cell).collect();
        }
        let cell = |(key, place): (&Key, &usize)| Some((*key, *self.sums.get(*place)?));
        self.places.iter().filter_map(cell).collect()
    }

    /// The greatest groups, in their order; equal ones by their values.
    fn greatest(&self, mut all: Vec<(Key, Sum)>, question: &Question) -> Vec<Key> {
        let measure = |sum: &Sum| match question.order {
            Measure::Bytes => sum.bytes,
            Measure::Packets => sum.packets,
            Measure::Samples => sum.samples,
        };
        if question.top == 0 {
            return Vec::new();
        }
        if let Some(last) = question.top.checked_sub(1).filter(|last| *last < all.len()) {
            // Values are compared of those alone that may be among them.
            let (_, (_, least), _) =
                all.select_nth_unstable_by(last, |(_, a), (_, b)| measure(b).cmp(&measure(a)));
            let least = measure(least);
            all.retain(|(_, sum)| measure(sum) >= least);
        }
        let mut all: Vec<(std::cmp::Reverse<u64>, Vec<Value>, Key)> = all
            .into_iter()
            .map(|(key, sum)| (std::cmp::Reverse(measure(&sum)), self.values(&key), key))
            .collect();
        all.sort_unstable();
        all.into_iter().take(question.top).map(|(.., key)| key).collect()
    }

    fn values(&self, key: &Key) -> Vec<Value> {
        key.iter().skip(1).zip(&self.names).map(|(id, names)| names.value(*id)).collect()
    }
}

const fn without_step(mut key: Key) -> Key {
    if let Some(step) = key.first_mut() {
        *step = 0;
    }
    key
}
