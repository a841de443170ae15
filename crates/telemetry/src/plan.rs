//! A template compiled to what has to be copied from where.

use alloc::boxed::Box;
use alloc::vec::Vec;

use wire::netflow9::{Field, Fields, VARIABLE};
use wire::packet::Link;
use wire::{Fault, Reader, ipfix};

use crate::element::{self, Clock, Meaning, SLOTS, Section, Shape, Slot};

/// Copies one number of up to eight octets: eight octets are loaded, so that the field ends or begins among them,
/// shifted and masked. No branch depends on the field's width. Sixteen-octet addresses take two of them.
#[derive(Clone, Copy, Debug)]
struct Op {
    load: u16,
    shift: u8,
    slot: Slot,
    mask: u64,
}

/// A number that an [`Op`] cannot copy: wider than eight octets, or in a record of less than eight.
#[derive(Clone, Copy, Debug)]
struct Odd {
    offset: u16,
    length: u8,
    slot: Slot,
}

/// One field of a template with variable-length fields.
#[derive(Clone, Copy, Debug)]
struct Step {
    length: u16,
    meaning: Option<(Slot, Shape)>,
}

#[derive(Debug)]
enum Walk {
    /// Every record has this length.
    Fixed { len: usize, ops: Box<[Op]>, odd: Box<[Odd]>, sections: Box<[(Slot, u64)]> },
    /// Lengths stand in the records.
    Variable { steps: Box<[Step]> },
}

/// What to do with a record of a template.
#[derive(Debug)]
pub(crate) struct Plan {
    walk: Walk,
    /// Slots that a record fills.
    have: u64,
    /// Octets of the shortest record.
    pub(crate) min_len: usize,
    pub(crate) start: Clock,
    pub(crate) end: Clock,
    pub(crate) observation: Clock,
    pub(crate) duration: Clock,
    /// How a packet section begins.
    pub(crate) frame: Link,
    /// Bytes are those of layer 2.
    pub(crate) layer2: bool,
}

/// The values of one record.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    n: [u64; SLOTS],
    have: u64,
}

impl Values {
    pub(crate) const fn new() -> Self {
        Self { n: [0; SLOTS], have: 0 }
    }

    #[inline]
    pub(crate) const fn has(&self, slot: Slot) -> bool {
        self.have & slot.bit() != 0
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<u64> {
        if self.has(slot) { Some(self.raw(slot)) } else { None }
    }

    /// The value, or what an earlier record left there.
    #[inline]
    pub(crate) fn raw(&self, slot: Slot) -> u64 {
        self.n.get(slot as usize).copied().unwrap_or(0)
    }

    /// The octets of a section, of the record they stand in.
    #[inline]
    pub(crate) fn octets<'a>(&self, slot: Slot, record: &'a [u8]) -> Option<&'a [u8]> {
        let place = self.get(slot)?;
        let (from, len) = (usize::try_from(place >> 32).ok()?, usize::try_from(place & 0xffff_ffff).ok()?);
        record.get(from..)?.get(..len)
    }

    #[inline]
    fn set(&mut self, slot: Slot, value: u64) {
        if let Some(n) = self.n.get_mut(slot as usize) {
            *n = value;
        }
    }
}

/// Which field of a template is believed for each slot.
#[derive(Clone, Copy)]
struct Chosen {
    field: usize,
    meaning: Meaning,
}

impl Plan {
    /// Compiles. `scopes` fields at the front are scopes of an options template.
    pub(crate) fn new(fields: Fields<'_>, scopes: usize, netflow9: bool) -> Self {
        let mut chosen: [Option<Chosen>; SLOTS] = [None; SLOTS];
        for (index, field) in fields.enumerate() {
            let meaning =
                if index < scopes { element::scope(&field, netflow9) } else { element::meaning(&field) };
            let Some(meaning) = meaning else { continue };
            if !fits(&field, meaning.shape) {
                continue;
            }
            if let Some(slot) = chosen.get_mut(meaning.slot as usize) {
                let better = slot.is_none_or(|other| meaning.rank < other.meaning.rank);
                if better {
                    *slot = Some(Chosen { field: index, meaning });
                }
            }
        }
        let clock = |slot: Slot| chosen_at(&chosen, slot).map_or(Clock::Uptime, |c| c.meaning.clock);
        let frame = match chosen_at(&chosen, Slot::Frame).map(|c| c.meaning.shape) {
            Some(Shape::Octets(Section::Ip)) => Link::Ip,
            _ => Link::Ethernet,
        };
        let layer2 = chosen_at(&chosen, Slot::Bytes).is_some_and(|c| matches!(c.meaning.rank, 3 | 4));
        let variable = { fields }.any(|field| field.length == VARIABLE);
        let min_len = fields.map(|f| if f.length == VARIABLE { 1 } else { usize::from(f.length) }).sum();
        let mut have = 0;
        for choice in chosen.iter().flatten() {
            have |= choice.meaning.slot.bit();
        }
        Self {
            walk: if variable { steps(fields, &chosen) } else { ops(fields, &chosen, min_len) },
            have,
            min_len,
            start: clock(Slot::Start),
            end: clock(Slot::End),
            observation: clock(Slot::Observation),
            duration: clock(Slot::Duration),
            frame,
            layer2,
        }
    }

    /// Whether records can fill this slot.
    pub(crate) const fn has(&self, slot: Slot) -> bool {
        self.have & slot.bit() != 0
    }

    /// Octets of every record; `None` where they differ.
    pub(crate) const fn fixed_len(&self) -> Option<usize> {
        match &self.walk {
            Walk::Fixed { len, .. } => Some(*len),
            Walk::Variable { .. } => None,
        }
    }

    /// Fields visited per record.
    pub(crate) fn cost(&self) -> usize {
        match &self.walk {
            Walk::Fixed { ops, odd, .. } => ops.len() + 2 * odd.len(),
            Walk::Variable { steps } => steps.len(),
        }
    }

    /// Reads a record of fixed length.
    #[inline]
    pub(crate) fn read_fixed(&self, record: &[u8], values: &mut Values) {
        values.have = self.have;
        let Walk::Fixed { ops, odd: others, sections, .. } = &self.walk else { return };
        for op in ops {
            let word = front(record, usize::from(op.load)).map_or(0, u64::from_be_bytes);
            values.set(op.slot, word >> (op.shift & 63) & op.mask);
        }
        for op in others {
            let value =
                odd(record, usize::from(op.offset), usize::from(op.length), op.slot, &mut values.have);
            values.set(op.slot, value);
        }
        for (slot, place) in sections {
            values.set(*slot, *place);
        }
    }

    /// Reads a record whose lengths stand in it, and moves `r` behind it.
    pub(crate) fn read_variable(&self, r: &mut Reader<'_>, values: &mut Values) -> Result<(), Fault> {
        values.have = self.have;
        let Walk::Variable { steps } = &self.walk else { return Ok(()) };
        let begin = r.position();
        for step in steps {
            let octets = match step.length {
                VARIABLE => ipfix::variable(r)?,
                len => r.bytes("field", usize::from(len))?,
            };
            let Some((slot, shape)) = step.meaning else { continue };
            let end = r.position() - begin;
            match shape {
                Shape::Octets(_) => values.set(slot, place(end - octets.len(), octets.len())),
                Shape::Address6 => {
                    let Some((high, low)) = octets.split_first_chunk::<8>() else { continue };
                    values.set(slot, u64::from_be_bytes(*high));
                    values.set(low_half(slot), front(low, 0).map_or(0, u64::from_be_bytes));
                }
                Shape::Address4 | Shape::Number | Shape::Eight => {
                    let value = odd(octets, 0, octets.len(), slot, &mut values.have);
                    values.set(slot, value);
                }
            }
        }
        Ok(())
    }
}

fn chosen_at(chosen: &[Option<Chosen>; SLOTS], slot: Slot) -> Option<Chosen> {
    chosen.get(slot as usize).copied().flatten()
}

/// Whether a field's length can hold such a value at all.
const fn fits(field: &Field, shape: Shape) -> bool {
    match (shape, field.length) {
        (_, 0) => false,
        (Shape::Address4, len) => len == 4,
        (Shape::Address6, len) => len == 16,
        (Shape::Eight, len) => len == 8,
        (Shape::Octets(_), _) => true,
        // Counters of nine octets exist (S11); much longer ones are something else.
        (Shape::Number, len) => len <= 16 || len == VARIABLE,
    }
}

const fn low_half(slot: Slot) -> Slot {
    match slot {
        Slot::Src6 => Slot::Src6Low,
        _ => Slot::Dst6Low,
    }
}

const fn place(offset: usize, len: usize) -> u64 {
    (offset as u64) << 32 | len as u64
}

#[inline]
fn front<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// A number of unusual width. One that does not fit into 64 bits is none (S11).
fn odd(record: &[u8], at: usize, len: usize, slot: Slot, have: &mut u64) -> u64 {
    let octets = record.get(at..).and_then(|rest| rest.get(..len)).unwrap_or(&[]);
    let (head, tail) = octets.split_at(octets.len().saturating_sub(8));
    if octets.is_empty() || head.iter().any(|b| *b != 0) {
        *have &= !slot.bit();
        return 0;
    }
    tail.iter().fold(0, |value, b| value << 8 | u64::from(*b))
}

/// The fields that are read, in the order of the template.
fn in_order(chosen: &[Option<Chosen>; SLOTS]) -> Vec<Chosen> {
    let mut wanted: Vec<Chosen> = chosen.iter().flatten().copied().collect();
    wanted.sort_unstable_by_key(|choice| choice.field);
    wanted
}

/// A copy of `length` octets at `offset` of records of `len` octets.
fn op(offset: usize, length: usize, len: usize, slot: Slot) -> Option<Op> {
    let load = offset.min(len.checked_sub(8)?);
    let behind = (load + 8).checked_sub(offset + length)?;
    Some(Op {
        load: u16::try_from(load).ok()?,
        shift: u8::try_from(8 * behind).ok()?,
        slot,
        mask: u64::MAX >> (8 * 8usize.checked_sub(length)?),
    })
}

fn ops(fields: Fields<'_>, chosen: &[Option<Chosen>; SLOTS], len: usize) -> Walk {
    let mut ops = Vec::new();
    let mut odd = Vec::new();
    let mut sections = Vec::new();
    let mut wanted = in_order(chosen).into_iter().peekable();
    let mut offset = 0usize;
    for (index, field) in fields.enumerate() {
        let length = usize::from(field.length);
        if let Some(choice) = wanted.next_if(|choice| choice.field == index) {
            let slot = choice.meaning.slot;
            match (choice.meaning.shape, op(offset, length, len, slot)) {
                (Shape::Address6, _) => {
                    ops.extend(op(offset, 8, len, slot));
                    ops.extend(op(offset + 8, 8, len, low_half(slot)));
                }
                (Shape::Octets(_), _) => sections.push((slot, place(offset, length))),
                (_, Some(op)) => ops.push(op),
                (_, None) => odd.push(Odd {
                    offset: u16::try_from(offset).unwrap_or(u16::MAX),
                    length: u8::try_from(length).unwrap_or(0),
                    slot,
                }),
            }
        }
        offset += length;
    }
    Walk::Fixed { len, ops: ops.into(), odd: odd.into(), sections: sections.into() }
}

fn steps(fields: Fields<'_>, chosen: &[Option<Chosen>; SLOTS]) -> Walk {
    let mut steps = Vec::new();
    let mut wanted = in_order(chosen).into_iter().peekable();
    for (index, field) in fields.enumerate() {
        let choice = wanted.next_if(|choice| choice.field == index);
        // A field of no octets is not there; so no record costs more steps than it has octets.
        if field.length != 0 {
            let meaning = choice.map(|choice| (choice.meaning.slot, choice.meaning.shape));
            steps.push(Step { length: field.length, meaning });
        }
    }
    Walk::Variable { steps: steps.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_fit_their_bit_set() {
        assert!((Slot::DomainScope as usize) < SLOTS);
    }

    fn plan(specifiers: &[[u16; 2]]) -> Plan {
        let bytes: Vec<u8> = specifiers.iter().flatten().flat_map(|word| word.to_be_bytes()).collect();
        Plan::new(Fields::new(&bytes, true), 0, false)
    }

    #[test]
    fn every_width_at_every_place_is_read() {
        for len in 1..24u16 {
            let record: Vec<u8> = (1..=len).map(|n| u8::try_from(n).unwrap()).collect();
            for width in 1..=len.min(8) {
                for before in 0..=len - width {
                    let after = len - width - before;
                    let plan = plan(&[[210, before], [1, width], [210, after]]);
                    let mut values = Values::new();
                    plan.read_fixed(&record, &mut values);
                    let expected = record[usize::from(before)..][..usize::from(width)]
                        .iter()
                        .fold(0u64, |value, b| value << 8 | u64::from(*b));
                    assert_eq!(values.get(Slot::Bytes), Some(expected), "{width} at {before} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_fixed_and_a_variable_plan_read_alike() {
        let record = [1, 2, 3, 4, 0, 80, 6, 0, 0, 0, 0, 0, 0, 0, 9, 0xaa, 0xbb, 0xcc];
        let fixed = plan(&[[8, 4], [7, 2], [4, 1], [1, 8], [315, 3]]);
        let mut a = Values::new();
        fixed.read_fixed(&record, &mut a);
        let variable = plan(&[[8, 4], [7, 2], [4, 1], [1, 8], [315, 0xffff]]);
        let mut long = record.to_vec();
        long.splice(15..15, [255, 0, 3]);
        let mut b = Values::new();
        let mut r = Reader::new(&long);
        variable.read_variable(&mut r, &mut b).unwrap();
        assert!(r.is_empty());
        for slot in [Slot::Src4, Slot::SrcPort, Slot::Protocol, Slot::Bytes] {
            assert_eq!(a.get(slot), b.get(slot));
        }
        assert_eq!(a.octets(Slot::Frame, &record), Some(&[0xaa, 0xbb, 0xcc][..]));
        assert_eq!(b.octets(Slot::Frame, &long), Some(&[0xaa, 0xbb, 0xcc][..]));
    }
}
