//! From what stands out to an attack: who is suspected is weighed, and found to be one, a part of one, or nothing.

use base::prefix::wide;
use base::{Span, Timestamp};
use detect::class::Class;
use detect::{evidence, vector};

use crate::conduct::{self, Suspicion};
use crate::core::Engine;
use crate::incident::{Incident, by_pairs};
use crate::present;
use crate::report::{self, Severity};
use crate::scan::Scan;
use crate::sender::Excess;
use crate::target::TargetKey;
use crate::tick::prefix;
use crate::watch::Candidate;

/// Attacks followed at once; further ones wait for a place, counted in `incidents_refused`.
const INCIDENTS_MAX: usize = 1024;
/// Examples of an outgoing attack needed at least: foreign hosts are only known from them.
const OUTGOING_MIN: u64 = 12;
/// How many ticks a judgement holds.
const REJECTED_TICKS: u64 = 2;
/// Judgements remembered; at the cap all are forgotten.
const REJECTED_MAX: usize = 1 << 14;
/// An attack is judged again so long after its detection: answers and acknowledgements come later than what they answer.
const SECOND_LOOK: Span = Span::from_secs(2);

impl Engine {
    /// Weighs a stream above its threshold.
    pub(crate) fn consider(&mut self, now: Timestamp, candidate: &Candidate) {
        // A carpet takes in what its hosts get of the same kind; another kind on one of them is an attack of its own.
        let at = self.incidents.iter().position(|i| {
            i.key == candidate.key || i.covers(&candidate.key) && i.vector(candidate.class).is_some()
        });
        if at.is_none() && self.is_closed(now, candidate) {
            return;
        }
        if let Some(incident) = at.and_then(|at| self.incidents.get(at))
            && incident.severity == Severity::Attack
            && incident.vector(candidate.class).is_some()
            && now.since(incident.detected) > SECOND_LOOK
        {
            return;
        }
        if let Some(incident) = at.and_then(|at| self.incidents.get(at)) {
            // Beside a flood, a trickle of something else is the noise of the Internet.
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let small = candidate.suspect < present::SHARE_MIN * incident.packets as f64;
            if small {
                return;
            }
        }
        // What was weighed and found light a moment ago is not weighed again, unless it has grown.
        let question = (candidate.key, candidate.class);
        if let Some((when, rate)) = self.rejected.get(&question)
            && now.since(*when) < self.settings.tick.times(REJECTED_TICKS)
            && candidate.rate < 2.0 * rate
        {
            return;
        }
        let evidence = self.evidence(now, candidate);
        let out = candidate.key.direction == report::Direction::Out;
        if out && !evidence.exact && evidence.shape.samples < OUTGOING_MIN {
            return;
        }
        let terms = vector::judge(&evidence).0;
        let sum = evidence::sum(&terms);
        let known =
            at.and_then(|at| self.incidents.get(at)).is_some_and(|i| i.vector(candidate.class).is_some());
        let severity = match sum {
            s if s >= evidence::ATTACK => Severity::Attack,
            s if s >= evidence::SUSPICIOUS => Severity::Suspicious,
            _ => {
                if self.rejected.len() >= REJECTED_MAX {
                    self.rejected.clear();
                }
                self.rejected.insert(question, (now, candidate.rate));
                return;
            }
        };
        let name = (vector::family(candidate.class).name)(&evidence);
        let index = match at {
            Some(index) => index,
            None => match self.open(now, candidate, severity) {
                Some(index) => index,
                None => return,
            },
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        if severity > incident.severity {
            incident.severity = severity;
            incident.detected = now;
            incident.changed = true;
        }
        incident.put_vector(candidate.class, name, terms.clone());
        // Unasked packets since the attack began are of it, though their own test rose later.
        let paired = by_pairs(candidate.class);
        let from = if paired { candidate.onset.min(incident.started) } else { candidate.onset };
        // The answers that fragments complete may be too few to stand out by themselves.
        let completed = evidence.completes.filter(|class| incident.vector(*class).is_none());
        if let Some((class, protocol)) = completed.and_then(|class| Some((class, class.reflector()?))) {
            incident.put_vector(class, format!("udp-amplification-{protocol}"), terms);
        }
        for class in completed.into_iter().chain((!known).then_some(candidate.class)) {
            for tick in self.ring.since(from) {
                incident.absorb(tick, &self.settings, Some(&[class]));
            }
            incident.derive_at = Some(now);
        }
    }

    /// Clients of a server behave in a way that speaks for an attack.
    pub(crate) fn suspect(&mut self, now: Timestamp, suspicion: Suspicion) {
        let Suspicion { key, behaviour, began, terms, culprits, past } = suspicion;
        let sum = evidence::sum(&terms);
        let severity = if sum >= evidence::ATTACK { Severity::Attack } else { Severity::Suspicious };
        let index = match self.incidents.iter().position(|i| i.key == key) {
            Some(index) => index,
            None if terms.is_empty() || self.is_closed_for(now, &key) => return,
            None if self.incidents.len() >= INCIDENTS_MAX => {
                self.incidents_refused += 1;
                return;
            }
            None => {
                let began = self.begun(&key, began);
                self.incidents.push(Incident::open(key, severity, began, now, &self.seed));
                self.incidents.len().saturating_sub(1)
            }
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        // The strongest words stay.
        let weaker = incident.severity == Severity::Attack && severity < Severity::Attack;
        let told = incident.vectors.iter().any(|v| v.name == behaviour.name);
        let past: Vec<_> =
            past.into_iter().filter(|(source, ..)| !incident.culprits.contains_key(source)).collect();
        incident.add_culprits(culprits.into_iter());
        let mut fresh = Vec::new();
        if !(terms.is_empty() || weaker && told) {
            if severity > incident.severity {
                incident.severity = severity;
                incident.detected = now;
                incident.changed = true;
                incident.derive_at = Some(now);
            }
            for class in conduct::CLASSES {
                // Told once, with the class that every connection has.
                let terms = if class == Class::TCP_SYN { terms.clone() } else { Vec::new() };
                if incident.put_behaviour(class, behaviour.name, terms) {
                    fresh.push(class);
                }
            }
        }
        if !fresh.is_empty() && !behaviour.gauge {
            for tick in self.ring.since(began) {
                incident.absorb(tick, &self.settings, Some(&fresh));
            }
            incident.derive_at = Some(now);
        }
        if !past.is_empty() {
            incident.absorb_past(Class::TCP_DATA, &past, now);
        }
    }

    /// An own host asks very many foreign ones.
    pub(crate) fn scanned(&mut self, now: Timestamp, scan: Scan) {
        let Scan { host, began, target, terms } = scan;
        let of_host = |i: &Incident| i.is_scan() && i.culprits.contains_key(&host);
        let near = |i: &Incident| i.is_scan() && i.areas.iter().any(|area| area.covers(&target));
        let known = self.incidents.iter().position(of_host).or_else(|| self.incidents.iter().position(near));
        let key =
            TargetKey { addr: wide(target.addr()), bits: target.bits(), direction: report::Direction::Out };
        let index = match known {
            Some(index) => index,
            None if self.is_closed_for(now, &key) => return,
            None if self.incidents.len() >= INCIDENTS_MAX => {
                self.incidents_refused += 1;
                return;
            }
            None => {
                let began = self.begun(&key, began);
                self.incidents.push(Incident::open(key, Severity::Attack, began, now, &self.seed));
                self.incidents.len().saturating_sub(1)
            }
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        incident.add_culprits(std::iter::once(host));
        incident.widen(target);
        if incident.put_behaviour(Class::TCP_SYN, vector::scan::NAME, terms) {
            for tick in self.ring.since(began) {
                incident.absorb(tick, &self.settings, Some(&[Class::TCP_SYN]));
            }
            incident.derive_at = Some(now);
        }
    }

    /// An own host sends more than its limits allow, or did a moment ago.
    pub(crate) fn exceeded(&mut self, now: Timestamp, excess: Excess) {
        let Excess { host, exceeded, target, cells } = excess;
        let tick = self.settings.tick;
        let known = self.incidents.iter().position(|i| i.by_limit && i.sources.contains_key(&host));
        let (Some(exceeded), Some(target)) = (exceeded, target) else {
            if let Some(incident) = known.and_then(|at| self.incidents.get_mut(at)) {
                incident.absorb_sent(now, host, &cells, tick);
            }
            return;
        };
        let class = exceeded.class;
        let key =
            TargetKey { addr: wide(target.addr()), bits: target.bits(), direction: report::Direction::Out };
        let began =
            cells.iter().filter(|(c, _)| *c == class).map(|(_, cell)| cell.first).min().unwrap_or(now);
        let evidence = self.evidence(now, &Candidate::of_limit(key, began, exceeded));
        let name = (vector::family(class).name)(&evidence);
        let terms = vector::judge(&evidence).0;
        // A flood on one victim that is told already.
        let flood = self
            .incidents
            .iter_mut()
            .find(|i| i.covers(&key) && i.vector(class).is_some_and(|vector| !vector.by_culprit));
        if let (None, Some(flood)) = (known, flood) {
            if flood.severity < Severity::Attack {
                flood.put_vector(class, name, terms);
                (flood.severity, flood.detected, flood.changed) = (Severity::Attack, now, true);
                flood.derive_at = Some(now);
            }
            return;
        }
        let near = |i: &Incident| i.by_limit && i.areas.iter().any(|area| area.covers(&target));
        let index = match known.or_else(|| self.incidents.iter().position(near)) {
            Some(index) => index,
            None if self.is_closed_for(now, &key) => return,
            None if self.incidents.len() >= INCIDENTS_MAX => {
                self.incidents_refused += 1;
                return;
            }
            None => {
                let began = self.begun(&key, began);
                let mut incident = Incident::open(key, Severity::Attack, began, now, &self.seed);
                incident.by_limit = true;
                self.incidents.push(incident);
                self.incidents.len().saturating_sub(1)
            }
        };
        let Some(incident) = self.incidents.get_mut(index) else { return };
        incident.widen(target);
        let fresh = incident.put_behaviour(class, &name, terms);
        incident.absorb_sent(now, host, &cells, tick);
        if fresh {
            for tick in self.ring.since(began) {
                incident.absorb(tick, &self.settings, Some(&[class]));
            }
            incident.derive_at = Some(now);
        }
    }

    /// A new attack, or the one that this is a part of.
    fn open(&mut self, now: Timestamp, candidate: &Candidate, severity: Severity) -> Option<usize> {
        let target = prefix(&candidate.key);
        if !target.is_host()
            && let Some(index) = self.incidents.iter().position(|i| {
                let near = if target.is_ipv4() { 16 } else { 32 };
                !prefix(&i.key).is_host()
                    && i.key.direction == candidate.key.direction
                    && i.vector(candidate.class).is_some_and(|v| !v.by_culprit)
                    && prefix(&i.key).join(&target).is_some_and(|joint| joint.bits() >= near)
            })
        {
            let incident = self.incidents.get_mut(index)?;
            incident.areas.push(target);
            incident.areas.sort_unstable();
            incident.changed = true;
            for tick in self.ring.since(candidate.onset) {
                // Only the new area: the others have counted these ticks.
                let areas = std::mem::replace(&mut incident.areas, vec![target]);
                incident.absorb(tick, &self.settings, Some(&[candidate.class]));
                incident.areas = areas;
            }
            incident.derive_at = Some(now);
            return Some(index);
        }
        if self.incidents.len() >= INCIDENTS_MAX {
            self.incidents_refused += 1;
            return None;
        }
        let began = self.begun(&candidate.key, candidate.onset);
        self.incidents.push(Incident::open(candidate.key, severity, began, now, &self.seed));
        self.incidents.len().checked_sub(1)
    }
}
