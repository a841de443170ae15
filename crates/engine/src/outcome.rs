//! What rules in force really hit, against what was predicted.
//!
//! A device that tells which packets it drops by policy (sFlow discard samples), or an enforcer that counts, shows whether a rule
//! hits more honest traffic than its price said. Dropped packets are honest as far as they belong to conversations that the
//! target had in peace: a peer of its honest examples, with the same protocol and one port in common. Beside them stand the
//! packets of the same time that reach the target and are not of the attack. When the Clopper-Pearson lower bounds of the share
//! of honest packets and of honest peers that the rule hits *both* exceed the upper bounds that were predicted, the rule is
//! withdrawn and not derived again for this attack. Both, because an attacker may forge the address of one known peer, but
//! hardly of most of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::prefix::wide;
use base::{Prefix, Timestamp};
use detect::cell::Lasting;
use detect::class::Classifier;
use detect::sample::{Bins, Sample};
use detect::signature;
use rules::collateral::Tally;
use rules::{Match, Rule};
use telemetry::discard::Discard;

use crate::core::Engine;
use crate::incident::Incident;
use crate::report::{Direction, RuleReport, Severity, Withdrawn};
use crate::reservoir::Reservoir;
use crate::tick::{Tick, hosts};

/// Rules of one attack whose outcome is followed, in force or replaced since; further ones are not.
const RULES_MAX: usize = 32;
/// Honest packets kept of those that were dropped: the next rules have to spare them.
const HURT_MAX: usize = 256;
/// Rules withdrawn per attack that are remembered; the oldest go first.
const WITHDRAWN_MAX: usize = 64;
/// A rule that would drop this part of the honest packets that an earlier one dropped is the earlier one in other words.
const AGAIN: f64 = 0.1;
/// Where no price was known, a rule may hit this share of honest traffic: as much as the search allows.
const UNKNOWN_MAX: f64 = 0.01;

/// What an enforcer counted of one rule since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Id of the rule.
    pub rule: String,
    /// Packets that it dropped or held back.
    pub packets: u64,
    /// Of these, packets that the enforcer knows to be honest (a proven source, an established connection), by peer.
    pub honest: Vec<(IpAddr, u64)>,
}

/// What was seen of one rule.
#[derive(Clone, Debug)]
struct Seen {
    since: Timestamp,
    /// Packets that it dropped, as far as they were shown.
    dropped: u64,
    honest: u64,
    /// Honest packets, by whether it hit them.
    tally: Tally,
}

/// What was seen of the rules of one attack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    seen: BTreeMap<String, Seen>,
    hurt: Vec<Sample>,
    pub(crate) withdrawn: Vec<Withdrawn>,
}

impl Outcomes {
    /// Honest packets that rules dropped, each with the weight of one among `others`.
    pub(crate) fn hurt(&self, others: &[Sample]) -> impl Iterator<Item = Sample> {
        let count = u64::try_from(others.len()).unwrap_or(1).max(1);
        let weight = |of: fn(&Sample) -> u64| (others.iter().map(of).sum::<u64>() / count).max(1);
        let (packets, bytes) = (weight(|s| s.packets), weight(|s| s.bytes));
        self.hurt.iter().map(move |sample| Sample { packets, bytes, ..*sample })
    }

    /// Whether a rule was withdrawn, or is such a rule in other words.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(crate) fn forbid(&self, id: &str, matches: &Match) -> bool {
        if self.withdrawn.is_empty() {
            return false;
        }
        let hit = self.hurt.iter().filter(|sample| signature::hits(matches, sample)).count();
        self.withdrawn.iter().any(|w| w.id == id) || hit as f64 > AGAIN * self.hurt.len() as f64
    }

    fn seen(&mut self, rule: &str, now: Timestamp) -> Option<&mut Seen> {
        if self.seen.len() >= RULES_MAX && !self.seen.contains_key(rule) {
            return None;
        }
        let fresh = || Seen { since: now, dropped: 0, honest: 0, tally: Tally::default() };
        Some(self.seen.entry(rule.to_owned()).or_insert_with(fresh))
    }

    /// A line for each rule in force of which something was seen.
    pub(crate) fn explain<'a>(
        &'a self,
        rules: impl Iterator<Item = &'a RuleReport> + 'a,
    ) -> impl Iterator<Item = String> + 'a {
        let told = rules.filter_map(|rule| Some((rule, self.seen.get(&rule.id)?)));
        let shown = told.map(|(rule, seen)| {
            format!(
                "rule {} in force: of {} packets that it was seen to drop since {}, {} look honest",
                rule.id, seen.dropped, seen.since, seen.honest
            )
        });
        shown.chain(
            self.withdrawn.iter().map(|w| format!("rule {} withdrawn at {}: {}", w.id, w.at, w.reason)),
        )
    }
}

impl Engine {
    /// Packets that devices dropped by policy.
    pub(crate) fn discarded(&mut self, now: Timestamp, discards: &[Discard]) {
        if discards.is_empty() {
            return;
        }
        // Whichever worker heard of them first.
        let mut discards: Vec<&Discard> = discards.iter().collect();
        discards.sort_by_key(|discard| {
            let record = &discard.record;
            (
                record.at,
                record.exporter,
                wide(record.headers.src),
                record.headers.ports,
                wide(record.headers.dst),
            )
        });
        for incident in self.incidents.iter_mut().filter(|i| in_force(i)) {
            let dropped: Vec<Sample> = discards
                .iter()
                .filter(|discard| incident.areas.iter().any(|a| a.contains(discard.record.headers.dst)))
                .map(|discard| sample(discard, &self.classifier))
                .collect();
            if dropped.is_empty() {
                continue;
            }
            // Routers enforce what was written for them, where something was.
            let parsed: Vec<Rule> = incident
                .router_rules
                .iter()
                .chain(&incident.rules)
                .filter_map(|rule| rules::parse::rules(&rule.text).ok()?.pop())
                .collect();
            let known = Known::of(incident, &self.reservoir, self.settings.profile.is_exact());
            let (mut strangers, mut latest) = (0, Timestamp::ZERO);
            for sample in &dropped {
                let Some(rule) = parsed.iter().find(|rule| signature::hits(&rule.matches, sample)) else {
                    continue;
                };
                let honest = known.holds(sample);
                if !honest {
                    strangers += 1;
                    latest = latest.max(sample.at);
                }
                if honest && incident.outcomes.hurt.len() < HURT_MAX {
                    incident.outcomes.hurt.push(*sample);
                }
                let Some(seen) = incident.outcomes.seen(&rule.id, now) else { continue };
                seen.dropped += 1;
                if honest {
                    seen.honest += 1;
                    seen.tally.add(true, sample.headers.src, 1, sample.bytes);
                }
            }
            if incident.filtered.goes_on(now, strangers, incident.last) && strangers > 0 {
                incident.drop_seen(latest, now);
            }
        }
        self.judge_outcomes(now);
    }

    /// What enforcers counted.
    pub(crate) fn counted(&mut self, now: Timestamp, counters: &[Counters]) {
        for incident in self.incidents.iter_mut().filter(|i| in_force(i)) {
            for counters in counters {
                if all(incident).all(|rule| rule.id != counters.rule) {
                    continue;
                }
                let Some(seen) = incident.outcomes.seen(&counters.rule, now) else { continue };
                seen.dropped = seen.dropped.saturating_add(counters.packets);
                for (peer, packets) in &counters.honest {
                    seen.honest = seen.honest.saturating_add(*packets);
                    seen.tally.add_each(true, *peer, *packets);
                }
            }
        }
        self.judge_outcomes(now);
    }

    /// Withdraws what hits more than was predicted.
    fn judge_outcomes(&mut self, now: Timestamp) {
        for incident in &mut self.incidents {
            let outcomes = &mut incident.outcomes;
            let broken = |rule: &RuleReport| {
                let seen = outcomes.seen.get(&rule.id)?;
                let least = seen.tally.least()?;
                let predicted = rule.collateral;
                let (packets, peers) =
                    predicted.map_or((UNKNOWN_MAX, UNKNOWN_MAX), |c| (c.packets_upper95, c.peers_upper95));
                let broken = least.packets > packets && least.peers > peers;
                broken.then(|| Withdrawn {
                    id: rule.id.clone(),
                    text: rule.text.clone(),
                    at: now,
                    reason: format!(
                        "it hits at least {:.2} % of honest packets and {:.2} % of honest peers (with 95 % confidence), and {} {:.2} and {:.2} % at most; {} of {} packets that it was seen to drop look honest",
                        least.packets * 100.0,
                        least.peers * 100.0,
                        if predicted.is_some() { "was expected to hit" } else { "nothing was known, which allows" },
                        packets * 100.0,
                        peers * 100.0,
                        seen.honest,
                        seen.dropped
                    ),
                })
            };
            let mut withdrawn: Vec<Withdrawn> = Vec::new();
            for found in incident.rules.iter().chain(&incident.router_rules).filter_map(broken) {
                if withdrawn.iter().all(|known| known.id != found.id) {
                    withdrawn.push(found);
                }
            }
            if withdrawn.is_empty() {
                continue;
            }
            for rules in [&mut incident.rules, &mut incident.router_rules] {
                rules.retain(|rule| withdrawn.iter().all(|w| w.id != rule.id));
            }
            outcomes.withdrawn.extend(withdrawn);
            let beyond = outcomes.withdrawn.len().saturating_sub(WITHDRAWN_MAX);
            outcomes.withdrawn.drain(..beyond);
            incident.derive_at = Some(now);
            incident.changed = true;
        }
    }
}

impl Incident {
    /// Honest packets that a tick shows to reach the targets, while the outcome of rules is followed.
    pub(crate) fn note_passed(&mut self, tick: &Tick, exact: bool) {
        if self.outcomes.seen.is_empty() {
            return;
        }
        let mut passed: Vec<Sample> = Vec::new();
        for area in &self.areas {
            let honest = tick.samples(hosts(area)).iter().filter(|(_, sample)| !self.claims(sample, exact));
            passed.extend(honest.map(|(_, sample)| *sample));
        }
        let chosen = &tick.counts.chosen;
        let bin = |sample: &Sample| Bins::bin(exact, sample.class, wide(sample.headers.dst));
        for sample in &passed {
            // An example stands for all that were offered in its bin.
            let kept = chosen.samples.iter().filter(|(_, other)| bin(other) == bin(sample)).count();
            let kept = u64::try_from(kept).unwrap_or(1).max(1);
            let offered = chosen.offered.get(bin(sample)).copied().unwrap_or(kept).max(kept);
            for seen in self.outcomes.seen.values_mut() {
                let of = |count: u64| count.saturating_mul(offered) / kept;
                seen.tally.add(false, sample.headers.src, of(sample.packets), of(sample.bytes));
            }
        }
    }
}

/// Its rules, and those for routers.
fn all(incident: &Incident) -> impl Iterator<Item = &RuleReport> {
    incident.rules.iter().chain(&incident.router_rules)
}

/// Whether rules of it can be in force whose outcome is to be followed.
fn in_force(incident: &Incident) -> bool {
    incident.severity == Severity::Attack
        && incident.key.direction == Direction::In
        && !incident.rules.is_empty()
}

/// A dropped packet as an example.
fn sample(discard: &Discard, classifier: &Classifier) -> Sample {
    let record = &discard.record;
    Sample {
        at: record.at,
        last: record.end,
        headers: record.headers,
        class: classifier.received(&record.headers, false),
        detail: record.detail,
        several: false,
        snip: record.snip,
        packets: 1,
        bytes: record.bytes,
        entry: (record.exporter, record.input_if),
        outgoing: false,
        unsolicited: false,
        lasting: Lasting::default(),
        unscaled: false,
        doubtful: record.doubtful,
    }
}

/// The target's conversations in peace: peer, protocol, and a port that either end keeps.
struct Known(BTreeSet<(Prefix, u8, Option<u16>)>);

impl Known {
    fn of(incident: &Incident, reservoir: &Reservoir, exact: bool) -> Self {
        let claimed = |s: &Sample| s.at >= incident.started && incident.claims(s, exact);
        let remembered = reservoir.of(&incident.areas);
        Self(remembered.iter().filter(|(_, s)| !claimed(s)).flat_map(|(_, s)| keys(s)).collect())
    }

    fn holds(&self, sample: &Sample) -> bool {
        keys(sample).any(|key| self.0.contains(&key))
    }
}

fn keys(sample: &Sample) -> impl Iterator<Item = (Prefix, u8, Option<u16>)> {
    let h = &sample.headers;
    let peer = Prefix::of(h.src, if h.src.is_ipv4() { 32 } else { 64 });
    let ports = h.ports.map_or([None, None], |(src, dst)| [Some(src), Some(dst)]);
    let protocol = h.protocol;
    ports.into_iter().map(move |port| (peer, protocol, port))
}
