//! `[dns]`: zones whose names may be diverted to an absorber, for those without address space of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use base::Span;
use serde::{Deserialize, Deserializer};
use steer::dnsdiversion::{LONGEST_ALONE, NAMES_MAX, Zone};
use toml::Spanned;
use wire::dns::Name;

use super::check::Problems;
use super::routing::Secret;
use super::values::{Wait, text};

/// The port of DNS.
const PORT: u16 = 53;
/// The longest TTL that a diverted name may have: it is how long a way back takes.
const TTL_MAX: Span = Span::from_secs(3600);

/// One zone's section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    server: Server,
    zone: Spanned<String>,
    names: Spanned<Vec<Spanned<String>>>,
    to: Spanned<Vec<IpAddr>>,
    #[serde(default = "ttl")]
    ttl: Spanned<Wait>,
    #[serde(default = "lease_max")]
    lease_max: Spanned<Wait>,
    key_name: Spanned<String>,
    #[serde(default)]
    algorithm: Algorithm,
    key_file: Option<Spanned<PathBuf>>,
    key_env: Option<Spanned<String>>,
}

/// The sections by name.
pub(super) type Sections = BTreeMap<String, Spanned<Section>>;

fn ttl() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(30)))
}

fn lease_max() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(LONGEST_ALONE))
}

/// What makes the MAC (RFC 8945 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// HMAC-SHA-256.
    #[default]
    #[serde(rename = "hmac-sha256")]
    Sha256,
    /// HMAC-SHA-512.
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

/// An address, with its port or with that of DNS.
#[derive(Clone, Copy, Debug)]
struct Server(SocketAddr);

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.parse().map(|address: IpAddr| SocketAddr::new(address, PORT));
        bare.or_else(|_| text.parse()).map(Self).map_err(|_| {
            format!("`{text}` is not the address of a DNS server; write it like \"192.0.2.53\" or \"[2001:db8::53]:5353\"")
        })
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "the address of a DNS server, like \"192.0.2.53\"")
    }
}

/// A zone whose names may be diverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsZone {
    /// What is done.
    pub zone: Zone,
    /// The zone's primary.
    pub server: SocketAddr,
    /// Name of the key.
    pub key_name: Name,
    /// What makes the MAC.
    pub algorithm: Algorithm,
    /// The key.
    pub key: Secret,
}

/// The sections, or what speaks against them.
pub(super) fn checked(problems: &mut Problems<'_>, sections: &Sections) -> Vec<DnsZone> {
    let mut taken = BTreeSet::new();
    let zones = sections.iter().filter_map(|(label, section)| one(problems, label, section, &mut taken));
    let zones = zones.collect();
    if taken.len() > NAMES_MAX
        && let Some(first) = sections.values().next()
    {
        let message = format!("{} names may be diverted, at most {NAMES_MAX}; leave some out", taken.len());
        problems.at(first.span().start, message);
    }
    zones
}

fn one(
    problems: &mut Problems<'_>,
    label: &str,
    spanned: &Spanned<Section>,
    taken: &mut BTreeSet<Name>,
) -> Option<DnsZone> {
    let section = spanned.get_ref();
    let zone = name(problems, &section.zone);
    let key_name = name(problems, &section.key_name);
    let mut names = Vec::new();
    for one in section.names.get_ref() {
        let (Some(name), Some(zone)) = (name(problems, one), &zone) else { continue };
        let at = one.span().start;
        if name == *zone {
            problems.at(at, format!("{name} is the zone itself, whose SOA and NS are never touched; give the service a name below it"));
        } else if !name.lies_in(zone) {
            problems.at(at, format!("{name} does not lie in the zone {zone}"));
        } else if !taken.insert(name.clone()) {
            problems.at(at, format!("{name} is named twice; keep one of them"));
        } else {
            names.push(name);
        }
    }
    if section.names.get_ref().is_empty() {
        let message = "names is empty; list the names that may be diverted, like [\"www.example.net\"]";
        problems.at(section.names.span().start, message.to_owned());
    }
    let to = section.to.get_ref();
    let distinct: BTreeSet<&IpAddr> = to.iter().collect();
    let unusable = |one: &&IpAddr| one.is_unspecified() || one.is_multicast();
    if to.is_empty() || to.len() > 16 || distinct.len() < to.len() || to.iter().any(|one| unusable(&one)) {
        let message =
            "to is 1 to 16 different addresses of the absorber, like [\"203.0.113.80\", \"2001:db8::80\"]";
        problems.at(section.to.span().start, message.to_owned());
    }
    let ttl = section.ttl.get_ref().0;
    if ttl < Span::from_secs(1) || ttl > TTL_MAX || ttl != Span::from_secs(ttl.secs()) {
        let message = format!(
            "ttl is whole seconds, \"1s\" to \"{TTL_MAX}\": how long clients may still come to the absorber afterwards"
        );
        problems.at(section.ttl.span().start, message);
    }
    let lease_max = section.lease_max.get_ref().0;
    if lease_max < Span::from_secs(1) || lease_max > LONGEST_ALONE {
        let message =
            format!("lease_max is \"1s\" to \"{LONGEST_ALONE}\": a person renews what holds longer");
        problems.at(section.lease_max.span().start, message);
    }
    let key = key(problems, spanned.span().start, section);
    let zone = Zone {
        section: label.to_owned(),
        zone: zone?,
        names,
        to: to.clone(),
        ttl: u32::try_from(ttl.secs()).unwrap_or(u32::MAX),
        lease_max,
    };
    Some(DnsZone {
        zone,
        server: section.server.0,
        key_name: key_name?,
        algorithm: section.algorithm,
        key: key?,
    })
}

fn name(problems: &mut Problems<'_>, text: &Spanned<String>) -> Option<Name> {
    text.get_ref()
        .parse()
        .map_err(|bad: wire::dns::BadName| problems.at(text.span().start, bad.to_string()))
        .ok()
}

fn key(problems: &mut Problems<'_>, at: usize, section: &Section) -> Option<Secret> {
    let key = ["key_file", "key_env"];
    let found = Secret::found(key, section.key_file.as_ref(), section.key_env.as_ref());
    let Some((at, content)) = found else {
        let message = "key_file is missing: the file with the TSIG key's secret in base64, as `keymgr -t` or `tsig-keygen` makes it; or key_env";
        problems.at(at, message.to_owned());
        return None;
    };
    let secret = content.and_then(|(place, content)| {
        Secret::base64(&content).ok_or_else(|| {
            format!("the key in {place} cannot be used: it has to be the secret alone, 16 to 256 octets in base64, like \"8CbcfYQ…=\"")
        })
    });
    secret.map_err(|why| problems.at(at, why)).ok()
}

#[cfg(test)]
mod tests;
