//! What speaks for and against an attack, in terms that add up.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use base::map::{Map, Seed};
use base::prefix::wide;
use wire::packet::flags;

use crate::class::Class;
use crate::sample::Sample;

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
    /// Packets/s in the busiest part of the last second.
    pub rate: f64,
    /// Packets/s below which nothing is an attack.
    pub floor: f64,
    /// Packets/s that are normal here.
    pub normal: f64,
    /// Packets/s of the class, suspect or not, that this target is used to.
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
    /// Distinct destinations inside the target.
    pub hosts: u64,
    /// What examples have in common.
    pub shape: Shape,
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
        let (mut n, mut tiny, mut payload, mut options) = (0u64, 0u64, 0u64, 0u64);
        for sample in samples {
            let h = &sample.headers;
            n += 1;
            lengths.add(u128::from(h.length));
            let (src_port, dst_port) = h.ports.unwrap_or((0, 0));
            if h.ports.is_some() {
                dst_ports.add(u128::from(dst_port));
                src_ports.add(u128::from(src_port));
            }
            sources.add(source_key(h.src));
            conversations.add(
                wide(h.src)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                    .wrapping_add(u128::from(src_port) << 16 | u128::from(dst_port)),
            );
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
        Self {
            samples: n,
            length_top: lengths.top(n).0,
            dst_ports: dst_ports.distinct(),
            dst_port_top: narrow_port(dst_ports.top(n)),
            src_port_top: narrow_port(src_ports.top(n)),
            conversation_top: conversations.top(n).0,
            tiny_fragments: ratio(tiny, n),
            with_payload: ratio(payload, n),
            with_options: ratio(options, n),
            sources: sources.distinct(),
            lengths: lengths.distinct(),
        }
    }
}

/// IPv6 sources count by /64.
fn source_key(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(_) => wide(addr),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

fn narrow_port((share, value): (f64, u128)) -> (f64, u16) {
    (share, u16::try_from(value).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples are small")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Counts of values.
struct Tally(Map<u128, u64>);

impl Default for Tally {
    fn default() -> Self {
        Self(Map::new(Seed::default()))
    }
}

impl Tally {
    fn add(&mut self, value: u128) {
        *self.0.get_or_insert_with(value, || 0) += 1;
    }

    fn distinct(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// Share and value of the commonest; the smallest value among equals.
    fn top(&self, whole: u64) -> (f64, u128) {
        let best = self.0.sorted().into_iter().fold(
            (0, 0),
            |best, (value, n)| {
                if *n > best.0 { (*n, *value) } else { best }
            },
        );
        (ratio(best.0, whole), best.1)
    }
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
