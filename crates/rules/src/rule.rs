//! The intermediate form of a rule: RFC 8955 and RFC 8956 semantics, plus TTL, window and payload.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use base::{Prefix, Span};

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

/// Octets behind the TCP or UDP header: `payload[offset + i] & mask[i] == value[i]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload {
    /// From the first octet after the transport header, TCP options included in that header.
    pub offset: u16,
    /// What must stand there, masked.
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
    /// Its source has to prove itself.
    Challenge,
    /// It is led to this next hop.
    Redirect(IpAddr),
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
    /// How long it holds from installation; a file may leave it open, the running system may not.
    pub lease: Option<Span>,
}
