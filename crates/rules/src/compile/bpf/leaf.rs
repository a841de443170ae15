//! The tests of one rule that the way to it has not answered yet.

use super::assembler::{Assembler, Label, Operand, Test, Width};
use super::question::{Dimension, Question, Span};
use super::record::{self, Field};
use super::tree::Known;
use crate::family::Family;
use crate::rule::{Flags, Payload};

/// The packet's record.
pub(super) const RECORD: u8 = 6;
/// The kernel's context, for its helpers.
pub(super) const CONTEXT: u8 = 9;
const FRAME: u8 = 10;
/// `bpf_xdp_load_bytes` (Linux 5.18).
const LOAD_BYTES: i32 = 189;
/// Octets of payload compared at once beyond those in the record.
const STACK: u16 = 64;

/// Loads a field of the record.
pub(super) fn load(a: &mut Assembler, register: u8, field: Field) {
    let width = match field.size {
        1 => Width::One,
        2 => Width::Two,
        4 => Width::Four,
        _ => Width::Eight,
    };
    a.load(width, register, RECORD, field.offset);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "all numbers but the source of IPv6 have at most 32 bits"
)]
const fn small(number: u128) -> u32 {
    number as u32
}

/// Goes to `no` unless the packet has what `q` asks and `known` does not answer.
pub(super) fn tests(a: &mut Assembler, q: &Question<'_>, known: &Known, family: Family, no: Label) {
    if q.has != 0 {
        load(a, 1, record::HAS);
        a.and(1, q.has);
        a.branch(1, Test::NotEqual, Operand::Number(q.has), no);
    }
    for dimension in Dimension::ALL {
        let Some(asked) = q.asked(dimension) else { continue };
        let all = known.of(dimension);
        if asked.iter().any(|span| span.0 <= all.0 && all.1 <= span.1) {
            continue;
        }
        if dimension == Dimension::Source {
            source(a, asked, family, no);
        } else {
            load(a, 1, dimension.field());
            within(a, 1, asked, all, no);
        }
    }
    if let Some(asked) = &q.port {
        let yes = a.label();
        let other = a.label();
        load(a, 1, record::SRC_PORT);
        within(a, 1, asked, (0, u128::from(u16::MAX)), other);
        a.goto(yes);
        a.bind(other);
        load(a, 1, record::DST_PORT);
        within(a, 1, asked, (0, u128::from(u16::MAX)), no);
        a.bind(yes);
    }
    if let Some(asked) = q.flags {
        flags(a, asked, no);
    }
    if let Some(bits) = q.fragment {
        load(a, 1, record::FRAGMENT);
        a.and(1, bits);
        a.branch(1, Test::Equal, Operand::Number(0), no);
    }
    if let Some(asked) = q.options {
        for (field, word) in [record::TCP_OPTIONS, record::TCP_OPTIONS_REST].into_iter().zip(asked) {
            load(a, 1, field);
            a.set_wide(2, word);
            a.branch(1, Test::NotEqual, Operand::Register(2), no);
        }
    }
    if let Some(asked) = q.payload {
        payload(a, asked, no);
    }
}

/// Goes to `no` unless the register, of which `known` is known, lies in one of the spans.
fn within(a: &mut Assembler, register: u8, asked: &[Span], known: Span, no: Label) {
    let yes = a.label();
    let possible = asked.iter().filter(|span| span.0 <= known.1 && known.0 <= span.1);
    let count = possible.clone().count();
    for (i, (from, to)) in possible.enumerate() {
        let last = i + 1 == count;
        let number = |n: &u128| Operand::Number(small(*n));
        if from == to {
            let (test, target) = if last { (Test::NotEqual, no) } else { (Test::Equal, yes) };
            a.branch(register, test, number(from), target);
            continue;
        }
        // The spans rise: what lies below this one lies in none.
        if *from > known.0 {
            a.branch(register, Test::Below, number(from), no);
        }
        if last && *to < known.1 {
            a.branch(register, Test::Above, number(to), no);
        } else if !last {
            a.branch(register, Test::AtMost, number(to), yes);
        }
    }
    a.bind(yes);
}

/// A source prefix.
fn source(a: &mut Assembler, asked: &[Span], family: Family, no: Label) {
    let Some((from, to)) = asked.first() else { return };
    let free = (from ^ to).count_ones();
    if family == Family::V4 {
        load(a, 1, record::SRC_LOW);
        a.shift_right(1, shift(free));
        a.branch(1, Test::NotEqual, Operand::Number(small(from >> free)), no);
        return;
    }
    let half = |number: u128, free: u32| u64::try_from((number & u128::from(u64::MAX)) >> free).unwrap_or(0);
    let mut compare = |field: Field, number: u128, free: u32| {
        load(a, 1, field);
        if free > 0 {
            a.shift_right(1, shift(free));
        }
        a.set_wide(2, half(number, free));
        a.branch(1, Test::NotEqual, Operand::Register(2), no);
    };
    compare(record::SRC_HIGH, from >> 64, free.saturating_sub(64));
    if free < 64 {
        compare(record::SRC_LOW, *from, free);
    }
}

fn shift(by: u32) -> u8 {
    u8::try_from(by).unwrap_or(63)
}

fn flags(a: &mut Assembler, asked: &[Flags], no: Label) {
    let yes = a.label();
    load(a, 1, record::TCP_FLAGS);
    for (i, test) in asked.iter().enumerate() {
        a.copy(2, 1);
        a.and(2, u32::from(test.mask));
        let value = Operand::Number(u32::from(test.value));
        if i + 1 == asked.len() {
            a.branch(2, Test::NotEqual, value, no);
        } else {
            a.branch(2, Test::Equal, value, yes);
        }
    }
    a.bind(yes);
}

fn payload(a: &mut Assembler, asked: &Payload, no: Label) {
    let octets = u32::try_from(asked.value.len()).unwrap_or(u32::MAX);
    load(a, 1, record::PAYLOAD_LEN);
    a.branch(1, Test::Below, Operand::Number(u32::from(asked.offset) + octets), no);
    let end = usize::from(asked.offset) + asked.value.len();
    if end <= record::PAYLOAD_MAX {
        let at = record::PAYLOAD.offset + i16::try_from(asked.offset).unwrap_or(0);
        compare(a, RECORD, at, &asked.value, &asked.mask, no);
        return;
    }
    let chunks = asked.value.chunks(usize::from(STACK)).zip(asked.mask.chunks(usize::from(STACK)));
    for (i, (value, mask)) in chunks.enumerate() {
        let offset = usize::from(asked.offset) + i * usize::from(STACK);
        a.copy(1, CONTEXT);
        load(a, 2, record::PAYLOAD_AT);
        a.add(2, i32::try_from(offset).unwrap_or(i32::MAX));
        a.copy(3, FRAME);
        a.add(3, -i32::from(STACK));
        a.set(4, i32::try_from(value.len()).unwrap_or(0));
        a.call(LOAD_BYTES);
        a.branch(0, Test::NotEqual, Operand::Number(0), no);
        compare(a, FRAME, -i16::try_from(STACK).unwrap_or(0), value, mask, no);
    }
}

/// Goes to `no` unless the octets at `base + at` are these under the mask.
fn compare(a: &mut Assembler, base: u8, at: i16, value: &[u8], mask: &[u8], no: Label) {
    let mut at = at;
    let (mut value, mut mask) = (value, mask);
    while !value.is_empty() {
        let (size, width) = match (value.len(), at & 3) {
            (4.., 0) => (4, Width::Four),
            (2.., 0 | 2) => (2, Width::Two),
            _ => (1, Width::One),
        };
        let number = |octets: &[u8]| {
            octets.iter().take(size).rev().fold(0u32, |number, octet| number << 8 | u32::from(*octet))
        };
        let (wanted, looked_at) = (number(value), number(mask));
        if looked_at != 0 {
            a.load(width, 1, base, at);
            a.and(1, looked_at);
            a.branch(1, Test::NotEqual, Operand::Number(wanted & looked_at), no);
        }
        at += i16::try_from(size).unwrap_or(1);
        value = value.get(size..).unwrap_or(&[]);
        mask = mask.get(size..).unwrap_or(&[]);
    }
}
