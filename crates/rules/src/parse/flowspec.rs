//! FlowSpec routes as a peer says them (RFC 8955 §4, RFC 8956 §3), read back as what they ask of a packet.
//!
//! What a [`Match`] cannot say (a list of protocols, a prefix with an offset, most combinations of fragment bits) is refused by
//! name; nothing is read as something wider. `compile::flowspec` writes what is read here.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

use crate::component::{self, GT, LT, MATCH, NOT};
use crate::rule::{Flags, Fragments, Match, Numbers, Range, limits};

/// Operators of one list at most; nobody writes so many, and two such lists take a while to compare.
const OPERATORS_MAX: usize = 256;
/// Tests of TCP flags that one list may come to.
const TESTS_MAX: usize = 64;
/// Of an operator (§4.2.1): it is the last one, and it holds together with the one before.
const END: u8 = 0x80;
const AND: u8 = 0x40;
/// Of a numeric operator.
const EQ: u8 = 0x01;

/// Why a route was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not as the RFC has it: what was wrong.
    Malformed(&'static str),
    /// It is, and asks for what rules here cannot say.
    Beyond(&'static str),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "{what} is not as RFC 8955 has it"),
            Self::Beyond(what) => write!(f, "{what} cannot be said by a rule"),
        }
    }
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow<'a> {
    /// As it stands, with its length: by this it is withdrawn.
    pub nlri: &'a [u8],
    /// What it asks of a packet.
    pub matches: Result<Match, Unread>,
}

/// Reads one route after the other; behind one that is cut there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Flows<'a> {
    left: &'a [u8],
    ipv6: bool,
}

/// The routes that stand in these octets, of `SAFI` 133 and the address family 2 (`ipv6`) or 1.
pub const fn read(octets: &[u8], ipv6: bool) -> Flows<'_> {
    Flows { left: octets, ipv6 }
}

impl<'a> Iterator for Flows<'a> {
    type Item = Flow<'a>;

    fn next(&mut self) -> Option<Flow<'a>> {
        let whole = self.left;
        // §4.1: one octet below 240, else two that begin with 0xf
        let (head, length) = match *whole {
            [] => return None,
            [high @ 0xf0..=0xff, low, ..] => (2, usize::from(u16::from_be_bytes([high & 0x0f, low]))),
            [0xf0..=0xff] => (1, whole.len()),
            [short, ..] => (1, usize::from(short)),
        };
        let Some((nlri, left)) = whole.split_at_checked(head + length) else {
            self.left = &[];
            return Some(Flow { nlri: whole, matches: Err(Unread::Malformed("the length of the NLRI")) });
        };
        self.left = left;
        let body = nlri.get(head..).unwrap_or_default();
        Some(Flow { nlri, matches: matches(body, self.ipv6) })
    }
}

fn matches(mut left: &[u8], ipv6: bool) -> Result<Match, Unread> {
    let mut all = Match::default();
    let mut last = 0;
    while let Some((kind, rest)) = left.split_first() {
        if *kind <= last {
            return Err(Unread::Malformed("the order of components"));
        }
        last = *kind;
        left = match *kind {
            component::DST => {
                let (prefix, rest) = prefix(rest, ipv6)?;
                all.dst = Some(prefix);
                rest
            }
            component::SRC => {
                let (prefix, rest) = prefix(rest, ipv6)?;
                all.src = Some(prefix);
                rest
            }
            kind @ component::PROTOCOL..=component::FRAGMENT => {
                let (list, rest) = list(rest)?;
                component(&mut all, kind, &list)?;
                rest
            }
            _ => return Err(Unread::Beyond("a component of another type")),
        };
    }
    if last == 0 { Err(Unread::Malformed("an NLRI without components")) } else { Ok(all) }
}

fn component(all: &mut Match, kind: u8, list: &[Operator]) -> Result<(), Unread> {
    let port = || Some(numbers(list, limits::PORT));
    let octet = || Some(numbers(list, limits::OCTET));
    match kind {
        component::PROTOCOL => all.protocol = protocol(list)?,
        component::PORT => all.port = port(),
        component::DST_PORT => all.dst_port = port(),
        component::SRC_PORT => all.src_port = port(),
        component::ICMP_TYPE => all.icmp_type = octet(),
        component::ICMP_CODE => all.icmp_code = octet(),
        component::TCP_FLAGS => all.tcp_flags = Some(flags(list)?),
        component::LENGTH => all.length = Some(numbers(list, limits::LENGTH)),
        component::DSCP => all.dscp = Some(numbers(list, limits::DSCP)),
        _ => all.fragment = Some(fragments(list)?),
    }
    Ok(())
}

/// A length, for IPv6 an offset, and the octets between the two.
fn prefix(octets: &[u8], ipv6: bool) -> Result<(Prefix, &[u8]), Unread> {
    let cut = Unread::Malformed("a prefix");
    let (bits, rest) = octets.split_first().ok_or(cut)?;
    let (offset, rest) = if ipv6 { rest.split_first().ok_or(cut)? } else { (&0, rest) };
    if *bits > if ipv6 { 128 } else { 32 } {
        return Err(cut);
    }
    if *offset != 0 {
        return Err(Unread::Beyond("a prefix with an offset"));
    }
    let (given, rest) = rest.split_at_checked(usize::from(bits.div_ceil(8))).ok_or(cut)?;
    let mut whole = [0; 16];
    whole.iter_mut().zip(given).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, ..] = whole;
    let addr: IpAddr = if ipv6 { Ipv6Addr::from(whole).into() } else { Ipv4Addr::new(a, b, c, d).into() };
    // bits behind the length mean nothing
    Ok((Prefix::of(addr, *bits), rest))
}

#[derive(Clone, Copy, Debug)]
struct Operator {
    and: bool,
    /// The low three bits.
    test: u8,
    value: u64,
}

/// Operators with their values, up to the one that says that it is the last.
fn list(mut octets: &[u8]) -> Result<(Vec<Operator>, &[u8]), Unread> {
    let cut = Unread::Malformed("a list of operators");
    let mut all = Vec::new();
    loop {
        let (operator, rest) = octets.split_first().ok_or(cut)?;
        let (value, rest) = rest.split_at_checked(1usize << (operator >> 4 & 3)).ok_or(cut)?;
        let value = value.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
        // §4.2.1.1: that bit means nothing in the first one
        let and = operator & AND != 0 && !all.is_empty();
        all.push(Operator { and, test: operator & 0x07, value });
        if operator & END != 0 {
            return Ok((all, rest));
        }
        if all.len() == OPERATORS_MAX {
            return Err(Unread::Beyond("a list of very many operators"));
        }
        octets = rest;
    }
}

/// What holds together, one after the other: an or of ands.
fn grouped<T>(
    list: &[Operator],
    mut one: impl FnMut(&Operator) -> Vec<T>,
    mut both: impl FnMut(&[T], &[T]) -> Vec<T>,
) -> Vec<T> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    for operator in list {
        let own = one(operator);
        if operator.and {
            open = both(&open, &own);
        } else {
            all.append(&mut open);
            open = own;
        }
    }
    all.append(&mut open);
    all
}

/// §4.2.1.1. No range: nothing matches.
fn numbers(list: &[Operator], max: u32) -> Numbers {
    let one = |operator: &Operator| {
        let Ok(value) = u32::try_from(operator.value) else {
            return if operator.test & LT == 0 {
                Vec::new()
            } else {
                alloc::vec![Range { from: 0, to: max }]
            };
        };
        let less = value.checked_sub(1).filter(|_| operator.test & LT != 0);
        let more = value.checked_add(1).filter(|_| operator.test & GT != 0);
        let ranges = [
            less.map(|to| Range { from: 0, to }),
            (operator.test & EQ != 0).then(|| Range::one(value)),
            more.map(|from| Range { from, to: max }),
        ];
        Numbers(ranges.into_iter().flatten().collect()).merged(max)
    };
    let both = |a: &[Range], b: &[Range]| {
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
        let common = pairs.map(|(a, b)| Range { from: a.from.max(b.from), to: a.to.min(b.to) });
        common.filter(|range| range.from <= range.to).collect()
    };
    Numbers(grouped(list, one, both))
}

fn protocol(list: &[Operator]) -> Result<Option<u8>, Unread> {
    match numbers(list, limits::OCTET).merged(limits::OCTET).as_slice() {
        [Range { from: 0, to: limits::OCTET }] => Ok(None),
        [Range { from, to }] if from == to => Ok(u8::try_from(*from).ok()),
        _ => Err(Unread::Beyond("a list of protocols")),
    }
}

/// §4.2.1.2 and 4.2.2.9. No test: nothing matches.
fn flags(list: &[Operator]) -> Result<Vec<Flags>, Unread> {
    let mut too_many = false;
    let one = |operator: &Operator| {
        let value = u16::try_from(operator.value & 0xffff).unwrap_or(0);
        let bits = || (0..16).map(|bit| 1u16 << bit).filter(move |bit| value & bit != 0);
        match (operator.test & NOT != 0, operator.test & MATCH != 0) {
            (false, true) => alloc::vec![Flags { value, mask: value }],
            (true, false) => alloc::vec![Flags { value: 0, mask: value }],
            (false, false) => bits().map(|bit| Flags { value: bit, mask: bit }).collect(),
            (true, true) => bits().map(|bit| Flags { value: 0, mask: bit }).collect(),
        }
    };
    let both = |a: &[Flags], b: &[Flags]| {
        too_many |= a.len() * b.len() > TESTS_MAX;
        let mut all = Vec::new();
        for (a, b) in a.iter().flat_map(|a| b.iter().map(move |b| (a, b))).take(TESTS_MAX) {
            let agree = (a.value ^ b.value) & a.mask & b.mask == 0;
            if agree {
                all.push(Flags { value: a.value | b.value, mask: a.mask | b.mask });
            }
        }
        all
    };
    let all = grouped(list, one, both);
    if too_many || all.len() > TESTS_MAX {
        return Err(Unread::Beyond("so many tests of TCP flags"));
    }
    Ok(all)
}

/// §4.2.2.12: any of some kinds, or neither a later fragment nor a first one.
fn fragments(list: &[Operator]) -> Result<Fragments, Unread> {
    let mut kinds = Fragments::default();
    for operator in list {
        let single = operator.value.count_ones() == 1;
        match (operator.and, operator.test & (NOT | MATCH), operator.value) {
            (false, NOT, 6) => kinds.none = true,
            (false, test, bits) if bits <= 0x0f && (test == 0 || (test == MATCH && single)) => {
                kinds.dont |= bits & 1 != 0;
                kinds.is |= bits & 2 != 0;
                kinds.first |= bits & 4 != 0;
                kinds.last |= bits & 8 != 0;
            }
            _ => return Err(Unread::Beyond("such a combination of fragment bits")),
        }
    }
    Ok(kinds)
}
