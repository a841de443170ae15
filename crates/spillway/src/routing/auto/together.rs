//! The plan for all attacks at once: made from what is known now, and told to each case as its lot.

use std::collections::BTreeMap;

use base::{Prefix, Span, Timestamp};
use serde_json::{Value, json};
use steer::absorb::word::Load;
use steer::allot::{Allotted, Allotter, Claim, Lot, Site};
use steer::bgp::step::State;
use steer::book::{Actor, Mitigation, Stage, What};
use steer::ladder::{Attack, Candidate, InForce, Link, Machine, Policy, Situation, Step, Volume};
use steer::planner::{Mode, Settings, Switch};

use super::case::Case;
use super::{Auto, in_force, policy, situation};
use crate::routing::absorbers::whole;
use crate::routing::clerk::Clerk;
use crate::routing::lookout::Sight;
use crate::routing::speaker::PeerStatus;

/// While nothing changes, it is planned again after so long: plans ease with time.
const AGAIN: Span = Span::from_secs(5);
/// Numbers that differ by less than this share are the same.
const SAME: f64 = 0.02;

/// Who may take what is diverted now, and who may not.
#[derive(Debug, Default)]
pub(super) struct Sites {
    pub(super) all: Vec<Site>,
    left_out: Vec<(Vec<Prefix>, String)>,
}

impl Sites {
    /// Why absorbers that are prepared for a case get nothing.
    pub(super) fn left_out<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = &'a str> {
        let concerns = |prefixes: &[Prefix]| prefixes.iter().any(|prefix| case.concerns(prefix));
        self.left_out.iter().filter(move |(of, _)| concerns(of)).map(|(_, why)| why.as_str())
    }
}

/// Plans, and what was planned last.
#[derive(Debug)]
pub(super) struct Council {
    allotter: Allotter,
    /// What the last plan was made from, and when.
    last: Option<(Timestamp, Vec<f64>, Vec<String>)>,
    lots: BTreeMap<Prefix, Lot>,
}

impl Default for Council {
    fn default() -> Self {
        Self { allotter: Allotter::new(Settings::default()), last: None, lots: BTreeMap::new() }
    }
}

/// What one claim is made of.
struct Parts {
    target: Prefix,
    value: f64,
    attack: Attack,
    links: Vec<Link>,
    candidates: Vec<Candidate>,
    routed: Vec<Candidate>,
    in_force: Vec<InForce>,
    policy: Policy,
    at: Option<String>,
    least: Option<Volume>,
}

impl Auto {
    /// Plans where something changed; each case has its lot afterwards.
    pub(super) fn plan(
        &mut self,
        clerk: &mut Clerk,
        sight: &Sight,
        status: &BTreeMap<String, PeerStatus>,
    ) -> Sites {
        let terms = &sight.terms;
        let fill = Policy::default().fill_max;
        let (all, left_out) = clerk.sites(&terms.ladder, fill);
        let sites = Sites { all, left_out };
        let is_up = |name: &str| status.get(name).is_some_and(|peer| peer.state == State::Established);
        let routers = clerk.routing().routers.iter().map(|router| router.name.as_str());
        self.roll.call(sight.now, routers.map(|name| (name, is_up(name))));
        let sizes = self.cases.iter().filter(|case| case.attacked).map(|case| {
            // For a guess no route is held back.
            let volume = case.least(sight.now).unwrap_or_else(|| case.volume(sight.now));
            (case.target, Load { bps: whole(volume.bits.0), pps: whole(volume.packets.0) })
        });
        clerk.sizes = sizes.collect();
        let parts: Vec<Parts> = self.cases.iter_mut().filter_map(|case| parts(clerk, sight, case)).collect();
        if parts.is_empty() {
            self.council = Council::default();
            clerk.planned = Value::Null;
            self.cases.iter_mut().for_each(|case| case.lot = None);
            return sites;
        }
        let engines = |one: &Mitigation| one.wish.actor == Actor::Engine;
        let neighbors = situation::neighbors(clerk.routing(), terms, status, &clerk.book, engines);
        let neighbors = self.roll.awaited(sight.now, neighbors);
        let absorbers = situation::absorbers(&sites.all);
        let situations: Vec<Situation<'_>> = parts
            .iter()
            .map(|part| Situation {
                attack: &part.attack,
                links: &part.links,
                machine: terms.filters.then(Machine::default),
                candidates: &part.candidates,
                routed: &part.routed,
                neighbors: &neighbors,
                absorbers: &absorbers,
                in_force: &part.in_force,
                policy: &part.policy,
                rails: clerk.book.rails(),
                drills: clerk.drilled(),
                lot: None,
            })
            .collect();
        let claims: Vec<Claim<'_>> = parts
            .iter()
            .zip(&situations)
            .map(|(part, situation)| Claim {
                target: part.target,
                value: part.value,
                situation,
                at: part.at.as_deref(),
                can_end: part.policy.mode(Step::Blackhole).is_some(),
                least: part.least,
            })
            .collect();
        let (numbers, words) = fingerprint(&claims, &sites.all);
        let is_same = self.council.last.as_ref().is_some_and(|(at, before, said)| {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= SAME * a.abs().max(b.abs());
            sight.now.since(*at) < AGAIN
                && *said == words
                && before.len() == numbers.len()
                && before.iter().zip(&numbers).all(near)
        });
        if !is_same {
            let mode = terms.ladder.plan;
            let measured = clerk.plays.within(clerk.now(), Policy::default().drilled_within);
            let looked = self.council.allotter.look(sight.now, &claims, &sites.all, &measured, mode);
            match looked {
                Ok(allotted) => {
                    let news = self.council.news(&allotted);
                    let shown = document(sight.now, mode, &allotted, &sites);
                    drop(claims);
                    drop(situations);
                    if let Some(news) = news {
                        clerk.remark("planned", news);
                    }
                    clerk.planned = shown;
                    self.council.lots = allotted.lots;
                }
                Err(refusal) => {
                    tracing::error!(%refusal, "there is no plan for all attacks: each is met by itself")
                }
            }
            self.council.last = Some((sight.now, numbers, words));
        }
        for case in &mut self.cases {
            case.lot = self.council.lots.get(&case.target).filter(|_| case.attacked).cloned();
        }
        sites
    }
}

impl Council {
    /// What is new, for the journal.
    fn news(&self, allotted: &Allotted) -> Option<String> {
        let is_new = |(target, lot): &(&Prefix, &Lot)| {
            let before = self.lots.get(*target);
            let kind = |lot: &Lot| (lot.sacrificed, lot.absorber.as_ref().map(|(name, _)| name.clone()));
            before.map(kind) != Some(kind(lot))
        };
        let whys: Vec<&str> = allotted.lots.iter().filter(is_new).map(|(_, lot)| lot.why.as_str()).collect();
        (!whys.is_empty()).then(|| whys.join("; "))
    }
}

/// What one case brings to the plan; `None`: nothing acts on it.
fn parts(clerk: &Clerk, sight: &Sight, case: &mut Case) -> Option<Parts> {
    let attack = case.attack.clone().filter(|_| case.attacked)?;
    let volume = case.volume(sight.now);
    let ours = situation::attack(&attack, volume, case.honest);
    if !ours.sure || sight.terms.observes(&case.target) {
        return None;
    }
    let held = clerk.book.all().filter(|one| !matches!(one.stage, Stage::Proposed(_)));
    let at = held.into_iter().find_map(|one| match &one.wish.what {
        What::Diversion(prefix) if case.concerns(prefix) => clerk.absorber_of(prefix).map(str::to_owned),
        _ => None,
    });
    Some(Parts {
        target: case.target,
        value: sight.terms.ladder.value(&case.target),
        links: situation::links(&sight.terms, &attack, volume, &sight.exporters),
        candidates: situation::candidates(&attack),
        routed: situation::for_routers(&attack, &sight.terms.view()).0,
        in_force: in_force(clerk, sight, case),
        policy: policy(clerk, sight, case),
        attack: ours,
        at,
        least: case.least(sight.now),
    })
}

/// All that a plan depends on: numbers, and what has to be the same.
fn fingerprint(claims: &[Claim<'_>], sites: &[Site]) -> (Vec<f64>, Vec<String>) {
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    for claim in claims {
        let Situation { attack, links, candidates, routed, neighbors, in_force, policy, .. } =
            claim.situation;
        numbers.extend([claim.value, attack.volume.bits.0, attack.volume.packets.0, attack.honest.bits.0]);
        numbers.push(claim.least.map_or(0.0, |least| least.bits.0));
        numbers.extend(links.iter().map(|link| link.share));
        numbers.extend(candidates.iter().map(|candidate| candidate.stops));
        let all = candidates.iter().chain(*routed);
        let ids: Vec<&str> = all.map(|candidate| candidate.rule.id.as_str()).collect();
        let ways: Vec<(&str, bool)> = neighbors.iter().map(|n| (n.name.as_str(), n.up)).collect();
        words.push(format!(
            "{} {:?} {:?} {ids:?} {ways:?} {in_force:?} {:?}",
            claim.target, attack.targets, claim.at, policy.steps
        ));
    }
    for site in sites {
        numbers.extend([site.capacity.0, site.packets.map_or(0.0, |packets| packets.0)]);
        words.push(site.name.clone());
    }
    (numbers, words)
}

/// What is shown of it.
fn document(now: Timestamp, mode: Mode, allotted: &Allotted, sites: &Sites) -> Value {
    let lots: Vec<Value> = allotted
        .lots
        .iter()
        .map(|(target, lot)| {
            json!({
                "target": target,
                "sacrificed": lot.sacrificed,
                "absorber": lot.absorber.as_ref().map(|(name, _)| name),
                "entries": lot.absorber.as_ref().map(|(_, links)| links),
                "rules": lot.rules,
                "why": lot.why,
            })
        })
        .collect();
    let switch = match allotted.switch {
        Switch::Forced => "forced",
        Switch::Better => "better",
        Switch::Eased => "eased",
        Switch::Stays => "stays",
        Switch::Waits => "waits",
    };
    let left_out: Vec<&str> = sites.left_out.iter().map(|(_, why)| why.as_str()).collect();
    json!({
        "at": now.to_string(),
        "mode": mode,
        "switch": switch,
        "targets": lots,
        "left_out": left_out,
        "plan": allotted.plan,
        "document": allotted.document,
    })
}
