//! `control` and `fingerprint` of `[routing.absorbers.NAME]`: absorbers that are spoken with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use base::units::BitRate;
use base::{Prefix, Span};
use steer::absorb::word::LEASE_MAX;
use steer::rails::Class;
use toml::Spanned;

use super::ladder::{AbsorberSection, one_name};
use super::peer::Router;
use crate::absorb::keys::Fingerprint;
use crate::config::check::Problems;

/// A shorter silence would take a slow moment for death.
const SILENCE_MIN: Span = Span::from_secs(2);
/// How long an absorber may say nothing, when the file does not say.
const SILENCE: Span = Span::from_secs(5);
/// How long an absorber is held after its route is gone, when the file does not say.
const LINGER: Span = Span::from_secs(30);
/// The shortest lease, when the file does not say.
const LEASE: Span = Span::from_secs(60);
/// What a lease has to hold beyond the longest that a router keeps a route.
const MARGIN: Span = Span::from_secs(10);

/// A prefix that an absorber takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// Which.
    pub prefix: Prefix,
    /// Bits per second on layer 3 that it is trusted with at most, whatever it says.
    pub capacity: BitRate,
    /// What the whole prefix gets in peace.
    pub usual: BitRate,
}

/// An absorber that is spoken with.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Its name.
    pub name: String,
    /// Where it listens, as `HOST:PORT`.
    pub address: String,
    /// Its key.
    pub fingerprint: Fingerprint,
    /// What it takes.
    pub charges: Vec<Charge>,
    /// What it holds ends so long after we were heard last.
    pub lease: Span,
    /// Without a word for so long it is lost.
    pub silence: Span,
    /// It is let go so long after the route.
    pub linger: Span,
}

/// All of them, and our key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Controls {
    /// The file of our key; `None`: `absorbers.key` in the state folder.
    pub key: Option<PathBuf>,
    /// Each.
    pub all: Vec<Control>,
}

/// The sections, or what speaks against them. Those with one address are one absorber.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    sections: &BTreeMap<Spanned<String>, AbsorberSection>,
    key: Option<PathBuf>,
    routers: &[Router],
) -> Controls {
    let longest = longest(routers);
    let mut all: Vec<Control> = Vec::new();
    for (name, section) in sections {
        let at = name.span().start;
        let (address, fingerprint) = match (&section.control, &section.fingerprint) {
            (Some(address), Some(fingerprint)) => (address, *fingerprint.get_ref()),
            (None, None) => continue,
            (Some(_), None) => {
                let message = "`control` needs `fingerprint`: what `spillway absorb keys FILE` prints on the absorber's machine";
                problems.at(at, message.to_owned());
                continue;
            }
            (None, Some(_)) => {
                let message =
                    "`fingerprint` needs `control`: where the absorber listens, like \"192.0.2.9:8647\"";
                problems.at(at, message.to_owned());
                continue;
            }
        };
        let port = address.get_ref().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            let message = format!(
                "`{}` is no host with its port; write it like \"192.0.2.9:8647\" or \"[2001:db8::9]:8647\"",
                address.get_ref()
            );
            problems.at(address.span().start, message);
        }
        let prefix = *section.prefix.get_ref();
        // Several may take one prefix: the plan says which does.
        let clashes = |other: &Control, taken: &Prefix| {
            let overlaps = taken.covers(&prefix) || prefix.covers(taken);
            overlaps && (*taken != prefix || other.address == *address.get_ref())
        };
        let others =
            all.iter().flat_map(|other| other.charges.iter().map(move |charge| (other, charge.prefix)));
        if let Some((other, taken)) = others.clone().find(|(other, taken)| clashes(other, taken)) {
            let message = format!(
                "absorber `{}` has {taken} already: a prefix is diverted as a whole; name the same one, or another",
                other.name
            );
            problems.at(section.prefix.span().start, message);
        }
        let lease = lease(problems, section, longest);
        let silence = section.silence.as_ref().map_or(SILENCE, |wait| wait.get_ref().0);
        if let Some(wait) = section.silence.as_ref().filter(|_| silence < SILENCE_MIN) {
            problems.at(
                wait.span().start,
                format!("silence must be at least {SILENCE_MIN}: a slow moment is no death"),
            );
        }
        let charge = Charge {
            prefix,
            capacity: BitRate(section.capacity.0),
            usual: BitRate(section.usual.map_or(0.0, |rate| rate.0)),
        };
        let address = address.get_ref().clone();
        if let Some(known) = all.iter_mut().find(|known| known.address == address) {
            if known.fingerprint != fingerprint {
                let message = format!("absorber `{}` at this address has another fingerprint", known.name);
                problems.at(at, message);
            }
            known.charges.push(charge);
            continue;
        }
        all.push(Control {
            name: name.get_ref().clone(),
            address,
            fingerprint,
            charges: vec![charge],
            lease,
            silence,
            linger: section.linger.map_or(LINGER, |wait| wait.0),
        });
    }
    Controls { key, all }
}

/// Where an absorber has a prefix led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Its name.
    pub absorber: String,
    /// Of what.
    pub prefix: Prefix,
    /// Whereto.
    pub hop: IpAddr,
}

/// Next hops of those that have one of their own: with several absorbers, a router has to know which takes what.
pub(super) fn hops(
    problems: &mut Problems<'_>,
    sections: &BTreeMap<Spanned<String>, AbsorberSection>,
) -> Vec<Hop> {
    let mut hops = Vec::new();
    for (name, section) in sections {
        let prefix = *section.prefix.get_ref();
        let Some(hop) = &section.next_hop else {
            if sections
                .values()
                .any(|other| !std::ptr::eq(other, section) && *other.prefix.get_ref() == prefix)
            {
                let message = format!("several absorbers take {prefix}: each needs its own `next_hop`");
                problems.at(section.prefix.span().start, message);
            }
            continue;
        };
        if hop.get_ref().is_ipv4() != prefix.is_ipv4() {
            let message = format!(
                "{} cannot be the next hop of {prefix}: name an address of the absorber of the same family",
                hop.get_ref()
            );
            problems.at(hop.span().start, message);
        }
        hops.push(Hop { absorber: one_name(sections, name, section), prefix, hop: *hop.get_ref() });
    }
    hops
}

/// The longest that a router leads traffic there after we are gone.
fn longest(routers: &[Router]) -> Span {
    let diverts = routers.iter().filter(|router| router.carries.contains(&Class::Diversion));
    let kept =
        |router: &Router| Span::from_secs(router.restart_time.unwrap_or(0).max(router.hold_time).into());
    diverts.map(kept).max().unwrap_or(Span::ZERO)
}

/// What is at the absorber outlives the route that leads there.
fn lease(problems: &mut Problems<'_>, section: &AbsorberSection, longest: Span) -> Span {
    let least = Span::from_nanos(longest.nanos() + MARGIN.nanos());
    let Some(wait) = &section.lease else { return least.max(LEASE).min(Span::from_secs(LEASE_MAX)) };
    let lease = wait.get_ref().0;
    if lease < least || lease > Span::from_secs(LEASE_MAX) {
        let most = Span::from_secs(LEASE_MAX);
        let message = format!(
            "lease must be {least} to {most}: routers may lead traffic there for {longest} after we are gone (`hold_time`, `restart_time`)"
        );
        problems.at(wait.span().start, message);
    }
    lease
}
