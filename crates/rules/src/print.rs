//! The canonical text of rules, which the parser reads back unchanged.

use core::fmt;

use wire::packet::{self, flags};

use crate::rule::{Action, Encapsulation, Flags, Fragments, Match, Numbers, Payload, Per, Rule, limits};

/// Protocols that have a name in rules.
pub(crate) const PROTOCOL_NAMES: [(&str, u8); 5] = [
    ("tcp", packet::TCP),
    ("udp", packet::UDP),
    ("icmp", packet::ICMP),
    ("icmp6", packet::ICMP6),
    ("gre", packet::GRE),
];

/// TCP flags by name, in the order they are printed. `ae` is the bit that RFC 9768 names; older texts call it `ns`.
pub const FLAG_NAMES: [(&str, u16); 9] = [
    ("fin", flags::FIN),
    ("syn", flags::SYN),
    ("rst", flags::RST),
    ("psh", flags::PSH),
    ("ack", flags::ACK),
    ("urg", flags::URG),
    ("ece", flags::ECE),
    ("cwr", flags::CWR),
    ("ae", 0x100),
];

/// TCP options by name (IANA, TCP Option Kind Numbers).
pub(crate) const OPTION_NAMES: [(&str, u8); 8] =
    [("eol", 0), ("nop", 1), ("mss", 2), ("ws", 3), ("sackok", 4), ("sack", 5), ("ts", 8), ("tfo", 34)];

/// Kinds of fragment by name.
pub(crate) const FRAGMENT_NAMES: [&str; 5] = ["none", "is", "first", "last", "dont"];

/// `ID @PRECEDENCE MATCH -> ACTION [per WHAT] [sample 1/N] [for SPAN]`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @{} ", self.id, self.precedence)?;
        if self.matches != Match::default() {
            write!(f, "{} ", self.matches)?;
        }
        write!(f, "-> {}", self.action)?;
        match self.per {
            Per::Rule => {}
            Per::Destination => f.write_str(" per destination")?,
            Per::Source => f.write_str(" per source")?,
        }
        if let Some(one_in) = self.sample {
            write!(f, " sample 1/{one_in}")?;
        }
        match self.lease {
            Some(span) => write!(f, " for {span}"),
            None => Ok(()),
        }
    }
}

/// The parts with single blanks between; nothing for a match that asks nothing.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Parts { f, first: true };
        let numbers = |n: &Option<Numbers>, max| n.as_ref().map(|n| List(n.clone(), max));
        out.put("dst", self.dst)?;
        out.put("src", self.src)?;
        out.put("proto", self.protocol.map(Protocol))?;
        out.put("src-port", numbers(&self.src_port, limits::PORT))?;
        out.put("dst-port", numbers(&self.dst_port, limits::PORT))?;
        out.put("port", numbers(&self.port, limits::PORT))?;
        out.put("icmp-type", numbers(&self.icmp_type, limits::OCTET))?;
        out.put("icmp-code", numbers(&self.icmp_code, limits::OCTET))?;
        out.put("tcp-flags", self.tcp_flags.as_deref().map(FlagList))?;
        out.put("length", numbers(&self.length, limits::LENGTH))?;
        out.put("dscp", numbers(&self.dscp, limits::DSCP))?;
        out.put("fragment", self.fragment)?;
        out.put("ttl", numbers(&self.ttl, limits::OCTET))?;
        out.put("window", numbers(&self.window, limits::PORT))?;
        out.put("payload", self.payload.as_ref())?;
        out.put("tcp-options", self.tcp_options.as_deref().map(Options))
    }
}

struct Parts<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    first: bool,
}

impl Parts<'_, '_> {
    fn put(&mut self, key: &str, value: Option<impl fmt::Display>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let blank = if self.first { "" } else { " " };
        self.first = false;
        write!(self.f, "{blank}{key} {value}")
    }
}

/// Items with commas between.
fn commas<T>(f: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result
where
    T: fmt::Display,
{
    for (i, item) in items.into_iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

struct Protocol(u8);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOL_NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Numbers of a field whose largest value is known.
struct List(Numbers, u32);

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            f.write_str(comma)?;
            match (range.from, range.to) {
                (from, to) if from == to => write!(f, "{from}")?,
                (from, to) if to >= self.1 => write!(f, ">={from}")?,
                (0, to) => write!(f, "<={to}")?,
                (from, to) => write!(f, "{from}-{to}")?,
            }
        }
        Ok(())
    }
}

/// `mss,sackok,ts,nop,ws`, or `none`.
struct Options<'a>(&'a [u8]);

impl fmt::Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        commas(f, self.0.iter().map(|kind| OptionKind(*kind)))
    }
}

struct OptionKind(u8);

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OPTION_NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

struct FlagList<'a>(&'a [Flags]);

impl fmt::Display for FlagList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        commas(f, self.0)
    }
}

/// `syn/syn+ack`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        flag_set(f, self.value)?;
        f.write_str("/")?;
        flag_set(f, self.mask)
    }
}

fn flag_set(f: &mut fmt::Formatter<'_>, set: u16) -> fmt::Result {
    if set == 0 {
        return f.write_str("none");
    }
    let mut left = set;
    let mut plus = "";
    for (name, bit) in FLAG_NAMES.iter().filter(|(_, bit)| set & bit != 0) {
        write!(f, "{plus}{name}")?;
        plus = "+";
        left &= !bit;
    }
    if left == 0 { Ok(()) } else { write!(f, "{plus}{left:#x}") }
}

/// `is,first`.
impl fmt::Display for Fragments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = [self.none, self.is, self.first, self.last, self.dont];
        commas(f, FRAGMENT_NAMES.iter().zip(asked).filter(|(_, asked)| *asked).map(|(name, _)| name))
    }
}

/// `OFFSET:HEX`, with `/MASK` where a bit is left out.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.offset)?;
        self.value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        if self.mask.iter().all(|octet| *octet == 0xff) {
            return Ok(());
        }
        f.write_str("/")?;
        self.mask.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// `rate 8Mbps`: bits with the largest unit that leaves a whole number.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Drop => f.write_str("drop"),
            Self::RatePackets(rate) => write!(f, "rate {rate}pps"),
            Self::RateBits(rate) => {
                for (unit, size) in [("Tbps", 1e12), ("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3)] {
                    let count = libm::floor(rate / size);
                    // Exact because whole numbers below 2^53 times a power of ten this small are.
                    if count >= 1.0 && (count * size).to_bits() == rate.to_bits() {
                        return write!(f, "rate {count}{unit}");
                    }
                }
                write!(f, "rate {rate}bps")
            }
            Self::Challenge(0) => f.write_str("challenge"),
            Self::Challenge(above) => write!(f, "challenge above {above}pps"),
            Self::Redirect(address) => write!(f, "redirect {address}"),
            Self::Tunnel(Encapsulation::Gre, address) => write!(f, "tunnel gre {address}"),
            Self::Tunnel(Encapsulation::Ipip, address) => write!(f, "tunnel ipip {address}"),
        }
    }
}
