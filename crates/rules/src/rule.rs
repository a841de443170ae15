//! The intermediate form of a rule: RFC 8955 and RFC 8956 semantics, plus TTL, window and payload.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use base::{Prefix, Span};

/// The largest value of each numeric field.
pub mod limits {
    /// Ports, and the TCP window.
    pub const PORT: u32 = 65_535;
    /// ICMP types and codes, time to live.
    pub const OCTET: u32 = 255;
    /// Differentiated services code points.
    pub const DSCP: u32 = 63;
    /// A jumbogram (RFC 2675) can be as long as 32 bits say.
    pub const LENGTH: u32 = u32::MAX;
    /// Kinds in a list of TCP options: more than any SYN of a real stack has.
    pub const OPTIONS: usize = 12;
    /// One of so many packets is sampled, at the rarest.
    pub const SAMPLE: u32 = 1_000_000_000;
    /// Packets a second to one destination that pass unchallenged, at most.
    pub const UNCHALLENGED: u32 = 10_000_000;
}

/// An inclusive range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// First number inside.
    pub from: u32,
    /// Last number inside.
    pub to: u32,
}

/// One or more ranges; a value matches when it lies in any of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbers(pub Vec<Range>);

impl Range {
    /// One number.
    pub const fn one(value: u32) -> Self {
        Self { from: value, to: value }
    }

    /// Whether `value` lies inside.
    pub const fn contains(&self, value: u32) -> bool {
        self.from <= value && value <= self.to
    }
}

impl Numbers {
    /// These numbers and no others.
    pub fn of(values: impl IntoIterator<Item = u32>) -> Self {
        Self(values.into_iter().map(Range::one).collect())
    }

    /// All numbers from `from` to `to`.
    pub fn range(from: u32, to: u32) -> Self {
        Self(alloc::vec![Range { from, to }])
    }

    /// Whether `value` lies in any of the ranges.
    pub fn contains(&self, value: u32) -> bool {
        self.0.iter().any(|range| range.contains(value))
    }

    /// The same numbers as disjoint ranges in rising order, none of them above `max`.
    pub fn merged(&self, max: u32) -> Vec<Range> {
        let clip = |r: &Range| Range { from: r.from, to: r.to.min(max) };
        let mut sorted: Vec<Range> = self.0.iter().map(clip).filter(|r| r.from <= r.to).collect();
        sorted.sort_unstable();
        let mut out: Vec<Range> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match out.last_mut() {
                Some(last) if range.from <= last.to.saturating_add(1) => last.to = last.to.max(range.to),
                _ => out.push(range),
            }
        }
        out
    }
}

impl Flags {
    /// Whether the flags of a packet pass this test.
    pub const fn test(&self, flags: u16) -> bool {
        flags & self.mask == self.value
    }
}

/// A test of TCP flags: `flags & mask == value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags {
    /// Flags that must be set, of those in the mask.
    pub value: u16,
    /// Flags that are looked at.
    pub mask: u16,
}

/// The kinds of fragment that match, any of them (RFC 8955 §4.2.2.12, RFC 8956 §3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fragments {
    /// Neither `is` nor `first`.
    pub none: bool,
    /// Offset is not 0.
    pub is: bool,
    /// Offset 0 and more fragments follow.
    pub first: bool,
    /// Offset is not 0 and no more follow.
    pub last: bool,
    /// Do not fragment; IPv4 only.
    pub dont: bool,
}

/// Octets behind the TCP or UDP header, compared under the mask; all of them have to be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload {
    /// From the first octet after the transport header, TCP options included in that header.
    pub offset: u16,
    /// What must stand there; bits outside the mask do not count.
    pub value: Vec<u8>,
    /// As long as `value`.
    pub mask: Vec<u8>,
}

/// What a rule asks of a packet. `None` asks nothing; all that is asked must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Match {
    /// Destination prefix.
    pub dst: Option<Prefix>,
    /// Source prefix.
    pub src: Option<Prefix>,
    /// Upper-layer protocol.
    pub protocol: Option<u8>,
    /// Source or destination port, TCP and UDP only.
    pub port: Option<Numbers>,
    /// Source port, TCP and UDP only.
    pub src_port: Option<Numbers>,
    /// Destination port, TCP and UDP only.
    pub dst_port: Option<Numbers>,
    /// ICMP or ICMPv6 type.
    pub icmp_type: Option<Numbers>,
    /// ICMP or ICMPv6 code.
    pub icmp_code: Option<Numbers>,
    /// Any of these tests holds.
    pub tcp_flags: Option<Vec<Flags>>,
    /// IPv4 total length, or IPv6 payload length + 40.
    pub length: Option<Numbers>,
    /// Differentiated services code point.
    pub dscp: Option<Numbers>,
    /// Fragmentation.
    pub fragment: Option<Fragments>,
    /// Time to live or hop limit. Not expressible in FlowSpec.
    pub ttl: Option<Numbers>,
    /// TCP window as sent. Not expressible in FlowSpec.
    pub window: Option<Numbers>,
    /// Payload octets. Not expressible in FlowSpec.
    pub payload: Option<Payload>,
    /// The kinds of the TCP header's options, all of them in their order (RFC 9293 §3.2); 0, the end of the list, at
    /// most as the last. Empty: a header without options. Not expressible in FlowSpec.
    pub tcp_options: Option<Vec<u8>>,
}

/// What happens to a packet that a rule decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// It goes on.
    Pass,
    /// It ends here.
    Drop,
    /// It goes on while the rule's packets are below this many a second.
    RatePackets(f64),
    /// It goes on while the rule's layer-3 bits are below this many a second.
    RateBits(f64),
    /// Its source has to prove itself, where a destination gets more of such packets a second than this; 0: always, unless
    /// whoever challenges has a number of their own.
    Challenge(u32),
    /// It is led to this next hop.
    Redirect(IpAddr),
    /// It is sent to this address inside another packet.
    Tunnel(Encapsulation, IpAddr),
}

impl Action {
    /// Its kind, as documents name it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::RatePackets(_) | Self::RateBits(_) => "rate",
            Self::Challenge(_) => "challenge",
            Self::Redirect(_) => "redirect",
            Self::Tunnel(..) => "tunnel",
        }
    }
}

/// How a packet is put inside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// Generic routing encapsulation without options (RFC 2784).
    Gre,
    /// IP in IP (RFC 2003, RFC 2473).
    Ipip,
}

/// What a rate is counted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// All packets that the rule decides, together.
    #[default]
    Rule,
    /// Each destination address by itself.
    Destination,
    /// Each source by itself, see [`crate::limit::source_prefixes`].
    Source,
}

/// A rule as written: an id, a place in the order, a question and an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique within a set.
    pub id: String,
    /// Lowest wins; ties by the order of RFC 8955 §5.1, then by id.
    pub precedence: u32,
    /// The question.
    pub matches: Match,
    /// The action.
    pub action: Action,
    /// What the action's rate is counted for; of no meaning for other actions.
    pub per: Per,
    /// One of so many packets that the rule decides is kept as a sample, whatever becomes of it.
    pub sample: Option<u32>,
    /// How long it holds from installation; a file may leave it open, the running system may not.
    pub lease: Option<Span>,
}
