//! Packets that a rule was made for, and packets that miss it by one step in one field.

use std::net::IpAddr;

use base::Prefix;
use rules::{Flags, Fragments, Match, Numbers, Range, Rule};
use wire::packet::{ICMP, ICMP6, TCP, UDP};

use crate::make::{Packet, option_octets, udp};

/// Numbers that look random.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 16) % u64::from(n)).unwrap()
    }

    fn often(&mut self) -> bool {
        self.below(2) == 0
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(u32::try_from(all.len()).unwrap()) as usize]
    }

    /// An end of one of the ranges, or one step beyond it.
    fn near(&mut self, numbers: &Numbers, max: u32, miss: bool) -> u32 {
        let Range { from, to } = *self.one_of(&numbers.0);
        let (from, to) = (from.min(max), to.min(max));
        match (miss, self.often()) {
            (false, true) => from,
            (false, false) => to,
            (true, true) => from.saturating_sub(1),
            (true, false) => to.saturating_add(1).min(max),
        }
    }
}

/// What rules ask, in the order in which it is missed.
pub(crate) const PARTS: [&str; 16] = [
    "dst",
    "src",
    "proto",
    "port",
    "src-port",
    "dst-port",
    "icmp-type",
    "icmp-code",
    "tcp-flags",
    "length",
    "dscp",
    "fragment",
    "ttl",
    "window",
    "payload",
    "tcp-options",
];

/// The parts that a match has, by their places in [`PARTS`].
pub(crate) fn parts(m: &Match) -> Vec<usize> {
    let there = [
        m.dst.is_some(),
        m.src.is_some(),
        m.protocol.is_some(),
        m.port.is_some(),
        m.src_port.is_some(),
        m.dst_port.is_some(),
        m.icmp_type.is_some(),
        m.icmp_code.is_some(),
        m.tcp_flags.is_some(),
        m.length.is_some(),
        m.dscp.is_some(),
        m.fragment.is_some(),
        m.ttl.is_some(),
        m.window.is_some(),
        m.payload.is_some(),
        m.tcp_options.is_some(),
    ];
    (0..PARTS.len()).filter(|part| there[*part]).collect()
}

/// An address at the edge of a prefix; to miss it, its last bit inside is another.
fn address(r: &mut Random, prefix: Prefix, miss: bool) -> IpAddr {
    let wrong = |bits: u32, len: u8| if miss && len > 0 { 1u128 << (bits - u32::from(len)) } else { 0 };
    let ones = r.often();
    match prefix.addr() {
        IpAddr::V4(addr) => {
            let host = if ones { u32::MAX.checked_shr(prefix.bits().into()).unwrap_or(0) } else { 0 };
            let bits = (addr.to_bits() | host) ^ u32::try_from(wrong(32, prefix.bits())).unwrap();
            IpAddr::V4(bits.into())
        }
        IpAddr::V6(addr) => {
            let host = if ones { u128::MAX.checked_shr(prefix.bits().into()).unwrap_or(0) } else { 0 };
            IpAddr::V6(((addr.to_bits() | host) ^ wrong(128, prefix.bits())).into())
        }
    }
}

fn kind(r: &mut Random, kinds: Fragments) -> (u16, bool, bool) {
    let mut all = Vec::new();
    for (asked, kind) in [
        (kinds.none, (0, false, false)),
        (kinds.is, (5, true, false)),
        (kinds.first, (0, true, false)),
        (kinds.last, (0x1fff, false, false)),
        (kinds.dont, (0, false, true)),
    ] {
        all.extend(asked.then_some(kind));
    }
    *r.one_of(&all)
}

fn flags(r: &mut Random, tests: &[Flags], miss: bool) -> u16 {
    let Flags { value, mask } = *r.one_of(tests);
    let others = u16::try_from(r.below(0x1000)).unwrap() & !mask;
    let wrong = if miss && mask != 0 { 1 << mask.trailing_zeros() } else { 0 };
    (value | others) ^ wrong
}

/// Options of these kinds; to miss them one more, one less, another order, or one of a length that cannot be.
fn options(r: &mut Random, kinds: &[u8], miss: bool) -> Vec<u8> {
    let mut kinds = kinds.to_vec();
    let way = if miss { r.below(4) } else { 4 };
    match way {
        0 => kinds.push(1),
        1 => drop(kinds.pop()),
        2 => kinds.reverse(),
        _ => {}
    }
    let mut octets = option_octets(&kinds);
    octets.truncate(40);
    if way == 3 {
        octets.iter_mut().skip(1).take(1).for_each(|size| *size = 0);
    }
    octets
}

/// A packet for `m` as far as one can be, or one that misses it in one part.
pub(crate) fn packet(r: &mut Random, m: &Match, v6: bool, miss: Option<usize>) -> Packet {
    let missed = |part: &str| miss.is_some_and(|at| PARTS[at] == part);
    let octet = |n: u32| u8::try_from(n).unwrap();
    let word = |n: u32| u16::try_from(n).unwrap();
    let mut p = udp();
    if v6 {
        (p.src, p.dst) = ("2001:db9::1".parse().unwrap(), "2001:db8:1::7".parse().unwrap());
    }
    if let Some(dst) = m.dst {
        p.dst = address(r, dst, missed("dst"));
    }
    if let Some(src) = m.src {
        p.src = address(r, src, missed("src"));
    }
    let icmp = if v6 { ICMP6 } else { ICMP };
    p.protocol = match m.protocol {
        Some(protocol) => protocol ^ u8::from(missed("proto")),
        None if m.icmp_type.is_some() || m.icmp_code.is_some() => icmp,
        None if m.tcp_flags.is_some() || m.window.is_some() || m.tcp_options.is_some() || r.often() => TCP,
        None => UDP,
    };
    if let Some(n) = &m.port {
        let port = word(r.near(n, 65_535, missed("port")));
        p.ports = if r.often() { (port, p.ports.1) } else { (p.ports.0, port) };
    }
    if let Some(n) = &m.src_port {
        p.ports.0 = word(r.near(n, 65_535, missed("src-port")));
    }
    if let Some(n) = &m.dst_port {
        p.ports.1 = word(r.near(n, 65_535, missed("dst-port")));
    }
    if let Some(n) = &m.icmp_type {
        p.icmp.0 = octet(r.near(n, 255, missed("icmp-type")));
    }
    if let Some(n) = &m.icmp_code {
        p.icmp.1 = octet(r.near(n, 255, missed("icmp-code")));
    }
    if let Some(tests) = &m.tcp_flags {
        p.flags = flags(r, tests, missed("tcp-flags"));
    }
    if let Some(n) = &m.dscp {
        p.dscp = octet(r.near(n, 63, missed("dscp")));
    }
    if let Some(n) = &m.ttl {
        p.ttl = octet(r.near(n, 255, missed("ttl")));
    }
    if let Some(n) = &m.window {
        p.window = word(r.near(n, 65_535, missed("window")));
    }
    if let Some(kinds) = m.fragment {
        (p.offset, p.more, p.dont) = kind(r, kinds);
        if missed("fragment") {
            (p.offset, p.more) = *r.one_of(&[(0, false), (0, true), (5, true), (1, false)]);
        }
    }
    if let Some(kinds) = &m.tcp_options {
        p.shape = options(r, kinds, missed("tcp-options"));
    }
    p.payload.clear();
    let least = p.bytes().len();
    let wanted = m.length.as_ref().map_or(100, |n| r.near(n, 1400, missed("length")));
    p.payload = vec![7; (wanted as usize).saturating_sub(least)];
    if let Some(asked) = &m.payload {
        let end = usize::from(asked.offset) + asked.value.len();
        if m.length.is_none() {
            p.payload.resize(end.max(p.payload.len()), 7);
        }
        let places = p.payload.iter_mut().skip(asked.offset.into()).zip(asked.value.iter().zip(&asked.mask));
        for (place, (value, mask)) in places {
            *place = value & mask | 0x55 & !mask;
        }
        if missed("payload") {
            match (r.often(), p.payload.get_mut(end.wrapping_sub(1)), asked.mask.last()) {
                (true, Some(last), Some(mask)) => *last ^= mask,
                _ => p.payload.truncate(end - 1),
            }
        }
    }
    p
}

/// Of eight packets one is any, three are made for a rule, and four miss one by a step, which is told.
pub(crate) fn draw(r: &mut Random, rules: &[Rule], any: &[Packet], turn: usize) -> (Packet, bool) {
    if turn.is_multiple_of(8) {
        return (any[turn / 8 % any.len()].clone(), false);
    }
    let m = &r.one_of(rules).matches;
    let v6 = m.dst.or(m.src).map_or_else(|| r.often(), |prefix| !prefix.is_ipv4());
    let parts = parts(m);
    let miss = (turn % 8 > 3 && !parts.is_empty()).then(|| *r.one_of(&parts));
    (packet(r, m, v6, miss), miss.is_some())
}
