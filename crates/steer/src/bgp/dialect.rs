//! How a peer wants FlowSpec to be said where the RFCs and the implementations differ.
//!
//! A route is kept as RFC 8956 and the draft on redirection have it. What goes to a peer is translated on its way out;
//! what the peer's form has no words for is refused before.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use wire::bgp::traffic::{Traffic, kind};
use wire::bgp::{Attributes, Family};

use super::out::{Key, Route};

/// The forms of one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Of prefixes of IPv6 that do not begin at the first bit.
    pub offsets: Offsets,
    /// Of redirection to an address.
    pub redirect: Redirect,
}

/// IPv6 prefixes with an offset in FlowSpec. A peer that is sent the other form ends the session (measured: FRR 8.4 at
/// that of the RFC, BIRD 2.0 at the older one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offsets {
    /// The peer is not sent any.
    #[default]
    None,
    /// The pattern holds the bits from the offset on (RFC 8956 §3.1).
    Rfc8956,
    /// The pattern holds all bits, those before the offset too, as drafts before the RFC had it.
    Legacy,
}

/// Redirection to an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirect {
    /// The address stands in the community (draft-ietf-idr-flowspec-redirect-ip).
    #[default]
    Address,
    /// The address is the next hop of the route (draft-simpson-idr-flowspec-redirect).
    NextHop,
    /// The peer is not sent any.
    None,
}

/// Why a route cannot be said to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unspoken {
    /// A prefix with an offset.
    #[error(
        "the rule has an IPv6 prefix with offset {0}, and this peer's profile has no form for offsets: set it to what the router reads, or use a prefix"
    )]
    Offset(u8),
    /// Redirection to an address.
    #[error(
        "the rule redirects to {0}, and this peer's profile has no form for that: set one, or redirect to a route target"
    )]
    Redirect(IpAddr),
    /// Redirection to two addresses, where only one next hop is.
    #[error("the rule redirects to several addresses, and this peer takes the one of the next hop")]
    Several,
    /// Its components cannot be read.
    #[error("the NLRI of the rule is damaged at octet {0}")]
    Damaged(usize),
}

impl Dialect {
    /// A route in this peer's words.
    ///
    /// # Errors
    /// When there are none.
    pub fn say<'a>(&self, route: &'a Route) -> Result<Cow<'a, Route>, Unspoken> {
        let nlri = self.nlri(&route.key)?;
        let redirected = self.redirected(route)?;
        Ok(match (nlri, redirected) {
            (Cow::Borrowed(_), None) => Cow::Borrowed(route),
            (nlri, redirected) => {
                let key = Key { family: route.key.family, nlri: nlri.into_owned() };
                let (next_hop, attributes) =
                    redirected.unwrap_or_else(|| (route.next_hop, route.attributes.clone()));
                Cow::Owned(Route { key, next_hop, attributes, rank: route.rank })
            }
        })
    }

    /// The octets that name a route to this peer.
    ///
    /// # Errors
    /// When there are none.
    pub fn nlri<'a>(&self, key: &'a Key) -> Result<Cow<'a, [u8]>, Unspoken> {
        let nlri = key.nlri.as_slice();
        if key.family != Family::FLOWSPEC6 || self.offsets == Offsets::Rfc8956 {
            return Ok(Cow::Borrowed(nlri));
        }
        let prefixes = prefixes(nlri)?;
        let Some(offset) = prefixes.iter().map(|prefix| prefix.offset).find(|offset| *offset > 0) else {
            return Ok(Cow::Borrowed(nlri));
        };
        match self.offsets {
            Offsets::Legacy => legacy(nlri, &prefixes).map(Cow::Owned),
            _ => Err(Unspoken::Offset(offset)),
        }
    }

    /// Next hop and attributes, where redirection asks for other ones.
    fn redirected(&self, route: &Route) -> Result<Option<(Option<IpAddr>, Attributes)>, Unspoken> {
        if self.redirect == Redirect::Address || route.next_hop.is_some() {
            return Ok(None);
        }
        let of = |action: &Traffic| match action {
            Traffic::ToAddress { to, copy } => Some((*to, *copy)),
            _ => None,
        };
        let targets: Vec<(IpAddr, bool)> = Traffic::all(&route.attributes).iter().filter_map(of).collect();
        match (targets.as_slice(), self.redirect) {
            ([], _) => Ok(None),
            ([(to, _), ..], Redirect::None) => Err(Unspoken::Redirect(*to)),
            ([(to, copy)], _) => {
                let mut attributes = route.attributes.clone();
                attributes.extended.retain(|octets| !octets.starts_with(&kind::TO_IPV4));
                attributes.extended6.retain(|octets| !octets.starts_with(&kind::TO_IPV6));
                Traffic::ToNextHop { copy: *copy }.put(&mut attributes);
                Ok(Some((Some(*to), attributes)))
            }
            _ => Err(Unspoken::Several),
        }
    }
}

/// A prefix component of FlowSpec for IPv6, and where it stands.
struct Prefix6 {
    /// Of its type.
    at: usize,
    length: u8,
    offset: u8,
    /// Octets of the pattern.
    pattern: usize,
}

/// The prefix components: they have the lowest types, and stand first.
fn prefixes(nlri: &[u8]) -> Result<Vec<Prefix6>, Unspoken> {
    let mut at = length_octets(nlri);
    let mut out = Vec::new();
    while let Some([kind @ 1..=2, length, offset]) = nlri.get(at..at + 3) {
        let (length, offset) = (*length, *offset);
        if *kind > 2 || length > 128 || offset > length {
            return Err(Unspoken::Damaged(at));
        }
        let pattern = usize::from((length - offset).div_ceil(8));
        out.push(Prefix6 { at, length, offset, pattern });
        at += 3 + pattern;
        if at > nlri.len() {
            return Err(Unspoken::Damaged(nlri.len()));
        }
    }
    Ok(out)
}

/// RFC 8955 §4.1: one octet below 240, else two that begin with 0xf.
fn length_octets(nlri: &[u8]) -> usize {
    if nlri.first().is_some_and(|first| *first >= 0xf0) { 2 } else { 1 }
}

/// With whole patterns.
fn legacy(nlri: &[u8], prefixes: &[Prefix6]) -> Result<Vec<u8>, Unspoken> {
    let mut body = Vec::new();
    let mut at = length_octets(nlri);
    for prefix in prefixes {
        let end = prefix.at + 3 + prefix.pattern;
        let octets = nlri.get(prefix.at + 3..end).unwrap_or_default();
        let whole = shifted(octets, prefix.offset);
        let octets = usize::from(prefix.length.div_ceil(8));
        body.extend(nlri.get(prefix.at..prefix.at + 3).unwrap_or_default());
        body.extend(whole.iter().take(octets));
        at = end;
    }
    body.extend(nlri.get(at..).unwrap_or_default());
    // RFC 8955 §4.1: at most 4095.
    let length = u16::try_from(body.len()).ok().filter(|length| *length < 0x1000);
    let [high, low] = length.ok_or(Unspoken::Damaged(0))?.to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..240) => vec![low],
        _ => vec![0xf0 | high, low],
    };
    out.append(&mut body);
    Ok(out)
}

/// A pattern, moved to where it holds in the address.
fn shifted(pattern: &[u8], offset: u8) -> [u8; 16] {
    let mut whole = [0; 16];
    whole.iter_mut().zip(pattern).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(whole).checked_shr(u32::from(offset)).unwrap_or(0).to_be_bytes()
}

/// A component of FlowSpec for IPv6 as RFC 8956 §3.1 has it: of an address the bits from `offset` up to `length`.
/// `kind`: 1 destination, 2 source. `None` where the offset is beyond the length, or the length beyond 128.
pub fn prefix6(kind: u8, address: Ipv6Addr, length: u8, offset: u8) -> Option<Vec<u8>> {
    if length > 128 || offset > length {
        return None;
    }
    let bits = u32::from(length - offset);
    let moved = u128::from(address).checked_shl(u32::from(offset)).unwrap_or(0);
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    let mut out = vec![kind, length, offset];
    out.extend((moved & mask).to_be_bytes().iter().take(usize::from((length - offset).div_ceil(8))));
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn rule(nlri: &[u8], actions: &[Traffic]) -> Route {
        let mut attributes = Attributes::default();
        actions.iter().for_each(|action| action.put(&mut attributes));
        let key = Key { family: Family::FLOWSPEC6, nlri: nlri.to_vec() };
        Route { key, next_hop: None, attributes, rank: 1 }
    }

    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0x1234, 0x5678, 0x9a00, 0);

    #[test]
    fn an_offset_goes_out_as_the_profile_names_it_or_is_refused_with_the_reason() {
        let prefix = prefix6(1, ADDRESS, 104, 64).unwrap();
        assert_eq!(prefix, [1, 104, 64, 0x12, 0x34, 0x56, 0x78, 0x9a]);
        let nlri = [&[11], prefix.as_slice(), &[3, 0x81, 17]].concat();
        let route = rule(&nlri, &[]);
        let of = |offsets| Dialect { offsets, ..Dialect::default() }.say(&route).map(Cow::into_owned);
        assert_eq!(of(Offsets::Rfc8956).unwrap(), route);
        let legacy = [&[19, 1, 104, 64][..], &[0; 8], &[0x12, 0x34, 0x56, 0x78, 0x9a, 3, 0x81, 17]].concat();
        assert_eq!(of(Offsets::Legacy).unwrap().key.nlri, legacy);
        assert_eq!(of(Offsets::None), Err(Unspoken::Offset(64)));
        // An offset within an octet: 2001:db8::/32 from its fourth bit on.
        let nlri = [&[7], prefix6(1, ADDRESS, 32, 4).unwrap().as_slice()].concat();
        assert_eq!(nlri, [7, 1, 32, 4, 0x00, 0x10, 0xdb, 0x80]);
        let said = Dialect { offsets: Offsets::Legacy, ..Dialect::default() }
            .say(&rule(&nlri, &[]))
            .unwrap()
            .into_owned();
        assert_eq!(said.key.nlri, [7, 1, 32, 4, 0x00, 0x01, 0x0d, 0xb8]);
        // Without one, all say the same, and a damaged rule is not sent to anybody who would have to be translated for.
        let plain = rule(&[&[11], prefix6(1, ADDRESS, 56, 0).unwrap().as_slice()].concat(), &[]);
        for offsets in [Offsets::None, Offsets::Rfc8956, Offsets::Legacy] {
            let dialect = Dialect { offsets, ..Dialect::default() };
            assert!(matches!(dialect.say(&plain), Ok(Cow::Borrowed(_))), "{offsets:?}");
        }
        assert_eq!(Dialect::default().say(&rule(&[4, 1, 120, 0, 1], &[])), Err(Unspoken::Damaged(5)));
    }

    #[test]
    fn a_redirection_goes_out_as_the_profile_names_it_or_is_refused_with_the_reason() {
        let to = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let one = Traffic::ToAddress { to: to(9), copy: true };
        let route = rule(&[3, 1, 0, 0], &[Traffic::Marking(46), one]);
        let of = |redirect, route: &Route| {
            Dialect { redirect, ..Dialect::default() }.say(route).map(Cow::into_owned)
        };
        assert_eq!(of(Redirect::Address, &route).unwrap(), route);
        assert_eq!(of(Redirect::None, &route), Err(Unspoken::Redirect(to(9))));
        let said = of(Redirect::NextHop, &route).unwrap();
        assert_eq!(said.next_hop, Some(to(9)));
        let actions = [Traffic::Marking(46), Traffic::ToNextHop { copy: true }];
        assert_eq!(Traffic::all(&said.attributes), actions);
        let two = rule(&[3, 1, 0, 0], &[one, Traffic::ToAddress { to: to(8), copy: false }]);
        assert_eq!(of(Redirect::NextHop, &two), Err(Unspoken::Several));
        // What does not redirect is said to all.
        let drop = rule(&[3, 1, 0, 0], &[Traffic::RateBytes(0.0)]);
        assert_eq!(of(Redirect::None, &drop).unwrap(), drop);
    }
}
