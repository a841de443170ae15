//! UPDATE (RFC 4271 §4.3, RFC 4760), read by the rules of RFC 7606.

use alloc::vec::Vec;
use core::net::IpAddr;

use base::Prefix;

use super::attribute::{self, Attributes, OPTIONAL, PathAttribute, TRANSITIVE, kind};
use super::nlri::Prefixes;
use super::{Family, Kind, Notification, message};
use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// What came of an UPDATE's attributes (RFC 7606 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Handling {
    /// Nothing is wrong.
    #[default]
    Fine,
    /// Attributes were left out that decide nothing: so many.
    AttributeDiscard(u32),
    /// The routes count as withdrawn, for this reason.
    TreatAsWithdraw(Fault),
    /// Routes of this family could not be found; what else of it comes is not to be believed (RFC 7606 §7.11).
    DisableFamily(Family, Fault),
}

/// FlowSpec routes of a message, as they stand in it; `rules::parse::flowspec` reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows {
    /// For IPv4 or IPv6.
    pub family: Family,
    /// They end; else they begin or change.
    pub ended: bool,
    /// One NLRI behind the other, each with its length.
    pub octets: Vec<u8>,
}

/// An UPDATE as read. Routes of families that are neither unicast nor FlowSpec are counted only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Routes that ended.
    pub withdrawn: Vec<Prefix>,
    /// Routes that began or changed. With [`Handling::TreatAsWithdraw`] they ended.
    pub announced: Vec<Prefix>,
    /// Of those announced.
    pub attributes: Attributes,
    /// FlowSpec routes, at most some that begin and some that end. With [`Handling::TreatAsWithdraw`] all of them end.
    pub flowspec: Vec<Flows>,
    /// Octets of routes of families that are not unicast.
    pub other: usize,
    /// End of a family's routes after a start (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// What was wrong.
    pub handling: Handling,
}

impl Update {
    /// Of a message's body; `four`: both sides speak AS numbers of four octets.
    ///
    /// # Errors
    /// The NOTIFICATION with which the session has to end, where no route can be found in it.
    pub fn read(body: &[u8], four: bool) -> Result<Self, Notification> {
        let malformed = |_: Fault| Notification::new(3, 1);
        let mut reader = Reader::new(body);
        let length = usize::from(reader.u16("Withdrawn Routes Length").map_err(malformed)?);
        let withdrawn = reader.bytes("Withdrawn Routes", length).map_err(malformed)?;
        let length = usize::from(reader.u16("Total Path Attribute Length").map_err(malformed)?);
        let attributes = reader.sub("Path Attributes", length).map_err(malformed)?;
        let network = |_: Fault| Notification::new(3, 10);
        let withdrawn = Prefixes::new(withdrawn, false).collect::<Result<_, _>>().map_err(network)?;
        let announced: Vec<Prefix> =
            Prefixes::new(reader.rest(), false).collect::<Result<_, _>>().map_err(network)?;
        let mut update = Self { withdrawn, announced, ..Self::default() };
        let nothing = body.len() == 4;
        update.take_attributes(attributes, four)?;
        if nothing {
            update.end_of_rib = Some(Family::IPV4);
        }
        Ok(update)
    }

    fn take_attributes(&mut self, mut reader: Reader<'_>, four: bool) -> Result<(), Notification> {
        let mut seen = [false; 256];
        let plain = !self.announced.is_empty();
        let mut wrong = None;
        let mut left_out = 0u32;
        while !reader.is_empty() {
            let attribute = match PathAttribute::read(&mut reader) {
                Ok(attribute) => attribute,
                Err(fault) => {
                    wrong.get_or_insert(fault);
                    break;
                }
            };
            let first =
                seen.get_mut(usize::from(attribute.kind)).is_some_and(|seen| !core::mem::replace(seen, true));
            match attribute.kind {
                kind::MP_REACH_NLRI | kind::MP_UNREACH_NLRI if !first => return Err(Notification::new(3, 1)),
                kind::MP_REACH_NLRI => self.reach(attribute.value),
                kind::MP_UNREACH_NLRI => self.unreach(attribute.value),
                // Of attributes that come twice the first counts (RFC 7606 §3 g).
                _ if !first => left_out += 1,
                kind::ATOMIC_AGGREGATE if !attribute.value.is_empty() => left_out += 1,
                kind::AGGREGATOR if attribute.value.len() != if four { 8 } else { 6 } => left_out += 1,
                _ => match flags(&attribute).and_then(|()| self.attributes.take(&attribute, four)) {
                    Ok(_) => {}
                    Err(fault) => {
                        wrong.get_or_insert(fault);
                    }
                },
            }
        }
        if !self.announced.is_empty() && wrong.is_none() {
            wrong = self.missing(plain);
        }
        if matches!(self.handling, Handling::DisableFamily(..)) {
            return Ok(());
        }
        self.handling = match (wrong, left_out) {
            (Some(fault), _) => Handling::TreatAsWithdraw(fault),
            (None, 0) => Handling::Fine,
            (None, count) => Handling::AttributeDiscard(count),
        };
        Ok(())
    }

    /// A well-known attribute that is not there (RFC 7606 §3 d).
    fn missing(&self, plain: bool) -> Option<Fault> {
        let Attributes { origin, as_path, next_hop, .. } = &self.attributes;
        let missing = [
            (origin.is_none(), "ORIGIN"),
            (as_path.is_none(), "AS_PATH"),
            (plain && next_hop.is_none(), "NEXT_HOP"),
        ];
        let what = missing.into_iter().find_map(|(missing, what)| missing.then_some(what))?;
        Some(Fault::Truncated { what, at: 0, needed: 1, had: 0 })
    }

    fn reach(&mut self, value: &[u8]) {
        let mut reader = Reader::new(value);
        let Some(family) = read_family(&mut reader) else { return self.disable(UNKNOWN, short("AFI")) };
        let routes = (|| {
            let length = usize::from(reader.u8("Length of Next Hop")?);
            reader.skip("Next Hop", length)?;
            reader.skip("Reserved", 1)?;
            Ok(reader.rest())
        })();
        match routes {
            Ok(routes) => self.routes(family, routes, false),
            Err(fault) => self.disable(family, fault),
        }
    }

    fn unreach(&mut self, value: &[u8]) {
        let mut reader = Reader::new(value);
        let Some(family) = read_family(&mut reader) else { return self.disable(UNKNOWN, short("AFI")) };
        if reader.is_empty() {
            self.end_of_rib = Some(family);
        }
        self.routes(family, reader.rest(), true);
    }

    fn routes(&mut self, family: Family, octets: &[u8], end: bool) {
        let v6 = match family {
            Family::IPV4 => false,
            Family::IPV6 => true,
            _ => {
                self.other += octets.len();
                if [Family::FLOWSPEC4, Family::FLOWSPEC6].contains(&family) && !octets.is_empty() {
                    self.flowspec.push(Flows { family, ended: end, octets: octets.to_vec() });
                }
                return;
            }
        };
        let to = if end { &mut self.withdrawn } else { &mut self.announced };
        for prefix in Prefixes::new(octets, v6) {
            match prefix {
                Ok(prefix) => to.push(prefix),
                Err(fault) => return self.disable(family, fault),
            }
        }
    }

    fn disable(&mut self, family: Family, fault: Fault) {
        self.handling = Handling::DisableFamily(family, fault);
    }
}

const UNKNOWN: Family = Family { afi: 0, safi: 0 };

const fn short(what: &'static str) -> Fault {
    Fault::Truncated { what, at: 0, needed: 3, had: 0 }
}

fn read_family(reader: &mut Reader<'_>) -> Option<Family> {
    let afi = reader.u16("Address Family Identifier").ok()?;
    let safi = reader.u8("Subsequent Address Family Identifier").ok()?;
    Some(Family { afi, safi })
}

/// RFC 7606 §3 c: flags that contradict the attribute. The flag for partial is not looked at.
fn flags(attribute: &PathAttribute<'_>) -> Result<(), Fault> {
    let wanted = match attribute.kind {
        kind::ORIGIN | kind::AS_PATH | kind::NEXT_HOP | kind::LOCAL_PREF | kind::ATOMIC_AGGREGATE => {
            TRANSITIVE
        }
        kind::MULTI_EXIT_DISC => OPTIONAL,
        kind::AGGREGATOR
        | kind::COMMUNITIES
        | kind::EXTENDED_COMMUNITIES
        | kind::IPV6_EXTENDED_COMMUNITIES
        | kind::LARGE_COMMUNITIES
        | kind::ONLY_TO_CUSTOMER => OPTIONAL | TRANSITIVE,
        // A well-known attribute that nobody knows: RFC 4271 §6.3 ends the session; its routes are left out instead.
        _ if attribute.flags & OPTIONAL == 0 => {
            return Err(Fault::Value { what: "well-known attribute", found: u64::from(attribute.kind) });
        }
        _ => return Ok(()),
    };
    match attribute.flags & (OPTIONAL | TRANSITIVE) {
        flags if flags == wanted => Ok(()),
        flags => Err(Fault::Value { what: "Attribute Flags", found: u64::from(flags) }),
    }
}

/// UPDATEs that announce routes with the same attributes; as many messages as it takes. IPv4 unicast stands outside of
/// `MP_REACH_NLRI` where its next hop is IPv4.
///
/// `routes`: NLRI as they stand on the wire, each whole. One that fits in no message is left out and given back.
pub fn announce(
    family: Family,
    next_hop: Option<IpAddr>,
    attributes: &Attributes,
    routes: &[Vec<u8>],
    four: bool,
) -> (Vec<Vec<u8>>, Vec<usize>) {
    let plain = match (family, next_hop) {
        (Family::IPV4, Some(IpAddr::V4(next_hop))) => {
            Some(Attributes { next_hop: Some(next_hop), ..attributes.clone() })
        }
        _ => None,
    };
    pack(routes, |routes| {
        let mut list = Vec::new();
        if let Some(attributes) = &plain {
            attributes.write(&mut list, four);
            return body(&[], &list, routes);
        }
        let next_hop = attribute::next_hop_octets(next_hop);
        let mut value = Vec::new();
        let length = u8::try_from(next_hop.len()).unwrap_or(0);
        Writer::new(&mut value)
            .u16(family.afi)
            .u8(family.safi)
            .u8(length)
            .bytes(&next_hop)
            .u8(0)
            .bytes(routes);
        // First, so that routes are found whatever is wrong behind them (RFC 7606 §5.1).
        PathAttribute { flags: OPTIONAL, kind: kind::MP_REACH_NLRI, value: &value }.write(&mut list);
        attributes.write(&mut list, four);
        body(&[], &list, &[])
    })
}

/// UPDATEs that withdraw routes, likewise.
pub fn withdraw(family: Family, routes: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<usize>) {
    pack(routes, |routes| match family {
        Family::IPV4 => body(routes, &[], &[]),
        _ => body(&[], &unreachable(family, routes), &[]),
    })
}

/// The message that says that all routes of a family have been told (RFC 4724 §2).
pub fn end_of_rib(family: Family) -> Vec<u8> {
    let body = match family {
        Family::IPV4 => body(&[], &[], &[]),
        _ => body(&[], &unreachable(family, &[]), &[]),
    };
    message(Kind::Update, &body).unwrap_or_default()
}

fn unreachable(family: Family, routes: &[u8]) -> Vec<u8> {
    let (mut value, mut list) = (Vec::new(), Vec::new());
    Writer::new(&mut value).u16(family.afi).u8(family.safi).bytes(routes);
    PathAttribute { flags: OPTIONAL, kind: kind::MP_UNREACH_NLRI, value: &value }.write(&mut list);
    list
}

fn body(withdrawn: &[u8], attributes: &[u8], announced: &[u8]) -> Vec<u8> {
    let length = |octets: &[u8]| u16::try_from(octets.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(4 + withdrawn.len() + attributes.len() + announced.len());
    Writer::new(&mut out)
        .u16(length(withdrawn))
        .bytes(withdrawn)
        .u16(length(attributes))
        .bytes(attributes)
        .bytes(announced);
    out
}

/// As many routes in a message as fit. What does not fit alone is named by its place.
fn pack(routes: &[Vec<u8>], body: impl Fn(&[u8]) -> Vec<u8>) -> (Vec<Vec<u8>>, Vec<usize>) {
    // The length of an attribute takes one octet more beyond 255.
    let room = super::MESSAGE_MAX.saturating_sub(super::HEADER + body(&[]).len() + 1);
    let (mut messages, mut too_long) = (Vec::new(), Vec::new());
    let mut filled: Vec<u8> = Vec::new();
    let mut close = |filled: &mut Vec<u8>| {
        if !filled.is_empty() {
            messages.extend(message(Kind::Update, &body(filled)));
            filled.clear();
        }
    };
    for (place, route) in routes.iter().enumerate() {
        if route.len() > room {
            too_long.push(place);
            continue;
        }
        if filled.len() + route.len() > room {
            close(&mut filled);
        }
        filled.extend_from_slice(route);
    }
    close(&mut filled);
    (messages, too_long)
}
