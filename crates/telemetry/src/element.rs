//! The information elements that we use (IANA "IPFIX Information Elements"; below 128 also NetFlow v9's), and which of
//! several that say the same is believed.

use wire::netflow9::Field;

/// Reverse direction of a biflow (RFC 5103 §6.1).
const REVERSE: u32 = 29305;

/// Where a field's value is put. At most 64, for they index a bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Slot {
    Src4,
    Dst4,
    Src6,
    Src6Low,
    Dst6,
    Dst6Low,
    IpVersion,
    Protocol,
    SrcPort,
    DstPort,
    TcpFlags,
    Tos,
    Ttl,
    IcmpWord,
    IcmpType,
    IcmpCode,
    FragmentOffset,
    FragmentFlags,
    Packets,
    Bytes,
    ReversePackets,
    ReverseBytes,
    ReverseFlags,
    Input,
    Output,
    Direction,
    Forwarding,
    NextHop4,
    Start,
    End,
    Observation,
    Duration,
    Boot,
    Event,
    Frame,
    FrameSize,
    FrameType,
    Sampler,
    SamplerMode,
    Selector,
    Interval,
    RandomInterval,
    PacketInterval,
    PacketSpace,
    Size,
    Population,
    Probability,
    IfName,
    IfDescription,
    DomainScope,
}

/// Number of places.
pub(crate) const SLOTS: usize = 64;

impl Slot {
    pub(crate) const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Clock {
    #[default]
    Uptime,
    Delta,
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// What a field is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) slot: Slot,
    /// Of fields with the same slot the one with the lowest rank is believed, of equals the first (T20).
    pub(crate) rank: u8,
    pub(crate) clock: Clock,
    pub(crate) shape: Shape,
}

/// What the octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A big-endian number of any width whose value fits into 64 bits.
    Number,
    /// Exactly four octets.
    Address4,
    /// Exactly sixteen octets.
    Address6,
    /// Text or the front of a packet: kept as a place in the record.
    Octets(Section),
    /// Exactly eight octets: an instant in NTP format, or a double.
    Eight,
}

/// What a packet section begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Text,
    Link,
    Ip,
}

/// The meaning of a field of a data record, or of an option.
pub(crate) fn meaning(field: &Field) -> Option<Meaning> {
    match field.enterprise {
        0 => standard(field.element),
        REVERSE => reverse(field.element),
        _ => None,
    }
}

/// The meaning of a scope field (NetFlow v9: RFC 3954 §6.1; IPFIX: any information element, RFC 7011 §3.4.2.1).
pub(crate) fn scope(field: &Field, netflow9: bool) -> Option<Meaning> {
    match (netflow9, field.element) {
        (true, 2) => Some(number(Slot::Input, 0)),
        // Cisco also writes elements where the RFC knows only five types.
        (true, 48 | 302) => meaning(field),
        (true, _) => None,
        (false, 149) if field.enterprise == 0 => Some(number(Slot::DomainScope, 0)),
        (false, _) => meaning(field),
    }
}

const fn number(slot: Slot, rank: u8) -> Meaning {
    Meaning { slot, rank, clock: Clock::Uptime, shape: Shape::Number }
}

const fn time(slot: Slot, rank: u8, clock: Clock) -> Meaning {
    let shape = match clock {
        Clock::Micros | Clock::Nanos => Shape::Eight,
        _ => Shape::Number,
    };
    Meaning { slot, rank, clock, shape }
}

const fn shaped(slot: Slot, rank: u8, shape: Shape) -> Meaning {
    Meaning { slot, rank, clock: Clock::Uptime, shape }
}

fn standard(element: u16) -> Option<Meaning> {
    Some(match element {
        // Counters: initiator's and responder's (RFC 7015 era, Cisco NSEL) belong together and come first; then deltas,
        // then totals (T13), then layer-2 octets, then what is told only of the way out.
        1 => number(Slot::Bytes, 1),
        2 => number(Slot::Packets, 1),
        85 => number(Slot::Bytes, 2),
        86 => number(Slot::Packets, 2),
        231 => number(Slot::Bytes, 0),
        298 => number(Slot::Packets, 0),
        232 => number(Slot::ReverseBytes, 1),
        299 => number(Slot::ReversePackets, 1),
        352 => number(Slot::Bytes, 3),
        353 => number(Slot::Bytes, 4),
        23 => number(Slot::Bytes, 5),
        24 => number(Slot::Packets, 5),
        171 => number(Slot::Bytes, 6),
        172 => number(Slot::Packets, 6),
        4 => number(Slot::Protocol, 0),
        5 => number(Slot::Tos, 0),
        6 => number(Slot::TcpFlags, 0),
        7 => number(Slot::SrcPort, 0),
        180 | 182 => number(Slot::SrcPort, 1),
        8 => shaped(Slot::Src4, 0, Shape::Address4),
        27 => shaped(Slot::Src6, 0, Shape::Address6),
        10 => number(Slot::Input, 0),
        252 => number(Slot::Input, 1),
        11 => number(Slot::DstPort, 0),
        181 | 183 => number(Slot::DstPort, 1),
        12 => shaped(Slot::Dst4, 0, Shape::Address4),
        28 => shaped(Slot::Dst6, 0, Shape::Address6),
        14 => number(Slot::Output, 0),
        253 => number(Slot::Output, 1),
        15 => shaped(Slot::NextHop4, 0, Shape::Address4),
        52 => number(Slot::Ttl, 1),
        192 => number(Slot::Ttl, 0),
        60 => number(Slot::IpVersion, 0),
        61 => number(Slot::Direction, 0),
        89 => number(Slot::Forwarding, 0),
        88 => number(Slot::FragmentOffset, 0),
        197 => number(Slot::FragmentFlags, 0),
        32 | 139 => number(Slot::IcmpWord, 0),
        176 | 178 => number(Slot::IcmpType, 0),
        177 | 179 => number(Slot::IcmpCode, 0),
        156 => time(Slot::Start, 0, Clock::Nanos),
        157 => time(Slot::End, 0, Clock::Nanos),
        154 => time(Slot::Start, 1, Clock::Micros),
        155 => time(Slot::End, 1, Clock::Micros),
        152 => time(Slot::Start, 2, Clock::Millis),
        153 => time(Slot::End, 2, Clock::Millis),
        158 => time(Slot::Start, 3, Clock::Delta),
        159 => time(Slot::End, 3, Clock::Delta),
        22 => time(Slot::Start, 4, Clock::Uptime),
        21 => time(Slot::End, 4, Clock::Uptime),
        150 => time(Slot::Start, 5, Clock::Seconds),
        151 => time(Slot::End, 5, Clock::Seconds),
        325 => time(Slot::Observation, 0, Clock::Nanos),
        324 => time(Slot::Observation, 1, Clock::Micros),
        323 => time(Slot::Observation, 2, Clock::Millis),
        322 => time(Slot::Observation, 3, Clock::Seconds),
        162 => time(Slot::Duration, 0, Clock::Delta),
        161 => time(Slot::Duration, 1, Clock::Millis),
        160 => time(Slot::Boot, 0, Clock::Millis),
        // NAT and firewall events, and the addresses and ports after translation: no traffic by themselves.
        230 | 233 => number(Slot::Event, 0),
        225..=228 | 281 | 282 => number(Slot::Event, 1),
        // What Cisco ASA called 233 and 225 to 228 before they had numbers (NetFlow v9 only).
        40005 => number(Slot::Event, 0),
        40001..=40004 => number(Slot::Event, 1),
        104 => shaped(Slot::Frame, 2, Shape::Octets(Section::Link)),
        313 => shaped(Slot::Frame, 1, Shape::Octets(Section::Ip)),
        315 => shaped(Slot::Frame, 0, Shape::Octets(Section::Link)),
        312 => number(Slot::FrameSize, 0),
        408 => number(Slot::FrameType, 0),
        34 => number(Slot::Interval, 0),
        48 => number(Slot::Sampler, 0),
        49 => number(Slot::SamplerMode, 0),
        50 => number(Slot::RandomInterval, 0),
        302 => number(Slot::Selector, 0),
        305 => number(Slot::PacketInterval, 0),
        306 => number(Slot::PacketSpace, 0),
        309 => number(Slot::Size, 0),
        310 => number(Slot::Population, 0),
        311 => shaped(Slot::Probability, 0, Shape::Eight),
        82 => shaped(Slot::IfName, 0, Shape::Octets(Section::Text)),
        83 => shaped(Slot::IfDescription, 0, Shape::Octets(Section::Text)),
        _ => return None,
    })
}

fn reverse(element: u16) -> Option<Meaning> {
    Some(match element {
        1 => number(Slot::ReverseBytes, 0),
        85 => number(Slot::ReverseBytes, 2),
        2 => number(Slot::ReversePackets, 0),
        86 => number(Slot::ReversePackets, 2),
        6 => number(Slot::ReverseFlags, 0),
        _ => return None,
    })
}
