//! Attacks that a person called over: what goes on like one of them is left alone for a while, unless it grows.

use base::{Prefix, Timestamp};
use detect::measure::{Measure, OCTETS_UNIT};
use serde::{Deserialize, Serialize};

use crate::core::Engine;
use crate::incident::Incident;
use crate::present;
use crate::report::Direction;
use crate::target::TargetKey;
use crate::tick::prefix;
use crate::watch::Candidate;

/// What is remembered of attacks that were closed; the oldest goes first.
const CLOSED_MAX: usize = 256;
/// How many times its peak it has to come to, to be an attack again at once.
const GROWN: f64 = 2.0;

/// What a person closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Closed {
    areas: Vec<Prefix>,
    direction: Direction,
    /// When it was closed: what is found there later began then at the earliest, so it is another attack.
    at: Timestamp,
    /// Until then it is left alone.
    until: Timestamp,
    /// Packets and octets of its busiest second.
    peak: (u64, u64),
}

impl Closed {
    fn of(incident: &Incident, at: Timestamp, until: Timestamp) -> Self {
        Self {
            areas: incident.areas.clone(),
            direction: incident.key.direction,
            at,
            until,
            peak: (incident.peak.packets_max, incident.peak.bytes_max),
        }
    }

    /// Its places, while they are left alone.
    pub(crate) fn left_alone(&self, now: Timestamp, direction: Direction) -> &[Prefix] {
        if now < self.until && self.direction == direction { &self.areas } else { &[] }
    }

    fn concerns(&self, now: Timestamp, key: &TargetKey) -> bool {
        now < self.until && self.is_of(key)
    }

    fn is_of(&self, key: &TargetKey) -> bool {
        let target = prefix(key);
        let touches = |area: &Prefix| area.covers(&target) || target.covers(area);
        self.direction == key.direction && self.areas.iter().any(touches)
    }
}

impl Engine {
    /// A person calls an attack over. Whoever does not know it by this id is not answered: it is over already.
    pub(crate) fn close(&mut self, id: &str) {
        let Some(at) = self.incidents.iter().position(|incident| incident.id == id) else { return };
        let mut incident = self.incidents.remove(at);
        let now = self.now;
        incident.ended = Some(now);
        incident.rules_explain.push(format!(
            "a person closed it; what goes on like it is left alone for {}, unless it comes to {GROWN} times its peak",
            self.settings.quiet
        ));
        if self.closed.len() >= CLOSED_MAX {
            self.closed.remove(0);
        }
        self.closed.push(Closed::of(&incident, now, now.plus(self.settings.quiet)));
        let attack = present::attack(&incident, &self.settings, &self.watch);
        self.over(now, attack);
    }

    /// When what is found at a target now began: not before somebody closed what was found there.
    pub(crate) fn begun(&self, key: &TargetKey, began: Timestamp) -> Timestamp {
        let closed = self.closed.iter().filter(|closed| closed.is_of(key)).map(|closed| closed.at);
        closed.fold(began, Timestamp::max)
    }

    /// Whether a stream is what a person called over a moment ago.
    #[expect(clippy::cast_precision_loss, reason = "rates need no more than 53 bits")]
    pub(crate) fn is_closed(&self, now: Timestamp, candidate: &Candidate) -> bool {
        let small = |closed: &Closed| {
            let peak = match candidate.measure {
                Measure::Packets => closed.peak.0 as f64,
                Measure::Octets => closed.peak.1 as f64 / OCTETS_UNIT,
            };
            candidate.rate < GROWN * peak
        };
        self.closed.iter().any(|closed| closed.concerns(now, &candidate.key) && small(closed))
    }

    /// Likewise, of what has no rate: how clients behave, whom an own host asks.
    pub(crate) fn is_closed_for(&self, now: Timestamp, key: &TargetKey) -> bool {
        self.closed.iter().any(|closed| closed.concerns(now, key))
    }
}
