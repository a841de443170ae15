//! Rules as tables in maps: `bpf/engine.h`, mirrored.

use rules::compile::bpf::tables::{
    Asked, Bound, Check, Entry, Error as TooMuch, Place, Room, Side, Tables, tables,
};

use crate::abi::{RULES_MAX, SETS, number, put, word};
use crate::error::Error;
use crate::maps::Maps;

/// Entries and blocks that one packet meets at most: `STEPS_MAX` less those from one group of blocks to the next.
const STEPS_MAX: usize = 4096 - 4;
/// `CHECKS_MAX`: of one entry.
const CHECKS_MAX: usize = 256;
/// `INCREMENTS_MAX`: rules that wait for the next whole set.
pub(crate) const INCREMENTS_MAX: u32 = 256;
/// `TURNS`: banks of a set's increments.
const TURNS: u32 = 4;
/// `ORDER_STEP`.
const ORDER_STEP: u32 = 2 * INCREMENTS_MAX;
/// `NO_BLOCK`.
const NO_BLOCK: u32 = u32::MAX;
/// Octets of `struct question`, and of the others.
const QUESTION: usize = 72;
const CHECK: usize = 20;
const BLOCK: usize = 16;
const BOUND: usize = 24;
const BANK: usize = 56;
/// Where `struct bank` has its second family, and the place and number of its entries.
const SIDE: usize = 24;
const ENTRIES_AT: usize = 48;
/// Where `struct engine_state` counts fallbacks.
const FALLBACKS_AT: usize = 8;

/// A table: how many a whole set has, and how many a set's increments have.
#[derive(Clone, Copy)]
struct Table {
    map: &'static str,
    whole: u32,
    increment: u32,
}

const ENTRIES: Table = Table { map: "questions", whole: 2 * RULES_MAX, increment: 2 * INCREMENTS_MAX };
const CHECKS: Table = Table { map: "checks", whole: 4 * RULES_MAX, increment: 16 * INCREMENTS_MAX };
const BLOCKS: Table = Table { map: "blocks", whole: RULES_MAX + 8, increment: INCREMENTS_MAX + 8 };
const BOUNDS: Table = Table { map: "bounds", whole: 2 * RULES_MAX + 8, increment: 2 * INCREMENTS_MAX + 8 };

impl Table {
    /// The place of a bank's first.
    const fn base(self, bank: Bank) -> u32 {
        match bank {
            Bank::Whole(set) => set * self.whole,
            Bank::Increment { set, turn } => SETS * self.whole + (set * TURNS + turn) * self.increment,
        }
    }

    const fn room(self, bank: Bank) -> usize {
        match bank {
            Bank::Whole(_) => self.whole as usize,
            Bank::Increment { .. } => self.increment as usize,
        }
    }
}

/// Where tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bank {
    /// All rules of a set.
    Whole(u32),
    /// Those that wait for the next one. Turns are taken: who still reads the last one is not overtaken.
    Increment { set: u32, turn: u32 },
}

impl Bank {
    const fn number(self) -> u32 {
        match self {
            Self::Whole(set) => set,
            Self::Increment { set, turn } => SETS + set * TURNS + turn % TURNS,
        }
    }

    /// The one after this.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Whole(set) => Self::Increment { set, turn: 0 },
            Self::Increment { set, turn } => Self::Increment { set, turn: (turn + 1) % TURNS },
        }
    }

    /// Tables of these rules that fit into it.
    pub(crate) fn tables(self, asked: &[Asked<'_>]) -> Result<Tables, TooMuch> {
        let room = Room { checks_of_rule: CHECKS_MAX, checks: CHECKS.room(self), steps: STEPS_MAX };
        tables(asked, room)
    }

    /// Writes tables; no program looks there meanwhile.
    pub(crate) fn write(self, tables: &Tables, maps: &Maps) -> Result<(), Error> {
        let base = |table: Table| table.base(self);
        let block = |block: Option<u32>| block.map_or(NO_BLOCK, |block| base(BLOCKS) + block);
        let entries = tables.entries.iter().flat_map(|entry| entry_octets(entry, base(CHECKS))).collect();
        let checks = tables.checks.iter().flat_map(check_octets).collect();
        let blocks = tables
            .blocks
            .iter()
            .flat_map(|b| words::<BLOCK>(&[base(ENTRIES) + b.first, b.count, block(b.parent), 0]));
        let bounds = tables.bounds.iter().flat_map(|b| bound_octets(b, block(b.block)));
        let all: [(Table, Vec<u8>); 4] =
            [(ENTRIES, entries), (CHECKS, checks), (BLOCKS, blocks.collect()), (BOUNDS, bounds.collect())];
        for (table, values) in all {
            let map = maps.get(table.map)?;
            let count = values.len() / map.value_size().max(1);
            if count == 0 {
                continue;
            }
            let keys: Vec<u8> = (base(table)..).take(count).flat_map(u32::to_ne_bytes).collect();
            map.set_all(&keys, &values).map_err(Error::system("writing the tables of rules"))?;
        }
        let side = |side: &Side| {
            let (dst, src) = (base(BOUNDS) + side.dst.0, base(BOUNDS) + side.src.0);
            words::<SIDE>(&[dst, side.dst.1, src, side.src.1, block(side.rest), 0])
        };
        let mut head = [0; BANK];
        for (at, one) in [0, SIDE].into_iter().zip(&tables.sides) {
            put(&mut head, at, &side(one));
        }
        let count = u32::try_from(tables.entries.len()).unwrap_or(0);
        put(&mut head, ENTRIES_AT, &words::<8>(&[base(ENTRIES), count]));
        maps.write("banks", self.number(), &head)
    }

    /// The bank of a set's increments that is in force, if there are any.
    pub(crate) fn in_force(set: u32, maps: &Maps) -> Result<Option<Self>, Error> {
        let state = maps.read("engine_states", 0)?;
        let bank = number(&state, usize::try_from(set).unwrap_or(0) * 4);
        let turn = bank.checked_sub(SETS + set * TURNS).filter(|turn| *turn < TURNS);
        Ok(turn.map(|turn| Self::Increment { set, turn }))
    }

    /// Lets a set's increments be those of this bank, or none.
    pub(crate) fn put_in_force(set: u32, bank: Option<Self>, maps: &Maps) -> Result<(), Error> {
        let mut state = maps.read("engine_states", 0)?;
        let number = bank.map_or(0, Self::number);
        put(&mut state, usize::try_from(set).unwrap_or(0) * 4, &number.to_ne_bytes());
        maps.write("engine_states", 0, &state)
    }

    /// The rules in it: their order and slot.
    pub(crate) fn slots(self, maps: &Maps) -> Result<Vec<(u32, u32)>, Error> {
        let head = maps.read("banks", self.number())?;
        let (at, count) = (number(&head, ENTRIES_AT), number(&head, ENTRIES_AT + 4));
        let mut slots = Vec::new();
        for place in (at..).take(usize::try_from(count).unwrap_or(0)) {
            let entry = maps.read(ENTRIES.map, place)?;
            slots.push((number(&entry, 0), number(&entry, 4)));
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(slots)
    }
}

/// The order of a set's rule by its place.
pub(crate) const fn order(place: u32) -> u32 {
    place * ORDER_STEP + INCREMENTS_MAX
}

/// The order of an increment: of all of them so many go before it, and it goes before the rule at this place.
pub(crate) const fn order_before(place: u32, among: u32) -> u32 {
    place * ORDER_STEP + among
}

/// Sets that became no tree.
pub(crate) fn fallbacks(maps: &Maps) -> Result<u64, Error> {
    Ok(word(&maps.read("engine_states", 0)?, FALLBACKS_AT))
}

/// Counts one.
pub(crate) fn count_fallback(maps: &Maps) -> Result<(), Error> {
    let mut state = maps.read("engine_states", 0)?;
    let count = word(&state, FALLBACKS_AT) + 1;
    put(&mut state, FALLBACKS_AT, &count.to_ne_bytes());
    maps.write("engine_states", 0, &state)
}

fn words<const N: usize>(all: &[u32]) -> [u8; N] {
    let mut out = [0; N];
    for (place, word) in out.chunks_mut(4).zip(all) {
        put(place, 0, &word.to_ne_bytes());
    }
    out
}

fn entry_octets(entry: &Entry, checks: u32) -> [u8; QUESTION] {
    let mut out = words(&[entry.order, entry.slot]);
    put(&mut out, 8, &[entry.has, entry.fragment, entry.protocol.0, entry.protocol.1]);
    let ports = [entry.src_port.0, entry.src_port.1, entry.dst_port.0, entry.dst_port.1];
    for (at, port) in [12, 14, 16, 18].into_iter().zip(ports) {
        put(&mut out, at, &port.to_ne_bytes());
    }
    let numbers = [entry.length.0, entry.length.1, checks + entry.checks_at, u32::from(entry.checks)];
    put(&mut out, 20, &words::<16>(&numbers));
    put(&mut out, 40, &halves(entry.src));
    put(&mut out, 56, &halves(entry.src_mask));
    out
}

/// The upper half, then the lower one. Addresses stand there by their octets' order, as numbers.
fn halves(address: u128) -> [u8; 16] {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0).to_ne_bytes();
    let mut out = [0; 16];
    put(&mut out, 0, &half(address >> 64));
    put(&mut out, 8, &half(address));
    out
}

fn check_octets(check: &Check) -> [u8; CHECK] {
    let (far, shift, word) = match check.place {
        Place::Record { word, shift } => (0, shift, u32::from(word)),
        Place::Payload { offset, octets } => (octets, 0, offset),
    };
    let mut out = words(&[0, word, check.mask, check.from, check.to]);
    put(&mut out, 0, &[far, u8::from(check.last), shift, 0]);
    out
}

fn bound_octets(bound: &Bound, block: u32) -> [u8; BOUND] {
    let mut out = [0; BOUND];
    put(&mut out, 0, &halves(bound.from));
    put(&mut out, 16, &block.to_ne_bytes());
    out
}
