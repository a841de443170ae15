//! Where workers, the decision core and the desk meet: what is looked for, what was seen of it, and what is shown of it.
//!
//! While no attack is met by routers, nothing is looked for and a record costs the question whether that is so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base::prefix::PrefixTable;
use base::{Prefix, Timestamp};
use engine::report::Attack;
use rules::Match;
use serde_json::Value;
use steer::effect::Fate;
use telemetry::Record;
use telemetry::record::Observed;
use wire::packet::Parsed;

use super::auto::Terms;
use super::health::{Checkup, Measured};

/// Different sightings that one worker keeps between two reports; further ones are left out and counted.
const SIGHTINGS_MAX: usize = 4096;
/// Attacks that are looked for at once; the others have no effect that is measured.
pub(crate) const WATCHED_MAX: usize = 64;

/// An attack that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watched {
    /// Its name: the covering prefix of its targets.
    pub(crate) name: Prefix,
    /// Its targets.
    pub(crate) targets: Vec<Prefix>,
    /// Its rules, by id, in order of precedence.
    pub(crate) rules: Vec<(String, Match)>,
}

/// Who saw what of which attack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sighting {
    /// See [`Watched::name`].
    pub(crate) name: Prefix,
    /// Which exporter.
    pub(crate) exporter: IpAddr,
    /// It looked where packets leave it.
    pub(crate) egress: bool,
    /// The first rule that matches; `None`: no rule does.
    pub(crate) rule: Option<String>,
    /// What became of them: forwarded, dropped, not told, or dropped and told of one by one.
    fate: u8,
}

impl Sighting {
    /// Whether it is told that they were dropped.
    pub(crate) const fn is_dropped(&self) -> bool {
        matches!(self.fate(), Fate::Dropped | Fate::Notified)
    }

    /// What became of the packets.
    pub(crate) const fn fate(&self) -> Fate {
        match self.fate {
            0 => Fate::Forwarded,
            1 => Fate::Dropped,
            3 => Fate::Notified,
            _ => Fate::Unknown,
        }
    }
}

/// Packets of a sighting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Estimated where sampled.
    pub(crate) packets: u64,
    /// As sampled.
    pub(crate) sampled: u64,
}

/// What one worker sees of the attacks that are looked for.
#[derive(Debug, Default)]
pub(crate) struct Spyglass {
    watched: Arc<Vec<Watched>>,
    at: Option<PrefixTable<usize>>,
    seen: BTreeMap<Sighting, Amount>,
    /// Exporters that name the output interface of what they forward.
    names_outputs: BTreeSet<IpAddr>,
    /// Records that found no room.
    pub(crate) left_out: u64,
}

impl Spyglass {
    /// Looks for these from now on.
    pub(crate) fn aim(&mut self, watched: &Arc<Vec<Watched>>) {
        if Arc::ptr_eq(&self.watched, watched) {
            return;
        }
        self.watched = Arc::clone(watched);
        let targets = |(at, one): (usize, &Watched)| {
            one.targets.iter().map(move |target| (*target, at)).collect::<Vec<_>>()
        };
        let entries: Vec<(Prefix, usize)> = watched.iter().enumerate().flat_map(targets).collect();
        self.at = (!entries.is_empty()).then(|| PrefixTable::new(entries));
    }

    /// A record came, whether it counts as traffic or is told a second time.
    #[inline]
    pub(crate) fn see(&mut self, exporter: IpAddr, dropped: bool, record: &Record) {
        if let Some(at) = &self.at
            && let Some(place) = at.longest(record.headers.dst)
        {
            self.note(*place, exporter, dropped, record);
        }
    }

    /// A router told of a packet that it dropped by policy.
    pub(crate) fn see_dropped(&mut self, exporter: IpAddr, record: &Record) {
        if let Some(at) = &self.at
            && let Some(place) = at.longest(record.headers.dst)
        {
            self.count(*place, exporter, 3, record);
        }
    }

    /// What was seen since the last time.
    pub(crate) fn take(&mut self) -> Vec<(Sighting, Amount)> {
        std::mem::take(&mut self.seen).into_iter().collect()
    }

    fn note(&mut self, place: usize, exporter: IpAddr, dropped: bool, record: &Record) {
        if record.output_if.is_some_and(|output| output != 0) && self.names_outputs.len() < SIGHTINGS_MAX {
            self.names_outputs.insert(exporter);
        }
        let names_outputs = self.names_outputs.contains(&exporter);
        let fate = match (dropped, Fate::told(None, record.output_if, None, names_outputs)) {
            (true, _) | (_, Fate::Dropped) => 1,
            (false, Fate::Forwarded) => 0,
            (false, Fate::Unknown | Fate::Notified) => 2,
        };
        self.count(place, exporter, fate, record);
    }

    fn count(&mut self, place: usize, exporter: IpAddr, fate: u8, record: &Record) {
        let Some(watched) = self.watched.get(place) else { return };
        let packet =
            Parsed { headers: record.headers, payload: record.snip.bytes(), transport: &[], vlan: None };
        let rule = watched.rules.iter().find(|(_, matches)| rules::eval::matches(matches, &packet));
        let sighting = Sighting {
            name: watched.name,
            exporter,
            egress: matches!(record.observed, Observed::Egress | Observed::EgressAgain),
            rule: rule.map(|(id, _)| id.clone()),
            fate,
        };
        if self.seen.len() >= SIGHTINGS_MAX && !self.seen.contains_key(&sighting) {
            self.left_out += 1;
            return;
        }
        let amount = self.seen.entry(sighting).or_default();
        let rate = u64::from(record.sampling.rate.unwrap_or(1));
        amount.packets = amount.packets.saturating_add(record.packets.saturating_mul(rate));
        amount.sampled = amount.sampled.saturating_add(record.packets);
    }
}

/// What the decision core knows at a moment, for the ladder.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// When.
    pub(crate) now: Timestamp,
    /// What the configuration says.
    pub(crate) terms: Arc<Terms>,
    /// Attacks that go on, and some that ended lately.
    pub(crate) attacks: Vec<Attack>,
    /// What workers saw since the last one.
    pub(crate) seen: Vec<(Sighting, Amount)>,
    /// Exporters by the index that attacks name them by.
    pub(crate) exporters: BTreeMap<u32, IpAddr>,
    /// Exporters that are heard, and when they were last.
    pub(crate) heard: BTreeMap<IpAddr, Timestamp>,
    /// Rules that the kernel has.
    pub(crate) kernel: BTreeSet<String>,
    /// Packets and layer-3 bits a second that targets under attack usually get.
    pub(crate) usual: BTreeMap<Prefix, (f64, f64)>,
    /// What was seen of the services that measures are about, where it was time to look.
    pub(crate) health: Vec<Measured>,
}

#[cfg(test)]
impl Sight {
    /// Of a moment at which nothing goes on, where rules may act and one router takes FlowSpec.
    pub(crate) fn quiet(now: Timestamp) -> Self {
        const FILE: &str = "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\nmode = \"enforce\"\n\
            [listen]\nsflow = \"127.0.0.1:0\"\n[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n\
            [routing.peers.up]\naddress = \"192.0.2.2\"\nasn = 64500\ncarries = [\"flowspec\"]\n\
            [routing.ladder]\nbehind = [\"192.0.2.9\"]\n";
        let config = crate::config::Config::parse(std::path::Path::new("f"), FILE).expect("it is right");
        let terms = Terms::of(&config, std::iter::empty()).expect("it is right");
        Self {
            now,
            terms: Arc::new(terms),
            attacks: Vec::new(),
            seen: Vec::new(),
            exporters: BTreeMap::new(),
            heard: BTreeMap::new(),
            kernel: BTreeSet::new(),
            usual: BTreeMap::new(),
            health: Vec::new(),
        }
    }
}

/// What is looked for, and what is shown of the ladder, by attack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookout {
    watched: Arc<RwLock<Arc<Vec<Watched>>>>,
    checkups: Arc<RwLock<Arc<Vec<Checkup>>>>,
    shown: Arc<Mutex<(u64, BTreeMap<String, Value>)>>,
}

impl Lookout {
    /// What is looked for.
    pub(crate) fn watched(&self) -> Arc<Vec<Watched>> {
        Arc::clone(&self.watched.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks for these from now on.
    pub(super) fn watch(&self, watched: Vec<Watched>) {
        if *self.watched() != watched {
            *self.watched.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(watched);
        }
    }

    /// Measures whose services are looked at.
    pub(crate) fn checkups(&self) -> Arc<Vec<Checkup>> {
        Arc::clone(&self.checkups.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the services of these from now on.
    pub(super) fn check_up(&self, checkups: Vec<Checkup>) {
        if *self.checkups() != checkups {
            *self.checkups.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(checkups);
        }
    }

    /// What is shown of an attack.
    pub(crate) fn shown(&self, attack: &str) -> Option<Value> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).1.get(attack).cloned()
    }

    /// Grows when something else is shown.
    pub(crate) fn revision(&self) -> u64 {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Shows these from now on.
    pub(super) fn show(&self, documents: BTreeMap<String, Value>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.1 != documents {
            shown.0 += 1;
            shown.1 = documents;
        }
    }
}
