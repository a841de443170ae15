//! `[routing]`: routers that are spoken with, and the rails that every announcement passes.

mod absorbers;
mod drill;
mod health;
mod ladder;
mod peer;
mod rpki;
mod secret;
mod words;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base::{Prefix, Span};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use steer::book::{Approvals, LONGEST_ALONE};
use steer::rails::Limits;
use toml::Spanned;

pub use absorbers::{Charge, Control, Controls, Hop};
pub use drill::{Drill, Probe};
pub use health::{Examination, Url};
pub use ladder::{Absorber, Customer, Ladder, Link};
pub use peer::{Router, Said};
pub use rpki::Rpki;
pub use secret::Secret;

use super::check::Problems;
use super::values::Wait;

/// The brain gives a sign of life each tick; a slow moment is no death.
const DEAD_MAN_MIN: Span = Span::from_secs(5);
/// Neighbours at most.
const PEERS_MAX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    asn: Spanned<u32>,
    router_id: Ipv4Addr,
    #[serde(default)]
    never: Vec<Prefix>,
    #[serde(default)]
    diversion: Vec<Spanned<Prefix>>,
    #[serde(default = "longest4")]
    blackhole_ipv4: Spanned<u8>,
    #[serde(default = "longest6")]
    blackhole_ipv6: Spanned<u8>,
    #[serde(default = "routes_max")]
    routes_max: usize,
    #[serde(default = "rules_max")]
    rules_max: usize,
    #[serde(default = "per_minute")]
    per_minute: usize,
    #[serde(default = "blackholed_share")]
    blackholed_share: Spanned<f64>,
    #[serde(default = "lease")]
    lease: Spanned<Wait>,
    #[serde(default = "lease_max")]
    lease_max: Spanned<Wait>,
    #[serde(default = "dead_man_after")]
    dead_man_after: Spanned<Wait>,
    #[serde(default)]
    approvals: ApprovalSection,
    rpki: Option<Spanned<rpki::Section>>,
    #[serde(default)]
    drill: drill::Section,
    #[serde(default = "confirm")]
    confirm: Wait,
    #[serde(default)]
    peers: BTreeMap<Spanned<String>, peer::Section>,
    ladder: Option<ladder::Section>,
    #[serde(default)]
    health: BTreeMap<Spanned<String>, health::Section>,
    #[serde(default)]
    links: BTreeMap<Spanned<String>, ladder::LinkSection>,
    #[serde(default)]
    absorbers: BTreeMap<Spanned<String>, ladder::AbsorberSection>,
    absorber_key: Option<std::path::PathBuf>,
}

const fn confirm() -> Wait {
    Wait(steer::confirm::MINUTES)
}

fn longest4() -> Spanned<u8> {
    Spanned::new(0..0, Limits::default().blackhole.0)
}

fn longest6() -> Spanned<u8> {
    Spanned::new(0..0, Limits::default().blackhole.1)
}

fn routes_max() -> usize {
    Limits::default().routes
}

fn rules_max() -> usize {
    Limits::default().rules
}

fn per_minute() -> usize {
    Limits::default().per_minute
}

fn blackholed_share() -> Spanned<f64> {
    Spanned::new(0..0, Limits::default().blackholed_share)
}

fn lease() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(900)))
}

fn lease_max() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(LONGEST_ALONE))
}

fn dead_man_after() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(60)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApprovalSection {
    flowspec: Persons,
    diversion: Persons,
    blackhole: Persons,
}

impl Default for ApprovalSection {
    fn default() -> Self {
        let Approvals { flowspec, diversion, blackhole } = Approvals::default();
        Self { flowspec: Persons(flowspec), diversion: Persons(diversion), blackhole: Persons(blackhole) }
    }
}

/// How many persons have to agree.
#[derive(Clone, Copy, Debug)]
struct Persons(u8);

impl<'de> Deserialize<'de> for Persons {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Persons;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"automatic\", or the number of persons who have to agree: 1 or 2")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Persons, E> {
                match number {
                    1 => Ok(Persons(1)),
                    2 => Ok(Persons(2)),
                    _ => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Persons, E> {
                match text {
                    "automatic" => Ok(Persons(0)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// Routers that are spoken with, and the rails.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// Our AS.
    pub asn: u32,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// Prefixes that are never announced and that no rule may cut, besides those that fill themselves in.
    pub never: Vec<Prefix>,
    /// Prefixes that may be diverted: their return path stands.
    pub diversion: Vec<Prefix>,
    /// Lengths and caps.
    pub limits: Limits,
    /// How many persons have to agree, by class.
    pub approvals: Approvals,
    /// How long a mitigation holds when nobody says.
    pub lease: Span,
    /// How long it may be asked to hold at most.
    pub lease_max: Span,
    /// Without a sign of life of the decision core for so long, automatic mitigations are withdrawn.
    pub dead_man: Span,
    /// Whom the RPKI is asked; `None`: it is not.
    pub rpki: Option<Rpki>,
    /// What fire drills work with.
    pub drill: Drill,
    /// A first enforcement, and what is wide, reverts after so long unless a person confirms it; zero: it does not.
    pub confirm: Span,
    /// The routers, by name.
    pub routers: Vec<Router>,
    /// What is done by itself; `None`: nothing.
    pub ladder: Option<Ladder>,
    /// Absorbers that are spoken with.
    pub controls: Controls,
    /// How the operator has services asked whether they live.
    pub health: Vec<Examination>,
}

/// The section, or what speaks against it.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    networks: &[Prefix],
    owners: &[(String, Vec<Prefix>)],
    section: &Section,
) -> Routing {
    let asn = *section.asn.get_ref();
    if matches!(asn, 0 | 23_456 | u32::MAX) {
        let message = format!("{asn} is no number of an AS; write your own, or a private one like 64512");
        problems.at(section.asn.span().start, message);
    }
    let limits = limits(problems, section);
    lease_fits(problems, section);
    let rails = steer::rails::Rails::new(
        networks.to_vec(),
        section.diversion.iter().map(|prefix| *prefix.get_ref()).collect(),
        Vec::new(),
        Vec::new(),
        limits.clone(),
    );
    for prefix in &section.diversion {
        if let Err(refusal) = rails.prefix(*prefix.get_ref(), steer::rails::Class::Diversion) {
            problems.at(prefix.span().start, refusal.to_string());
        }
    }
    let drill = drill::checked(problems, &rails, &section.drill);
    let ask = |one: &Spanned<rpki::Section>| rpki::checked(problems, one.span().start, one.get_ref());
    let rpki = section.rpki.as_ref().map(ask);
    if section.peers.is_empty() {
        let message = "[routing] names no peer; add a section [routing.peers.NAME] with its address, asn and what it carries";
        problems.at(section.asn.span().start, message.to_owned());
    }
    if section.peers.len() > PEERS_MAX {
        problems.at(
            section.asn.span().start,
            format!("more than {PEERS_MAX} peers; let a route reflector pass it on"),
        );
    }
    let hops = absorbers::hops(problems, &section.absorbers);
    let mut routers: Vec<Router> =
        section.peers.iter().map(|(name, peer)| peer::checked(problems, asn, name, peer)).collect();
    routers.iter_mut().for_each(|router| router.absorber_hops.clone_from(&hops));
    for (place, (name, _)) in section.peers.iter().enumerate() {
        let same = |other: &Router| routers.get(place).is_some_and(|one| one.address == other.address);
        if let Some(other) = routers.iter().take(place).find(|other| same(other)) {
            let message = format!(
                "peer `{}` has the address of peer `{}`; keep one of them",
                name.get_ref(),
                other.name
            );
            problems.at(name.span().start, message);
        }
    }
    let diversion: Vec<Prefix> = section.diversion.iter().map(|prefix| *prefix.get_ref()).collect();
    let sections = ladder::Sections {
        ladder: section.ladder.as_ref(),
        links: &section.links,
        absorbers: &section.absorbers,
    };
    let ladder = ladder::checked(problems, &sections, (&routers, &diversion), owners);
    let controls = absorbers::checked(problems, &section.absorbers, section.absorber_key.clone(), &routers);
    let health = health::checked(problems, networks, &section.health);
    Routing {
        asn,
        router_id: section.router_id,
        never: section.never.clone(),
        diversion,
        limits,
        approvals: Approvals {
            flowspec: section.approvals.flowspec.0,
            diversion: section.approvals.diversion.0,
            blackhole: section.approvals.blackhole.0,
        },
        lease: section.lease.get_ref().0,
        lease_max: section.lease_max.get_ref().0,
        dead_man: section.dead_man_after.get_ref().0,
        rpki,
        drill,
        confirm: section.confirm.0,
        routers,
        ladder,
        controls,
        health,
    }
}

fn limits(problems: &mut Problems<'_>, section: &Section) -> Limits {
    for (key, length, from, to) in [
        ("blackhole_ipv4", &section.blackhole_ipv4, 25, 32),
        ("blackhole_ipv6", &section.blackhole_ipv6, 64, 128),
    ] {
        if !(from..=to).contains(length.get_ref()) {
            let message = format!("{key} is the shortest blackhole that is announced; write {from} to {to}");
            problems.at(length.span().start, message);
        }
    }
    let share = &section.blackholed_share;
    if !(0.0..=1.0).contains(share.get_ref()) {
        let message = "blackholed_share is a share of your own addresses; write 0.0 to 1.0, like 0.01";
        problems.at(share.span().start, message.to_owned());
    }
    Limits {
        blackhole: (*section.blackhole_ipv4.get_ref(), *section.blackhole_ipv6.get_ref()),
        routes: section.routes_max,
        rules: section.rules_max,
        per_minute: section.per_minute,
        blackholed_share: *share.get_ref(),
    }
}

fn lease_fits(problems: &mut Problems<'_>, section: &Section) {
    let (lease, most) = (section.lease.get_ref().0, section.lease_max.get_ref().0);
    if most > LONGEST_ALONE || most == Span::ZERO {
        let message = format!(
            "lease_max must be above 0 and at most {LONGEST_ALONE}: a person renews what holds longer"
        );
        problems.at(section.lease_max.span().start, message);
    }
    if lease > most || lease == Span::ZERO {
        let message = format!("lease must be above 0 and at most lease_max, which is {most}");
        problems.at(section.lease.span().start, message);
    }
    let patience = &section.dead_man_after;
    if patience.get_ref().0 < DEAD_MAN_MIN {
        let message = format!("dead_man_after must be at least {DEAD_MAN_MIN}: a slow moment is no death");
        problems.at(patience.span().start, message);
    }
}

#[cfg(test)]
mod tests;
