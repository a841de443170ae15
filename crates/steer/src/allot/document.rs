//! From situations to the planner's document.

use std::collections::{BTreeMap, BTreeSet};

use base::{Prefix, Timestamp};
use rules::Action;

use super::group::Group;
use super::settle::Held;
use super::{Claim, Site};
use crate::effect::Verdict;
use crate::ladder::reach::{self, Taken};
use crate::ladder::{Link, Situation, Step};
use crate::planner::playbook::Playbook;
use crate::planner::{Absorber, Attack, Document, Entry, Filter, Target};
use crate::rails::Class;

/// Where no way in is configured, all comes by this one.
pub const NETWORK: &str = "the network";
/// What comes by no way in that is configured.
pub(super) const ELSEWHERE: &str = "elsewhere";
/// A smaller part of an attack has no way in of its own.
const PART_MIN: f64 = 0.001;
/// An announcement that was measured to move less than this share of an entry's traffic does not lead there.
const MOVES_MIN: f64 = 0.5;
/// What a target bears is a sum of the same numbers as what comes; their rounding is none of its business.
const ROUNDING: f64 = 1.0 + 1e-9;

/// All that is planned from.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) now: Timestamp,
    pub(super) claims: &'a [Claim<'a>],
    pub(super) sites: &'a [Site],
    pub(super) playbook: &'a Playbook,
    /// What comes by each link for those who can be neither kept nor given up, bits/s.
    pub(super) taken: &'a BTreeMap<String, f64>,
}

/// Counts what of an attack comes by each link.
pub(super) fn take(taken: &mut BTreeMap<String, f64>, claim: &Claim<'_>) {
    for (entry, share) in shares(claim.situation.links) {
        *taken.entry(entry).or_default() += claim.situation.attack.volume.bits.0 * share;
    }
}

impl World<'_> {
    /// The document. `pinned`: what is at an absorber stays there or is given up.
    pub(super) fn document(&self, groups: &[Group], pinned: bool, held: &Held) -> Document {
        let mut document = Document::default();
        let entries = self.entries();
        document.entries.clone_from(&entries);
        for site in self.sites {
            document.absorbers.push(Absorber {
                name: site.name.clone(),
                capacity_bps: Some(site.capacity.0.max(0.0)),
                capacity_pps: site.packets.map(|packets| packets.0.max(0.0)),
                cost_per_gbps: site.cost_per_gbps,
                reaches: entries
                    .iter()
                    .map(|entry| &entry.name)
                    .filter(|entry| !self.doubts(entry, &site.name))
                    .cloned()
                    .collect(),
            });
        }
        for group in groups {
            self.group(&mut document, group, pinned, held);
        }
        // What comes in peace is in each link's load already; it is counted where it comes.
        for entry in &mut document.entries {
            let legit = document.attacks.iter().filter(|attack| attack.entry == entry.name);
            let legit: f64 = legit.map(|attack| attack.legit_bps).sum();
            entry.link_bps = entry.link_bps.map(|room| room + legit);
        }
        document
    }

    /// Ways in, with what is left on each, and with the rules that fit into all routers before it.
    fn entries(&self) -> Vec<Entry> {
        let Some(any) = self.claims.first() else { return Vec::new() };
        let fill = any.situation.policy.fill_max;
        let mut entries: Vec<Entry> = Vec::new();
        for link in any.situation.links {
            let taken = self.taken.get(&link.name).copied().unwrap_or_default();
            let room = link.capacity.map(|capacity| (capacity.0 * fill - link.other.0 - taken).max(0.0));
            let slots = Some(self.slots(Some(&link.name)));
            entries.push(Entry { name: link.name.clone(), link_bps: room, flowspec_slots: slots });
        }
        let name = if entries.is_empty() { NETWORK } else { ELSEWHERE };
        let slots = Some(self.slots(None));
        entries.push(Entry { name: name.to_owned(), link_bps: None, flowspec_slots: slots });
        entries
    }

    #[expect(clippy::cast_precision_loss, reason = "routers take far fewer than 2^53 rules")]
    fn slots(&self, link: Option<&str>) -> f64 {
        let Some(any) = self.claims.first() else { return 0.0 };
        let takes = any.situation.neighbors.iter().filter(|neighbor| {
            let stands = link.is_none_or(|link| neighbor.links.iter().any(|name| name == link));
            neighbor.up && stands && neighbor.carries.iter().any(|(class, _)| *class == Class::Flowspec)
        });
        takes.map(|neighbor| neighbor.rules_left).min().unwrap_or(0) as f64
    }

    fn group(&self, document: &mut Document, group: &Group, pinned: bool, held: &Held) {
        let members = || group.members.iter().filter_map(|place| self.claims.get(*place));
        let (mut bits, mut packets) = (Some(0.0), Some(0.0));
        let mut parts: BTreeMap<String, Attack> = BTreeMap::new();
        for claim in members() {
            let situation = claim.situation;
            let (bears_bits, bears_packets) = bears(situation);
            bits = bits.zip(bears_bits).map(|(sum, more)| sum + more);
            packets = packets.zip(bears_packets).map(|(sum, more)| sum + more);
            for (entry, share) in shares(situation.links) {
                let part = parts.entry(entry.clone()).or_insert_with(|| Attack {
                    target: group.key,
                    entry,
                    bps: 0.0,
                    pps: 0.0,
                    legit_bps: 0.0,
                    rules: Vec::new(),
                    absorbers: None,
                });
                part.bps += situation.attack.volume.bits.0 * share;
                part.pps += situation.attack.volume.packets.0 * share;
                part.legit_bps += situation.attack.honest.bits.0 * share;
            }
        }
        let carried = self.carried(group);
        let all: f64 = parts.values().map(|part| part.bps).sum();
        for part in parts.values_mut() {
            part.legit_bps += if all > 0.0 { carried * part.bps / all } else { 0.0 };
            let may = members().flat_map(|claim| self.rules(claim, part)).collect();
            part.rules = additive(may);
            let takers = self.takers(group, &part.entry, pinned, held);
            part.absorbers = Some(takers.into_iter().collect());
        }
        document.targets.push(Target {
            prefix: group.key,
            value: members().map(|claim| claim.value.max(0.0)).sum(),
            max_bps: bits.map(|most| (most + carried) * ROUNDING),
            max_pps: packets.map(|most| most * ROUNDING),
        });
        document.attacks.extend(parts.into_values());
    }

    /// Whether what was led from an entry to an absorber was measured not to come there.
    pub(super) fn doubts(&self, entry: &str, site: &str) -> bool {
        self.playbook.doubts(entry, site, MOVES_MIN)
    }

    /// What the prefixes of a group get in peace: all of it moves.
    fn carried(&self, group: &Group) -> f64 {
        let of = |need: &Prefix| {
            let all = self.sites.iter().flat_map(|site| &site.prefixes);
            all.filter(|(prefix, _)| prefix == need).map(|(_, usual)| usual.0).fold(0.0, f64::max)
        };
        group.needs.iter().map(of).sum()
    }

    /// Rules of one claim that routers before an entry may get. A price that the policy allows is no reason to lead a whole
    /// prefix elsewhere instead, so it is not counted.
    fn rules(&self, claim: &Claim<'_>, part: &Attack) -> Vec<Filter> {
        let situation = claim.situation;
        if situation.policy.mode(Step::Flowspec).is_none() {
            return Vec::new();
        }
        let Ok((taken, ..)) = reach::sayable(situation) else { return Vec::new() };
        let ids = taken.iter().map(|candidate| &candidate.rule.id);
        if situation.verdict(Step::Flowspec, ids).is_some_and(fails_short) {
            return Vec::new();
        }
        let about: Vec<Prefix> = taken.iter().filter_map(|candidate| candidate.rule.matches.dst).collect();
        let ways = reach::filterers(self.now, situation, &about);
        if ways.map_or(true, |ways| ways.uncovered.contains(&part.entry)) {
            return Vec::new();
        }
        let share: f64 = shares(situation.links)
            .into_iter()
            .filter(|(entry, _)| *entry == part.entry)
            .map(|(_, s)| s)
            .sum();
        let own = situation.attack.volume.bits.0 * share;
        let weight = if part.bps > 0.0 { own / part.bps } else { 0.0 };
        let of = |candidate: &&crate::ladder::Candidate| Filter {
            id: candidate.rule.id.clone(),
            removes: (candidate.stops * weight).clamp(0.0, 1.0),
            collateral: 0.0,
        };
        taken.iter().filter(|candidate| candidate.rule.action != Action::Pass).map(of).collect()
    }

    /// Who may take a group's traffic of an entry.
    pub(super) fn takers(&self, group: &Group, entry: &str, pinned: bool, held: &Held) -> BTreeSet<String> {
        if group.needs.is_empty() {
            return BTreeSet::new();
        }
        let members: Vec<&Claim<'_>> =
            group.members.iter().filter_map(|place| self.claims.get(*place)).collect();
        let divertible: Vec<&&Claim<'_>> =
            members.iter().filter(|claim| self.leads(claim, group, entry)).collect();
        if divertible.is_empty() {
            return BTreeSet::new();
        }
        let fails = |name: &str| {
            let fails = |claim: &&&Claim<'_>| {
                claim.at == Some(name)
                    && claim.situation.verdict(Step::Diversion, std::iter::empty()).is_some_and(fails_short)
            };
            divertible.iter().any(fails)
        };
        // One that is lost, or does nothing, keeps nobody.
        let holds = |name: &&str| self.sites.iter().any(|site| site.name == **name) && !fails(name);
        let stays = members.iter().find_map(|claim| claim.at).filter(|_| pinned).filter(holds);
        let takes = |site: &&Site| {
            group.needs.iter().all(|need| site.prefixes.iter().any(|(prefix, _)| prefix == need))
                && stays.is_none_or(|stays| stays == site.name)
                && held.allows(&group.key, &site.name)
                && !fails(&site.name)
        };
        self.sites.iter().filter(takes).map(|site| site.name.clone()).collect()
    }

    /// Whether routers before an entry may lead a claim's traffic away.
    fn leads(&self, claim: &Claim<'_>, group: &Group, entry: &str) -> bool {
        let situation = claim.situation;
        if situation.policy.mode(Step::Diversion).is_none() {
            return false;
        }
        let needs: Vec<Prefix> = group.needs.iter().copied().collect();
        reach::diverters(self.now, situation, &needs)
            .is_ok_and(|ways| !ways.uncovered.iter().any(|link| link == entry))
    }
}

/// Whether a step may be taken, and was not seen to do too little.
fn may(situation: &Situation<'_>, step: Step) -> bool {
    situation.policy.mode(step).is_some()
        && !situation.verdict(step, std::iter::empty()).is_some_and(fails_short)
}

/// What is in force does not suffice.
const fn fails_short(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Ineffective | Verdict::Partly)
}

/// By which ways in an attack comes, and which share of it by each.
fn shares(links: &[Link]) -> Vec<(String, f64)> {
    let all: f64 = links.iter().map(|link| link.share.clamp(0.0, 1.0)).sum();
    let over = all.max(1.0);
    let mut shares: Vec<(String, f64)> = links
        .iter()
        .map(|link| (link.name.clone(), link.share.clamp(0.0, 1.0) / over))
        .filter(|(_, share)| *share >= PART_MIN)
        .collect();
    let left = 1.0 - shares.iter().map(|(_, share)| share).sum::<f64>();
    if left >= PART_MIN {
        let name = if links.is_empty() { NETWORK } else { ELSEWHERE };
        shares.push((name.to_owned(), left));
    }
    shares
}

/// What a target bears of bits and packets: as the policy has it, unless a machine behind the links filters the rest.
fn bears(situation: &Situation<'_>) -> (Option<f64>, Option<f64>) {
    let left = situation.policy.left_max;
    let filters = situation.machine.is_some()
        && may(situation, Step::Kernel)
        && reach::affordable(situation, |_| true)
            .is_ok_and(|(_, stops, _): Taken<'_>| 1.0 - stops <= left + 1e-9);
    if filters {
        return (None, None);
    }
    let attack = situation.attack;
    (Some(attack.honest.bits.0 + attack.volume.bits.0 * left), Some(attack.volume.packets.0 * left))
}

/// The ladder's rules stop what those before them left, and their shares add up; the planner's multiply.
fn additive(rules: Vec<Filter>) -> Vec<Filter> {
    let mut seen = BTreeSet::new();
    let mut left = 1.0;
    let mut all = Vec::new();
    for rule in rules {
        if !seen.insert(rule.id.clone()) {
            continue;
        }
        let removes = if left > 0.0 { (rule.removes / left).min(1.0) } else { 0.0 };
        left = (left - rule.removes).max(0.0);
        all.push(Filter { removes, ..rule });
    }
    all
}
