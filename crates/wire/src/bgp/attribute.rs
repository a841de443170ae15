//! Path attributes (RFC 4271 §4.3, §5; communities of RFC 1997, 4360, 5701 and 8092).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// Not known to all.
pub const OPTIONAL: u8 = 0x80;
/// Passed on by who does not know it.
pub const TRANSITIVE: u8 = 0x40;
const EXTENDED_LENGTH: u8 = 0x10;

/// Numbers of attributes.
pub mod kind {
    #![expect(missing_docs, reason = "the names are the registry's")]
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MULTI_EXIT_DISC: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const MP_REACH_NLRI: u8 = 14;
    pub const MP_UNREACH_NLRI: u8 = 15;
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
    pub const LARGE_COMMUNITIES: u8 = 32;
    pub const ONLY_TO_CUSTOMER: u8 = 35;
}

/// Well-known communities that matter here.
pub mod community {
    /// Traffic to the prefix is to be discarded (RFC 7999).
    pub const BLACKHOLE: u32 = 0xffff_029a;
    /// Not beyond this AS (RFC 1997).
    pub const NO_EXPORT: u32 = 0xffff_ff01;
    /// Not to any other peer (RFC 1997).
    pub const NO_ADVERTISE: u32 = 0xffff_ff02;
    /// Not to be kept when the session is long gone (RFC 9494).
    pub const NO_LLGR: u32 = 0xffff_0007;
}

/// One attribute, its value not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathAttribute<'a> {
    /// Flags, without the one for the form of the length.
    pub flags: u8,
    /// Number.
    pub kind: u8,
    /// Value.
    pub value: &'a [u8],
}

impl<'a> PathAttribute<'a> {
    /// The next of a list.
    ///
    /// # Errors
    /// Where the octets do not suffice.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let flags = reader.u8("Attribute Flags")?;
        let kind = reader.u8("Attribute Type Code")?;
        let length = match flags & EXTENDED_LENGTH {
            0 => usize::from(reader.u8("Attribute Length")?),
            _ => usize::from(reader.u16("Attribute Length")?),
        };
        Ok(Self { flags: flags & 0xe0, kind, value: reader.bytes("Attribute Value", length)? })
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        match u8::try_from(self.value.len()) {
            Ok(length) => writer.u8(self.flags).u8(self.kind).u8(length),
            Err(_) => {
                let length = u16::try_from(self.value.len()).unwrap_or(u16::MAX);
                writer.u8(self.flags | EXTENDED_LENGTH).u8(self.kind).u16(length)
            }
        };
        writer.bytes(self.value);
    }
}

/// A piece of `AS_PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// 1 a set, 2 a sequence, 3 and 4 those of a confederation.
    pub kind: u8,
    /// Its numbers.
    pub asns: Vec<u32>,
}

impl Segment {
    /// A sequence.
    pub const fn sequence(asns: Vec<u32>) -> Self {
        Self { kind: 2, asns }
    }
}

/// The attributes of a route that are spoken here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// 0 IGP, 1 EGP, 2 incomplete.
    pub origin: Option<u8>,
    /// The way, nearest AS first.
    pub as_path: Option<Vec<Segment>>,
    /// Next hop of IPv4 routes outside of `MP_REACH_NLRI`.
    pub next_hop: Option<Ipv4Addr>,
    /// Preference among entrances to an AS: the lowest.
    pub med: Option<u32>,
    /// Preference within an AS: the highest.
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997).
    pub communities: Vec<u32>,
    /// Extended communities (RFC 4360).
    pub extended: Vec<[u8; 8]>,
    /// IPv6 address specific extended communities (RFC 5701).
    pub extended6: Vec<[u8; 20]>,
    /// Large communities (RFC 8092).
    pub large: Vec<[u8; 12]>,
    /// Only to customers (RFC 9234).
    pub only_to_customer: Option<u32>,
}

impl Attributes {
    /// The AS that announced the route first; `None` where a set hides it or the path is empty.
    pub fn origin_as(&self) -> Option<u32> {
        let last = self.as_path.as_ref()?.last()?;
        (last.kind == 2).then(|| last.asns.last().copied()).flatten()
    }

    /// Appends them in the order of their numbers. `four`: AS numbers of four octets.
    pub(super) fn write(&self, out: &mut Vec<u8>, four: bool) {
        let mut put = |flags: u8, kind: u8, value: &[u8]| PathAttribute { flags, kind, value }.write(out);
        if let Some(origin) = self.origin {
            put(TRANSITIVE, kind::ORIGIN, &[origin]);
        }
        if let Some(path) = &self.as_path {
            put(TRANSITIVE, kind::AS_PATH, &path_octets(path, four));
        }
        if let Some(next_hop) = self.next_hop {
            put(TRANSITIVE, kind::NEXT_HOP, &next_hop.octets());
        }
        if let Some(med) = self.med {
            put(OPTIONAL, kind::MULTI_EXIT_DISC, &med.to_be_bytes());
        }
        if let Some(preference) = self.local_pref {
            put(TRANSITIVE, kind::LOCAL_PREF, &preference.to_be_bytes());
        }
        let both = OPTIONAL | TRANSITIVE;
        if !self.communities.is_empty() {
            let octets: Vec<u8> = self.communities.iter().flat_map(|c| c.to_be_bytes()).collect();
            put(both, kind::COMMUNITIES, &octets);
        }
        if !self.extended.is_empty() {
            put(both, kind::EXTENDED_COMMUNITIES, self.extended.as_flattened());
        }
        if !self.extended6.is_empty() {
            put(both, kind::IPV6_EXTENDED_COMMUNITIES, self.extended6.as_flattened());
        }
        if !self.large.is_empty() {
            put(both, kind::LARGE_COMMUNITIES, self.large.as_flattened());
        }
        if let Some(asn) = self.only_to_customer {
            put(both, kind::ONLY_TO_CUSTOMER, &asn.to_be_bytes());
        }
    }

    /// Takes one in. `Ok(false)`: not spoken here.
    ///
    /// # Errors
    /// Where its value cannot be.
    pub(super) fn take(&mut self, attribute: &PathAttribute<'_>, four: bool) -> Result<bool, Fault> {
        let value = attribute.value;
        let length = |what: &'static str| Fault::Length { what, found: value.len() };
        match attribute.kind {
            kind::ORIGIN => match value {
                [origin @ 0..=2] => self.origin = Some(*origin),
                [origin] => return Err(Fault::Value { what: "ORIGIN", found: u64::from(*origin) }),
                _ => return Err(length("ORIGIN")),
            },
            kind::AS_PATH => self.as_path = Some(path(value, four)?),
            kind::NEXT_HOP => {
                let octets: [u8; 4] = value.try_into().map_err(|_| length("NEXT_HOP"))?;
                self.next_hop = Some(Ipv4Addr::from(octets));
            }
            kind::MULTI_EXIT_DISC => self.med = Some(number(value).ok_or_else(|| length("MULTI_EXIT_DISC"))?),
            kind::LOCAL_PREF => self.local_pref = Some(number(value).ok_or_else(|| length("LOCAL_PREF"))?),
            kind::COMMUNITIES => {
                let octets = whole::<4>(value).ok_or_else(|| length("COMMUNITIES"))?;
                self.communities = octets.iter().map(|octets| u32::from_be_bytes(*octets)).collect();
            }
            kind::EXTENDED_COMMUNITIES => {
                self.extended = whole(value).ok_or_else(|| length("EXTENDED COMMUNITIES"))?.to_vec();
            }
            kind::IPV6_EXTENDED_COMMUNITIES => {
                self.extended6 = whole(value).ok_or_else(|| length("IPv6 EXTENDED COMMUNITIES"))?.to_vec();
            }
            kind::LARGE_COMMUNITIES => {
                self.large = whole(value).ok_or_else(|| length("LARGE_COMMUNITY"))?.to_vec();
            }
            kind::ONLY_TO_CUSTOMER => {
                self.only_to_customer = Some(number(value).ok_or_else(|| length("ONLY_TO_CUSTOMER"))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Whole items, at least one.
fn whole<const N: usize>(value: &[u8]) -> Option<&[[u8; N]]> {
    let (items, rest) = value.as_chunks::<N>();
    (rest.is_empty() && !items.is_empty()).then_some(items)
}

fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn path_octets(path: &[Segment], four: bool) -> Vec<u8> {
    let mut out = Vec::new();
    // A segment holds 255 numbers.
    for (kind, asns) in path.iter().flat_map(|s| s.asns.chunks(255).map(move |asns| (s.kind, asns))) {
        out.extend([kind, u8::try_from(asns.len()).unwrap_or(u8::MAX)]);
        for asn in asns {
            match four {
                true => out.extend(asn.to_be_bytes()),
                false => out.extend(u16::try_from(*asn).unwrap_or(super::open::AS_TRANS).to_be_bytes()),
            }
        }
    }
    out
}

fn path(value: &[u8], four: bool) -> Result<Vec<Segment>, Fault> {
    let mut reader = Reader::new(value);
    let mut path = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8("Path Segment Type")?;
        let count = reader.u8("Path Segment Length")?;
        if !(1..=4).contains(&kind) {
            return Err(Fault::Value { what: "Path Segment Type", found: u64::from(kind) });
        }
        if count == 0 {
            return Err(Fault::Length { what: "Path Segment Length", found: 0 });
        }
        let mut inner = reader.sub("Path Segment Value", usize::from(count) * if four { 4 } else { 2 })?;
        let mut asns = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            asns.push(if four { inner.u32("AS")? } else { u32::from(inner.u16("AS")?) });
        }
        path.push(Segment { kind, asns });
    }
    Ok(path)
}

/// Octets of a next hop in `MP_REACH_NLRI` (RFC 4760 §3): none for FlowSpec.
pub(super) fn next_hop_octets(next_hop: Option<IpAddr>) -> Vec<u8> {
    match next_hop {
        Some(IpAddr::V4(addr)) => addr.octets().to_vec(),
        Some(IpAddr::V6(addr)) => addr.octets().to_vec(),
        None => Vec::new(),
    }
}
