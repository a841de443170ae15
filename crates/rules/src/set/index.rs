//! Which rules of a group a packet may match, found by a bit vector per field.
//!
//! Each field's numbers are cut where any rule's range begins or ends; each piece has a bit for each rule that holds
//! there. The pieces of a packet's fields are anded: what is left is asked in full, in deciding order.

use alloc::vec::Vec;

use wire::packet::{ICMP, ICMP6, Parsed, TCP, UDP};

use crate::family::Family;
use crate::overlap;
use crate::rule::{Match, Numbers, Range, Rule, limits};

/// Smaller groups are asked rule by rule, which is quicker.
const RULES_MIN: usize = 16;
/// Larger groups are asked rule by rule too: a field of theirs would take more than `RULES_MAX²/4` octets.
const RULES_MAX: usize = 2048;
/// Payload octets looked at: those that most rules ask.
const OCTETS_MAX: usize = 3;

/// Rules that a packet may match, in deciding order.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    rules: Vec<(usize, Hull)>,
    /// The fields that any rule asks; none for a group that is asked rule by rule.
    fields: Vec<Field>,
}

impl Group {
    pub(super) fn new<'a>(rules: impl Iterator<Item = (usize, &'a Rule)>) -> Self {
        let rules: Vec<(usize, &Match)> = rules.map(|(index, rule)| (index, &rule.matches)).collect();
        let mut fields = Vec::new();
        if (RULES_MIN..=RULES_MAX).contains(&rules.len()) {
            for kind in kinds(&rules) {
                let asked: Vec<_> = rules.iter().map(|(_, m)| kind.asked(m)).collect();
                if asked.iter().any(Option::is_some) {
                    fields.push(Field::new(kind, &asked));
                }
            }
        }
        Self { rules: rules.into_iter().map(|(index, m)| (index, Hull::new(m))).collect(), fields }
    }

    /// The first rule that `matches`, of those that the fields do not rule out.
    pub(super) fn first(&self, packet: &Parsed<'_>, matches: impl Fn(usize) -> bool) -> Option<usize> {
        if self.fields.is_empty() {
            let numbers = Numbers4::of(packet);
            let may = |(_, hull): &&(usize, Hull)| hull.holds(&numbers);
            return self.rules.iter().filter(may).map(|(index, _)| *index).find(|index| matches(*index));
        }
        let mut pieces: [&[u64]; KINDS_MAX] = [&[]; KINDS_MAX];
        for (field, piece) in self.fields.iter().zip(&mut pieces) {
            *piece = field.piece(field.kind.value(packet));
        }
        let pieces = pieces.get(..self.fields.len()).unwrap_or(&pieces);
        for (word, rules) in self.rules.chunks(64).enumerate() {
            let mut left = u64::MAX >> (64 - rules.len());
            for piece in pieces {
                left &= piece.get(word).copied().unwrap_or(0);
            }
            while left != 0 {
                let bit = usize::try_from(left.trailing_zeros()).unwrap_or(0);
                left &= left - 1;
                if let Some((index, _)) = rules.get(bit).filter(|(index, _)| matches(*index)) {
                    return Some(*index);
                }
            }
        }
        None
    }
}

/// A field of packets. What a packet does not have is larger than anything asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Protocol,
    SrcPort,
    DstPort,
    Length,
    Ttl,
    /// The payload's octet at this offset.
    Octet(u16),
}

/// As many fields as a group can have.
const KINDS_MAX: usize = 5 + OCTETS_MAX;

fn kinds(rules: &[(usize, &Match)]) -> impl Iterator<Item = Kind> {
    let mut offsets: Vec<u16> =
        rules.iter().filter_map(|(_, m)| m.payload.as_ref()).map(|p| p.offset).collect();
    offsets.sort_unstable();
    let mut counted: Vec<(usize, u16)> =
        offsets.chunk_by(|a, b| a == b).filter_map(|same| Some((same.len(), *same.first()?))).collect();
    counted.sort_unstable_by(|a, b| b.cmp(a));
    let octets = counted.into_iter().take(OCTETS_MAX).map(|(_, offset)| Kind::Octet(offset));
    [Kind::Protocol, Kind::SrcPort, Kind::DstPort, Kind::Length, Kind::Ttl].into_iter().chain(octets)
}

impl Kind {
    /// What a rule asks of this field.
    fn asked(self, m: &Match) -> Option<Vec<Range>> {
        let merged = |numbers: &Option<Numbers>, max| numbers.as_ref().map(|n| n.merged(max));
        match self {
            Self::Protocol => m.protocol.map(|protocol| alloc::vec![Range::one(u32::from(protocol))]),
            Self::SrcPort => merged(&m.src_port, limits::PORT),
            Self::DstPort => merged(&m.dst_port, limits::PORT),
            Self::Length => merged(&m.length, limits::LENGTH),
            Self::Ttl => merged(&m.ttl, limits::OCTET),
            Self::Octet(offset) => {
                let wanted = m.payload.as_ref().filter(|wanted| wanted.offset == offset)?;
                let (value, mask) = (*wanted.value.first()?, *wanted.mask.first()?);
                let fits = (0..=u8::MAX).filter(|octet| octet & mask == value & mask);
                Some(Numbers::of(fits.map(u32::from)).merged(limits::OCTET))
            }
        }
    }

    fn value(self, packet: &Parsed<'_>) -> u32 {
        let h = &packet.headers;
        match self {
            Self::Protocol => u32::from(h.protocol),
            Self::SrcPort => h.src_port().map_or(u32::MAX, u32::from),
            Self::DstPort => h.dst_port().map_or(u32::MAX, u32::from),
            Self::Length => h.length,
            Self::Ttl => u32::from(h.ttl),
            Self::Octet(offset) => {
                packet.payload.get(usize::from(offset)).map_or(u32::MAX, |o| u32::from(*o))
            }
        }
    }
}

/// Protocol, ports and length of a packet.
struct Numbers4 {
    protocol: u8,
    src_port: u32,
    dst_port: u32,
    length: u32,
}

impl Numbers4 {
    fn of(packet: &Parsed<'_>) -> Self {
        Self {
            protocol: packet.headers.protocol,
            src_port: Kind::SrcPort.value(packet),
            dst_port: Kind::DstPort.value(packet),
            length: packet.headers.length,
        }
    }
}

/// The hull of what a rule asks: small, and refuses nothing that the rule matches.
#[derive(Clone, Copy, Debug)]
struct Hull {
    src_port: Range,
    dst_port: Range,
    length: Range,
    /// 256 bits: the protocols that the rule can meet in either family.
    protocols: [u64; 4],
}

impl Hull {
    fn new(m: &Match) -> Self {
        // Without a protocol asked, either all will do or only those that the other parts belong to.
        let any = m.protocol.is_none() && !overlap::needs_transport(m);
        let mut protocols = if any { [u64::MAX; 4] } else { [0; 4] };
        for protocol in [TCP, UDP, ICMP, ICMP6].into_iter().chain(m.protocol) {
            let allowed = Family::of(m).any(|family| overlap::allows(m, family, protocol));
            if let Some(word) = protocols.get_mut(usize::from(protocol >> 6)) {
                *word |= u64::from(allowed) << (protocol & 63);
            }
        }
        Self {
            src_port: hull(m.src_port.as_ref(), limits::PORT),
            dst_port: hull(m.dst_port.as_ref(), limits::PORT),
            length: hull(m.length.as_ref(), limits::LENGTH),
            protocols,
        }
    }

    fn holds(&self, numbers: &Numbers4) -> bool {
        let word = self.protocols.get(usize::from(numbers.protocol >> 6)).copied().unwrap_or(0);
        word >> (numbers.protocol & 63) & 1 == 1
            && self.src_port.contains(numbers.src_port)
            && self.dst_port.contains(numbers.dst_port)
            && self.length.contains(numbers.length)
    }
}

fn hull(numbers: Option<&Numbers>, max: u32) -> Range {
    let Some(numbers) = numbers else { return Range { from: 0, to: u32::MAX } };
    let from = numbers.0.iter().map(|r| r.from).min().unwrap_or(u32::MAX);
    let to = numbers.0.iter().map(|r| r.to).max().unwrap_or(0).min(max);
    Range { from, to }
}

/// The pieces of one field.
#[derive(Clone, Debug)]
struct Field {
    kind: Kind,
    /// Where pieces begin; the first at 0.
    cuts: Vec<u32>,
    /// For each piece, as many words as hold a bit for each rule.
    bits: Vec<u64>,
    words: usize,
}

impl Field {
    fn new(kind: Kind, asked: &[Option<Vec<Range>>]) -> Self {
        let ends = |range: &Range| [Some(range.from), range.to.checked_add(1)];
        let mut cuts: Vec<u32> =
            asked.iter().flatten().flatten().flat_map(ends).flatten().chain([0]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let words = asked.len().div_ceil(64);
        let mut bits = Vec::with_capacity(cuts.len() * words);
        for cut in &cuts {
            for rules in asked.chunks(64) {
                let holds = |rule: &Option<Vec<Range>>| {
                    rule.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(*cut)))
                };
                bits.push(rules.iter().rev().fold(0, |word, rule| word << 1 | u64::from(holds(rule))));
            }
        }
        Self { kind, cuts, bits, words }
    }

    /// The words of the piece in which `value` lies.
    fn piece(&self, value: u32) -> &[u64] {
        let piece = self.cuts.partition_point(|cut| *cut <= value).saturating_sub(1);
        self.bits.get(piece * self.words..(piece + 1) * self.words).unwrap_or(&[])
    }
}
