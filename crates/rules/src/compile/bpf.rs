//! Rules as an eBPF program: one of three, between the one that reads the packet and the one that does what the rule says.
//!
//! The program finds the rule that decides and writes its place into the packet's record ([`record`]). It is a tree: the
//! destination first, by binary search among all prefixes; what is asked of packets to a prefix is followed by what is
//! asked of those to the next wider one, which is written once. Numbers are loaded from the record each time: for the
//! kernel's verifier each place then has one state, and the effort of checking grows with the program and no faster. (If
//! values were kept in registers, it would learn something at each comparison and walk the rest again for each of them.)

mod assembler;
mod leaf;
mod nest;
mod question;
pub mod record;
pub mod tables;
mod tree;

use alloc::vec::Vec;

use base::Prefix;

pub use assembler::Instruction;
use assembler::{Assembler, Label, Operand, Test, Width};
use leaf::{CONTEXT, RECORD, load};
use nest::{Block, nest, ranges};
use question::Question;
use tree::{Known, Then, Writer, at_least_wide};

use crate::family::Family;
use crate::rule::Rule;

/// What the program has to know of the kernel and of its neighbours.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// File descriptor of the map with the packet's record.
    pub record: i32,
    /// File descriptor of the array of programs.
    pub programs: i32,
    /// The slot of the program that follows.
    pub next: i32,
    /// Added to a rule's place in deciding order.
    pub base: u32,
    /// Whether the kernel knows `gotol` (Linux 6.6).
    pub long_jumps: bool,
}

/// Why rules did not become a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A jump is longer than the kernel allows.
    #[error(
        "the rules make a program that is too long for this kernel (it has no long jumps; Linux 6.6 does)"
    )]
    TooLong,
    /// More instructions than the kernel takes.
    #[error("the rules make {0} instructions, the kernel takes {INSTRUCTIONS_MAX} at most")]
    TooLarge(usize),
}

/// Instructions in a program at most (`BPF_COMPLEXITY_LIMIT_INSNS`).
pub const INSTRUCTIONS_MAX: usize = 1_000_000;

const TAIL_CALL: i32 = 12;
const LOOKUP: i32 = 1;
const FRAME: u8 = 10;
/// `XDP_PASS`.
const PASS: i32 = 2;

/// The program of these rules, which stand in deciding order.
pub fn program(rules: &[Rule], setting: Setting) -> Result<Vec<Instruction>, Error> {
    let mut a = Assembler::default();
    let (v6, done) = (a.label(), a.label());
    let found = a.label();
    a.copy(CONTEXT, 1);
    a.store(FRAME, -4, 0);
    a.set_map(1, setting.record);
    a.copy(2, FRAME);
    a.add(2, -4);
    a.call(LOOKUP);
    a.copy(RECORD, 0);
    a.branch(RECORD, Test::NotEqual, Operand::Null, found);
    a.set(0, PASS);
    a.exit();
    a.bind(found);
    a.store(RECORD, record::RULE.offset, record::NO_RULE);
    load(&mut a, 1, record::FAMILY);
    a.branch(1, Test::Equal, Operand::Number(6), v6);
    for family in Family::ALL {
        if family == Family::V6 {
            a.bind(v6);
        }
        of_family(&mut a, rules, family, setting.base, done);
    }
    a.bind(done);
    a.copy(1, CONTEXT);
    a.set_map(2, setting.programs);
    a.set(3, setting.next);
    a.call(TAIL_CALL);
    a.set(0, PASS);
    a.exit();
    let program = a.finish(setting.long_jumps).map_err(|_| Error::TooLong)?;
    if program.len() > INSTRUCTIONS_MAX { Err(Error::TooLarge(program.len())) } else { Ok(program) }
}

fn of_family(a: &mut Assembler, rules: &[Rule], family: Family, base: u32, done: Label) {
    let blocks = nest(asked(rules, family));
    let labels: Vec<Label> = blocks.iter().map(|_| a.label()).collect();
    search(a, &blocks, &labels, family, done);
    // The first rule that may still be found behind each block.
    let mut bests: Vec<u32> = Vec::new();
    for block in &blocks {
        let behind = block.parent.and_then(|parent| {
            let own = blocks.get(parent)?.rules.first().map_or(u32::MAX, |q| q.rule);
            Some(own.min(bests.get(parent).copied()?))
        });
        bests.push(behind.unwrap_or(u32::MAX));
    }
    let mut is_parent = alloc::vec![false; blocks.len()];
    for parent in blocks.iter().filter_map(|block| block.parent) {
        if let Some(is_parent) = is_parent.get_mut(parent) {
            *is_parent = true;
        }
    }
    let mut w = Writer { a, family, base, written: 0, written_max: 0 };
    for (((block, label), best), is_parent) in blocks.iter().zip(&labels).zip(&bests).zip(is_parent) {
        w.a.bind(*label);
        let next = block.parent.and_then(|parent| labels.get(parent)).copied();
        let then = Then { label: next.unwrap_or(done), best: *best, done };
        let rules: Vec<&Question<'_>> = block.rules.iter().collect();
        w.allow(rules.len());
        w.group(&rules, &Known::nothing(family), !is_parent, then);
    }
}

/// What the rules ask of packets of a family, each with its destination.
fn asked(rules: &[Rule], family: Family) -> Vec<(Option<Prefix>, Question<'_>)> {
    let mut asked = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        asked.extend(Question::of(place, &rule.matches, family).map(|question| (rule.matches.dst, question)));
    }
    asked
}

/// Goes to the block with the longest destination that covers the packet's, or to `none`.
fn search(a: &mut Assembler, blocks: &[Block<'_>], labels: &[Label], family: Family, none: Label) {
    let label = |block: Option<usize>| block.and_then(|block| labels.get(block)).copied().unwrap_or(none);
    let from: Vec<(u128, Label)> =
        ranges(blocks, family).into_iter().map(|(first, block)| (first, label(block))).collect();
    if family == Family::V4 {
        a.load(Width::Eight, 7, RECORD, record::DST_LOW.offset);
    } else {
        a.load(Width::Eight, 7, RECORD, record::DST_HIGH.offset);
        a.load(Width::Eight, 8, RECORD, record::DST_LOW.offset);
    }
    halve(a, &from, family);
}

fn halve(a: &mut Assembler, from: &[(u128, Label)], family: Family) {
    let (low, high) = from.split_at(from.len() / 2);
    let Some((at, label)) = high.first().copied() else { return };
    if low.is_empty() {
        a.goto(label);
        return;
    }
    let upper = a.label();
    if family == Family::V4 {
        a.branch(7, Test::AtLeast, Operand::Number(u32::try_from(at).unwrap_or(u32::MAX)), upper);
    } else {
        at_least_wide(a, (7, 8, 1), at, upper);
    }
    halve(a, low, family);
    a.bind(upper);
    halve(a, high, family);
}
