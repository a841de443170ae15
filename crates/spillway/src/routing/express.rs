//! A mitigation as a route, said the way one router wants to hear it.

use base::Prefix;
use ledger::text::from_hex;
use rules::compile::flowspec;
use rules::{Action, Rule};
use steer::bgp::Route;
use steer::bgp::dialect::Redirect;
use steer::bgp::out::Key;
use steer::book::What;
use steer::rails::Class;
use wire::bgp::attribute::{Segment, community};
use wire::bgp::{Attributes, Family, nlri};

use crate::config::{Router, Said};

/// Blackholes first, then diversions, then rules: the bluntest saves the most.
const RANKS: [(Class, u32); 3] = [(Class::Blackhole, 10), (Class::Diversion, 20), (Class::Flowspec, 30)];
/// What a route within an AS is preferred by (RFC 4271 §5.1.5); the usual default.
const LOCAL_PREF: u32 = 100;

/// Why a router cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// The configuration keeps it from that.
    #[error("peer `{0}` does not carry {1}s; add \"{1}\" to its `carries`")]
    Class(String, &'static str),
    /// It does not speak that family.
    #[error("peer `{0}` is not spoken with about {1}; add it to its `families`, with a next hop")]
    Family(String, &'static str),
    /// The rule cannot be said.
    #[error("rule `{0}` cannot be announced: {1}")]
    Rule(String, String),
    /// Its kind would take the rule and do nothing.
    #[error("peer `{0}` (profile {1}) is not known to act on {2}; if it does, set {3} for it")]
    Profile(String, &'static str, &'static str, &'static str),
}

/// The route for this router; what is diverted goes to this absorber, or to the first that is prepared for it.
pub(super) fn route(what: &What, router: &Router, own: u32, absorber: Option<&str>) -> Result<Route, Unfit> {
    let class = what.class();
    if !router.carries.contains(&class) {
        return Err(Unfit::Class(router.name.clone(), class.as_str()));
    }
    let internal = own == router.asn;
    let mut attributes = Attributes {
        origin: Some(0),
        as_path: Some(if internal { Vec::new() } else { vec![Segment::sequence(vec![own])] }),
        local_pref: internal.then_some(LOCAL_PREF),
        ..Attributes::default()
    };
    let (key, next_hop) = match what {
        What::Blackhole(prefix) => unicast(prefix, &router.blackhole, &mut attributes),
        What::Diversion(prefix) => {
            let (key, _) = unicast(prefix, &router.diversion, &mut attributes);
            (key, router.diversion_hop(prefix, absorber))
        }
        What::Flowspec(rule) => (flow(rule, router, &mut attributes)?, None),
    };
    if !router.families.contains(&key.family) {
        return Err(Unfit::Family(router.name.clone(), family_name(key.family)));
    }
    if matches!(what, What::Blackhole(_) | What::Diversion(_)) && next_hop.is_none() {
        return Err(Unfit::Family(router.name.clone(), family_name(key.family)));
    }
    // A mitigation that its speaker forgot is never kept long (RFC 9494 §4.3).
    attributes.communities.push(community::NO_LLGR);
    attributes.communities.sort_unstable();
    attributes.communities.dedup();
    let rank = RANKS.iter().find(|(of, _)| *of == class).map_or(u32::MAX, |(_, rank)| *rank);
    Ok(Route { key, next_hop, attributes, rank })
}

/// What makes it the same route to BGP; a later one with the same key would replace it.
pub(super) fn key(what: &What) -> Option<Key> {
    match what {
        What::Blackhole(prefix) | What::Diversion(prefix) => Some(prefix_key(prefix)),
        What::Flowspec(rule) => line(rule).ok().map(|(key, _, _)| key),
    }
}

/// How a family is written in the configuration.
pub(super) const fn family_name(family: Family) -> &'static str {
    match family {
        Family::IPV4 => "ipv4",
        Family::IPV6 => "ipv6",
        Family::FLOWSPEC4 => "ipv4-flowspec",
        _ => "ipv6-flowspec",
    }
}

fn prefix_key(prefix: &Prefix) -> Key {
    let mut octets = Vec::new();
    nlri::write(&mut octets, prefix);
    Key { family: if prefix.is_ipv4() { Family::IPV4 } else { Family::IPV6 }, nlri: octets }
}

fn unicast(prefix: &Prefix, said: &Said, attributes: &mut Attributes) -> (Key, Option<std::net::IpAddr>) {
    attributes.communities.clone_from(&said.communities);
    let hop = if prefix.is_ipv4() { said.next_hops.0 } else { said.next_hops.1 };
    (prefix_key(prefix), hop)
}

fn flow(rule: &Rule, router: &Router, attributes: &mut Attributes) -> Result<Key, Unfit> {
    let name = || router.name.clone();
    match rule.action {
        Action::RatePackets(_) if !router.rate_packets => {
            return Err(Unfit::Profile(
                name(),
                router.profile.name,
                "rates in packets",
                "rate_packets = true",
            ));
        }
        Action::Redirect(_) if router.dialect.redirect == Redirect::None => {
            return Err(Unfit::Profile(
                name(),
                router.profile.name,
                "redirects to an address",
                "redirect = \"address\" (or \"next-hop\")",
            ));
        }
        _ => {}
    }
    let (key, extended, extended6) = line(rule).map_err(|why| Unfit::Rule(rule.id.clone(), why))?;
    attributes.extended = extended;
    attributes.extended6 = extended6;
    Ok(key)
}

type Line = (Key, Vec<[u8; 8]>, Vec<[u8; 20]>);

/// The rule by itself on the wire. With a destination it holds for one family.
fn line(rule: &Rule) -> Result<Line, String> {
    let line = flowspec::lines(std::slice::from_ref(rule)).into_iter().next();
    let line = line.ok_or_else(|| "it holds for no packet".to_owned())?;
    let nlri = match (line.error, line.nlri) {
        (None, Some(nlri)) => from_hex(&nlri).unwrap_or_default(),
        (Some(error), _) => return Err(error),
        (None, None) => return Err("it has no NLRI".to_owned()),
    };
    let family = if line.afi == 1 { Family::FLOWSPEC4 } else { Family::FLOWSPEC6 };
    let extended = line.ext_communities.iter().filter_map(|hex| from_hex(hex)?.try_into().ok());
    let extended6 = line.ipv6_ext_communities.iter().filter_map(|hex| from_hex(hex)?.try_into().ok());
    Ok((Key { family, nlri }, extended.collect(), extended6.collect()))
}
