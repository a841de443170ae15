//! A set of rules in the order in which they decide, indexed so that most of them are never looked at.

use alloc::vec::Vec;

use base::Prefix;
use base::prefix::PrefixTable;
use wire::packet::{Parsed, TCP, UDP};

use crate::eval;
use crate::order::Key;
use crate::rule::{Match, Numbers, Rule, limits};

/// Rules in the order in which they decide.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// For each rule in deciding order, its place in the order given.
    given: Vec<usize>,
    quick: Vec<Quick>,
    /// Rules with a destination, under each destination all that cover it.
    by_dst: PrefixTable<Candidates>,
    /// Rules without a destination.
    anywhere: Candidates,
}

impl RuleSet {
    /// Orders and indexes rules. Ids are expected to be distinct, as the parser sees to.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut keyed: Vec<_> =
            rules.into_iter().enumerate().map(|(i, r)| (Key::new(&r.matches), i, r)).collect();
        keyed.sort_by(|(ka, _, a), (kb, _, b)| {
            a.precedence.cmp(&b.precedence).then_with(|| ka.cmp(kb)).then_with(|| a.id.cmp(&b.id))
        });
        let given = keyed.iter().map(|(_, i, _)| *i).collect();
        let rules: Vec<Rule> = keyed.into_iter().map(|(_, _, rule)| rule).collect();
        let quick: Vec<Quick> = rules.iter().map(|rule| Quick::new(&rule.matches)).collect();
        let mut prefixes: Vec<Prefix> = rules.iter().filter_map(|rule| rule.matches.dst).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let candidates = |wanted: &dyn Fn(Option<Prefix>) -> bool| {
            let mut out = Candidates::default();
            for (index, (rule, quick)) in (0u32..).zip(rules.iter().zip(&quick)) {
                if wanted(rule.matches.dst) {
                    out.add(index, quick.protocol);
                }
            }
            out
        };
        let by_dst = PrefixTable::new(prefixes.into_iter().map(|prefix| {
            (prefix, candidates(&|dst: Option<Prefix>| dst.is_some_and(|dst| dst.covers(&prefix))))
        }));
        let anywhere = candidates(&|dst: Option<Prefix>| dst.is_none());
        Self { rules, given, quick, by_dst, anywhere }
    }

    /// The rule that decides this packet: of those that match, the first in order.
    pub fn decide(&self, packet: &Parsed<'_>) -> Option<&Rule> {
        self.decide_index(packet).and_then(|index| self.rules.get(index))
    }

    /// The place in [`Self::rules`] of the rule that decides this packet.
    pub fn decide_index(&self, packet: &Parsed<'_>) -> Option<usize> {
        let fields = Fields::of(packet);
        let own = self.by_dst.longest(packet.headers.dst).map_or(&[][..], |c| c.of(fields.protocol));
        let general = self.anywhere.of(fields.protocol);
        let own = own.iter().find(|index| self.matches(**index, &fields, packet));
        let before = own.copied().unwrap_or(u32::MAX);
        let general = general.iter().take_while(|index| **index < before);
        let general = general.copied().find(|index| self.matches(*index, &fields, packet));
        general.or_else(|| own.copied()).and_then(|index| usize::try_from(index).ok())
    }

    /// The rules in the order in which they decide.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// For each of [`Self::rules`], its place in the order in which they were given.
    pub fn given(&self) -> &[usize] {
        &self.given
    }

    /// Whether each of [`Self::rules`] matches by itself.
    pub fn matching<'a>(&'a self, packet: &'a Parsed<'a>) -> impl Iterator<Item = bool> + 'a {
        let fields = Fields::of(packet);
        let both = self.quick.iter().zip(&self.rules);
        both.map(move |(quick, rule)| quick.may_match(&fields) && eval::matches(&rule.matches, packet))
    }

    fn matches(&self, index: u32, fields: &Fields, packet: &Parsed<'_>) -> bool {
        let Ok(index) = usize::try_from(index) else { return false };
        self.quick.get(index).is_some_and(|quick| quick.may_match(fields))
            && self.rules.get(index).is_some_and(|rule| eval::matches(&rule.matches, packet))
    }
}

/// Rules by the protocol they can match, each list in deciding order.
#[derive(Clone, Debug, Default)]
struct Candidates {
    tcp: Vec<u32>,
    udp: Vec<u32>,
    other: Vec<u32>,
}

impl Candidates {
    fn add(&mut self, index: u32, protocols: Protocols) {
        let Protocols { tcp, udp, other } = protocols;
        for (list, wanted) in [(&mut self.tcp, tcp), (&mut self.udp, udp), (&mut self.other, other)] {
            if wanted {
                list.push(index);
            }
        }
    }

    fn of(&self, protocol: u8) -> &[u32] {
        match protocol {
            TCP => &self.tcp,
            UDP => &self.udp,
            _ => &self.other,
        }
    }
}

/// Which protocols a rule can match at all.
#[derive(Clone, Copy, Debug)]
struct Protocols {
    tcp: bool,
    udp: bool,
    other: bool,
}

/// The numbers of a packet that rule out most rules. What a packet does not have is larger than anything asked.
struct Fields {
    protocol: u8,
    src_port: u32,
    dst_port: u32,
    length: u32,
}

impl Fields {
    fn of(packet: &Parsed<'_>) -> Self {
        let h = &packet.headers;
        let (src_port, dst_port) =
            h.ports.map_or((u32::MAX, u32::MAX), |(src, dst)| (u32::from(src), u32::from(dst)));
        Self { protocol: h.protocol, src_port, dst_port, length: h.length }
    }
}

/// The hull of what a rule asks: small, and refuses nothing that the rule matches.
#[derive(Clone, Copy, Debug)]
struct Quick {
    src_port: (u32, u32),
    dst_port: (u32, u32),
    length: (u32, u32),
    protocol: Protocols,
}

impl Quick {
    fn new(m: &Match) -> Self {
        let ports = m.port.is_some() || m.src_port.is_some() || m.dst_port.is_some() || m.payload.is_some();
        let only_tcp = m.tcp_flags.is_some() || m.window.is_some();
        let may_be = |protocol: u8| m.protocol.is_none_or(|p| p == protocol);
        let icmp = m.icmp_type.is_some() || m.icmp_code.is_some();
        Self {
            src_port: hull(m.src_port.as_ref(), limits::PORT),
            dst_port: hull(m.dst_port.as_ref(), limits::PORT),
            length: hull(m.length.as_ref(), limits::LENGTH),
            protocol: Protocols {
                tcp: may_be(TCP) && !icmp,
                udp: may_be(UDP) && !only_tcp && !icmp,
                other: !ports && !only_tcp && m.protocol.is_none_or(|p| p != TCP && p != UDP),
            },
        }
    }

    const fn may_match(&self, fields: &Fields) -> bool {
        const fn inside(range: (u32, u32), value: u32) -> bool {
            range.0 <= value && value <= range.1
        }
        inside(self.src_port, fields.src_port)
            && inside(self.dst_port, fields.dst_port)
            && inside(self.length, fields.length)
    }
}

fn hull(numbers: Option<&Numbers>, max: u32) -> (u32, u32) {
    let Some(numbers) = numbers else { return (0, u32::MAX) };
    let from = numbers.0.iter().map(|r| r.from).min().unwrap_or(u32::MAX);
    let to = numbers.0.iter().map(|r| r.to).max().unwrap_or(0).min(max);
    (from, to)
}
