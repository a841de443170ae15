//! The values that fields are compared with.

use base::prefix::wide;
use base::{Prefix, Timestamp};

use super::Word;
use crate::column::{Column, Field, Kind};

/// A value, as tests want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `none`: nothing stands there.
    None,
    /// A number or address, or a prefix, as inclusive ranges.
    Ranges(Vec<(u128, u128)>),
    /// A text.
    Word(Word),
}

/// Protocols by name (IANA, Assigned Internet Protocol Numbers).
const PROTOCOLS: [(&str, u8); 12] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("icmpv6", 58),
    ("sctp", 132),
];

/// TCP flags by name (RFC 9293 §3.1).
const FLAGS: [(&str, u16); 8] = [
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ece", 0x40),
    ("cwr", 0x80),
];

/// The addresses that are IPv4 in [`wide`].
const IPV4: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// Reads a value of `field`.
pub(super) fn value(field: Field, name: &str, text: &str, quoted: bool) -> Result<Value, String> {
    if !quoted && text.eq_ignore_ascii_case("none") {
        return Ok(Value::None);
    }
    match field.kind() {
        Kind::Text => Ok(Value::Word(match text.strip_suffix('*') {
            Some(front) if !quoted => Word::Front(front.to_owned()),
            _ => Word::Whole(text.to_owned()),
        })),
        Kind::Address => prefix(text).ok_or_else(|| {
            format!("`{name}` takes an address or a prefix, like 198.51.100.7 or 2001:db8::/32, not `{text}`")
        }),
        Kind::Time => {
            let at: Result<Timestamp, _> = text.parse();
            let at = at.map_err(|wrong| format!("`{text}` is {wrong}"))?;
            Ok(single(u128::from(at.nanos())))
        }
        Kind::Number(max) => number(field, name, text, max),
    }
}

fn single(value: u128) -> Value {
    Value::Ranges(vec![(value, value)])
}

fn number(field: Field, name: &str, text: &str, max: u64) -> Result<Value, String> {
    if let Ok(number) = text.parse::<u64>() {
        return if number > max {
            Err(format!("`{name}` is at most {max}"))
        } else {
            Ok(single(u128::from(number)))
        };
    }
    let lower = text.to_ascii_lowercase();
    match field {
        Field::Of(Column::Proto) => {
            let known = PROTOCOLS.iter().find(|(known, _)| *known == lower).map(|(_, number)| *number);
            known.map(|number| single(u128::from(number))).ok_or_else(|| {
                let names: Vec<&str> = PROTOCOLS.iter().map(|(name, _)| *name).collect();
                format!("`{text}` is no protocol; write its number, or one of {}", names.join(", "))
            })
        }
        Field::Of(Column::TcpFlags) => {
            let bit = |part: &str| FLAGS.iter().find(|(known, _)| *known == part).map(|(_, bit)| *bit);
            let bits: Option<Vec<u16>> = lower.split('+').map(bit).collect();
            bits.map(|bits| single(u128::from(bits.into_iter().fold(0, |all, bit| all | bit)))).ok_or_else(
                || {
                    let names: Vec<&str> = FLAGS.iter().map(|(name, _)| *name).collect();
                    format!("`{text}` are no flags; join some of {} with +, like syn+ack", names.join(", "))
                },
            )
        }
        _ => Err(format!("`{name}` takes a whole number, not `{text}`")),
    }
}

/// An address or a prefix.
fn prefix(text: &str) -> Option<Value> {
    let prefix: Prefix = match text.parse::<std::net::IpAddr>() {
        Ok(host) => Prefix::host(host),
        Err(_) => text.parse().ok()?,
    };
    Some(Value::Ranges(ranges(&prefix)))
}

/// A prefix as ranges of [`wide`]. One of IPv6 holds no IPv4.
pub(crate) fn ranges(prefix: &Prefix) -> Vec<(u128, u128)> {
    let first = wide(prefix.addr());
    let free = u32::from(if prefix.is_ipv4() { 32 - prefix.bits() } else { 128 - prefix.bits() });
    let last = first | 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
    if prefix.is_ipv4() || last < IPV4.0 || first > IPV4.1 {
        return vec![(first, last)];
    }
    let before = (first < IPV4.0).then(|| (first, IPV4.0 - 1));
    let behind = (last > IPV4.1).then(|| (IPV4.1 + 1, last));
    before.into_iter().chain(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(u128, u128)> {
        ranges(&text.parse().unwrap())
    }

    #[test]
    fn all_of_ipv6_holds_no_ipv4_and_all_of_ipv4_no_ipv6() {
        assert_eq!(of("0.0.0.0/0"), [IPV4]);
        assert_eq!(of("::/0"), [(0, IPV4.0 - 1), (IPV4.1 + 1, u128::MAX)]);
        assert_eq!(of("198.51.100.0/24").len(), 1);
        assert_eq!(of("2001:db8::/32").len(), 1);
    }
}
