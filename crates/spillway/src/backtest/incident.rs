//! An attack as far as two configurations can differ about it.

use std::collections::BTreeMap;

use base::{Prefix, Timestamp};
use engine::report::{Attack, Direction, RuleReport, Severity};
use serde::Serialize;

/// Incidents remembered per configuration; the reports of further ones are counted in [`Incidents::left_out`].
pub const INCIDENTS_MAX: usize = 16_384;

/// What one configuration made of one attack, as it was at its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// Its id under that configuration.
    pub id: String,
    /// What was attacked.
    pub target: Prefix,
    /// Towards us or from us.
    pub direction: Direction,
    /// How sure it was in the end.
    pub severity: Severity,
    /// Names of the vectors, the largest first.
    pub vectors: Vec<String>,
    /// First packet.
    pub started_at: Timestamp,
    /// When it was first told of.
    pub detected_at: Timestamp,
    /// When it was first called an attack; `null` for a suspicion.
    pub attack_at: Option<Timestamp>,
    /// Last packet, once it is over.
    pub ended_at: Option<Timestamp>,
    /// Packets in the busiest second.
    pub peak_pps: u64,
    /// Layer-3 bits in the busiest second.
    pub peak_bps: u64,
    /// What would have stopped it.
    pub rules: Vec<RuleReport>,
}

/// All incidents of one configuration. What is kept of each does not grow with its length.
#[derive(Debug, Default)]
pub struct Incidents {
    by_id: BTreeMap<String, Incident>,
    /// Reports of incidents beyond [`INCIDENTS_MAX`].
    pub left_out: u64,
}

impl Incidents {
    /// Notes a report that was decided at `at`.
    pub fn note(&mut self, at: Timestamp, attack: Attack) {
        let known = self.by_id.get(&attack.id);
        if known.is_none() && self.by_id.len() >= INCIDENTS_MAX {
            self.left_out += 1;
            return;
        }
        let now = (attack.severity == Severity::Attack).then(|| at.max(attack.detected_at));
        let attack_at = known.and_then(|incident| incident.attack_at).or(now);
        let incident = Incident {
            id: attack.id.clone(),
            target: attack.target,
            direction: attack.direction,
            severity: attack.severity,
            vectors: attack.vectors.into_iter().map(|vector| vector.name).collect(),
            started_at: attack.started_at,
            detected_at: attack.detected_at,
            attack_at,
            ended_at: attack.ended_at,
            peak_pps: attack.peak_pps,
            peak_bps: attack.peak_bps,
            rules: attack.rules,
        };
        self.by_id.insert(attack.id, incident);
    }

    /// How many ended with this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.by_id.values().filter(|incident| incident.severity == severity).count()
    }

    /// In order of time, then of target.
    pub fn into_sorted(self) -> Vec<Incident> {
        let mut all: Vec<Incident> = self.by_id.into_values().collect();
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        all
    }
}

impl Incident {
    /// How sure it was in the end, in one word.
    pub(super) const fn certainty(&self) -> &'static str {
        match self.severity {
            Severity::Attack => "attack",
            Severity::Suspicious => "suspicious",
        }
    }

    pub(super) fn order(&self) -> (Timestamp, Prefix, Direction, &str) {
        (self.started_at, self.target, self.direction, &self.id)
    }

    /// Both go on at some instant, in the same direction.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let end = |i: &Self| i.ended_at.unwrap_or(Timestamp::from_nanos(u64::MAX));
        self.direction == other.direction && self.started_at <= end(other) && other.started_at <= end(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(id: &str, severity: &str) -> Attack {
        let json = serde_json::json!({
            "event": "attack", "state": "active", "id": id, "target": "192.0.2.1/32", "targets": ["192.0.2.1/32"],
            "direction": "in", "severity": severity, "started_at": "2024-01-01T00:00:00Z",
            "detected_at": "2024-01-01T00:00:01Z", "ended_at": null, "peak_pps": 1, "peak_bps": 1, "vectors": [],
            "sources": { "count": 0, "nature": "unknown", "confidence": 0.0, "top": [] }, "rules": [],
            "explain": ["why"], "packets": 1, "bytes": 1,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_kept_grows_with_the_incidents_alone_and_has_an_end() {
        let mut incidents = Incidents::default();
        let at = |second: u64| Timestamp::from_secs(1_704_067_200 + second);
        incidents.note(at(1), report("0", "suspicious"));
        for second in 5..1000 {
            incidents.note(at(second), report("0", "attack"));
        }
        assert_eq!((incidents.by_id.len(), incidents.count(Severity::Attack)), (1, 1));
        assert_eq!(incidents.by_id["0"].attack_at, Some(at(5)));
        for id in 1..=INCIDENTS_MAX {
            incidents.note(at(1), report(&id.to_string(), "attack"));
        }
        assert_eq!((incidents.left_out, incidents.into_sorted().len()), (1, INCIDENTS_MAX));
    }
}
