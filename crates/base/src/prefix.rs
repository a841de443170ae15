//! Address prefixes, tables of them, and the smallest set that covers.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IPv4 or IPv6 prefix with its host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

/// An address as 128 bits: IPv6 as it is, IPv4 in `::ffff:0:0/96` (RFC 4291 §2.5.5.2). The key of host tables.
pub const fn wide(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) => 0xffff_0000_0000 | v4.to_bits() as u128,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address behind [`wide`].
#[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are the IPv4 address")]
pub const fn narrow(bits: u128) -> IpAddr {
    if bits >> 32 == 0xffff {
        IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    }
}

/// Number of bits of an address of this family.
pub const fn bits_of(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

const fn mask(addr: IpAddr, len: u8) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let keep = if len == 0 { 0 } else { u32::MAX << (32 - len as u32) };
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & keep))
        }
        IpAddr::V6(v6) => {
            let keep = if len == 0 { 0 } else { u128::MAX << (128 - len as u32) };
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & keep))
        }
    }
}

impl Prefix {
    /// The prefix of `len` bits that holds `addr`; longer than the family allows is taken as a host.
    pub const fn of(addr: IpAddr, len: u8) -> Self {
        let max = bits_of(addr);
        let len = if len > max { max } else { len };
        Self { addr: mask(addr, len), len }
    }

    /// The prefix that holds this address alone.
    pub const fn host(addr: IpAddr) -> Self {
        Self { addr, len: bits_of(addr) }
    }

    /// First address.
    pub const fn addr(&self) -> IpAddr {
        self.addr
    }

    /// Number of leading bits fixed.
    pub const fn bits(&self) -> u8 {
        self.len
    }

    /// Whether this is one address.
    pub const fn is_host(&self) -> bool {
        self.len == bits_of(self.addr)
    }

    /// Whether this is an IPv4 prefix.
    pub const fn is_ipv4(&self) -> bool {
        self.addr.is_ipv4()
    }

    /// Whether `addr` lies inside.
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.addr.is_ipv4() == addr.is_ipv4() && mask(addr, self.len) == self.addr
    }

    /// Whether all of `other` lies inside.
    pub fn covers(&self, other: &Self) -> bool {
        other.len >= self.len && self.contains(other.addr)
    }

    /// The prefix one bit shorter; `None` for the whole address space.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.len.checked_sub(1).map(|len| Self::of(self.addr, len))
    }

    /// The longest prefix that holds both; `None` across families.
    #[must_use]
    pub fn join(&self, other: &Self) -> Option<Self> {
        if self.addr.is_ipv4() != other.addr.is_ipv4() {
            return None;
        }
        let equal = match (self.addr, other.addr) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => 0,
        };
        let len = self.len.min(other.len).min(u8::try_from(equal).unwrap_or(128));
        Some(Self::of(self.addr, len))
    }
}

/// The longest prefix that holds all of them; `None` for none, or when the families differ.
pub fn cover(prefixes: &[Prefix]) -> Option<Prefix> {
    let (first, rest) = prefixes.split_first()?;
    rest.iter().try_fold(*first, |acc, p| acc.join(p))
}

/// The smallest set of prefixes that holds exactly these addresses: sorted, nothing inside another, halves merged.
pub fn aggregate(mut prefixes: Vec<Prefix>) -> Vec<Prefix> {
    prefixes.sort_unstable();
    let mut out: Vec<Prefix> = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        if out.last().is_some_and(|last| last.covers(&prefix)) {
            continue;
        }
        out.push(prefix);
        while let [.., a, b] = out.as_slice() {
            let parent = match (a.parent(), b.parent()) {
                (Some(pa), Some(pb)) if a.len == b.len && pa == pb => pa,
                _ => break,
            };
            out.truncate(out.len() - 2);
            out.push(parent);
        }
    }
    out
}

/// IPv4 before IPv6, then by address, then the shorter first.
impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.addr.cmp(&other.addr).then(self.len.cmp(&other.len))
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

/// What is wrong with a prefix text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPrefix {
    /// Not an address, or a length that does not exist.
    Syntax(String),
    /// Bits are set behind the prefix length; the canonical form is given.
    HostBits(String, Prefix),
}

impl fmt::Display for BadPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(text) => {
                write!(f, "`{text}` is not a prefix; write it like 198.51.100.0/24 or 2001:db8::/32")
            }
            Self::HostBits(text, right) => {
                write!(f, "`{text}` has bits set behind its prefix length; did you mean {right}?")
            }
        }
    }
}

impl core::error::Error for BadPrefix {}

/// `198.51.100.0/24`; a bare address is a host; bits behind the length are refused.
impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let syntax = || BadPrefix::Syntax(text.into());
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| syntax())?;
        let Some(len) = len else { return Ok(Self::host(addr)) };
        if len.is_empty() || !len.bytes().all(|b| b.is_ascii_digit()) {
            return Err(syntax());
        }
        let len: u8 = len.parse().map_err(|_| syntax())?;
        if len > bits_of(addr) {
            return Err(syntax());
        }
        let prefix = Self::of(addr, len);
        if prefix.addr == addr { Ok(prefix) } else { Err(BadPrefix::HostBits(text.into(), prefix)) }
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Values by prefix, found by the longest match. Built once, then asked often.
#[derive(Clone, Debug)]
pub struct PrefixTable<V> {
    /// Sorted by (length descending, address); one group per length in use.
    groups: Vec<Group<V>>,
}

/// Length, whether IPv4, and the values by address.
type Group<V> = (u8, bool, Vec<(u128, V)>);

impl<V> Default for PrefixTable<V> {
    fn default() -> Self {
        Self { groups: Vec::new() }
    }
}

impl<V: Clone> PrefixTable<V> {
    /// From prefixes in any order; of equal ones the last wins.
    pub fn new(entries: impl IntoIterator<Item = (Prefix, V)>) -> Self {
        let mut table = Self::default();
        for (prefix, value) in entries {
            table.insert(prefix, value);
        }
        table
    }

    /// Adds or replaces one entry.
    pub fn insert(&mut self, prefix: Prefix, value: V) {
        let v4 = prefix.is_ipv4();
        let slot = self.groups.binary_search_by(|(len, is_v4, _)| (prefix.len, v4).cmp(&(*len, *is_v4)));
        let index = slot.unwrap_or_else(|at| {
            self.groups.insert(at, (prefix.len, v4, Vec::new()));
            at
        });
        let Some((_, _, entries)) = self.groups.get_mut(index) else { return };
        let key = wide(prefix.addr);
        match entries.binary_search_by_key(&key, |(k, _)| *k) {
            Ok(at) => {
                if let Some(entry) = entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => entries.insert(at, (key, value)),
        }
    }
}

impl<V> PrefixTable<V> {
    /// The value of the longest prefix that holds `addr`.
    pub fn longest(&self, addr: IpAddr) -> Option<&V> {
        let v4 = addr.is_ipv4();
        self.groups.iter().filter(|(_, is_v4, _)| *is_v4 == v4).find_map(|(len, _, entries)| {
            let key = wide(mask(addr, *len));
            let at = entries.binary_search_by_key(&key, |(k, _)| *k).ok()?;
            entries.get(at).map(|(_, v)| v)
        })
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;
    use proptest::prelude::*;

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn host_bits_are_refused_with_the_right_form() {
        let err = "10.0.0.1/24".parse::<Prefix>().unwrap_err();
        assert_eq!(
            err.to_string(),
            "`10.0.0.1/24` has bits set behind its prefix length; did you mean 10.0.0.0/24?"
        );
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
        assert!("10.0.0.0/+8".parse::<Prefix>().is_err());
        assert_eq!(p("2001:db8::1").bits(), 128);
    }

    #[test]
    fn halves_merge_and_nothing_lies_inside_another() {
        let set =
            vec![p("10.0.0.1"), p("10.0.0.0"), p("10.0.0.2/31"), p("10.0.0.3"), p("10.0.1.0/24"), p("::1")];
        assert_eq!(aggregate(set), [p("10.0.0.0/30"), p("10.0.1.0/24"), p("::1")]);
        assert_eq!(cover(&[p("10.0.0.1"), p("10.0.0.6")]), Some(p("10.0.0.0/29")));
        assert_eq!(cover(&[p("10.0.0.1"), p("::1")]), None);
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = PrefixTable::new([
            (p("0.0.0.0/0"), 0),
            (p("10.0.0.0/8"), 1),
            (p("10.1.0.0/16"), 2),
            (p("::/0"), 3),
        ]);
        assert_eq!(table.longest("10.1.2.3".parse().unwrap()), Some(&2));
        assert_eq!(table.longest("10.2.2.3".parse().unwrap()), Some(&1));
        assert_eq!(table.longest("192.0.2.1".parse().unwrap()), Some(&0));
        assert_eq!(table.longest("2001:db8::1".parse().unwrap()), Some(&3));
    }

    proptest! {
        #[test]
        fn prefixes_survive_their_text(bits in any::<u128>(), len in 0u8..=128, v4 in any::<bool>()) {
            let addr = if v4 { narrow(0xffff_0000_0000 | (bits & 0xffff_ffff)) } else { IpAddr::V6(Ipv6Addr::from_bits(bits)) };
            let prefix = Prefix::of(addr, len);
            prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
            prop_assert!(prefix.contains(addr));
        }
    }
}
