//! `[routing.peers.NAME]`: a router, what it is told, and how.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use base::{Prefix, Span};
use serde::Deserialize;
use steer::bgp::dialect::Dialect;
use steer::bgp::session::Farewell;
use steer::rails::Class;
use toml::Spanned;
use wire::bgp::Family;
use wire::bgp::attribute::community;

use super::Secret;
use super::absorbers::Hop;
use super::words::{Carried, Community, FamilyName, OffsetForm, PeerAddress, RedirectForm};
use crate::config::check::Problems;
use crate::config::values::Wait;
use crate::routing::profile::Profile;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    address: PeerAddress,
    asn: Spanned<u32>,
    carries: Vec<Spanned<Carried>>,
    local: Option<IpAddr>,
    families: Option<Vec<FamilyName>>,
    next_hop: Option<Spanned<IpAddr>>,
    next_hop6: Option<Spanned<IpAddr>>,
    blackhole_next_hop: Option<Spanned<IpAddr>>,
    blackhole_next_hop6: Option<Spanned<IpAddr>>,
    blackhole_communities: Option<Vec<Community>>,
    diversion_next_hop: Option<Spanned<IpAddr>>,
    diversion_next_hop6: Option<Spanned<IpAddr>>,
    #[serde(default)]
    diversion_communities: Vec<Community>,
    #[serde(default = "profile")]
    profile: Spanned<String>,
    rate_packets: Option<bool>,
    redirect: Option<RedirectForm>,
    offsets: Option<OffsetForm>,
    #[serde(default)]
    limit: usize,
    #[serde(default = "pace")]
    pace: u32,
    #[serde(default = "burst")]
    burst: u32,
    #[serde(default)]
    search: bool,
    #[serde(default)]
    learn: bool,
    hold_time: Option<Spanned<Wait>>,
    #[serde(default = "patience")]
    patience: Spanned<Wait>,
    md5_file: Option<Spanned<PathBuf>>,
    md5_env: Option<Spanned<String>>,
    ttl_security_hops: Option<Spanned<u8>>,
    #[serde(default = "withdraw")]
    on_stop: Spanned<Exit>,
    #[serde(default = "keep")]
    on_crash: Exit,
    #[serde(default = "restart_time")]
    restart_time: Spanned<Wait>,
}

fn profile() -> Spanned<String> {
    Spanned::new(0..0, "generic".to_owned())
}

fn pace() -> u32 {
    steer::bgp::Pacing::default().per_second
}

fn burst() -> u32 {
    steer::bgp::Pacing::default().burst
}

fn patience() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(900)))
}

fn withdraw() -> Spanned<Exit> {
    Spanned::new(0..0, Exit::Withdraw)
}

fn keep() -> Exit {
    Exit::Keep
}

fn restart_time() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(120)))
}

/// What becomes of our routes at a router when we are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Exit {
    /// They end at once.
    Withdraw,
    /// They stay for the restart time, where the router does graceful restart.
    Keep,
}

/// What routes of a class say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Next hops of IPv4 and IPv6.
    pub next_hops: (Option<IpAddr>, Option<IpAddr>),
    /// Communities, beside those that every mitigation has.
    pub communities: Vec<u32>,
}

/// A router that is spoken with.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its AS.
    pub asn: u32,
    /// Our address, where it matters.
    pub local: Option<IpAddr>,
    /// Families that are offered.
    pub families: Vec<Family>,
    /// What it is told.
    pub carries: Vec<Class>,
    /// How a blackhole is said.
    pub blackhole: Said,
    /// How a diversion is said.
    pub diversion: Said,
    /// Next hops of what is diverted to absorbers that have one of their own.
    pub absorber_hops: Vec<Hop>,
    /// What is known of its kind.
    pub profile: &'static Profile,
    /// It takes rates in packets (extended community 0x800c).
    pub rate_packets: bool,
    /// How it wants to hear redirects to an address, and IPv6 prefixes with an offset.
    pub dialect: Dialect,
    /// Pace and limit.
    pub pacing: steer::bgp::Pacing,
    /// Seconds.
    pub hold_time: u16,
    /// Seconds without a word for which its session is kept.
    pub patience: u16,
    /// Key of RFC 2385.
    pub md5: Option<Secret>,
    /// Hops to it at most (RFC 5082).
    pub hops: Option<u8>,
    /// What it announces to us is remembered: whose an address is.
    pub learn: bool,
    /// When we stop.
    pub on_stop: Farewell,
    /// When we crash: seconds for which it keeps our routes; `None`: they end at once.
    pub restart_time: Option<u16>,
}

impl Router {
    /// Where what is diverted goes from here: to this absorber, or to the first that is prepared for it.
    pub fn diversion_hop(&self, prefix: &Prefix, absorber: Option<&str>) -> Option<IpAddr> {
        let is_it = |one: &&Hop| one.prefix == *prefix && absorber.is_none_or(|name| one.absorber == name);
        let own = self.absorber_hops.iter().find(is_it).map(|one| one.hop);
        let (v4, v6) = self.diversion.next_hops;
        let usual = if prefix.is_ipv4() { v4 } else { v6 };
        own.or(usual)
    }
}

/// The section, or what speaks against it.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    own: u32,
    name: &Spanned<String>,
    section: &Section,
) -> Router {
    let (at, name) = (name.span().start, name.get_ref().as_str());
    let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || name.contains(odd) {
        problems.at(at, format!("`{name}` is no name of a peer; use letters, digits, `-`, `_` and `.`"));
    }
    if *section.asn.get_ref() == 0 {
        problems.at(section.asn.span().start, "0 is no number of an AS; write the router's".to_owned());
    }
    if section.carries.is_empty() {
        let message = format!(
            "peer `{name}` carries nothing; write carries = [\"blackhole\", \"flowspec\", \"diversion\"] or some of these"
        );
        problems.at(at, message);
    }
    let carries: Vec<Class> = section.carries.iter().map(|one| one.get_ref().class()).collect();
    let hop = |problems: &mut Problems<'_>, key: &str, hop: Option<&Spanned<IpAddr>>, ipv4: bool| {
        let spanned = hop?;
        if spanned.get_ref().is_ipv4() != ipv4 {
            let family = if ipv4 { "an IPv4" } else { "an IPv6" };
            problems.at(spanned.span().start, format!("{key} has to be {family} address"));
        } else if let Some(what) = no_hop(*spanned.get_ref()) {
            let message = format!(
                "{key}: {} is {what}; write the address that the router shall send to",
                spanned.get_ref()
            );
            problems.at(spanned.span().start, message);
        }
        Some(*spanned.get_ref())
    };
    let own4 = hop(problems, "next_hop", section.next_hop.as_ref(), true);
    let own6 = hop(problems, "next_hop6", section.next_hop6.as_ref(), false);
    let local4 = own4.or_else(|| section.local.filter(IpAddr::is_ipv4));
    let local6 = own6.or_else(|| section.local.filter(IpAddr::is_ipv6));
    let blackhole = Said {
        next_hops: (
            hop(problems, "blackhole_next_hop", section.blackhole_next_hop.as_ref(), true).or(local4),
            hop(problems, "blackhole_next_hop6", section.blackhole_next_hop6.as_ref(), false).or(local6),
        ),
        communities: section.blackhole_communities.as_ref().map_or_else(
            || vec![community::BLACKHOLE, community::NO_EXPORT],
            |all| all.iter().map(|one| one.0).collect(),
        ),
    };
    let diversion = Said {
        next_hops: (
            hop(problems, "diversion_next_hop", section.diversion_next_hop.as_ref(), true).or(local4),
            hop(problems, "diversion_next_hop6", section.diversion_next_hop6.as_ref(), false).or(local6),
        ),
        communities: section.diversion_communities.iter().map(|one| one.0).collect(),
    };
    let families = families(problems, at, name, section, &carries, [&blackhole, &diversion]);
    let profile = profile_of(problems, &section.profile);
    let hold_time = match &section.hold_time {
        Some(time) => seconds(problems, "hold_time", time, 3, 65_535),
        None => profile.hold_time,
    };
    let patience = seconds(problems, "patience", &section.patience, 0, 65_535);
    let restart = seconds(problems, "restart_time", &section.restart_time, 1, 4095);
    let on_stop = *section.on_stop.get_ref();
    if on_stop == Exit::Keep && section.on_crash == Exit::Withdraw {
        let message =
            "on_stop = \"keep\" needs on_crash = \"keep\": without graceful restart the router keeps nothing";
        problems.at(section.on_stop.span().start, message.to_owned());
    }
    if let Some(hops) = section.ttl_security_hops.as_ref().filter(|hops| *hops.get_ref() == 0) {
        problems
            .at(hops.span().start, "ttl_security_hops counts from 1, a router on the same link".to_owned());
    }
    if own != *section.asn.get_ref() && section.pace == 0 && section.burst == 0 {
        problems.at(at, format!("peer `{name}`: pace and burst are 0, so nothing would be sent; set one"));
    }
    Router {
        name: name.to_owned(),
        address: section.address.0,
        asn: *section.asn.get_ref(),
        local: section.local,
        families,
        carries,
        blackhole,
        diversion,
        absorber_hops: Vec::new(),
        profile,
        rate_packets: section.rate_packets.unwrap_or(profile.rate_packets),
        dialect: Dialect {
            redirect: section.redirect.map_or(profile.dialect.redirect, RedirectForm::meant),
            offsets: section.offsets.map_or(profile.dialect.offsets, OffsetForm::meant),
        },
        pacing: steer::bgp::Pacing {
            per_second: section.pace,
            burst: section.burst,
            peer_limit: section.limit,
            search: section.search,
        },
        hold_time,
        patience,
        md5: key(problems, section),
        hops: section.ttl_security_hops.as_ref().map(|hops| *hops.get_ref()),
        learn: section.learn,
        on_stop: if on_stop == Exit::Keep { Farewell::Keep } else { Farewell::Withdraw },
        restart_time: (section.on_crash == Exit::Keep).then_some(restart),
    }
}

/// What no router takes as a next hop, or takes without effect.
fn no_hop(address: IpAddr) -> Option<&'static str> {
    let link_local = |address| matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    match address {
        _ if address.is_unspecified() => Some("no address"),
        _ if address.is_multicast() || address == IpAddr::from([255; 4]) => Some("no address of one host"),
        _ if address.is_loopback() => Some("each router's own"),
        // RFC 2545 §3: a link-local next hop stands beside a global one.
        _ if link_local(address) => Some("known on its link alone"),
        _ => None,
    }
}

/// The families as written, or those for which it carries something and next hops are known.
fn families(
    problems: &mut Problems<'_>,
    at: usize,
    name: &str,
    section: &Section,
    carries: &[Class],
    said: [&Said; 2],
) -> Vec<Family> {
    let classes = [
        (Class::Blackhole, said[0], "blackhole_next_hop"),
        (Class::Diversion, said[1], "diversion_next_hop"),
    ];
    let unicast = || classes.iter().filter(|(class, ..)| carries.contains(class));
    let families: Vec<Family> = match &section.families {
        Some(named) => named.iter().map(|one| one.family()).collect(),
        None => {
            let mut families = Vec::new();
            if unicast().any(|(_, said, _)| said.next_hops.0.is_some()) {
                families.push(Family::IPV4);
            }
            if unicast().any(|(_, said, _)| said.next_hops.1.is_some()) {
                families.push(Family::IPV6);
            }
            if carries.contains(&Class::Flowspec) {
                families.extend([Family::FLOWSPEC4, Family::FLOWSPEC6]);
            }
            families
        }
    };
    for (class, said, key) in unicast() {
        let missing = [(Family::IPV4, said.next_hops.0, ""), (Family::IPV6, said.next_hops.1, "6")];
        let mut missing =
            missing.iter().filter(|(family, hop, _)| families.contains(family) && hop.is_none());
        if let Some((.., six)) = missing.next() {
            let example = if six.is_empty() { "192.0.2.1" } else { "100::1" };
            let message = format!(
                "peer `{name}` has no next hop for a {} of IPv{}; add {key}{six} = \"{example}\", or leave the family out of `families`",
                class.as_str(),
                if six.is_empty() { 4 } else { 6 },
            );
            problems.at(at, message);
        }
        if !families.iter().any(|family| [Family::IPV4, Family::IPV6].contains(family)) {
            let message = format!(
                "peer `{name}` carries {}s, but no next hop is known; add {key} = \"192.0.2.1\" or {key}6 = \"100::1\"",
                class.as_str()
            );
            problems.at(at, message);
        }
    }
    families
}

fn profile_of(problems: &mut Problems<'_>, name: &Spanned<String>) -> &'static Profile {
    Profile::named(name.get_ref()).unwrap_or_else(|| {
        let known: Vec<&str> = Profile::ALL.iter().map(|one| one.name).collect();
        let message =
            format!("`{}` is no profile of a router; known here: {}", name.get_ref(), known.join(", "));
        problems.at(name.span().start, message);
        Profile::GENERIC
    })
}

fn seconds(problems: &mut Problems<'_>, key: &str, time: &Spanned<Wait>, from: u16, to: u16) -> u16 {
    let span = time.get_ref().0;
    let seconds = u16::try_from(span.secs()).unwrap_or(u16::MAX);
    if !(from..=to).contains(&seconds) || span != Span::from_secs(u64::from(seconds)) {
        problems.at(time.span().start, format!("{key} is whole seconds, \"{from}s\" to \"{to}s\""));
    }
    seconds
}

fn key(problems: &mut Problems<'_>, section: &Section) -> Option<Secret> {
    let (at, content) =
        Secret::found(["md5_file", "md5_env"], section.md5_file.as_ref(), section.md5_env.as_ref())?;
    let secret = content.and_then(|(place, content)| {
        let wrong = || format!("the key in {place} cannot be used: a key has 1 to 80 octets");
        Secret::new(&content).ok_or_else(wrong)
    });
    secret.map_err(|why| problems.at(at, why)).ok()
}
