//! A name as people and programs read it.

use base::{Span, Timestamp};
use steer::dnsdiversion::message::text;
use steer::dnsdiversion::{Address, Diversion, Entry, Place, Started};

use super::order::{Diverted, Line, Name, Past};
use crate::config::DnsZone;

/// A TTL above this is worth to be shortened in peace.
const TTL_LONG: u32 = 300;

/// A name that a section covers.
pub(super) fn name(name: &wire::dns::Name, place: &Place, zone: Option<&DnsZone>) -> Name {
    let (seen_at, addresses, negative_ttl) = match place.seen() {
        Some((at, seen)) => (Some(at.to_string()), seen.addresses.clone(), seen.negative_ttl),
        None => (None, Vec::new(), None),
    };
    let wanted = place.zone();
    let to: Vec<Address> = match place.diversion() {
        Some(one) => one.started().to.clone(),
        None => wanted.to.iter().map(|address| Address { address: *address, ttl: wanted.ttl }).collect(),
    };
    Name {
        name: name.to_string(),
        section: wanted.section.clone(),
        zone: wanted.zone.to_string(),
        server: zone.map_or_else(String::new, |zone| zone.server.to_string()),
        state: place.state().as_str().to_owned(),
        advice: advice(place, &addresses, &to, negative_ttl),
        addresses,
        seen_at,
        negative_ttl,
        to,
        trouble: place.trouble().map(ToString::to_string),
        diversion: place.diversion().map(|one| diverted(one.started(), one.moved_by())),
        last: place.last().map(|last| Past {
            id: last.id,
            at: last.at.to_string(),
            how: last.how.as_str().to_owned(),
            explanation: last.how.explain(),
            back_by: last.back_by.map(|at| at.to_string()),
        }),
    }
}

/// One that the journal has and no section covers.
pub(super) fn orphan(started: &Started) -> Name {
    Name {
        name: started.name.clone(),
        section: String::new(),
        zone: String::new(),
        server: String::new(),
        state: "not-configured".to_owned(),
        addresses: Vec::new(),
        seen_at: None,
        negative_ttl: None,
        to: started.to.clone(),
        trouble: Some(format!(
            "it is diverted, and no section [dns.NAME] lists it any more, so it is not restored: list it again, or set it by hand to {}",
            text(&started.was)
        )),
        advice: Vec::new(),
        diversion: Some(diverted(started, None)),
        last: None,
    }
}

fn diverted(started: &Started, moved_by: Option<Timestamp>) -> Diverted {
    Diverted {
        id: started.id,
        since: started.at.to_string(),
        until: started.until.to_string(),
        actor: started.actor.clone(),
        reason: started.reason.clone(),
        was: started.was.clone(),
        moved_by: moved_by.map(|at| at.to_string()),
    }
}

/// What an operator should know of it before and while it matters.
fn advice(place: &Place, there: &[Address], to: &[Address], negative_ttl: Option<u32>) -> Vec<String> {
    let mut all = Vec::new();
    if place.seen().is_none() && place.diversion().is_none() {
        return all;
    }
    let was = place.diversion().map(Diversion::started).map_or(there, |one| one.was.as_slice());
    let time = |seconds: u32| Span::from_secs(seconds.into());
    let longest = was.iter().map(|one| one.ttl).max().unwrap_or(0);
    if place.diversion().is_none() && longest > TTL_LONG {
        all.push(format!(
            "its TTL is {}: for so long after a diversion clients still come to the old address; shorten it in peace, to 60s or so",
            time(longest)
        ));
    }
    if place.diversion().is_some() {
        all.push(format!(
            "clients come to the old address for up to {} after the diversion, and to the absorber for up to {} after its end; some resolvers hold on for longer",
            time(longest),
            time(place.zone().ttl)
        ));
    }
    if was.is_empty() {
        all.push("it has no address, so there is nothing to divert; is it spelt right?".to_owned());
        return all;
    }
    let has = |all: &[Address], ipv4: bool| all.iter().any(|one| one.address.is_ipv4() == ipv4);
    for (family, ipv4) in [("A", true), ("AAAA", false)] {
        let negative =
            negative_ttl.map_or_else(String::new, |seconds| format!(" for up to {}", time(seconds)));
        match (has(was, ipv4), has(to, ipv4)) {
            (true, false) => all.push(format!(
                "its {family} records are taken off while it is diverted, for `to` has none; afterwards resolvers may remember their absence{negative} (the zone's negative TTL)"
            )),
            (false, true) => all.push(format!(
                "it gets {family} records while it is diverted; resolvers that have just asked may remember that there are none{negative} (the zone's negative TTL)"
            )),
            _ => {}
        }
    }
    all
}

/// An entry as a line of the journal.
pub(super) fn line(entry: &Entry, name: &str) -> store::Line {
    let (at, event, actor, reason, what) = match entry {
        Entry::Started(one) => {
            let what = format!("{name}: {} instead of {}", text(&one.to), text(&one.was));
            (one.at, "started", one.actor.clone(), one.reason.clone(), what)
        }
        Entry::Renewed { at, until, actor, reason, .. } => {
            (*at, "renewed", actor.clone(), reason.clone(), format!("{name} until {until}"))
        }
        Entry::Restoring { at, actor, reason, .. } => {
            (*at, "restoring", actor.clone(), reason.clone(), name.to_owned())
        }
        Entry::Ended { at, how, .. } => (*at, "ended", "spillway".to_owned(), how.explain(), name.to_owned()),
    };
    store::Line {
        number: 0,
        at,
        mitigation: Some(entry.id()),
        event: event.to_owned(),
        actor,
        reason,
        what,
        entry: serde_json::to_string(entry).ok(),
    }
}

/// A line of the journal as people read it.
pub(super) fn past(line: store::Line) -> Line {
    Line {
        at: line.at.to_string(),
        id: line.mitigation,
        event: line.event,
        actor: line.actor,
        reason: line.reason,
        what: line.what,
    }
}
