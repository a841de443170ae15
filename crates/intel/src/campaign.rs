//! Attacks that belong together: by the same reflectors, the same hosts, the same shapes, the same rhythm.
//!
//! What is compared is a [`Trace`]: it holds no address, and no digest of a set that is small enough to be read back from
//! one (`minhash`), so organisations can compare attacks without telling each other who took part. Each likeness adds to the odds that one hand made both; "new" is an answer.

use std::collections::{BTreeMap, BTreeSet};

use base::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dossier::Dossier;
use crate::export::ddosch::Place;
use crate::finding::{Class, Finding};
use crate::minhash::{MEMBERS_MIN, MinHash};
use crate::shape::shape_id;
use crate::tally::ratio;

/// Traces remembered; the oldest go first, counted in [`Campaigns::forgotten`].
const TRACES_MAX: usize = 4096;
/// Shapes, payloads or vectors of a trace that somebody else sent.
const TOLD_MAX: usize = 1_024;
/// Shapes of one attack that are compared.
const SHAPES_MAX: usize = 16;

/// What an attack leaves that can be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Who answered forged requests.
    pub reflectors: MinHash,
    /// Who sent under its own address.
    pub hosts: MinHash,
    /// Ids of shapes with their share of packets.
    pub shapes: BTreeMap<String, f64>,
    /// Constants that its payloads begin with, as shapes name them.
    pub payloads: BTreeSet<String>,
    /// Whether its shapes are those of tools that anybody can have.
    pub common: bool,
    /// Names of vectors, the largest first.
    pub vectors: Vec<String>,
    /// First packet.
    pub started: Timestamp,
    /// From the first to the last packet, in seconds.
    pub seconds: f64,
}

/// What was alike, with the log-odds of each.
pub type Because = Vec<(&'static str, f64)>;

/// What an attack belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Number of the campaign, from 0.
    pub campaign: usize,
    /// How likely it is of this campaign; of a new one, how likely its nearest is not.
    pub score: f64,
    /// Whether nothing known was near enough.
    pub is_new: bool,
    /// Why.
    pub because: Because,
}

/// All traces so far.
#[derive(Clone, Debug, Default)]
pub struct Campaigns {
    traces: std::collections::VecDeque<(usize, Trace)>,
    campaigns: usize,
    /// Traces that had to go.
    pub forgotten: u64,
}

impl Trace {
    /// Of an attack; whoever wants to compare uses the same key.
    pub fn of(dossier: &Dossier, key: u64) -> Self {
        let set = |wanted: fn(&Finding) -> bool| {
            digest(dossier.findings.iter().filter(|f| wanted(f)).map(|f| Place::of(f.address)), key)
        };
        let incident = &dossier.incident;
        let mut shapes: BTreeMap<String, f64> = BTreeMap::new();
        let mut payloads = BTreeSet::new();
        let (mut shaped, mut tooled) = (0, 0);
        for vector in &incident.vectors {
            for (text, packets) in vector.shapes.iter().take(SHAPES_MAX) {
                *shapes.entry(shape_id(text)).or_default() += ratio(*packets, incident.packets);
                let payload = text.split(' ').find_map(|field| field.strip_prefix("payload="));
                payloads.extend(payload.filter(|p| p.len() == 16).map(String::from));
            }
            shaped += vector.packets;
            tooled += vector.tools.iter().map(|(_, _, packets)| packets).sum::<u64>();
        }
        let last = incident.vectors.iter().map(|vector| vector.last).max().unwrap_or(incident.last);
        Self {
            reflectors: set(|finding| finding.class == Class::Reflector),
            hosts: set(|finding| matches!(finding.class, Class::Bot | Class::Real)),
            shapes,
            payloads,
            common: tooled * 2 > shaped,
            vectors: incident.vectors.iter().map(|vector| vector.name.clone()).collect(),
            started: incident.started,
            seconds: last.since(incident.started).as_secs_f64(),
        }
    }

    /// Whether what somebody else sent can be one.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn check(&self) -> Result<(), String> {
        if self.shapes.len() > TOLD_MAX || self.payloads.len() > TOLD_MAX || self.vectors.len() > TOLD_MAX {
            return Err(format!("shapes, payloads, vectors: more than {TOLD_MAX}"));
        }
        if let Some((id, _)) = self.shapes.iter().find(|(_, share)| !(0.0..=1.001).contains(*share)) {
            return Err(format!("shapes: the share of {id} is none; shares are 0 to 1"));
        }
        if !self.seconds.is_finite() || self.seconds < 0.0 {
            return Err("seconds: no length of time".to_owned());
        }
        let sets = [("reflectors", &self.reflectors), ("hosts", &self.hosts)];
        sets.iter().try_for_each(|(name, set)| set.check().map_err(|why| format!("{name}: {why}")))
    }

    /// Log-odds that one hand made both, and what they come from. Weights are choices; what they lead to is measured on made-up
    /// booters (tests/main/campaigns.rs).
    pub fn likeness(&self, other: &Self) -> (f64, Because) {
        let mut because = vec![("most attacks are not of the same hand", PRIOR)];
        let mut say = |what: &'static str, weight: f64| {
            if weight != 0.0 {
                because.push((what, weight));
            }
        };
        say("reflectors", sets(&self.reflectors, &other.reflectors));
        say("hosts", sets(&self.hosts, &other.hosts));
        let overlap: f64 =
            self.shapes.iter().filter_map(|(id, share)| Some(share.min(*other.shapes.get(id)?))).sum();
        let of_all = self.shapes.values().sum::<f64>().min(other.shapes.values().sum());
        // A tool that anybody can have, or the answers of servers, which are what they are, say little.
        let reflected = self.reflectors.count + other.reflectors.count > 0;
        let weight = if self.common || other.common || reflected { 0.5 } else { 2.5 };
        say("shapes", if of_all > 0.0 { weight * (overlap / of_all).min(1.0) } else { 0.0 });
        let both = self.payloads.intersection(&other.payloads).count();
        say("payloads", if both > 0 && !reflected { 1.0 } else { 0.0 });
        say("vectors", if self.vectors == other.vectors { 0.5 } else { 0.0 });
        let (short, long) = (self.seconds.min(other.seconds), self.seconds.max(other.seconds));
        // Booters sell attacks by the minute; what lasts a moment is cut by the recording.
        say("duration", if short >= 20.0 && short >= 0.95 * long { 1.0 } else { 0.0 });
        let apart = self.started.since(other.started).max(other.started.since(self.started));
        say("days", if apart <= WEEK { 0.5 } else { 0.0 });
        (because.iter().map(|(_, weight)| weight).sum(), because)
    }
}

/// One of fifty attacks is of the same hand as any other one.
const PRIOR: f64 = -4.0;
const WEEK: Span = Span::from_secs(7 * 86_400);

/// What the likeness of two sets says: lists of reflectors and botnets are shared, but rarely by half (Krupp et al. 2017).
fn sets(a: &MinHash, b: &MinHash) -> f64 {
    if a.count < MEMBERS_MIN || b.count < MEMBERS_MIN {
        return 0.0;
    }
    match a.alike(b) {
        None => 0.0,
        Some(0.4..) => 8.0,
        Some(0.2..) => 6.0,
        Some(0.1..) => 4.0,
        Some(0.05..) => 1.0,
        Some(_) => -2.0,
    }
}

impl Campaigns {
    /// Puts an attack where it belongs, and remembers it.
    pub fn place(&mut self, trace: Trace) -> Link {
        let mut best: Option<(f64, usize, Because)> = None;
        for (campaign, known) in &self.traces {
            let (odds, because) = trace.likeness(known);
            if best.as_ref().is_none_or(|(most, ..)| odds > *most) {
                best = Some((odds, *campaign, because));
            }
        }
        let link = match best {
            Some((odds, campaign, because)) if odds > 0.0 => {
                Link { campaign, score: chance(odds), is_new: false, because }
            }
            best => {
                let campaign = self.campaigns;
                self.campaigns += 1;
                let (odds, because) = best.map_or((PRIOR, Vec::new()), |(odds, _, because)| (odds, because));
                Link { campaign, score: 1.0 - chance(odds), is_new: true, because }
            }
        };
        if self.traces.len() >= TRACES_MAX {
            self.traces.pop_front();
            self.forgotten += 1;
        }
        self.traces.push_back((link.campaign, trace));
        link
    }
}

/// Members by what communities learn of them: the network of an IPv6 host.
pub(crate) fn digest(places: impl Iterator<Item = Place>, key: u64) -> MinHash {
    let places: BTreeSet<Place> = places.collect();
    MinHash::of(places.iter().map(|place| place.0.addr()), key)
}

/// How likely one hand made both, 0 to 1, by these log-odds; what is at most one half is new.
pub fn chance(odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-odds))
}
