//! The values of a field, by number: groups are told apart by small numbers, not by texts and addresses.

use base::map::Seed;
use base::prefix::narrow;
use hashbrown::HashMap;

use super::Value;
use crate::chunk::{ABSENT, Cells, Chunk, NO_KEY};
use crate::column::{Column, Field};
use crate::sample::Direction;

/// The number of a value that found no room.
pub(super) const CROWDED: u32 = u32::MAX;

/// Values of a field.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<u64, u32, Seed>,
    addresses: HashMap<u128, u32, Seed>,
    texts: HashMap<Box<str>, u32, Seed>,
    none: Option<u32>,
    values: Vec<Value>,
}

impl Names {
    /// The value behind a number.
    pub(super) fn value(&self, id: u32) -> Value {
        usize::try_from(id).ok().and_then(|id| self.values.get(id)).cloned().unwrap_or(Value::Other)
    }

    /// The number of the field's value for each sample of the chunk; of those that the mask leaves out, any.
    pub(super) fn of(&mut self, chunk: &Chunk, field: Field, mask: Option<&[bool]>, max: usize) -> Vec<u32> {
        match field {
            Field::Of(column) => self.of_column(chunk, column, mask, max),
            Field::Source(when_in, when_out) | Field::Destination(when_out, when_in) => {
                let ins = going_in(chunk);
                let wanted = |way: bool| -> Vec<bool> {
                    let here =
                        |place: usize| mask.is_none_or(|mask| mask.get(place).copied().unwrap_or(false));
                    ins.iter().enumerate().map(|(place, is_in)| *is_in == way && here(place)).collect()
                };
                let a = self.of_column(chunk, when_in, Some(&wanted(true)), max);
                let b = self.of_column(chunk, when_out, Some(&wanted(false)), max);
                let both = ins.into_iter().zip(a.into_iter().zip(b));
                both.map(|(is_in, (a, b))| if is_in { a } else { b }).collect()
            }
            // Refused when it was asked.
            Field::Either(..) => Vec::new(),
        }
    }

    fn of_column(&mut self, chunk: &Chunk, column: Column, mask: Option<&[bool]>, max: usize) -> Vec<u32> {
        let wanted = |place: usize| mask.is_none_or(|mask| mask.get(place).copied().unwrap_or(false));
        match chunk.cells(column) {
            None => {
                let none = self.none(max);
                vec![none; chunk.rows()]
            }
            Some(Cells::Numbers(values)) => {
                let may_be_absent = !column.is_always_there();
                let mut last = None;
                let mut ids = Vec::with_capacity(values.len());
                for (place, value) in values.iter().enumerate() {
                    let id = match last {
                        _ if !wanted(place) => CROWDED,
                        Some((known, id)) if known == *value => id,
                        _ if may_be_absent && *value == ABSENT => self.none(max),
                        _ => self.number(*value, max),
                    };
                    if wanted(place) {
                        last = Some((*value, id));
                    }
                    ids.push(id);
                }
                ids
            }
            Some(Cells::Addresses(keys, values)) => {
                let used = used(keys, values.len(), mask);
                let ids = values.iter().zip(used);
                let ids: Vec<u32> =
                    ids.map(|(value, used)| if used { self.address(*value, max) } else { CROWDED }).collect();
                self.through(keys, &ids, max)
            }
            Some(Cells::Texts(keys, values)) => {
                let used = used(keys, values.len(), mask);
                let ids = values.iter().zip(used);
                let ids: Vec<u32> =
                    ids.map(|(value, used)| if used { self.text(value, max) } else { CROWDED }).collect();
                self.through(keys, &ids, max)
            }
        }
    }

    fn through(&mut self, keys: &[u32], ids: &[u32], max: usize) -> Vec<u32> {
        let none = if keys.contains(&NO_KEY) { self.none(max) } else { CROWDED };
        let id = |key: &u32| usize::try_from(*key).ok().and_then(|key| ids.get(key)).copied().unwrap_or(none);
        keys.iter().map(id).collect()
    }

    fn none(&mut self, max: usize) -> u32 {
        if self.none.is_none() {
            self.none = room(&mut self.values, max, || Value::None);
        }
        self.none.unwrap_or(CROWDED)
    }

    fn number(&mut self, value: u64, max: usize) -> u32 {
        if let Some(id) = self.numbers.get(&value) {
            return *id;
        }
        let Some(id) = room(&mut self.values, max, || Value::Number(value)) else { return CROWDED };
        self.numbers.insert(value, id);
        id
    }

    fn address(&mut self, value: u128, max: usize) -> u32 {
        if let Some(id) = self.addresses.get(&value) {
            return *id;
        }
        let Some(id) = room(&mut self.values, max, || Value::Address(narrow(value))) else { return CROWDED };
        self.addresses.insert(value, id);
        id
    }

    fn text(&mut self, value: &str, max: usize) -> u32 {
        if let Some(id) = self.texts.get(value) {
            return *id;
        }
        let Some(id) = room(&mut self.values, max, || Value::Text(value.to_owned())) else { return CROWDED };
        self.texts.insert(value.into(), id);
        id
    }
}

/// A number for one more value; `None`: there are too many.
fn room(values: &mut Vec<Value>, max: usize, value: impl FnOnce() -> Value) -> Option<u32> {
    let id = (values.len() < max).then(|| u32::try_from(values.len()).ok())??;
    values.push(value());
    Some(id)
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

/// For each sample whether its packets went to the target.
pub(super) fn going_in(chunk: &Chunk) -> Vec<bool> {
    match chunk.cells(Column::Direction) {
        Some(Cells::Texts(keys, values)) => {
            let is_in: Vec<bool> = values.iter().map(|value| **value == *Direction::In.name()).collect();
            let of = |key: &u32| usize::try_from(*key).ok().and_then(|key| is_in.get(key)).copied();
            keys.iter().map(|key| of(key).unwrap_or(true)).collect()
        }
        _ => vec![true; chunk.rows()],
    }
}
