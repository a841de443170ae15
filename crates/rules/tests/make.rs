//! Rules and packets for the tests: strategies that hit, and a builder of raw IP packets.

use core::net::IpAddr;

use base::{Prefix, Span};
use proptest::prelude::*;
use proptest::sample::select;
use rules::rule::limits;
use rules::{Action, Encapsulation, Flags, Fragments, Match, Numbers, Payload, Per, Range, Rule};
use wire::packet::{self, Parsed};

/// A packet to be written out.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) dscp: u8,
    pub(crate) offset: u16,
    pub(crate) more: bool,
    pub(crate) dont: bool,
    /// IPv4: option words of no-operation. IPv6: destination-options headers.
    pub(crate) options: u8,
    /// IPv6: a fragment header even where nothing is fragmented.
    pub(crate) atomic: bool,
    pub(crate) ports: (u16, u16),
    pub(crate) icmp: (u8, u8),
    pub(crate) flags: u16,
    pub(crate) window: u16,
    /// Words of no-operation.
    pub(crate) tcp_options: u8,
    /// Options in their place, filled up with zeroes to whole words.
    pub(crate) shape: Vec<u8>,
    /// A data offset that lies.
    pub(crate) data_offset: Option<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// Octets from the IP header on, with a right IPv4 header checksum.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let upper = self.upper();
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let ihl = 5 + usize::from(self.options);
                let total = u16::try_from(ihl * 4 + upper.len()).unwrap();
                let frag = (u16::from(self.dont) << 14) | (u16::from(self.more) << 13) | self.offset;
                let mut b = vec![0x40 | u8::try_from(ihl).unwrap(), self.dscp << 2];
                b.extend(total.to_be_bytes());
                b.extend([0x12, 0x34]);
                b.extend(frag.to_be_bytes());
                b.extend([self.ttl, self.protocol, 0, 0]);
                b.extend(src.octets());
                b.extend(dst.octets());
                b.resize(ihl * 4, 1);
                let sum: u32 = b.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
                let sum = (sum & 0xffff) + (sum >> 16);
                let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
                b[10..12].copy_from_slice(&sum.to_be_bytes());
                b.extend(upper);
                b
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let fragment = self.atomic || self.more || self.offset != 0;
                let mut chain = vec![60u8; usize::from(self.options)];
                if fragment {
                    chain.push(44);
                }
                let mut extensions = Vec::new();
                for (i, kind) in chain.iter().enumerate() {
                    let next = chain.get(i + 1).copied().unwrap_or(self.protocol);
                    if *kind == 44 {
                        let word = (self.offset << 3) | u16::from(self.more);
                        extensions.extend([next, 0]);
                        extensions.extend(word.to_be_bytes());
                        extensions.extend([0, 0, 0, 7]);
                    } else {
                        extensions.extend([next, 0, 1, 4, 0, 0, 0, 0]);
                    }
                }
                let payload = u16::try_from(extensions.len() + upper.len()).unwrap();
                let word = 0x6000_0000 | (u32::from(self.dscp) << 22);
                let mut b = Vec::from(word.to_be_bytes());
                b.extend(payload.to_be_bytes());
                b.extend([chain.first().copied().unwrap_or(self.protocol), self.ttl]);
                b.extend(src.octets());
                b.extend(dst.octets());
                b.extend(extensions);
                b.extend(upper);
                b
            }
            _ => unreachable!("a packet has one family"),
        }
    }

    fn upper(&self) -> Vec<u8> {
        let mut b = Vec::new();
        if self.offset == 0 {
            match self.protocol {
                packet::TCP => {
                    b.extend(self.ports.0.to_be_bytes());
                    b.extend(self.ports.1.to_be_bytes());
                    b.extend([0; 8]);
                    let own = u8::try_from(self.shape.len().div_ceil(4)).unwrap();
                    let own = if own == 0 { self.tcp_options } else { own };
                    let words = self.data_offset.unwrap_or(5 + own);
                    let word = (u16::from(words) << 12) | self.flags;
                    b.extend(word.to_be_bytes());
                    b.extend(self.window.to_be_bytes());
                    b.extend([0; 4]);
                    b.extend(&self.shape);
                    b.resize(20 + 4 * usize::from(own), u8::from(self.shape.is_empty()));
                }
                packet::UDP => {
                    b.extend(self.ports.0.to_be_bytes());
                    b.extend(self.ports.1.to_be_bytes());
                    b.extend(u16::try_from(8 + self.payload.len()).unwrap().to_be_bytes());
                    b.extend([0; 2]);
                }
                packet::ICMP | packet::ICMP6 => b.extend([self.icmp.0, self.icmp.1, 0, 0, 0, 0, 0, 0]),
                _ => {}
            }
        }
        b.extend(&self.payload);
        b
    }
}

/// Reads octets from the IP header on.
pub(crate) fn parsed(bytes: &[u8]) -> Parsed<'_> {
    packet::parse(packet::Link::Ip, bytes, u32::try_from(bytes.len()).unwrap()).unwrap()
}

/// `UDP 192.0.2.1:1024 -> 198.51.100.7:53`, 100 octets of payload.
pub(crate) fn udp() -> Packet {
    Packet {
        src: "192.0.2.1".parse().unwrap(),
        dst: "198.51.100.7".parse().unwrap(),
        protocol: packet::UDP,
        ttl: 64,
        dscp: 0,
        offset: 0,
        more: false,
        dont: false,
        options: 0,
        atomic: false,
        ports: (1024, 53),
        icmp: (8, 0),
        flags: 0x02,
        window: 1024,
        tcp_options: 0,
        shape: Vec::new(),
        data_offset: None,
        payload: (0..100).collect(),
    }
}

/// Few addresses, so that rules meet packets.
fn address() -> impl Strategy<Value = IpAddr> {
    select(vec![
        "198.51.100.7",
        "198.51.100.8",
        "198.51.101.7",
        "192.0.2.1",
        "2001:db8::7",
        "2001:db8::8",
        "2001:db8:1::7",
        "2001:db9::1",
    ])
    .prop_map(|text| text.parse().unwrap())
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let length = select(vec![0u8, 1, 8, 15, 23, 24, 31, 32, 48, 64, 127, 128]);
    (address(), length).prop_map(|(address, length)| Prefix::of(address, length))
}

/// Numbers of a field: values where something changes, one beside them, and any.
fn number(max: u32, edges: &'static [u32]) -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => (select(edges), -1i64..=1).prop_map(move |(edge, by)| {
            u32::try_from((i64::from(edge) + by).clamp(0, i64::from(max))).unwrap()
        }),
        1 => 0..=max,
    ]
}

fn range(max: u32, edges: &'static [u32]) -> impl Strategy<Value = Range> {
    prop_oneof![
        3 => number(max, edges).prop_map(Range::one),
        3 => (number(max, edges), number(max, edges)).prop_map(|(a, b)| Range { from: a.min(b), to: a.max(b) }),
        1 => number(max, edges).prop_map(move |from| Range { from, to: max }),
        1 => number(max, edges).prop_map(|to| Range { from: 0, to }),
    ]
}

fn list(max: u32, edges: &'static [u32]) -> impl Strategy<Value = Numbers> {
    proptest::collection::vec(range(max, edges), 1..4).prop_map(Numbers)
}

const PORTS: &[u32] = &[0, 53, 123, 443, 1024, 65535];
const OCTETS: &[u32] = &[0, 1, 3, 8, 54, 64, 128, 255];
const LENGTHS: &[u32] = &[20, 28, 40, 48, 60, 100, 128, 148, 188, 468, 1500];
const CODE_POINTS: &[u32] = &[0, 8, 10, 46, 63];
const WINDOWS: &[u32] = &[0, 512, 1024, 65535];
const FLAGS: &[u16] = &[0, 0x02, 0x10, 0x12, 0x04, 0x14, 0x18, 0x3f, 0xc2, 0x102];
const PROTOCOLS: &[u8] = &[1, 6, 17, 47, 50, 58, 132];

fn flags() -> impl Strategy<Value = Flags> {
    let mask = prop_oneof![4 => select(FLAGS), 2 => 0u16..0x100, 1 => 0u16..0x1000];
    (select(FLAGS), mask).prop_map(|(value, mask)| Flags { value: value & mask, mask })
}

fn fragments() -> impl Strategy<Value = Fragments> {
    (1u8..32).prop_map(|bits| Fragments {
        none: bits & 1 != 0,
        is: bits & 2 != 0,
        first: bits & 4 != 0,
        last: bits & 8 != 0,
        dont: bits & 16 != 0,
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    (0u16..30, 1usize..20).prop_flat_map(|(offset, len)| {
        let mask = prop_oneof![
            3 => Just(vec![0xff; len]),
            2 => proptest::collection::vec(select(vec![0u8, 0xff, 0xf0, 0x01]), len),
        ];
        // The packets carry 0, 1, 2, …; now and then an octet that is not that.
        (mask, proptest::option::weighted(0.2, any::<u8>())).prop_map(move |(mask, odd)| {
            let octets = (0u8..).skip(usize::from(offset)).take(len).collect::<Vec<u8>>();
            let mut value: Vec<u8> = octets.iter().zip(&mask).map(|(octet, mask)| octet & mask).collect();
            if let (Some(odd), Some(last)) = (odd, value.last_mut()) {
                *last = odd & mask[mask.len() - 1];
            }
            Payload { offset, value, mask }
        })
    })
}

fn maybe<T: core::fmt::Debug + Clone>(
    one_in: f64,
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(1.0 / one_in, of)
}

/// The options of some stacks' SYNs, and what is like them.
pub(crate) const SHAPES: &[&[u8]] = &[
    &[],
    &[2, 4, 8, 1, 3],
    &[2, 1, 3, 1, 1, 4],
    &[2, 1, 3, 1, 1, 8, 4, 0],
    &[1, 1, 8],
    &[2],
    &[2, 0],
    &[1, 1, 1, 1],
    &[254, 34, 2],
    &[1; 12],
];

/// Options of these kinds, of their usual lengths.
pub(crate) fn option_octets(kinds: &[u8]) -> Vec<u8> {
    let of = |kind: &u8| match kind {
        0 | 1 => vec![*kind],
        2 => vec![2, 4, 5, 0xb4],
        3 => vec![3, 3, 7],
        8 => [&[8, 10][..], &[9; 8]].concat(),
        4 => vec![4, 2],
        kind => vec![*kind, 4, 0xf9, 0x89],
    };
    kinds.iter().flat_map(of).collect()
}

/// Whole, cut in its last option, or with a length that cannot be.
fn shape() -> impl Strategy<Value = Vec<u8>> {
    (select(SHAPES), 0u8..8).prop_map(|(kinds, odd)| {
        let mut octets = option_octets(kinds);
        match (odd, octets.len()) {
            (0, 2..) => octets[1] = 0,
            (1, 2..) => octets[1] = 40,
            (2, 5..) => octets.truncate(5),
            _ => {}
        }
        octets
    })
}

pub(crate) fn a_match() -> impl Strategy<Value = Match> {
    let where_ = (maybe(2.0, prefix()), maybe(5.0, prefix()), maybe(2.0, select(PROTOCOLS)));
    let ports =
        (maybe(6.0, list(65535, PORTS)), maybe(4.0, list(65535, PORTS)), maybe(6.0, list(65535, PORTS)));
    let icmp = (maybe(8.0, list(255, OCTETS)), maybe(10.0, list(255, OCTETS)));
    let flags = maybe(5.0, proptest::collection::vec(flags(), 1..3));
    let header =
        (maybe(4.0, list(u32::MAX, LENGTHS)), maybe(8.0, list(63, CODE_POINTS)), maybe(4.0, fragments()));
    let beyond = (
        maybe(6.0, list(255, OCTETS)),
        maybe(8.0, list(65535, WINDOWS)),
        maybe(8.0, payload()),
        maybe(8.0, select(SHAPES)),
    );
    (where_, ports, icmp, flags, header, beyond).prop_map(
        |((dst, src, protocol), ports, icmp, tcp_flags, (length, dscp, fragment), beyond)| {
            let (ttl, window, payload, options) = beyond;
            Match {
                dst,
                src: src.filter(|src| dst.is_none_or(|dst| dst.is_ipv4() == src.is_ipv4())),
                protocol,
                port: ports.0,
                src_port: ports.1,
                dst_port: ports.2,
                icmp_type: icmp.0,
                icmp_code: icmp.1,
                tcp_flags,
                length,
                dscp,
                fragment,
                ttl,
                window,
                payload,
                tcp_options: options.map(<[u8]>::to_vec),
            }
        },
    )
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Drop),
        2 => Just(Action::Pass),
        1 => (1u32..1_000_000).prop_map(|rate| Action::RatePackets(f64::from(rate))),
        1 => (1u32..1_000_000).prop_map(|rate| Action::RateBits(f64::from(rate) * 8.0)),
        1 => (0.0..1e12f64).prop_map(Action::RateBits),
        1 => (0.0..1e6f64).prop_map(Action::RatePackets),
        1 => prop_oneof![Just(0), 1..=limits::UNCHALLENGED].prop_map(Action::Challenge),
        1 => address().prop_map(Action::Redirect),
        1 => (select(vec![Encapsulation::Gre, Encapsulation::Ipip]), address())
            .prop_map(|(kind, to)| Action::Tunnel(kind, to)),
    ]
}

pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    let lease = maybe(2.0, (1u64..=u64::MAX).prop_map(Span::from_nanos));
    let per = prop_oneof![3 => Just(Per::Rule), 1 => Just(Per::Source), 1 => Just(Per::Destination)];
    let more = (action(), per, maybe(8.0, 1u32..100_000), lease);
    ("[a-z0-9_.:-]{1,12}", 0u32..4, a_match(), more).prop_map(
        |(id, precedence, matches, (action, per, sample, lease))| {
            let rate = matches!(action, Action::RatePackets(_) | Action::RateBits(_));
            let per = if rate { per } else { Per::Rule };
            Rule { id: format!("r{id}"), precedence, matches, action, per, sample, lease }
        },
    )
}

/// A set of distinct ids.
pub(crate) fn rule_set(most: usize) -> impl Strategy<Value = Vec<Rule>> {
    proptest::collection::vec(rule(), 1..=most).prop_map(|mut rules| {
        for (i, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("r{i}");
        }
        rules
    })
}

pub(crate) fn a_packet() -> impl Strategy<Value = Packet> {
    let port = || number(65535, PORTS).prop_map(|n| u16::try_from(n).unwrap());
    let octet = || number(255, OCTETS).prop_map(|n| u8::try_from(n).unwrap());
    let flags = prop_oneof![3 => select(FLAGS), 1 => 0u16..0x1000];
    let fragment = prop_oneof![
        4 => Just((0u16, false)),
        1 => Just((0u16, true)),
        1 => Just((5u16, true)),
        1 => Just((0x1fffu16, false)),
        1 => Just((1u16, false)),
    ];
    let ends = (address(), address(), prop_oneof![3 => select(vec![6u8, 17]), 2 => select(PROTOCOLS)]);
    let header =
        (octet().prop_map(|ttl| ttl.max(1)), number(63, CODE_POINTS), fragment, any::<bool>(), 0u8..3);
    let options = (0u8..11, prop_oneof![1 => Just(Vec::new()), 1 => shape()]);
    let upper = (port(), port(), octet(), octet(), flags, number(65535, WINDOWS), options);
    (ends, header, any::<bool>(), upper, 0u8..120, maybe(8.0, 0u8..16)).prop_map(
        |((src, dst, protocol), (ttl, dscp, (offset, more), dont, options), atomic, upper, payload, lie)| {
            Packet {
                src: if src.is_ipv4() == dst.is_ipv4() { src } else { dst },
                dst,
                protocol,
                ttl,
                dscp: u8::try_from(dscp).unwrap(),
                offset,
                more,
                dont,
                options,
                atomic,
                ports: (upper.0, upper.1),
                icmp: (upper.2, upper.3),
                flags: upper.4,
                window: u16::try_from(upper.5).unwrap(),
                tcp_options: upper.6.0,
                shape: upper.6.1,
                data_offset: lie,
                payload: (0..payload).collect(),
            }
        },
    )
}
