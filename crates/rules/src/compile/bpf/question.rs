//! What a rule asks within one address family, in ranges.

use alloc::vec::Vec;

use base::Prefix;
use base::prefix::wide;

use super::record::{self, Field, fragment, has};
use crate::family::Family;
use crate::overlap;
use crate::rule::{Flags, Fragments, Match, Numbers, Payload, limits};
use wire::packet::{ICMP, ICMP6, TCP, UDP};

/// A number of a packet by which rules can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dimension {
    Protocol,
    DstPort,
    SrcPort,
    Length,
    Source,
    IcmpType,
    IcmpCode,
    Ttl,
    Dscp,
    Window,
}

impl Dimension {
    pub(super) const ALL: [Self; 10] = [
        Self::Protocol,
        Self::DstPort,
        Self::SrcPort,
        Self::Length,
        Self::Source,
        Self::IcmpType,
        Self::IcmpCode,
        Self::Ttl,
        Self::Dscp,
        Self::Window,
    ];

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The largest value.
    pub(super) const fn max(self, family: Family) -> u128 {
        match (self, family) {
            (Self::Source, Family::V6) => u128::MAX,
            (Self::Source, Family::V4) | (Self::Length, _) => u32::MAX as u128,
            (Self::DstPort | Self::SrcPort | Self::Window, _) => limits::PORT as u128,
            (Self::Dscp, _) => limits::DSCP as u128,
            _ => limits::OCTET as u128,
        }
    }

    /// Where it stands. The source of IPv6 has another half.
    pub(super) const fn field(self) -> Field {
        match self {
            Self::Protocol => record::PROTOCOL,
            Self::DstPort => record::DST_PORT,
            Self::SrcPort => record::SRC_PORT,
            Self::Length => record::LENGTH,
            Self::Source => record::SRC_LOW,
            Self::IcmpType => record::ICMP_TYPE,
            Self::IcmpCode => record::ICMP_CODE,
            Self::Ttl => record::TTL,
            Self::Dscp => record::DSCP,
            Self::Window => record::WINDOW,
        }
    }
}

/// From the first to the last number inside.
pub(super) type Span = (u128, u128);

/// A rule's question. All parts have to hold.
#[derive(Clone, Debug)]
pub(super) struct Question<'r> {
    /// The rule's place in deciding order.
    pub(super) rule: u32,
    /// What it asks of each number: disjoint spans in rising order; `None` asks nothing.
    pub(super) spans: [Option<Vec<Span>>; 10],
    /// Either port in one of these.
    pub(super) port: Option<Vec<Span>>,
    /// Bits of [`has`] that must be set.
    pub(super) has: u32,
    /// Any of these bits of [`fragment`], if not 0.
    pub(super) fragment: Option<u32>,
    pub(super) flags: Option<&'r [Flags]>,
    pub(super) payload: Option<&'r Payload>,
    /// [`record::options`].
    pub(super) options: Option<[u64; 2]>,
}

impl<'r> Question<'r> {
    /// What `m` asks of packets of this family; `None` if none can match.
    pub(super) fn of(rule: u32, m: &'r Match, family: Family) -> Option<Self> {
        let icmp = m.icmp_type.is_some() || m.icmp_code.is_some();
        let tcp = m.tcp_flags.is_some() || m.window.is_some() || m.tcp_options.is_some();
        let ports = m.port.is_some() || m.src_port.is_some() || m.dst_port.is_some();
        let protocols = [TCP, UDP, ICMP, ICMP6];
        let possible = |protocol: &u8| overlap::allows(m, family, *protocol);
        if !Family::of(m).any(|f| f == family)
            || overlap::needs_transport(m) && !protocols.iter().any(possible)
        {
            return None;
        }
        let protocol = if icmp { Some(family.icmp()) } else { m.protocol };
        let protocol = if tcp { Some(TCP) } else { protocol };
        let numbers = |list: &Option<Numbers>, max| {
            let spans = |n: &Numbers| n.merged(max).iter().map(|r| (r.from.into(), r.to.into())).collect();
            list.as_ref().map(spans)
        };
        let question = Self {
            rule,
            spans: [
                protocol.map(|p| alloc::vec![(p.into(), p.into())]),
                numbers(&m.dst_port, limits::PORT),
                numbers(&m.src_port, limits::PORT),
                numbers(&m.length, limits::LENGTH),
                m.src.filter(|p| p.bits() > 0).map(|prefix| alloc::vec![addresses(&prefix)]),
                numbers(&m.icmp_type, limits::OCTET),
                numbers(&m.icmp_code, limits::OCTET),
                numbers(&m.ttl, limits::OCTET),
                numbers(&m.dscp, limits::DSCP),
                numbers(&m.window, limits::PORT),
            ],
            port: numbers(&m.port, limits::PORT),
            has: (has::PORTS * u32::from(ports))
                | (has::TCP * u32::from(tcp))
                | (has::ICMP * u32::from(icmp)),
            fragment: m.fragment.map(fragments),
            flags: m.tcp_flags.as_deref(),
            payload: m.payload.as_ref(),
            options: m.tcp_options.as_deref().and_then(record::options),
        };
        // An empty list holds for no packet.
        let lists = question.spans.iter().chain([&question.port]);
        let no_flags = question.flags.is_some_and(<[Flags]>::is_empty);
        let too_many = m.tcp_options.is_some() && question.options.is_none();
        let empty =
            lists.flatten().any(Vec::is_empty) || no_flags || question.fragment == Some(0) || too_many;
        (!empty).then_some(question)
    }

    /// What it asks of a number; `None` asks nothing.
    pub(super) fn asked(&self, dimension: Dimension) -> Option<&[Span]> {
        self.spans.get(dimension.index())?.as_deref()
    }
}

/// The first and the last address of a prefix: of 32 bits for IPv4.
pub(super) fn addresses(prefix: &Prefix) -> Span {
    let (width, addr) = if prefix.is_ipv4() {
        (32, wide(prefix.addr()) & u128::from(u32::MAX))
    } else {
        (128, wide(prefix.addr()))
    };
    let free = width - u32::from(prefix.bits());
    let rest = 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
    (addr, addr | rest)
}

fn fragments(kinds: Fragments) -> u32 {
    let bits = [
        (kinds.none, fragment::NONE),
        (kinds.is, fragment::IS),
        (kinds.first, fragment::FIRST),
        (kinds.last, fragment::LAST),
        (kinds.dont, fragment::DONT),
    ];
    bits.iter().filter(|(asked, _)| *asked).map(|(_, bit)| bit).sum()
}
