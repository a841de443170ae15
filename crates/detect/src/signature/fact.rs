//! One thing that a rule may ask besides the shape.

use base::Prefix;
use rules::{Flags, Match, Numbers, Payload};

use super::row::Row;

/// What a fact is about; a rule holds at most one fact a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    DstPort,
    SrcPort,
    IcmpType,
    IcmpCode,
    Length,
    Source,
    Flags,
    Ttl,
    Window,
    Payload,
}

/// The slots that hold numbers.
pub(crate) const NUMERIC: [Slot; 7] =
    [Slot::DstPort, Slot::SrcPort, Slot::IcmpType, Slot::IcmpCode, Slot::Length, Slot::Ttl, Slot::Window];

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    Numbers(Numbers),
    Source(Prefix),
    Flags(Flags),
    Payload(Payload),
}

/// A question with its worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fact {
    pub(crate) slot: Slot,
    pub(crate) ask: Ask,
    /// How much of all conceivable traffic it leaves aside, 0…1: the pull towards narrow rules where nothing is known
    /// of honest traffic.
    pub(crate) tight: f64,
    /// Whether it was cut around honest packets.
    pub(crate) around: bool,
}

impl Slot {
    /// How many values there are, for judging how narrow a range is. Lengths: one Ethernet frame.
    pub(crate) const fn span(self) -> u32 {
        match self {
            Self::DstPort | Self::SrcPort | Self::Window => 65_536,
            Self::Length => 1_500,
            _ => 256,
        }
    }

    /// What a fact costs in the score. FlowSpec cannot say TTL, window or payload, so they have to earn their place.
    pub(crate) const fn cost(self) -> f64 {
        match self {
            Self::DstPort | Self::SrcPort | Self::IcmpType | Self::IcmpCode => 0.002,
            Self::Length | Self::Source => 0.004,
            Self::Flags => 0.06,
            Self::Ttl | Self::Window => 0.075,
            Self::Payload => 0.09,
        }
    }

    /// Whether FlowSpec can ask for it (RFC 8955 §4.2).
    pub(crate) const fn in_flowspec(self) -> bool {
        !matches!(self, Self::Ttl | Self::Window | Self::Payload)
    }

    pub(crate) fn value(self, row: &Row) -> Option<u32> {
        match self {
            Self::DstPort => row.ports.map(|(_, dst)| u32::from(dst)),
            Self::SrcPort => row.ports.map(|(src, _)| u32::from(src)),
            Self::IcmpType => row.icmp.map(|(kind, _)| u32::from(kind)),
            Self::IcmpCode => row.icmp.map(|(_, code)| u32::from(code)),
            Self::Length => row.length,
            Self::Ttl => row.ttl.map(u32::from),
            Self::Window => row.window.map(u32::from),
            Self::Source | Self::Flags | Self::Payload => None,
        }
    }
}

impl Fact {
    /// Values beyond the first; a range is one.
    fn more(&self) -> u32 {
        match &self.ask {
            Ask::Numbers(n) => {
                n.0.iter().map(|r| if r.to > r.from + 7 { 1 } else { r.to - r.from + 1 }).sum::<u32>() - 1
            }
            _ => 0,
        }
    }

    /// Its slot's cost, and for each value more than one: long lists know the sample better than the attack.
    pub(crate) fn cost(&self) -> f64 {
        let each = if self.slot == Slot::Length { 0.01 } else { 0.005 };
        self.slot.cost() + each * f64::from(self.more())
    }

    /// Whether it owes its values to the honest packets at hand: of the next ones it hits more than of these.
    pub(crate) fn is_fitted(&self) -> bool {
        self.around || self.more() > 0
    }

    /// Writes the fact into a rule's match.
    pub(crate) fn put(&self, m: &mut Match) {
        match (&self.ask, self.slot) {
            (Ask::Source(prefix), _) => m.src = Some(*prefix),
            (Ask::Flags(test), _) => m.tcp_flags = Some(alloc::vec![*test]),
            (Ask::Payload(payload), _) => m.payload = Some(payload.clone()),
            (Ask::Numbers(n), Slot::DstPort) => m.dst_port = Some(n.clone()),
            (Ask::Numbers(n), Slot::SrcPort) => m.src_port = Some(n.clone()),
            (Ask::Numbers(n), Slot::IcmpType) => m.icmp_type = Some(n.clone()),
            (Ask::Numbers(n), Slot::IcmpCode) => m.icmp_code = Some(n.clone()),
            (Ask::Numbers(n), Slot::Length) => m.length = Some(n.clone()),
            (Ask::Numbers(n), Slot::Ttl) => m.ttl = Some(n.clone()),
            (Ask::Numbers(n), _) => m.window = Some(n.clone()),
        }
    }

    /// The fact alone.
    pub(crate) fn matches(&self) -> Match {
        let mut m = Match::default();
        self.put(&mut m);
        m
    }
}
