//! The rows of one cell by themselves, numbered anew: sets of them are no longer than they need to be.

use alloc::vec;
use alloc::vec::Vec;

use base::Prefix;
use base::prefix::{bits_of, wide};
use rules::Range;

use super::arena::{Arena, Cell, is_kept_back};
use super::bits::Bits;
use super::fact::{Ask, Fact, Slot};
use super::index::{ANY, Index, NONE};
use super::row::{Row, Unknown, holds};
use super::work;

/// A value with how often the attack and honest traffic show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bin {
    pub(crate) value: u32,
    pub(crate) attack: usize,
    /// Of them those that are no copies.
    pub(crate) originals: usize,
    pub(crate) benign: usize,
}

/// Rows of one side.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    /// Their numbers in the arena, ascending: in the order of time.
    pub(crate) rows: Vec<usize>,
    all: &'a [Row],
    sources: &'a [u128],
    unknown: Unknown,
    /// For each of [`NUMERIC`](super::fact::NUMERIC) the places of the rows' values.
    places: Vec<Vec<u16>>,
}

/// A fact, and the rows for which it holds.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) fact: Fact,
    pub(crate) cost: f64,
    /// Attack rows and how many.
    pub(crate) attack: Bits,
    pub(crate) count: usize,
    pub(crate) benign: Bits,
}

/// A cell's attack rows and the honest ones in its way.
#[derive(Debug)]
pub(crate) struct Excerpt<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) cell: &'a Cell,
    pub(crate) attack: Side<'a>,
    pub(crate) benign: Side<'a>,
    index: &'a Index,
    /// Honest rows that facts may be made around: half of the other hosts', and they are judged by all. Values chosen because
    /// nobody honest was seen with them are only worth something when the next honest packets do not have them either.
    seen: Vec<bool>,
}

impl<'a> Excerpt<'a> {
    pub(crate) fn of(arena: &'a Arena, index: &'a Index, cell: &'a Cell) -> Self {
        let side = |of: &Bits, all: &'a [Row], sources: &'a [u128], unknown| {
            let rows: Vec<usize> = of.iter().collect();
            let gather = |column: &'a super::index::Column| -> Vec<u16> {
                if column.values.is_empty() {
                    return Vec::new();
                }
                let places = if unknown == Unknown::Misses { &column.attack } else { &column.benign };
                rows.iter().map(|at| places.get(*at).copied().unwrap_or(NONE)).collect()
            };
            let places = index.columns.iter().map(gather).collect();
            Side { rows, all, sources, unknown, places }
        };
        let attack = side(&cell.left, &arena.attack, &index.attack_sources, Unknown::Misses);
        let benign = side(&cell.benign, &arena.benign, &index.benign_sources, Unknown::Matches);
        let kept_back = |at: &usize| arena.benign.get(*at).is_some_and(|row| is_kept_back(*at, row));
        let seen = benign.rows.iter().map(|at| !kept_back(at)).collect();
        arena.work.spend(attack.rows.len() + benign.rows.len(), work::GATHER);
        Self { arena, cell, attack, benign, index, seen }
    }

    /// How many of the attack's rows are no copies.
    pub(crate) fn originals(&self) -> usize {
        self.cell.left.count_and(&self.arena.originals)
    }

    /// The values of a slot with how often they come, ascending.
    pub(crate) fn bins(&self, slot: Slot) -> Vec<Bin> {
        let Some((at, column)) = self.column(slot) else { return Vec::new() };
        let mut bins: Vec<Bin> = column
            .values
            .iter()
            .map(|value| Bin { value: *value, attack: 0, originals: 0, benign: 0 })
            .collect();
        for (place, row) in self.attack.places(at).iter().zip(&self.attack.rows) {
            if let Some(bin) = bins.get_mut(usize::from(*place)) {
                bin.attack += 1;
                bin.originals += usize::from(self.arena.originals.contains(*row));
            }
        }
        for (place, _) in self.benign.places(at).iter().zip(&self.seen).filter(|(_, seen)| **seen) {
            if let Some(bin) = bins.get_mut(usize::from(*place)) {
                bin.benign += 1;
            }
        }
        bins.retain(|bin| bin.attack + bin.benign > 0);
        bins
    }

    /// The attack's earlier half as [`Excerpt::bins`], and the places of the later one's values.
    pub(crate) fn halves(&self, slot: Slot) -> (Vec<Bin>, impl Iterator<Item = u32> + Clone) {
        let (places, values) = match self.column(slot) {
            Some((at, column)) => (self.attack.places(at), column.values.as_slice()),
            None => Default::default(),
        };
        let (first, second) = places.split_at(places.len() / 2);
        let mut bins: Vec<Bin> =
            values.iter().map(|value| Bin { value: *value, attack: 0, originals: 0, benign: 0 }).collect();
        for place in first {
            if let Some(bin) = bins.get_mut(usize::from(*place)) {
                bin.attack += 1;
            }
        }
        (bins, second.iter().filter_map(|place| values.get(usize::from(*place)).copied()))
    }

    /// The attack's sources, ascending, and whether the row is no copy.
    pub(crate) fn sources(&self) -> Vec<(u128, bool)> {
        let left =
            self.index.by_source.iter().map(|at| *at as usize).filter(|at| self.cell.left.contains(*at));
        left.filter_map(|at| Some((*self.index.attack_sources.get(at)?, self.arena.originals.contains(at))))
            .collect()
    }

    /// Asks all rows all of this.
    pub(crate) fn ask(&self, facts: Vec<Fact>) -> Vec<Item> {
        let mut known: Vec<(Slot, Range, [Bits; 2])> = Vec::new();
        let sides = [&self.attack, &self.benign];
        let rows: usize = sides.iter().map(|side| side.rows.len()).sum();
        let mut items = Vec::with_capacity(facts.len());
        for fact in facts {
            let [attack, benign] = match &fact.ask {
                Ask::Numbers(numbers) => {
                    let mut both = sides.map(|side| Bits::empty(side.rows.len()));
                    for range in &numbers.0 {
                        let old = known.iter().position(|(slot, of, _)| (*slot, of) == (fact.slot, range));
                        let at = old.unwrap_or_else(|| {
                            self.arena.work.spend(rows, work::ASK);
                            known.push((
                                fact.slot,
                                *range,
                                sides.map(|side| self.within(side, fact.slot, *range)),
                            ));
                            known.len() - 1
                        });
                        if let Some((_, _, found)) = known.get(at) {
                            both.iter_mut().zip(found).for_each(|(all, more)| all.add(more));
                        }
                    }
                    both
                }
                Ask::Source(prefix) => {
                    self.arena.work.spend(rows, work::ASK);
                    sides.map(|side| side.from(*prefix))
                }
                Ask::Flags(_) | Ask::Payload(_) => {
                    self.arena.work.spend(rows, work::HOLDS);
                    let m = fact.matches();
                    sides.map(|side| {
                        Bits::of(side.rows.len(), |i| side.row(i).is_some_and(|r| holds(&m, r, side.unknown)))
                    })
                }
            };
            items.push(Item { cost: fact.cost(), count: attack.count(), fact, attack, benign });
        }
        items
    }

    fn within(&self, side: &Side<'_>, slot: Slot, range: Range) -> Bits {
        let Some((at, column)) = self.column(slot) else { return Bits::empty(side.rows.len()) };
        let place = |end: usize| u16::try_from(end).unwrap_or(NONE);
        let from = place(column.values.partition_point(|value| *value < range.from));
        let to = place(column.values.partition_point(|value| *value <= range.to));
        let (width, any) = (to - from, side.unknown == Unknown::Matches);
        let word = |places: &[u16]| {
            let is_in = |place: u16| place.wrapping_sub(from) < width || any && place == ANY;
            places.iter().rev().fold(0u64, |word, place| word << 1 | u64::from(is_in(*place)))
        };
        Bits::from_words(side.places(at).chunks(64).map(word))
    }

    fn column(&self, slot: Slot) -> Option<(usize, &'a super::index::Column)> {
        self.index.columns.iter().enumerate().find(|(_, column)| column.slot == slot)
    }
}

impl Side<'_> {
    pub(crate) fn row(&self, i: usize) -> Option<&Row> {
        self.all.get(*self.rows.get(i)?)
    }

    /// Numbers of the arena for those of the excerpt.
    pub(crate) fn in_arena(&self, of: &Bits) -> Bits {
        let mut all = Bits::empty(self.all.len());
        of.iter().filter_map(|i| self.rows.get(i)).for_each(|at| all.set(*at));
        all
    }

    fn places(&self, column: usize) -> &[u16] {
        self.places.get(column).map_or(&[], Vec::as_slice)
    }

    /// Those that a prefix sent.
    fn from(&self, prefix: Prefix) -> Bits {
        let host = u32::from(bits_of(prefix.addr()) - prefix.bits());
        let of = wide(prefix.addr());
        let word = |rows: &[usize]| {
            let is_in = |at: usize| {
                let source = self.sources.get(at).copied().unwrap_or(!of);
                (source ^ of).checked_shr(host).unwrap_or(0) == 0
            };
            rows.iter().rev().fold(0u64, |word, at| word << 1 | u64::from(is_in(*at)))
        };
        Bits::from_words(self.rows.chunks(64).map(word))
    }
}

/// The most frequent values, at most so many, most first; equal ones by value.
pub(crate) fn most(bins: &[Bin], max: usize, wanted: impl Fn(&Bin) -> bool) -> Vec<Bin> {
    let mut most: Vec<Bin> = vec![];
    for bin in bins.iter().filter(|bin| bin.attack > 0 && wanted(bin)) {
        if most.len() == max && most.last().is_some_and(|last| last.attack >= bin.attack) {
            continue;
        }
        let at = most.partition_point(|other| other.attack >= bin.attack);
        most.insert(at, *bin);
        most.truncate(max);
    }
    most
}
