//! Adding up by groups, within a cap.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use base::map::Seed;
use base::prefix::narrow;
use hashbrown::HashMap;

use super::{Answer, FIELDS_MAX, Measure, Question, Scanned, Sum, Value};
use crate::chunk::{ABSENT, Cells, Chunk, NO_KEY};
use crate::column::{Column, Field};
use crate::sample::Direction;

/// The number of a value that found no room.
const CROWDED: u64 = u64::MAX - 1;

/// A group: the step and a number for each field.
type Key = [u64; FIELDS_MAX + 1];

/// Sums by group.
pub(super) struct Groups {
    by: Vec<Field>,
    step: Option<base::Span>,
    names: Vec<Names>,
    sums: HashMap<Key, Sum, Seed>,
    /// What found no room, by step.
    rest: BTreeMap<u64, Sum>,
    total: Sum,
    max: usize,
}

/// Values of a field that are no numbers, by number.
struct Names {
    addresses: HashMap<u128, u64, Seed>,
    texts: HashMap<Box<str>, u64, Seed>,
    values: Vec<Value>,
}

impl Groups {
    /// None yet.
    pub(super) fn new(question: &Question, max: usize) -> Self {
        let names = |_: &Field| Names {
            addresses: HashMap::with_hasher(Seed::default()),
            texts: HashMap::with_hasher(Seed::default()),
            values: Vec::new(),
        };
        Self {
            by: question.by.clone(),
            step: question.step,
            names: question.by.iter().map(names).collect(),
            sums: HashMap::with_hasher(Seed::default()),
            rest: BTreeMap::new(),
            total: Sum::default(),
            max: max.max(1),
        }
    }

    /// What it needs of each sample.
    pub(super) fn columns(&self) -> Vec<Column> {
        let mut all = vec![Column::Packets, Column::Bytes];
        all.extend(self.step.map(|_| Column::Time));
        for column in self.by.iter().flat_map(|field| field.columns()) {
            if !all.contains(&column) {
                all.push(column);
            }
        }
        all
    }

    /// Adds the samples of a chunk that the mask names.
    pub(super) fn add(&mut self, chunk: &Chunk, mask: Option<&[bool]>) {
        let max = self.max;
        let ids: Vec<Vec<u64>> =
            self.by.iter().zip(&mut self.names).map(|(field, names)| names.of(chunk, *field, mask, max)).collect();
        let (Some(Cells::Numbers(packets)), Some(Cells::Numbers(bytes))) =
            (chunk.cells(Column::Packets), chunk.cells(Column::Bytes))
        else {
            return;
        };
        let times = match (self.step, chunk.cells(Column::Time)) {
            (Some(step), Some(Cells::Numbers(times))) => Some((step, times)),
            _ => None,
        };
        // Neighbours are often of one group: they are added up before the table is asked.
        let mut run: Option<(Key, Sum)> = None;
        for (place, (packets, bytes)) in packets.iter().zip(bytes).enumerate() {
            if mask.is_some_and(|mask| !mask.get(place).copied().unwrap_or(false)) {
                continue;
            }
            let mut key: Key = [0; FIELDS_MAX + 1];
            if let (Some((step, times)), Some(slot)) = (times, key.first_mut()) {
                *slot = Timestamp::from_nanos(times.get(place).copied().unwrap_or(0)).tick(step);
            }
            for (slot, ids) in key.iter_mut().skip(1).zip(&ids) {
                *slot = ids.get(place).copied().unwrap_or(ABSENT);
            }
            let sum = Sum { bytes: *bytes, packets: *packets, samples: 1 };
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

    fn put(&mut self, key: Key, sum: Sum) {
        self.total.add(sum);
        if let Some(known) = self.sums.get_mut(&key) {
            known.add(sum);
        } else if self.sums.len() < self.max && !key.contains(&CROWDED) {
            self.sums.insert(key, sum);
        } else {
            self.rest.entry(key.first().copied().unwrap_or(0)).or_default().add(sum);
        }
    }

    /// The greatest, and the rest.
    pub(super) fn answer(self, question: &Question, scanned: Scanned) -> Answer {
        let measure = |sum: &Sum| match question.order {
            Measure::Bytes => sum.bytes,
            Measure::Packets => sum.packets,
            Measure::Samples => sum.samples,
        };
        let mut whole: BTreeMap<Vec<Value>, Sum> = BTreeMap::new();
        let mut steps: BTreeMap<u64, BTreeMap<Vec<Value>, Sum>> = BTreeMap::new();
        for (key, sum) in &self.sums {
            let values = self.values(key);
            whole.entry(values.clone()).or_default().add(*sum);
            let step = key.first().copied().unwrap_or(0);
            steps.entry(step).or_default().entry(values).or_default().add(*sum);
        }
        let mut ranked: Vec<(Vec<Value>, Sum)> = whole.into_iter().collect();
        ranked.sort_by(|(a, x), (b, y)| measure(y).cmp(&measure(x)).then_with(|| a.cmp(b)));
        let crowded = !self.rest.is_empty();
        let named: Vec<Vec<Value>> = ranked.into_iter().take(question.top).map(|(values, _)| values).collect();
        let known: BTreeSet<&Vec<Value>> = named.iter().collect();
        for (step, sum) in &self.rest {
            let others = vec![Value::Other; self.by.len()];
            steps.entry(*step).or_default().entry(others).or_default().add(*sum);
        }
        let mut rows = Vec::new();
        for (step, groups) in &steps {
            let row = |values: &[Value], sum: &Sum| {
                let at = question.step.map(|span| Value::Time(Timestamp::ZERO.plus(span.times(*step))));
                at.into_iter().chain(values.iter().cloned()).chain(sum.values()).collect::<Vec<_>>()
            };
            rows.extend(named.iter().filter_map(|values| Some(row(values, groups.get(values)?))));
            let mut others = Sum::default();
            groups.iter().filter(|(values, _)| !known.contains(values)).for_each(|(_, sum)| others.add(*sum));
            if others.samples > 0 {
                rows.push(row(&vec![Value::Other; self.by.len()], &others));
            }
        }
        let step = question.step.map(|_| "time".to_owned());
        let columns = step.into_iter().chain(self.by.iter().map(|field| field.name()));
        let sums = ["bytes", "packets", "samples"].map(str::to_owned);
        Answer { columns: columns.chain(sums).collect(), rows, total: self.total, crowded, scanned }
    }

    fn values(&self, key: &Key) -> Vec<Value> {
        let of = |(id, names): (&u64, &Names)| match id {
            &ABSENT => Value::None,
            &id if names.values.is_empty() => Value::Number(id),
            id => usize::try_from(*id).ok().and_then(|id| names.values.get(id)).cloned().unwrap_or(Value::None),
        };
        key.iter().skip(1).zip(&self.names).map(of).collect()
    }
}

impl Names {
    /// The number of the field's value for each sample of the chunk.
    fn of(&mut self, chunk: &Chunk, field: Field, mask: Option<&[bool]>, max: usize) -> Vec<u64> {
        match field {
            Field::Of(column) => self.of_column(chunk, column, mask, max),
            Field::Source(when_in, when_out) | Field::Destination(when_out, when_in) => {
                let ins = going_in(chunk);
                let a = self.of_column(chunk, when_in, mask, max);
                let b = self.of_column(chunk, when_out, mask, max);
                ins.into_iter().zip(a.into_iter().zip(b)).map(|(is_in, (a, b))| if is_in { a } else { b }).collect()
            }
            // Refused when it was asked.
            Field::Either(..) => Vec::new(),
        }
    }

    fn of_column(&mut self, chunk: &Chunk, column: Column, mask: Option<&[bool]>, max: usize) -> Vec<u64> {
        match chunk.cells(column) {
            None => vec![ABSENT; chunk.rows()],
            Some(Cells::Numbers(values)) => values.clone(),
            Some(Cells::Addresses(keys, values)) => {
                let used = used(keys, values.len(), mask);
                let ids = values.iter().zip(used).map(|(value, used)| {
                    if used { self.address(*value, max) } else { CROWDED }
                });
                through(keys, &ids.collect::<Vec<_>>())
            }
            Some(Cells::Texts(keys, values)) => {
                let used = used(keys, values.len(), mask);
                let ids = values.iter().zip(used).map(|(value, used)| {
                    if used { self.text(value, max) } else { CROWDED }
                });
                through(keys, &ids.collect::<Vec<_>>())
            }
        }
    }

    fn address(&mut self, value: u128, max: usize) -> u64 {
        if let Some(id) = self.addresses.get(&value) {
            return *id;
        }
        let Some(id) = room(self.values.len(), max) else { return CROWDED };
        self.addresses.insert(value, id);
        self.values.push(Value::Address(narrow(value)));
        id
    }

    fn text(&mut self, value: &str, max: usize) -> u64 {
        if let Some(id) = self.texts.get(value) {
            return *id;
        }
        let Some(id) = room(self.values.len(), max) else { return CROWDED };
        self.texts.insert(value.into(), id);
        self.values.push(Value::Text(value.to_owned()));
        id
    }
}

fn room(used: usize, max: usize) -> Option<u64> {
    (used < max).then(|| u64::try_from(used).unwrap_or(CROWDED))
}

/// Which values of a dictionary the samples that are asked for have.
fn used(keys: &[u32], values: usize, mask: Option<&[bool]>) -> Vec<bool> {
    let Some(mask) = mask else { return vec![true; values] };
    let mut used = vec![false; values];
    for (key, wanted) in keys.iter().zip(mask) {
        if *wanted && let Some(slot) = usize::try_from(*key).ok().and_then(|key| used.get_mut(key)) {
            *slot = true;
        }
    }
    used
}

fn through(keys: &[u32], ids: &[u64]) -> Vec<u64> {
    let id = |key: &u32| {
        if *key == NO_KEY {
            return ABSENT;
        }
        usize::try_from(*key).ok().and_then(|key| ids.get(key)).copied().unwrap_or(ABSENT)
    };
    keys.iter().map(id).collect()
}

/// For each sample whether its packets went to the target.
fn going_in(chunk: &Chunk) -> Vec<bool> {
    match chunk.cells(Column::Direction) {
        Some(Cells::Texts(keys, values)) => {
            let is_in: Vec<bool> = values.iter().map(|value| **value == *Direction::In.name()).collect();
            let of = |key: &u32| usize::try_from(*key).ok().and_then(|key| is_in.get(key)).copied();
            keys.iter().map(|key| of(key).unwrap_or(true)).collect()
        }
        _ => vec![true; chunk.rows()],
    }
}
