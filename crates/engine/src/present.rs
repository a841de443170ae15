//! From an incident to the document that the outside reads.

use base::prefix::{cover, narrow};
use detect::class::Class;
use detect::measure::OCTETS_UNIT;

use crate::incident::{Incident, SourceState, VectorState};
use crate::report::{Attack, Entry, Event, Nature, Part, Severity, Sources, State, TopSource, Vector};
use crate::settings::Settings;
use crate::watch::Watch;

/// Busiest sources told.
const TOP_MAX: usize = 10;
/// A vector with less of the attack's packets is noise beside it.
pub(crate) const SHARE_MIN: f64 = 0.03;

/// The document of an attack as it stands.
pub(crate) fn attack(incident: &Incident, settings: &Settings, watch: &Watch) -> Attack {
    let targets = incident.targets();
    let target = if targets.len() > 1 || !targets.contains(&crate::tick::prefix(&incident.key)) {
        cover(&targets).unwrap_or_else(|| crate::tick::prefix(&incident.key))
    } else {
        crate::tick::prefix(&incident.key)
    };
    let (vectors, main) = vectors(incident);
    let sources = sources(incident, settings, &vectors);
    let acts = incident.severity == Severity::Attack && !incident.is_doubtful;
    let usual_syns = targets.iter().filter_map(|target| watch.usual_syns(target)).collect();
    Attack {
        event: Event::Attack,
        state: if incident.ended.is_some() { State::Over } else { State::Active },
        id: incident.id.clone(),
        target,
        targets,
        direction: incident.key.direction,
        severity: incident.severity,
        started_at: incident.started,
        detected_at: incident.detected,
        ended_at: incident.ended,
        peak_pps: incident.peak.packets_max,
        peak_bps: incident.peak.bytes_max.saturating_mul(8),
        explain: explain(incident, settings, &main),
        vectors,
        sources,
        rules: if acts { incident.rules.clone() } else { Vec::new() },
        doubtful: incident.is_doubtful,
        withdrawn: incident.outcomes.withdrawn.clone(),
        stability: incident.stability.filter(|_| acts && !incident.rules.is_empty()),
        dropped_until: incident.filtered.until.filter(|_| incident.ended.is_none()),
        router_rules: if acts { incident.router_rules.clone() } else { Vec::new() },
        covered: incident.covered,
        covered_by_routers: incident.covered_by_routers,
        culprits: if settings.profile.is_exact() { culprits(incident) } else { Vec::new() },
        packets: incident.packets,
        bytes: incident.bytes,
        entries: entries(incident),
        usual_syns,
        pseudonymous: None,
    }
}

/// What was counted to each vector of an attack so far.
pub(crate) fn parts(incident: &Incident) -> Vec<Part> {
    let mut states: Vec<&VectorState> = incident.vectors.iter().collect();
    states.sort_by(|a, b| b.packets.cmp(&a.packets).then(a.class.cmp(&b.class)));
    let part = |state: &&VectorState| Part {
        class: state.class,
        name: called(state, &states),
        packets: state.packets,
        bytes: state.bytes,
    };
    states.iter().map(part).collect()
}

/// The vectors by name, the largest first, and the order of the states behind them.
fn vectors(incident: &Incident) -> (Vec<Vector>, Vec<&VectorState>) {
    let mut states: Vec<&VectorState> = incident.vectors.iter().collect();
    states.sort_by(|a, b| b.packets.cmp(&a.packets).then(a.class.cmp(&b.class)));
    let mut merged: Vec<(String, u64, Option<u16>, Option<u16>)> = Vec::new();
    for state in &states {
        let name = called(state, &states);
        match merged.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, packets, ..)) => *packets += state.packets,
            None => merged.push((name, state.packets, state.src_port, state.dst_port)),
        }
    }
    merged.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let total: u64 = merged.iter().map(|m| m.1).sum();
    let vectors = merged
        .into_iter()
        .map(|(name, packets, src_port, dst_port)| Vector {
            name,
            share: share(packets, total),
            src_port,
            dst_port,
        })
        .enumerate()
        .filter(|(index, vector)| *index == 0 || vector.share >= SHARE_MIN)
        .map(|(_, vector)| vector)
        .collect();
    (vectors, states)
}

/// Fragments belong to the vector they complete; resets and errors to the reflection whose echo they are.
fn called(state: &VectorState, all: &[&VectorState]) -> String {
    let largest = |wanted: fn(&VectorState) -> bool| all.iter().find(|v| wanted(v)).map(|v| v.name.clone());
    let amplification = |v: &VectorState| v.name.starts_with("udp-amplification");
    let reflection =
        |v: &VectorState| v.name.starts_with("udp-amplification") || v.name.ends_with("-reflection");
    // Whole connections without purpose: their acknowledgements and ends are of the same vector.
    fn handshakes(v: &VectorState) -> bool {
        v.name == "tcp-connection-flood" || v.name == "tls-handshake-flood"
    }
    let completed = match state.class {
        Class::UDP_FRAGMENT => largest(amplification),
        Class::TCP_RST_FIN => {
            largest(|v| v.name.starts_with("tcp-") && v.name.ends_with("-reflection") || handshakes(v))
        }
        Class::TCP_ACK => largest(handshakes),
        Class::ICMP_ERROR => largest(reflection),
        _ => None,
    };
    completed.unwrap_or_else(|| state.name.clone())
}

/// Senders known by behaviour that are told.
const CULPRITS_MAX: usize = 1 << 16;

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e6).round() / 1e6 }
}

fn sources(incident: &Incident, settings: &Settings, vectors: &[Vector]) -> Sources {
    // Who carries connections on has a right to its SYNs.
    let honest = |packets: u32, established: u32| established / 2 >= packets;
    let rate = |_: &u128, s: &SourceState| {
        (s.packets > 0 && !honest(s.packets, s.established)).then_some(u64::from(s.packets))
    };
    let (top, count) = incident.sources.top(TOP_MAX, rate);
    let count = u64::try_from(count).unwrap_or(u64::MAX) + incident.sources_beyond;
    let top = top
        .into_iter()
        .map(|(addr, packets)| TopSource {
            address: narrow(*addr),
            packets,
            share: share(packets, incident.packets),
        })
        .collect();
    let (nature, confidence) = nature(incident, settings, vectors, count);
    Sources { count, nature, confidence, top }
}

/// Told of captures only: a daemon's reports would all carry the list.
fn culprits(incident: &Incident) -> Vec<std::net::IpAddr> {
    let known = incident.vectors.iter().any(|vector| vector.by_culprit);
    let hosts = if known { incident.culprits.sorted() } else { Vec::new() };
    hosts.into_iter().take(CULPRITS_MAX).map(|(host, ())| narrow(*host)).collect()
}

/// Where it comes in, the widest door first.
fn entries(incident: &Incident) -> Vec<Entry> {
    let total: u64 = incident.entries.values().sum();
    let mut doors: Vec<_> = incident.entries.iter().collect();
    doors.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let entry = |(&(exporter, input_if), &packets): (&(u32, Option<u32>), &u64)| Entry {
        exporter,
        input_if,
        share: share(packets, total),
    };
    doors.into_iter().take(TOP_MAX).map(entry).collect()
}

/// A first opinion from the kind of attack and the spread of its sources.
fn nature(incident: &Incident, settings: &Settings, vectors: &[Vector], count: u64) -> (Nature, f64) {
    let reflected: f64 = vectors
        .iter()
        .filter(|v| v.name.starts_with("udp-amplification") || v.name.ends_with("-reflection"))
        .map(|v| v.share)
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let per_source = {
        // Behind a sampler each source shows a packet or two of many: there only a crowd of them says something.
        let seen = if settings.profile.is_exact() { incident.packets } else { incident.samples_seen };
        seen as f64 / count.max(1) as f64
    };
    // Whoever holds a connection has answered to his address.
    let connected = |name: &str| {
        matches!(name, "scan" | "http-flood" | "tls-handshake-flood" | "tcp-slow" | "tcp-connection-flood")
    };
    let proven: f64 = vectors.iter().filter(|v| connected(&v.name)).map(|v| v.share).sum();
    if proven >= 0.9 {
        (Nature::Real, if settings.profile.is_exact() { 0.9 } else { 0.6 })
    } else if reflected >= 0.9 {
        (Nature::Reflectors, 0.9)
    } else if reflected > 0.1 {
        (Nature::Mixed, 0.6)
    } else if settings.profile.is_exact() && count >= 1000 && per_source < 3.0 {
        (Nature::Spoofed, 0.9)
    } else if settings.profile.is_exact() && count >= 200 && per_source < 10.0 {
        (Nature::Spoofed, 0.6)
    } else if count >= 1000 && per_source < 1.2 {
        // A large botnet looks the same through a coarse sampler.
        (Nature::Spoofed, 0.5)
    } else {
        (Nature::Unknown, 0.0)
    }
}

fn explain(incident: &Incident, settings: &Settings, states: &[&VectorState]) -> Vec<String> {
    let (floor, multiple) = settings.thresholds(narrow(incident.key.addr));
    let mut lines = vec![format!(
        "profile {}: at least {} packets and {:.0} packets/s or {:.1} Mbit/s of one class towards one target, ticks of {}",
        settings.profile.name(),
        settings.profile.packets_min(),
        floor,
        floor * OCTETS_UNIT * 8.0 / 1e6,
        settings.tick
    )];
    if multiple.to_bits() != Settings::MULTIPLE.to_bits() {
        lines.push(format!("above {multiple:.1} times what is usual there, as its profile or target has it"));
    }
    for state in states.iter().filter(|state| !state.terms.is_empty()) {
        let sum: f64 = state.terms.iter().map(|t| t.weight).sum();
        lines.push(format!(
            "{} ({}): {sum:.1} of {:.0} needed",
            state.name,
            state.class.name(),
            detect::evidence::ATTACK
        ));
        lines.extend(state.terms.iter().map(|t| format!("  {:+.1}  {}", t.weight, t.text)));
    }
    lines.extend(incident.rules_explain.iter().cloned());
    lines.extend(incident.outcomes.explain(incident.rules.iter().chain(&incident.router_rules)));
    lines.extend(incident.sight.delay.clone());
    if incident.is_doubtful {
        lines.push(incident.sight.explain_doubt(incident.doubtful, incident.packets));
    }
    lines.extend(incident.sight.explain(incident.last, incident.ended.is_some()));
    lines
}
