//! One attack from its first packet to its end.

mod absorb;
mod peak;
mod targets;

use base::map::{Map, Seed};
use base::prefix::wide;
use base::{Prefix, Span, Timestamp};
use detect::class::Class;
use detect::evidence::{Term, dominant_ports};
use detect::sample::Sample;
use detect::vector::{self, scan};
use sha2::{Digest, Sha256};

use crate::filtered::Filtered;
use crate::outcome::Outcomes;
use crate::report::{Direction, RuleReport, Severity};
use crate::sight::Sight;
use crate::target::TargetKey;
use crate::tick::prefix;

use peak::SlidingSecond;

/// Senders told apart by what they do; further ones are honest as far as we know.
const CULPRITS_MAX: usize = 1 << 18;
/// Of packets that are dropped is told so often.
const TOLD_EACH: Span = Span::from_secs(5);
/// A packet told later than this was told by a flow cache.
const LATE: Span = Span::from_secs(1);
/// Examples kept of an attack.
pub(crate) const SAMPLES_MAX: usize = 4096;

/// One class of packets in an attack.
#[derive(Clone, Debug)]
pub(crate) struct VectorState {
    pub(crate) class: Class,
    pub(crate) name: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) terms: Vec<Term>,
    pub(crate) src_port: Option<u16>,
    pub(crate) dst_port: Option<u16>,
    /// Whether it is known by who sends it: then only packets of the incident's culprits are of it.
    pub(crate) by_culprit: bool,
}

/// An attack.
#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) key: TargetKey,
    /// Prefixes that belong to it; more than one when a carpet spreads.
    pub(crate) areas: Vec<Prefix>,
    pub(crate) severity: Severity,
    pub(crate) started: Timestamp,
    pub(crate) detected: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) last: Timestamp,
    pub(crate) vectors: Vec<VectorState>,
    /// Packets by source, and whether it also holds open connections.
    pub(crate) sources: Map<u128, SourceState>,
    pub(crate) sources_beyond: u64,
    /// Packets by host, for carpets.
    pub(crate) victims: Map<u128, u64>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) peak: SlidingSecond,
    /// Examples with their hash, the smallest first.
    pub(crate) samples: Vec<(u64, Sample)>,
    pub(crate) rules: Vec<RuleReport>,
    /// The same in what FlowSpec can say, where these rules ask for more.
    pub(crate) router_rules: Vec<RuleReport>,
    /// Lines about the rules.
    pub(crate) rules_explain: Vec<String>,
    pub(crate) derive_at: Option<Timestamp>,
    pub(crate) derived: u32,
    /// It was taken up after a restart, and its rules were not derived since: the examples of before are gone.
    pub(crate) resumed: bool,
    /// Of these, searches that used up their work.
    pub(crate) searches_cut: u32,
    /// Share of bootstrap runs that agreed, when last asked.
    pub(crate) stability: Option<f64>,
    /// Share of the examples that the rules drop together; `None`: not derived since the start.
    pub(crate) covered: Option<f64>,
    /// The same of the rules for routers.
    pub(crate) covered_by_routers: Option<f64>,
    /// Packets by exporter and interface of entry, from the examples.
    pub(crate) entries: std::collections::BTreeMap<(u32, Option<u32>), u64>,
    /// Examples counted, kept or not.
    pub(crate) samples_seen: u64,
    /// Hash above which an example does not stay.
    samples_limit: u64,
    /// Of its packets, those told by exporters whose numbers are doubtful.
    pub(crate) doubtful: u64,
    /// Whether they are most, as last looked at.
    pub(crate) is_doubtful: bool,
    /// Whether its end could be seen.
    pub(crate) sight: Sight,
    /// Whether something happened that the outside has not been told.
    pub(crate) changed: bool,
    /// When it was last told, and with how many packets.
    pub(crate) told: (Timestamp, u64),
    /// Who behaves in the way of the vectors that are known by behaviour.
    pub(crate) culprits: Map<u128, ()>,
    /// Packets in open connections and ends of connections that the targets got meanwhile.
    pub(crate) connections: (u64, u64),
    /// What its rules were seen to hit.
    pub(crate) outcomes: Outcomes,
    /// What of it was seen to be dropped.
    pub(crate) filtered: Filtered,
    /// Whether it is known by own hosts that send more than their fixed limits: these are its culprits while they do.
    pub(crate) by_limit: bool,
    absorbed: Timestamp,
    /// Tick that held packets of it last: later than `last` where that is told late.
    fed: Timestamp,
}

/// What one source did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SourceState {
    pub(crate) packets: u32,
    pub(crate) established: u32,
}

/// The first 16 hex digits of SHA-256 over target, direction and start.
pub(crate) fn id(target: &Prefix, direction: Direction, started: Timestamp) -> String {
    let digest = Sha256::digest(format!("{target} {} {started}", direction.name()));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl VectorState {
    const fn new(class: Class, name: String, terms: Vec<Term>) -> Self {
        let (src_port, dst_port) = (None, None);
        Self { class, name, packets: 0, bytes: 0, terms, src_port, dst_port, by_culprit: false }
    }
}

impl Incident {
    pub(crate) fn open(
        key: TargetKey,
        severity: Severity,
        started: Timestamp,
        detected: Timestamp,
        seed: &Seed,
    ) -> Self {
        let target = prefix(&key);
        Self {
            id: id(&target, key.direction, started),
            key,
            areas: vec![target],
            severity,
            started,
            detected,
            ended: None,
            last: started,
            vectors: Vec::new(),
            sources: Map::new(seed.clone()),
            sources_beyond: 0,
            victims: Map::new(seed.clone()),
            packets: 0,
            bytes: 0,
            peak: SlidingSecond::default(),
            samples: Vec::new(),
            rules: Vec::new(),
            router_rules: Vec::new(),
            rules_explain: Vec::new(),
            derive_at: None,
            derived: 0,
            resumed: false,
            searches_cut: 0,
            stability: None,
            covered: None,
            covered_by_routers: None,
            entries: std::collections::BTreeMap::new(),
            samples_seen: 0,
            samples_limit: u64::MAX,
            doubtful: 0,
            is_doubtful: false,
            sight: Sight::default(),
            changed: true,
            told: (Timestamp::ZERO, 0),
            culprits: Map::new(seed.clone()),
            connections: (0, 0),
            outcomes: Outcomes::default(),
            filtered: Filtered::default(),
            by_limit: false,
            absorbed: Timestamp::ZERO,
            fed: Timestamp::ZERO,
        }
    }

    /// A device was seen to drop its packets until then: it goes on, though nothing of it arrives.
    pub(crate) fn drop_seen(&mut self, last: Timestamp, now: Timestamp) {
        self.last = self.last.max(last);
        self.fed = self.fed.max(now);
        // Told each few seconds: nothing else of it changes meanwhile.
        if self.filtered.until.is_none_or(|told| last.since(told) >= TOLD_EACH) {
            self.filtered.until = Some(last);
            self.changed = true;
        }
    }

    /// From when on quiet counts; `None` while its end could not be seen. What flow caches tell is quiet when nothing of it is
    /// told or poured any more: a flow that goes on is told again when its time is up, whatever that time is.
    pub(crate) fn quiet_from(&self) -> Option<Timestamp> {
        let late = self.fed.since(self.last) > LATE;
        self.sight.quiet_from(if late { self.fed } else { self.last })
    }

    /// Its last packet, and the tick that held one last.
    pub(crate) const fn seen(&self) -> (Timestamp, Timestamp) {
        (self.last, self.fed)
    }

    /// What came since is nothing out of the ordinary.
    pub(crate) const fn see(&mut self, (last, fed): (Timestamp, Timestamp)) {
        (self.last, self.fed) = (last, fed);
    }

    /// Whether this target's packets belong to the attack.
    pub(crate) fn covers(&self, key: &TargetKey) -> bool {
        !self.is_by_sender()
            && self.key.direction == key.direction
            && self.areas.iter().any(|area| area.covers(&prefix(key)))
    }

    /// Whether it is known by the own host that sends it: then what others send to the same place is not of it.
    pub(crate) fn is_by_sender(&self) -> bool {
        self.by_limit || self.is_scan()
    }

    pub(crate) fn is_scan(&self) -> bool {
        self.vectors.iter().any(|v| v.by_culprit && v.name == scan::NAME)
    }

    /// The area grows with what a scanner asks.
    pub(crate) fn widen(&mut self, target: Prefix) {
        let joint = self.areas.first().and_then(|area| area.join(&target)).unwrap_or(target);
        self.changed |= self.areas != [joint];
        self.areas = vec![joint];
    }

    pub(crate) fn vector(&self, class: Class) -> Option<&VectorState> {
        self.vectors.iter().find(|v| v.class == class)
    }

    /// Adds a class, or what is now known of one.
    pub(crate) fn put_vector(&mut self, class: Class, name: String, terms: Vec<Term>) {
        match self.vectors.iter_mut().find(|v| v.class == class) {
            // What clients do says more than how many packets they send.
            Some(vector) if vector.by_culprit => {}
            Some(vector) => {
                self.changed |= vector.name != name;
                vector.name = name;
                vector.terms = terms;
            }
            None => {
                self.vectors.push(VectorState::new(class, name, terms));
                self.vectors.sort_by_key(|v| v.class);
                self.changed = true;
            }
        }
    }

    /// Adds a class of which only the culprits' packets count, or what is now known of it; tells whether it is new. A class
    /// that is part of a flood already stays what it is.
    pub(crate) fn put_behaviour(&mut self, class: Class, name: &str, terms: Vec<Term>) -> bool {
        match self.vectors.iter_mut().find(|v| v.class == class) {
            Some(vector) => {
                if vector.by_culprit {
                    self.changed |= vector.name != name;
                    vector.name = name.to_string();
                    vector.terms = terms;
                }
                false
            }
            None => {
                let vector = VectorState::new(class, name.to_string(), terms);
                self.vectors.push(VectorState { by_culprit: true, ..vector });
                self.vectors.sort_by_key(|v| v.class);
                self.changed = true;
                true
            }
        }
    }

    /// Adds to those whose packets count.
    pub(crate) fn add_culprits(&mut self, sources: impl Iterator<Item = u128>) {
        for source in sources {
            if self.culprits.len() >= CULPRITS_MAX {
                return;
            }
            self.culprits.insert(source, ());
        }
    }

    /// Whether this example is of the attack, by its class and its sender.
    pub(crate) fn claims(&self, sample: &Sample, exact: bool) -> bool {
        self.vector(sample.class).is_some_and(|vector| {
            if vector.by_culprit {
                self.culprits.contains_key(&wide(sample.headers.src))
            } else {
                !exact || !by_pairs(sample.class) || sample.unsolicited
            }
        })
    }

    /// Chooses the ports that dominate each vector, from the examples.
    pub(crate) fn name_ports(&mut self) {
        for vector in &mut self.vectors {
            let of_class = self.samples.iter().map(|(_, s)| s).filter(|s| s.class == vector.class);
            (vector.src_port, vector.dst_port) = dominant_ports(of_class);
        }
    }

    fn key_is_host(&self) -> bool {
        prefix(&self.key).is_host()
    }
}

/// Classes in which honest packets follow packets of the receiver.
pub(crate) fn by_pairs(class: Class) -> bool {
    !matches!(class, Class::TCP_SYN | Class::TCP_ODD | Class::ICMP_ECHO | Class::DNS_QUERY)
        && !std::ptr::eq(vector::family(class), vector::family(Class::TCP_SYN))
}
