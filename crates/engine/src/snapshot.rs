//! What survives a restart: attacks, and what was learned as normal.

use std::net::IpAddr;

use base::map::Seed;
use base::prefix::{narrow, wide};
use base::{Prefix, Span, Timestamp};
use detect::baseline::Baseline;
use detect::evidence::Term;
use detect::season::Week;
use detect::usual::{Origins, Packets};
use serde::{Deserialize, Serialize};

use crate::closed::Closed;
use crate::core::{Engine, RestoreError};
use crate::example::class_named;
use crate::incident::{Incident, VectorState};
use crate::report::{Attack, Direction, RuleReport, Severity, Withdrawn};
use crate::reservoir::Honest;
use crate::settings::Settings;
use crate::silence::{Memory, Silence};
use crate::target::TargetKey;

/// Raised when the shape changes in a way that old readers would misread.
const VERSION: u32 = 1;
/// Sources saved per attack, the busiest first; the rest is saved as a number.
const SOURCES_MAX: usize = 100_000;

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    now: Timestamp,
    incidents: Vec<SavedIncident>,
    ended: Vec<Attack>,
    /// What persons called over a moment ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    closed: Vec<Closed>,
    #[serde(default)]
    exporters: Vec<(IpAddr, Memory)>,
    /// Versions before, and whoever wants one document, have what was learned here.
    #[serde(flatten)]
    learned: Learned,
}

#[derive(Default, Serialize, Deserialize)]
struct Learned {
    #[serde(default)]
    baselines: Vec<SavedBaseline>,
    /// Where the packets of busy targets come from.
    #[serde(default)]
    origins: Vec<(Prefix, Origins)>,
    /// Hosts seen among the peers of busy ones.
    #[serde(default)]
    peers: Vec<(String, u64)>,
    /// Honest packets: a rule without a price does not act by itself.
    #[serde(default)]
    honest: Honest,
}

#[derive(Serialize, Deserialize)]
struct Memories {
    version: u32,
    now: Timestamp,
    /// It was learned for long enough to know who is always busy; older ones do not say so.
    #[serde(default)]
    settled: bool,
    /// For how long it was looked until then, in milliseconds: several short lives know together what one long one does.
    #[serde(default)]
    looked_ms: u64,
    #[serde(flatten)]
    learned: Learned,
}

#[derive(Serialize, Deserialize)]
struct SavedIncident {
    id: String,
    target: Prefix,
    direction: Direction,
    areas: Vec<Prefix>,
    severity: Severity,
    started: Timestamp,
    detected: Timestamp,
    last: Timestamp,
    vectors: Vec<SavedVector>,
    sources: Vec<(IpAddr, u32, u32)>,
    sources_beyond: u64,
    #[serde(default)]
    culprits: Vec<IpAddr>,
    victims: Vec<(IpAddr, u64)>,
    packets: u64,
    bytes: u64,
    peak_packets: u64,
    peak_bytes: u64,
    rules: Vec<RuleReport>,
    #[serde(default)]
    router_rules: Vec<RuleReport>,
    #[serde(default)]
    filtered_most: u64,
    rules_explain: Vec<String>,
    /// Packets by exporter: who has to be heard before it can be over.
    #[serde(default)]
    witnesses: Vec<(IpAddr, u64)>,
    #[serde(default)]
    doubtful: u64,
    #[serde(default)]
    withdrawn: Vec<Withdrawn>,
    #[serde(default)]
    stability: Option<f64>,
    by_limit: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedVector {
    class: String,
    name: String,
    packets: u64,
    bytes: u64,
    terms: Vec<(f64, String)>,
    src_port: Option<u16>,
    dst_port: Option<u16>,
    #[serde(default)]
    by_culprit: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedBaseline {
    target: Prefix,
    direction: Direction,
    class: String,
    baseline: Baseline,
    /// Of octets; versions before had one for both.
    #[serde(default)]
    octets: Option<Baseline>,
    /// The hours of the week, of what is suspect by measure, and of all; versions before knew those of the day alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    week: Option<Box<[Week; 3]>>,
    /// What its packets look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packets: Option<Box<Packets>>,
}

fn key_of(prefix: Prefix, direction: Direction) -> TargetKey {
    TargetKey { addr: wide(prefix.addr()), bits: prefix.bits(), direction }
}

impl Engine {
    /// What has to survive a restart, as bytes for [`Self::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        self.saved(self.save_learned())
    }

    /// The same without what was learned as normal: small, to be saved with every turn of an attack.
    pub fn snapshot_attacks(&self) -> Vec<u8> {
        self.saved(Learned::default())
    }

    /// What was learned as normal, as bytes for [`Self::remember`]: large, and slow to change.
    pub fn snapshot_learned(&self) -> Vec<u8> {
        let (now, settled) = (self.now(), self.watch.is_settled(self.now()));
        let looked_ms = self.watch.looked(now).nanos() / 1_000_000;
        bytes(&Memories { version: VERSION, now, settled, looked_ms, learned: self.save_learned() })
    }

    fn saved(&self, learned: Learned) -> Vec<u8> {
        bytes(&Snapshot {
            version: VERSION,
            now: self.now(),
            incidents: self.incidents.iter().map(|i| save(i, self.silence())).collect(),
            ended: self.ended.iter().cloned().collect(),
            closed: self.closed.clone(),
            exporters: self.silence().saved(),
            learned,
        })
    }

    fn save_learned(&self) -> Learned {
        let streams = self.watch.learned(&self.settings).into_iter();
        let baselines = streams.map(|(key, stream)| SavedBaseline {
            target: crate::tick::prefix(&key),
            direction: key.direction,
            class: stream.class.name().to_string(),
            baseline: stream.baselines[0],
            octets: Some(stream.baselines[1]),
            week: stream.week.clone(),
            packets: stream.packets.clone(),
        });
        Learned {
            baselines: baselines.collect(),
            origins: self.watch.origins(),
            peers: self.watch.peers.saved(&self.settings),
            honest: self.reservoir.saved(),
        }
    }

    /// Continues from a snapshot: the same attacks under the same ids, the same idea of normal.
    pub fn restore(settings: Settings, seed: Seed, snapshot: &[u8]) -> Result<Self, RestoreError> {
        let saved: Snapshot =
            serde_json::from_slice(snapshot).map_err(|e| RestoreError::Unreadable(e.to_string()))?;
        readable(saved.version)?;
        let mut engine = Self::new(settings, seed.clone());
        engine.ended = saved.ended.into();
        engine.closed = saved.closed;
        engine.incidents = saved.incidents.into_iter().map(|i| load(i, &seed)).collect();
        engine.rehear(Silence::of(saved.exporters));
        engine.learn_again(saved.learned, saved.now);
        Ok(engine)
    }

    /// Takes up what an earlier run learned as normal ([`Self::snapshot_learned`]).
    pub fn remember(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let saved: Memories =
            serde_json::from_slice(snapshot).map_err(|e| RestoreError::Unreadable(e.to_string()))?;
        readable(saved.version)?;
        self.learn_again(saved.learned, saved.now);
        self.watch.has_looked(Span::from_millis(saved.looked_ms));
        if saved.settled {
            self.watch.settle(saved.now);
        }
        Ok(())
    }

    fn learn_again(&mut self, learned: Learned, at: Timestamp) {
        for b in learned.baselines {
            if let Some(class) = class_named(&b.class) {
                let stream = (key_of(b.target, b.direction), class);
                let baselines = [b.baseline, b.octets.unwrap_or(b.baseline)];
                self.watch.relearn(&self.settings, stream, (baselines, b.week), at).packets = b.packets;
            }
        }
        for (target, origins) in learned.origins {
            self.watch.come_from(&key_of(target, Direction::In), origins);
        }
        self.watch.recount();
        self.watch.peers.restore(&learned.peers, &self.settings);
        self.reservoir.restore(learned.honest);
    }
}

fn bytes(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("maps have string keys and numbers are finite")
}

fn readable(version: u32) -> Result<(), RestoreError> {
    if version == VERSION {
        return Ok(());
    }
    Err(RestoreError::Unreadable(format!("it has version {version}, this program reads {VERSION}")))
}

fn save(i: &Incident, silence: &Silence) -> SavedIncident {
    let mut sources: Vec<_> =
        i.sources.sorted().into_iter().map(|(a, s)| (narrow(*a), s.packets, s.established)).collect();
    sources.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let left_out = sources.len().saturating_sub(SOURCES_MAX);
    sources.truncate(SOURCES_MAX);
    SavedIncident {
        id: i.id.clone(),
        target: crate::tick::prefix(&i.key),
        direction: i.key.direction,
        areas: i.areas.clone(),
        severity: i.severity,
        started: i.started,
        detected: i.detected,
        last: i.last,
        vectors: i
            .vectors
            .iter()
            .map(|v| SavedVector {
                class: v.class.name().to_string(),
                name: v.name.clone(),
                packets: v.packets,
                bytes: v.bytes,
                terms: v.terms.iter().map(|t| (t.weight, t.text.clone())).collect(),
                src_port: v.src_port,
                dst_port: v.dst_port,
                by_culprit: v.by_culprit,
            })
            .collect(),
        sources,
        sources_beyond: i.sources_beyond + u64::try_from(left_out).unwrap_or(0),
        culprits: i.culprits.sorted().into_iter().take(SOURCES_MAX).map(|(a, ())| narrow(*a)).collect(),
        victims: i.victims.sorted().into_iter().map(|(a, n)| (narrow(*a), *n)).collect(),
        packets: i.packets,
        bytes: i.bytes,
        peak_packets: i.peak.packets_max,
        peak_bytes: i.peak.bytes_max,
        rules: i.rules.clone(),
        router_rules: i.router_rules.clone(),
        filtered_most: i.filtered.most,
        rules_explain: i.rules_explain.clone(),
        doubtful: i.doubtful,
        withdrawn: i.outcomes.withdrawn.clone(),
        stability: i.stability,
        by_limit: i.by_limit,
        witnesses: i.sight.weights(silence, &i.entries).into_iter().collect(),
    }
}

fn load(saved: SavedIncident, seed: &Seed) -> Incident {
    let key = key_of(saved.target, saved.direction);
    let mut i = Incident::open(key, saved.severity, saved.started, saved.detected, seed);
    i.id = saved.id;
    i.areas = saved.areas;
    i.last = saved.last;
    i.vectors = saved
        .vectors
        .into_iter()
        .filter_map(|v| {
            Some(VectorState {
                class: class_named(&v.class)?,
                name: v.name,
                packets: v.packets,
                bytes: v.bytes,
                terms: v.terms.into_iter().map(|(weight, text)| Term { text, weight }).collect(),
                src_port: v.src_port,
                dst_port: v.dst_port,
                by_culprit: v.by_culprit,
            })
        })
        .collect();
    for (addr, packets, established) in saved.sources {
        i.sources.insert(wide(addr), crate::incident::SourceState { packets, established });
    }
    i.sources_beyond = saved.sources_beyond;
    i.by_limit = saved.by_limit;
    if !i.by_limit {
        // Who is above his limits shows again at once.
        i.add_culprits(saved.culprits.into_iter().map(wide));
    }
    for (addr, packets) in saved.victims {
        i.victims.insert(wide(addr), packets);
    }
    i.packets = saved.packets;
    i.bytes = saved.bytes;
    i.peak.packets_max = saved.peak_packets;
    i.peak.bytes_max = saved.peak_bytes;
    i.rules = saved.rules;
    i.router_rules = saved.router_rules;
    i.filtered.most = saved.filtered_most;
    i.rules_explain = saved.rules_explain;
    i.sight.witnesses = saved.witnesses.into_iter().collect();
    i.sight.resumed = true;
    i.resumed = true;
    i.doubtful = saved.doubtful;
    i.outcomes.withdrawn = saved.withdrawn;
    i.stability = saved.stability;
    i.is_doubtful = i.doubtful > i.packets / 2;
    i
}
