//! Rules as tables for a program that interprets them: the second way beside the emitted tree, where a kernel refuses
//! that, and for single rules that come between two trees.
//!
//! A rule stands in the block of its destination; without one in that of its source; without either in one for all. A
//! packet is asked against the blocks of its destination from the narrowest to the widest, then those of its source, then
//! the last. What is cheap to ask stands in the [`Entry`], the rest in [`Check`]s.

use alloc::vec::Vec;

use super::nest::{Block as Nested, nest, ranges};
use super::question::{Dimension, Question, Span};
use super::record::{self, Field};
use crate::family::Family;
use crate::rule::Match;

/// A rule that is to be found.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// Its question.
    pub matches: &'r Match,
    /// Its place among all: the lowest wins. Rising.
    pub order: u32,
    /// What is written into the packet's record when it decides.
    pub slot: u32,
}

/// How much fits into the program's tables.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Checks of one rule.
    pub checks_of_rule: usize,
    /// Checks of all.
    pub checks: usize,
    /// Entries and blocks that a packet may meet.
    pub steps: usize,
}

/// Why the rules do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One packet would meet too many.
    #[error(
        "a packet to one destination would meet {steps} rules and blocks of them, the table engine takes {most}; give \
         more rules a destination or a source, or merge some"
    )]
    Steps {
        /// So many.
        steps: usize,
        /// At most so many.
        most: usize,
    },
    /// A rule asks too much.
    #[error("rule number {place} asks {checks} things, the table engine takes {most}; split it")]
    Checks {
        /// Its place in deciding order, from 1.
        place: usize,
        /// So many.
        checks: usize,
        /// At most so many.
        most: usize,
    },
    /// All together ask too much.
    #[error(
        "the rules ask {checks} things beyond addresses, ports and lengths, the table engine takes {most}"
    )]
    Full {
        /// So many.
        checks: usize,
        /// At most so many.
        most: usize,
    },
}

/// A number of the record: those bits of the 32-bit word, moved down, that the mask leaves, lie in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Where to look.
    pub place: Place,
    /// Bits that are looked at.
    pub mask: u32,
    /// First number inside.
    pub from: u32,
    /// Last number inside.
    pub to: u32,
    /// Whether the alternatives end here, one of which has to hold.
    pub last: bool,
}

/// Where a check looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A 32-bit word of the packet's record, moved down by so many bits.
    Record {
        /// Its number.
        word: u8,
        /// Bits.
        shift: u8,
    },
    /// Octets of the payload, at most four, the first one lowest.
    Payload {
        /// Offset of the first.
        offset: u32,
        /// How many.
        octets: u8,
    },
}

/// A rule in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As in [`Asked`].
    pub order: u32,
    /// As in [`Asked`].
    pub slot: u32,
    /// Bits of [`record::has`] that must be set.
    pub has: u8,
    /// Any of these bits of [`record::fragment`].
    pub fragment: u8,
    /// From the first to the last: protocol.
    pub protocol: (u8, u8),
    /// Source port.
    pub src_port: (u16, u16),
    /// Destination port.
    pub dst_port: (u16, u16),
    /// Length.
    pub length: (u32, u32),
    /// The source under the mask; IPv4 in the lower half.
    pub src: u128,
    /// Bits of the source that are looked at.
    pub src_mask: u128,
    /// The place of its first check.
    pub checks_at: u32,
    /// How many there are.
    pub checks: u16,
}

/// Entries with one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The place of the first.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// The block of the next wider prefix.
    pub parent: Option<u32>,
}

/// From this address on, this block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The address.
    pub from: u128,
    /// The block, if any.
    pub block: Option<u32>,
}

/// One family's bounds and last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Place and number of the destinations' bounds.
    pub dst: (u32, u32),
    /// Of the sources' bounds.
    pub src: (u32, u32),
    /// The block of rules with neither.
    pub rest: Option<u32>,
}

/// All of it. Places count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// IPv4 and IPv6.
    pub sides: [Side; 2],
    /// Entries, those of a block one behind the other.
    pub entries: Vec<Entry>,
    /// Checks, those of a rule one behind the other.
    pub checks: Vec<Check>,
    /// Blocks.
    pub blocks: Vec<Block>,
    /// Bounds.
    pub bounds: Vec<Bound>,
    /// Entries and blocks that a packet meets at most.
    pub steps: usize,
}

/// The tables of these rules.
///
/// # Errors
/// When they are too many for one packet, or ask too much.
pub fn tables(rules: &[Asked<'_>], room: Room) -> Result<Tables, Error> {
    let mut out = Tables::default();
    for family in Family::ALL {
        let (mut by_dst, mut by_src, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (place, rule) in rules.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let Some(question) = Question::of(place, rule.matches, family) else { continue };
            let narrow = |prefix: Option<base::Prefix>| prefix.filter(|prefix| prefix.bits() > 0);
            match (narrow(rule.matches.dst), narrow(rule.matches.src)) {
                (Some(dst), _) => by_dst.push((Some(dst), question)),
                (None, Some(src)) => by_src.push((Some(src), question)),
                (None, None) => rest.push((None, question)),
            }
        }
        let mut side = Side::default();
        let mut steps = 0;
        for (asked, bounds) in [(by_dst, &mut side.dst), (by_src, &mut side.src)] {
            let nested = nest(asked);
            let (base, longest) = out.blocks(&nested, rules, room)?;
            let at = out.bounds.len();
            let bound =
                |(from, block): (u128, Option<usize>)| Bound { from, block: block.map(|b| base + small(b)) };
            out.bounds.extend(ranges(&nested, family).into_iter().map(bound));
            *bounds = (small(at), small(out.bounds.len() - at));
            steps += longest;
        }
        let nested = nest(rest);
        let (base, longest) = out.blocks(&nested, rules, room)?;
        side.rest = (!nested.is_empty()).then_some(base);
        out.steps = out.steps.max(steps + longest);
        let of_family = usize::from(family == Family::V6);
        if let Some(place) = out.sides.get_mut(of_family) {
            *place = side;
        }
    }
    if out.steps > room.steps {
        return Err(Error::Steps { steps: out.steps, most: room.steps });
    }
    if out.checks.len() > room.checks {
        return Err(Error::Full { checks: out.checks.len(), most: room.checks });
    }
    Ok(out)
}

fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Tables {
    /// Writes blocks; gives the place of the first, and the steps of a packet that meets most.
    fn blocks(
        &mut self,
        nested: &[Nested<'_>],
        rules: &[Asked<'_>],
        room: Room,
    ) -> Result<(u32, usize), Error> {
        let base = small(self.blocks.len());
        let mut steps: Vec<usize> = Vec::new();
        for block in nested {
            let first = small(self.entries.len());
            for question in &block.rules {
                let place = usize::try_from(question.rule).unwrap_or(usize::MAX);
                let Some(rule) = rules.get(place) else { continue };
                self.entry(question, rule, room)?;
            }
            let above = block.parent.and_then(|parent| steps.get(parent)).copied().unwrap_or(0);
            steps.push(above + block.rules.len() + 1);
            let parent = block.parent.map(|parent| base + small(parent));
            self.blocks.push(Block { first, count: small(block.rules.len()), parent });
        }
        Ok((base, steps.into_iter().max().unwrap_or(0)))
    }

    fn entry(&mut self, q: &Question<'_>, rule: &Asked<'_>, room: Room) -> Result<(), Error> {
        let at = self.checks.len();
        self.beyond(q);
        let checks = self.checks.len() - at;
        if checks > room.checks_of_rule {
            let place = usize::try_from(q.rule).unwrap_or(usize::MAX).saturating_add(1);
            return Err(Error::Checks { place, checks, most: room.checks_of_rule });
        }
        let hull = |dimension: Dimension, max: u32| {
            let spans = q.asked(dimension).unwrap_or(&[]);
            let number = |n: u128| u32::try_from(n).unwrap_or(u32::MAX);
            match (spans.first(), spans.last()) {
                (Some(first), Some(last)) => (number(first.0), number(last.1)),
                _ => (0, max),
            }
        };
        let port = |dimension| {
            let (from, to) = hull(dimension, u32::from(u16::MAX));
            (u16::try_from(from).unwrap_or(u16::MAX), u16::try_from(to).unwrap_or(u16::MAX))
        };
        let protocol = hull(Dimension::Protocol, u32::from(u8::MAX));
        let octet = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        let (src, src_mask) = match q.asked(Dimension::Source).and_then(<[Span]>::first) {
            Some((from, to)) => (*from, !(from ^ to)),
            None => (0, 0),
        };
        self.entries.push(Entry {
            order: rule.order,
            slot: rule.slot,
            has: octet(q.has),
            fragment: q.fragment.map_or(u8::MAX, octet),
            protocol: (octet(protocol.0), octet(protocol.1)),
            src_port: port(Dimension::SrcPort),
            dst_port: port(Dimension::DstPort),
            length: hull(Dimension::Length, u32::MAX),
            src,
            src_mask,
            checks_at: small(at),
            checks: u16::try_from(checks).unwrap_or(u16::MAX),
        });
        Ok(())
    }

    /// What an entry cannot say.
    fn beyond(&mut self, q: &Question<'_>) {
        use Dimension::{Dscp, DstPort, IcmpCode, IcmpType, Length, SrcPort, Ttl, Window};
        let in_entry = [DstPort, SrcPort, Length];
        for dimension in [DstPort, SrcPort, Length, IcmpType, IcmpCode, Ttl, Dscp, Window] {
            let Some(asked) = q.asked(dimension) else { continue };
            if asked.len() > 1 || !in_entry.contains(&dimension) {
                self.spans(dimension.field(), asked);
                self.end();
            }
        }
        if let Some(asked) = &q.port {
            self.spans(record::SRC_PORT, asked);
            self.spans(record::DST_PORT, asked);
            self.end();
        }
        if let Some(tests) = q.flags {
            for test in tests {
                let value = u32::from(test.value);
                self.push(word(record::TCP_FLAGS), u32::from(test.mask), (value, value));
            }
            self.end();
        }
        for (field, wide) in
            [record::TCP_OPTIONS, record::TCP_OPTIONS_REST].into_iter().zip(q.options.into_iter().flatten())
        {
            let first = u8::try_from(field.offset / 4).unwrap_or(0);
            for (word, half) in [(first, wide & u64::from(u32::MAX)), (first + 1, wide >> 32)] {
                let half = u32::try_from(half).unwrap_or(u32::MAX);
                self.push(Place::Record { word, shift: 0 }, u32::MAX, (half, half));
                self.end();
            }
        }
        let Some(asked) = q.payload else { return };
        let end = u32::from(asked.offset) + small(asked.value.len());
        self.push(word(record::PAYLOAD_LEN), u32::MAX, (end, u32::MAX));
        self.end();
        let octets = asked.value.iter().zip(&asked.mask);
        let octets: Vec<(u32, u8, u8)> =
            (u32::from(asked.offset)..).zip(octets).map(|(at, (value, mask))| (at, *value, *mask)).collect();
        let near = end <= small(record::PAYLOAD_MAX);
        // The words that the record holds; beyond them four octets each.
        for run in octets.chunk_by(|a, b| a.0 / 4 == b.0 / 4) {
            let Some((first, ..)) = run.first().copied() else { continue };
            let start = if near { first / 4 * 4 } else { first };
            let put = |word: u32, at: u32, octet: u8| word | u32::from(octet) << ((at - start) * 8);
            let value = run.iter().fold(0, |word, (at, value, mask)| put(word, *at, value & mask));
            let mask = run.iter().fold(0, |word, (at, _, mask)| put(word, *at, *mask));
            let place = if near {
                let words = u32::from(record::PAYLOAD.offset.unsigned_abs()) / 4 + start / 4;
                Place::Record { word: u8::try_from(words).unwrap_or(u8::MAX), shift: 0 }
            } else {
                Place::Payload { offset: start, octets: u8::try_from(run.len()).unwrap_or(4) }
            };
            if mask != 0 {
                self.push(place, mask, (value, value));
                self.end();
            }
        }
    }

    fn spans(&mut self, field: Field, asked: &[Span]) {
        let mask = match field.size {
            1 => 0xff,
            2 => 0xffff,
            _ => u32::MAX,
        };
        let number = |n: u128| u32::try_from(n).unwrap_or(u32::MAX);
        for (from, to) in asked {
            self.push(word(field), mask, (number(*from), number(*to)));
        }
    }

    fn push(&mut self, place: Place, mask: u32, (from, to): (u32, u32)) {
        self.checks.push(Check { place, mask, from, to, last: false });
    }

    fn end(&mut self) {
        if let Some(check) = self.checks.last_mut() {
            check.last = true;
        }
    }
}

/// The word that holds a field of at most four octets, on a little-endian machine.
fn word(field: Field) -> Place {
    let offset = u8::try_from(field.offset).unwrap_or(0);
    Place::Record { word: offset / 4, shift: offset % 4 * 8 }
}
