//! The components of a flow specification as RFC 8955 §4.2 writes them, and ours beyond it.

use alloc::vec::Vec;

use base::Prefix;

use crate::rule::{Flags, Fragments, Match, Numbers, Payload, limits};

/// Destination prefix (RFC 8955 §4.2.2.1).
pub(crate) const DST: u8 = 1;
/// Source prefix.
pub(crate) const SRC: u8 = 2;
/// IP protocol, upper-layer protocol.
pub(crate) const PROTOCOL: u8 = 3;
/// Source or destination port.
pub(crate) const PORT: u8 = 4;
/// Destination port.
pub(crate) const DST_PORT: u8 = 5;
/// Source port.
pub(crate) const SRC_PORT: u8 = 6;
/// ICMP type.
pub(crate) const ICMP_TYPE: u8 = 7;
/// ICMP code.
pub(crate) const ICMP_CODE: u8 = 8;
/// TCP flags.
pub(crate) const TCP_FLAGS: u8 = 9;
/// Packet length.
pub(crate) const LENGTH: u8 = 10;
/// DSCP.
pub(crate) const DSCP: u8 = 11;
/// Fragment.
pub(crate) const FRAGMENT: u8 = 12;
/// Time to live: ours, not in FlowSpec. So are the next three.
pub(crate) const TTL: u8 = 101;
/// TCP window.
pub(crate) const WINDOW: u8 = 102;
/// Payload.
pub(crate) const PAYLOAD: u8 = 103;
/// Kinds of the TCP options.
pub(crate) const TCP_OPTIONS: u8 = 104;

/// Last operator of a list.
const END: u8 = 0x80;
/// Holds together with the one before.
const AND: u8 = 0x40;
/// Numeric operators (RFC 8955 §4.2.1.1).
pub(crate) const LT: u8 = 0x04;
pub(crate) const GT: u8 = 0x02;
const EQ: u8 = 0x01;
/// Bitmask operators (§4.2.1.2).
pub(crate) const NOT: u8 = 0x02;
pub(crate) const MATCH: u8 = 0x01;

/// One component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// Its type.
    pub(crate) kind: u8,
    /// Its value.
    pub(crate) value: Value,
}

/// The value of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of types 1 and 2.
    Prefix(Prefix),
    /// Operators and values, as on the wire.
    Octets(Vec<u8>),
}

/// All components of a match in rising order of type.
pub(crate) fn all(m: &Match) -> Vec<Component> {
    let list = |numbers: &Option<Numbers>, max| numbers.as_ref().map(|n| Value::Octets(numeric(n, max)));
    [
        (DST, m.dst.map(Value::Prefix)),
        (SRC, m.src.map(Value::Prefix)),
        (PROTOCOL, m.protocol.map(|p| Value::Octets(alloc::vec![END | EQ, p]))),
        (PORT, list(&m.port, limits::PORT)),
        (DST_PORT, list(&m.dst_port, limits::PORT)),
        (SRC_PORT, list(&m.src_port, limits::PORT)),
        (ICMP_TYPE, list(&m.icmp_type, limits::OCTET)),
        (ICMP_CODE, list(&m.icmp_code, limits::OCTET)),
        (TCP_FLAGS, m.tcp_flags.as_deref().map(|tests| Value::Octets(flags(tests)))),
        (LENGTH, list(&m.length, limits::LENGTH)),
        (DSCP, list(&m.dscp, limits::DSCP)),
        (FRAGMENT, m.fragment.map(|kinds| Value::Octets(fragments(kinds)))),
        (TTL, list(&m.ttl, limits::OCTET)),
        (WINDOW, list(&m.window, limits::PORT)),
        (PAYLOAD, m.payload.as_ref().map(|p| Value::Octets(payload(p)))),
        (TCP_OPTIONS, m.tcp_options.clone().map(Value::Octets)),
    ]
    .into_iter()
    .filter_map(|(kind, value)| value.map(|value| Component { kind, value }))
    .collect()
}

/// A list of operators under construction; the last one gets its end bit when it is finished.
#[derive(Default)]
struct Operators {
    octets: Vec<u8>,
    last: Option<usize>,
}

impl Operators {
    /// One operator with its value in as few octets as hold it (1, 2 or 4).
    fn put(&mut self, operator: u8, value: u32) {
        self.last = Some(self.octets.len());
        let [a, b, c, d] = value.to_be_bytes();
        match (a, b, c) {
            (0, 0, 0) => self.octets.extend([operator, d]),
            (0, 0, _) => self.octets.extend([operator | 0x10, c, d]),
            _ => self.octets.extend([operator | 0x20, a, b, c, d]),
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if let Some(last) = self.last.and_then(|at| self.octets.get_mut(at)) {
            *last |= END;
        }
        self.octets
    }
}

/// An operator and its value, read back.
pub(crate) struct Operator {
    /// Holds together with the one before.
    pub(crate) and: bool,
    /// The low three bits.
    pub(crate) test: u8,
    /// The value.
    pub(crate) value: u32,
}

/// Reads a list that this module has written.
pub(crate) fn operators(mut octets: &[u8]) -> Vec<Operator> {
    let mut out = Vec::new();
    while let Some((operator, rest)) = octets.split_first() {
        let length = 1usize << (operator >> 4 & 3);
        let Some((value, rest)) = rest.split_at_checked(length) else { break };
        let value = value.iter().fold(0u32, |sum, octet| sum << 8 | u32::from(*octet));
        out.push(Operator { and: operator & AND != 0, test: operator & 0x07, value });
        octets = rest;
    }
    out
}

/// RFC 8955 §4.2.1.1: ranges are `>= from AND <= to`, several are an or.
fn numeric(numbers: &Numbers, max: u32) -> Vec<u8> {
    let mut out = Operators::default();
    for range in &numbers.0 {
        if range.from == range.to {
            out.put(EQ, range.from);
        } else if range.to >= max {
            out.put(GT | EQ, range.from);
        } else if range.from == 0 {
            out.put(LT | EQ, range.to);
        } else {
            out.put(GT | EQ, range.from);
            out.put(AND | LT | EQ, range.to);
        }
    }
    out.finish()
}

/// RFC 8955 §4.2.2.9: of the mask, the value's bits are all set and none of the others.
fn flags(tests: &[Flags]) -> Vec<u8> {
    let mut out = Operators::default();
    for test in tests {
        let clear = u32::from(test.mask & !test.value);
        let set = u32::from(test.value);
        match (set, clear) {
            (set, 0) => out.put(MATCH, set),
            (0, clear) => out.put(NOT, clear),
            (set, clear) => {
                out.put(MATCH, set);
                out.put(AND | NOT, clear);
            }
        }
    }
    out.finish()
}

/// RFC 8955 §4.2.2.12: LF, FF, IsF and DF from 8 down to 1; `none` is neither IsF nor FF.
fn fragments(kinds: Fragments) -> Vec<u8> {
    let mut out = Operators::default();
    let bits = [(kinds.dont, 1), (kinds.is, 2), (kinds.first, 4), (kinds.last, 8)];
    let any = bits.iter().filter(|(asked, _)| *asked).map(|(_, bit)| bit).sum();
    if any != 0 {
        out.put(0, any);
    }
    if kinds.none {
        out.put(NOT, 2 | 4);
    }
    out.finish()
}

/// Ours: the offset, then value and mask.
fn payload(payload: &Payload) -> Vec<u8> {
    let mut out = Vec::from(payload.offset.to_be_bytes());
    out.extend(&payload.value);
    out.extend(&payload.mask);
    out
}
