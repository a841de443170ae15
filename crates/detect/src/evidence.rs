//! What speaks for and against an attack, in terms that add up.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use base::hash;
use base::prefix::wide;
use wire::packet::flags;

use crate::class::Class;
use crate::measure::Measure;
use crate::sample::Sample;
use crate::usual::{Likeness, Novelty};

/// The sum from which a stream is called an attack.
pub const ATTACK: f64 = 10.0;
/// The sum from which it is called suspicious.
pub const SUSPICIOUS: f64 = 6.5;

/// One reason, with its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What was seen.
    pub text: String,
    /// How much it counts; negative terms speak for honest traffic.
    pub weight: f64,
}

/// Everything known of one stream: a class of packets towards one target, over the last moments.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The class.
    pub class: Class,
    /// What the rates are measured in.
    pub measure: Measure,
    /// Rate in the busiest part of the last second.
    pub rate: f64,
    /// Rate below which nothing is an attack.
    pub floor: f64,
    /// Rate that is normal here.
    pub normal: f64,
    /// Rate of the class, suspect or not, that this target is used to.
    pub usual: f64,
    /// The sequential test's value, in units of its threshold.
    pub test: f64,
    /// Packets of the class, faded over a second.
    pub received: f64,
    /// Of these, unsolicited.
    pub unsolicited: f64,
    /// Packets sent by the target in this class, faded likewise.
    pub sent: f64,
    /// TCP packets received that belong to established connections, faded likewise.
    pub established: f64,
    /// Of these, packets with payload.
    pub data: f64,
    /// Resets and bare FINs received, faded likewise.
    pub ends: f64,
    /// SYNs sent, faded likewise.
    pub syns: f64,
    /// Echo replies and other informational ICMP sent, faded likewise.
    pub icmp_sent: f64,
    /// The fixed limit that was exceeded, in words.
    pub limit: Option<String>,
    /// For fragments: the reflecting protocol whose unasked answers come with them.
    pub completes: Option<Class>,
    /// Whether every packet is seen.
    pub exact: bool,
    /// Whether what honest packets bring about (answers, acknowledgements) may still be on its way.
    pub young: bool,
    /// Distinct sources of the class lately, as far as counted.
    pub sources: u64,
    /// Share of the busiest source.
    pub source_top: f64,
    /// Packets seen one by one since the test rose, where they are more than the last moments show, and their senders.
    pub simmered: (u64, u64),
    /// Share of the last half-minute's packets that packets of the other direction excuse.
    pub excused: f64,
    /// Distinct destinations inside the target.
    pub hosts: u64,
    /// What examples have in common.
    pub shape: Shape,
    /// How much they look like what the target usually gets of the class, where that is known.
    pub likeness: Option<Likeness>,
    /// How new their networks are to the target, where that is known.
    pub novelty: Option<Novelty>,
}

/// What examples have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shape {
    /// Examples looked at.
    pub samples: u64,
    /// Share of the commonest IP length.
    pub length_top: f64,
    /// Distinct destination ports.
    pub dst_ports: u64,
    /// Share of the commonest destination port, and the port.
    pub dst_port_top: (f64, u16),
    /// Share of the commonest source port, and the port.
    pub src_port_top: (f64, u16),
    /// Share of the commonest (source, source port, destination port).
    pub conversation_top: f64,
    /// Share of later fragments shorter than any stack makes them.
    pub tiny_fragments: f64,
    /// Share with at least one payload octet.
    pub with_payload: f64,
    /// Share of TCP segments that are longer than their fixed headers: for those that open a connection, with options.
    pub with_options: f64,
    /// Distinct sources among the examples.
    pub sources: u64,
    /// Distinct IP lengths.
    pub lengths: u64,
}

impl Shape {
    /// Reads the examples.
    pub fn of<'s>(samples: impl Iterator<Item = &'s Sample>) -> Self {
        let mut lengths = Tally::default();
        let mut dst_ports = Tally::default();
        let mut src_ports = Tally::default();
        let mut conversations = Tally::default();
        let mut sources = Tally::default();
        let (mut n, mut tiny, mut payload, mut with_ports, mut options) = (0u64, 0u64, 0u64, 0u64, 0u64);
        for sample in samples {
            let h = &sample.headers;
            n += 1;
            lengths.add(u64::from(h.length));
            let (src_port, dst_port) = h.ports.unwrap_or((0, 0));
            if h.ports.is_some() {
                with_ports += 1;
                dst_ports.add(u64::from(dst_port));
                src_ports.add(u64::from(src_port));
            }
            let ports = u64::from(src_port) << 16 | u64::from(dst_port);
            sources.add(hash::pair(0, source_key(h.src), 0, 0));
            conversations.add(hash::pair(0, wide(h.src), 0, ports));
            // A fragment that is not the last carries a multiple of eight octets, and stacks fill them to the MTU.
            if !h.fragment.is_whole() && h.length < 68 {
                tiny += 1;
            }
            if h.payload_len.is_some_and(|len| len > 0) {
                payload += 1;
            }
            let fixed = if h.src.is_ipv4() { 40 } else { 60 };
            if h.tcp.is_some() && h.length.saturating_sub(h.payload_len.unwrap_or(0)) > fixed {
                options += 1;
            }
        }
        let (lengths, length_top, _) = lengths.close();
        let (dst_ports, dst_share, dst_port) = dst_ports.close();
        let (_, src_share, src_port) = src_ports.close();
        // Of all examples, those without ports too.
        let of_all = |share: f64| if n == 0 { 0.0 } else { share * ratio(with_ports, n) };
        let port = |value: u64| u16::try_from(value).unwrap_or(0);
        Self {
            samples: n,
            length_top,
            dst_ports,
            dst_port_top: (of_all(dst_share), port(dst_port)),
            src_port_top: (of_all(src_share), port(src_port)),
            conversation_top: conversations.close().1,
            tiny_fragments: ratio(tiny, n),
            with_payload: ratio(payload, n),
            with_options: ratio(options, n),
            sources: sources.close().0,
            lengths,
        }
    }
}

/// One sender: IPv6 sources count by /64.
pub(crate) fn source_key(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(_) => wide(addr),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples are small")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Values whose equals are counted, once all are there.
#[derive(Default)]
struct Tally(Vec<u64>);

impl Tally {
    fn add(&mut self, value: u64) {
        self.0.push(value);
    }

    /// How many different ones, the share of the commonest, and that one; the smallest among equals.
    fn close(mut self) -> (u64, f64, u64) {
        self.0.sort_unstable();
        let (mut distinct, mut best) = (0, (0, 0));
        for run in self.0.chunk_by(|a, b| a == b) {
            distinct += 1;
            if let (true, Some(value)) = (run.len() > best.0, run.first()) {
                best = (run.len(), *value);
            }
        }
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        (distinct, ratio(count(best.0), count(self.0.len())), best.1)
    }
}

/// The commonest source and destination port of these examples, where one has at least half of them.
pub fn dominant_ports<'s>(samples: impl Iterator<Item = &'s Sample>) -> (Option<u16>, Option<u16>) {
    let (mut src, mut dst) = (Tally::default(), Tally::default());
    for (src_port, dst_port) in samples.filter_map(|s| s.headers.ports) {
        src.add(u64::from(src_port));
        dst.add(u64::from(dst_port));
    }
    let half = |tally: Tally| {
        let (_, share, port) = tally.close();
        (share >= 0.5).then(|| u16::try_from(port).unwrap_or(0))
    };
    (half(src), half(dst))
}

/// Whether a DNS message is a response, by its first octets (RFC 1035 §4.1.1); `None` when not to be told.
pub fn dns_response(payload: &[u8]) -> Option<bool> {
    payload.get(2).map(|bits| bits & 0x80 != 0)
}

/// Whether these flags ask to open a connection and nothing else.
pub const fn is_open(bits: u16) -> bool {
    bits & (flags::SYN | flags::ACK | flags::RST | flags::FIN) == flags::SYN
}

/// Sum of the weights.
pub fn sum(terms: &[Term]) -> f64 {
    terms.iter().map(|term| term.weight).sum()
}

/// A list of terms under construction.
#[derive(Clone, Debug, Default)]
pub struct Terms(pub Vec<Term>);

impl Terms {
    /// Adds one.
    pub fn say(&mut self, weight: f64, text: String) {
        self.0.push(Term { text, weight });
    }
}
