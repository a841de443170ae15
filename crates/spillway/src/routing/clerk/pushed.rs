//! What absorbers hear of attacks: rules to filter by; and whether what they say of their load is true.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Prefix, Span, Timestamp};
use engine::report::{Attack, State};
use rules::{Action, Match, Per, Rule};
use steer::absorb::word::{Load, RULES_MAX};
use steer::book::{Mitigation, Stage, What};
use steer::ladder::Mode;

use super::Clerk;
use crate::routing::absorbers::{Absorber, whole};
use crate::routing::auto::case::is_incoming;
use crate::routing::lookout::{Sight, Watched};

/// Rules of an attack that goes on stay for so long at absorbers after others took their place: what comes would be let through
/// to its target if the new ones were worse, or if there are none for a moment.
const LINGER: Span = Span::from_secs(10);

/// What goes on, for absorbers.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    rules: Vec<Push>,
    /// The peak of each attack, by the prefix that covers its targets.
    peaks: Vec<(Prefix, Load)>,
}

/// A rule for absorbers.
#[derive(Debug)]
struct Push {
    /// Of this attack.
    attack: String,
    dst: Prefix,
    rule: Rule,
    /// When it was last among the attack's own.
    wanted: Timestamp,
}

impl Clerk {
    /// The decision core knows this: absorbers get the rules of what goes on, and are held to the truth.
    pub(super) fn push_rules(&mut self, sight: &Sight) {
        self.pushed = of(sight, &self.pushed);
        let held =
            self.legs.values().flat_map(|leg| leg.holders().map(|name| (leg.prefix(), name.to_owned())));
        for (prefix, name) in held.collect::<Vec<_>>() {
            let Some(absorber) = self.absorbers.get(&name) else { continue };
            absorber.want(prefix, self.rules_for(&prefix, absorber), self.expected(&prefix));
        }
        self.absorbers.all_mut().for_each(Absorber::look);
        self.compare_loads(sight);
        self.follow_arrivals(sight);
    }

    /// What will come where a prefix is led: what it gets in peace, and the attacks on it.
    pub(in crate::routing) fn expected(&self, prefix: &Prefix) -> Load {
        let usual = self.absorbers.takers(prefix).filter_map(|absorber| absorber.charge(prefix));
        let usual = usual.map(|charge| whole(charge.usual.0)).max().unwrap_or(0);
        let attacks = self.pushed.peaks.iter().filter(|(target, _)| prefix.covers(target));
        // As large as it was lately, where that is known; a peak never falls.
        let sizes = attacks.map(|(target, peak)| self.sizes.get(target).copied().unwrap_or(*peak));
        sizes.fold(Load { bps: usual, pps: 0 }, Load::plus)
    }

    /// The rules that an absorber shall have for a prefix, as many as its owner has room for: exceptions first, then what people
    /// made, then those of attacks.
    pub(super) fn rules_for(&self, prefix: &Prefix, absorber: &Absorber) -> Vec<String> {
        let room = absorber.rules_max();
        let never = self.setup.spare.iter().filter(|spare| spare.is_ipv4() == prefix.is_ipv4());
        let never = never.enumerate().map(|(place, src)| spared(place, prefix, *src));
        let view = self.policy.now();
        let made = view.rules().filter_map(|(_, rule)| within(prefix, rule));
        let derived = self.pushed.rules.iter().filter(|push| prefix.covers(&push.dst));
        let pushed: Vec<Rule> = made.chain(derived.map(|push| push.rule.clone())).collect();
        if pushed.is_empty() {
            return Vec::new();
        }
        // Those of another prefix have the same numbers, and an absorber knows each id once.
        let exceptions = view.exceptions_from(&pushed).into_iter().map(|rule| named(prefix, rule));
        let all = never.chain(exceptions).chain(pushed).map(|rule| rule.to_string());
        all.take(room.unwrap_or(RULES_MAX).min(RULES_MAX)).collect()
    }

    /// Diverted prefixes whose traffic is counted, so that what absorbers say can be held against it.
    pub(in crate::routing) fn watched_prefixes(&self) -> impl Iterator<Item = Watched> {
        let said = self.legs.values().filter(|leg| leg.is_said());
        said.map(|leg| Watched { name: leg.prefix(), targets: vec![leg.prefix()], rules: Vec::new() })
    }

    /// What routers stop, or may: it does not come to where it is led.
    pub(super) fn stopped(&self) -> Vec<Prefix> {
        let held = self.book.all().filter(|one| !matches!(one.stage, Stage::Proposed(_)));
        let stops = |one: &Mitigation| match &one.wish.what {
            What::Blackhole(prefix) => Some(*prefix),
            What::Flowspec(rule) => rule.matches.dst,
            What::Diversion(_) => None,
        };
        held.filter_map(stops).collect()
    }

    fn compare_loads(&mut self, sight: &Sight) {
        // What routers stop before it comes there is not missing there.
        let stopped = self.stopped();
        let said: Vec<(Prefix, String)> = self
            .legs
            .values()
            .filter(|leg| leg.is_said())
            .map(|leg| (leg.prefix(), leg.absorber().to_owned()))
            .collect();
        let meet = |a: &Prefix, b: &Prefix| a.covers(b) || b.covers(a);
        for absorber in self.absorbers.all_mut() {
            let name = &absorber.control.name;
            let mine: Vec<Prefix> =
                said.iter().filter(|(_, at)| at == name).map(|(prefix, _)| *prefix).collect();
            let unclear = |prefix: &Prefix| {
                let wider =
                    sight.seen.iter().any(|(seen, _)| !prefix.covers(&seen.name) && seen.name.covers(prefix));
                wider || stopped.iter().any(|other| meet(other, prefix))
            };
            let is_clear = !mine.is_empty() && !mine.iter().any(unclear);
            // Two exporters on one way tell of a packet twice: at least what one of them tells was sent, at most all of it.
            let mut told: BTreeMap<IpAddr, u64> = BTreeMap::new();
            let mut sampled = 0;
            for (seen, amount) in &sight.seen {
                let is_there = mine.iter().any(|prefix| prefix.covers(&seen.name));
                if is_there && !seen.egress && !seen.is_dropped() {
                    *told.entry(seen.exporter).or_default() += amount.packets;
                    sampled += amount.sampled;
                }
            }
            let (least, most) = (told.values().copied().max().unwrap_or(0), told.values().sum());
            absorber.witnesses.told(sight.now, told.into_keys());
            let before = absorber.truth.lie().is_some();
            if !is_clear || absorber.witnesses.silent(sight.now, &sight.heard).is_some() {
                absorber.truth.pause(sight.now);
            } else {
                absorber.truth.sent(least, most, sampled);
                if let Some((at, received)) = absorber.received()
                    && absorber.compared != Some(at)
                {
                    absorber.compared = Some(at);
                    absorber.truth.received(received);
                }
                absorber.truth.handle_timeout(sight.now);
            }
            match absorber.truth.lie() {
                Some(lie) if !before => {
                    tracing::error!(absorber = absorber.control.name, %lie, "the absorber does not tell the truth");
                }
                None if before => {
                    tracing::info!(absorber = absorber.control.name, "the absorber is believed again")
                }
                _ => {}
            }
        }
    }
}

/// Attacks, and those of their rules that may act by themselves; behind them those that did until lately.
fn of(sight: &Sight, before: &Pushed) -> Pushed {
    let mut pushed = Pushed::default();
    let mut lingering = Vec::new();
    let attacks = sight.attacks.iter().filter(|attack| attack.state == State::Active);
    for attack in attacks.filter(|attack| is_incoming(attack) && !attack.doubtful) {
        pushed.peaks.push((attack.target, Load { bps: attack.peak_bps, pps: attack.peak_pps }));
        let policy = sight.terms.policy(&attack.target);
        // Whatever step it is, it is filtering.
        if policy.steps.iter().flatten().max() != Some(&Mode::Enforce) {
            continue;
        }
        for report in &attack.rules {
            let price = report.collateral.as_ref().map(|price| price.packets.max(price.peers));
            if !price.map_or(policy.blind, |price| price <= policy.price_max) {
                continue;
            }
            let Some(rule) = rules::parse::rules(&report.text).ok().and_then(|mut all| all.pop()) else {
                continue;
            };
            let filters = matches!(rule.action, Action::Drop | Action::RatePackets(_) | Action::RateBits(_));
            let Some(dst) = rule.matches.dst.filter(|_| filters) else { continue };
            let rule = Rule { lease: None, sample: None, ..rule };
            pushed.add(Push { attack: attack.id.clone(), dst, rule, wanted: sight.now });
        }
        lingering.extend(before.rules.iter().filter(|push| push.lingers(attack, sight.now)));
    }
    for Push { attack, dst, rule, wanted } in lingering {
        pushed.add(Push { attack: attack.clone(), dst: *dst, rule: rule.clone(), wanted: *wanted });
    }
    pushed
}

impl Pushed {
    fn add(&mut self, push: Push) {
        let same = |other: &Rule| other.id == push.rule.id || other.matches == push.rule.matches;
        if !self.rules.iter().any(|other| same(&other.rule)) {
            self.rules.push(push);
        }
    }
}

impl Push {
    /// Whether it stays though it may be none of the attack's any more; never one that was seen to hit honest traffic.
    fn lingers(&self, attack: &Attack, now: Timestamp) -> bool {
        self.attack == attack.id
            && now.since(self.wanted) < LINGER
            && attack.withdrawn.iter().all(|withdrawn| withdrawn.id != self.rule.id)
    }
}

/// A rule that a person made, as far as it is about a prefix; how long it holds is said here, by taking it back.
fn within(prefix: &Prefix, rule: Rule) -> Option<Rule> {
    let dst = rule.matches.dst?;
    let rule = Rule { lease: None, sample: None, ..rule };
    if prefix.covers(&dst) {
        return Some(rule);
    }
    let matches = Match { dst: Some(*prefix), ..rule.matches.clone() };
    dst.covers(prefix).then(|| named(prefix, Rule { matches, ..rule }))
}

/// A rule of which each prefix has its own.
fn named(prefix: &Prefix, rule: Rule) -> Rule {
    let of = prefix.to_string().replace(['.', ':', '/'], "-");
    Rule { id: format!("{}-{of}", rule.id), ..rule }
}

/// Who is on the never-list passes at absorbers too.
fn spared(place: usize, prefix: &Prefix, src: Prefix) -> Rule {
    let rule = Rule {
        id: format!("never-{place}"),
        precedence: 0,
        matches: Match { dst: Some(*prefix), src: Some(src), ..Match::default() },
        action: Action::Pass,
        per: Per::Rule,
        sample: None,
        lease: None,
    };
    named(prefix, rule)
}

#[cfg(test)]
mod tests;
