//! From the plan in force to what each attack gets, with a sentence.

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use base::units::{BitRate, PacketRate};

use super::document::{self, World};
use super::group::Group;
use super::settle::Settled;
use super::{Claim, Lot, Site};
use crate::planner::{Document, Plan};

/// Others named in a sentence.
const NAMED_MAX: usize = 4;

/// By target.
pub(super) fn lots(world: &World<'_>, settled: &Settled, plan: &Plan) -> BTreeMap<Prefix, Lot> {
    let story = Story { world, settled, plan };
    let mut lots = BTreeMap::new();
    for group in &settled.groups {
        for claim in group.members.iter().filter_map(|place| world.claims.get(*place)) {
            lots.insert(claim.target, story.lot(group, claim));
        }
    }
    for claim in settled.dropped.iter().filter_map(|place| world.claims.get(*place)) {
        lots.insert(claim.target, story.dropped(claim));
    }
    lots
}

/// Those that stay at their absorbers whatever is planned, and what is left there for others.
pub(super) fn fixed(claims: &[Claim<'_>], sites: &[Site]) -> (Vec<Site>, BTreeMap<Prefix, Lot>) {
    let (mut left, mut lots) = (sites.to_vec(), BTreeMap::new());
    for claim in claims {
        let Some(site) = left.iter_mut().find(|site| Some(site.name.as_str()) == claim.at) else { continue };
        let targets = &claim.situation.attack.targets;
        let carried = site.prefixes.iter().filter(|(prefix, _)| targets.iter().any(|t| prefix.covers(t)));
        let places = carried.clone().count();
        let carried: f64 = carried.map(|(_, usual)| usual.0).sum();
        site.slots = site.slots.map(|slots| slots.saturating_sub(places));
        let volume = claim.situation.attack.volume;
        site.capacity = BitRate((site.capacity.0 - volume.bits.0 - carried).max(0.0));
        site.packets = site.packets.map(|packets| PacketRate((packets.0 - volume.packets.0).max(0.0)));
        let links = claim.situation.links.iter().map(|link| link.name.clone()).collect();
        let why = format!(
            "{} (value {}) stays at absorber {}: it may not be given up",
            claim.target, claim.value, site.name
        );
        let lot = Lot { absorber: Some((site.name.clone(), links)), why, ..Lot::default() };
        lots.insert(claim.target, lot);
    }
    (left, lots)
}

/// What there is for one that can be neither kept nor given up.
pub(super) fn stuck(claim: &Claim<'_>) -> Lot {
    let links: Vec<&str> = claim.situation.links.iter().map(|link| link.name.as_str()).collect();
    let at = if links.is_empty() { document::NETWORK.to_owned() } else { links.join(", ") };
    let why = format!(
        "{} (value {}) may not be given up, and nothing has room for it: its {} go on to come at {at}",
        claim.target, claim.value, claim.situation.attack.volume.bits
    );
    Lot { why, ..Lot::default() }
}

struct Story<'a> {
    world: &'a World<'a>,
    settled: &'a Settled,
    plan: &'a Plan,
}

impl Story<'_> {
    fn lot(&self, group: &Group, claim: &Claim<'_>) -> Lot {
        if let Some(one) = self.plan.sacrificed.iter().find(|one| one.target == group.key) {
            let why = format!("{}{}{}", one.why, self.full(group), self.doubted(group));
            return Lot { sacrificed: true, why, ..Lot::default() };
        }
        let diverted = self.plan.diverted.iter().filter(|one| one.target == group.key);
        let absorber = diverted.clone().next().map(|one| one.absorber.clone());
        let links: Vec<String> = diverted.map(|one| one.entry.clone()).collect();
        let mut rules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let own = |id: &str| claim.situation.routed.iter().any(|candidate| candidate.rule.id == id);
        for rule in self.plan.rules.iter().filter(|rule| rule.target == group.key && own(&rule.id)) {
            rules.entry(rule.entry.clone()).or_default().insert(rule.id.clone());
        }
        let why = self.why(group, claim, absorber.as_deref(), &links, &rules);
        Lot { sacrificed: false, absorber: absorber.map(|name| (name, links)), rules, why }
    }

    /// Absorbers that are not counted on for a group, for hardly anything came there when it was tried.
    fn doubted(&self, group: &Group) -> String {
        let attacks = self.settled.document.attacks.iter().filter(|attack| attack.target == group.key);
        let entries: Vec<&str> = attacks.map(|attack| attack.entry.as_str()).collect();
        let sites = self.world.sites.iter().map(|site| site.name.as_str());
        let pairs = sites.flat_map(|site| entries.iter().map(move |entry| (*entry, site)));
        let doubted = pairs.filter(|(entry, site)| self.world.doubts(entry, site)).take(NAMED_MAX);
        let said = |(entry, site): (&str, &str)| {
            format!(
                "; of what was led from {entry} to {site} too little was measured to come there (`spillway route playbook`)"
            )
        };
        doubted.map(said).collect()
    }

    /// Absorbers that would have taken a group, and take no more prefixes.
    fn full(&self, group: &Group) -> String {
        let names = self.settled.full.get(&group.key).into_iter().flatten().take(NAMED_MAX);
        let sites = names.filter_map(|name| self.world.sites.iter().find(|site| site.name == *name));
        let said = |site: &Site| {
            let slots = site.slots.unwrap_or_default();
            format!(
                "; absorber {} takes {slots} prefixes of ours at one time, and others have them",
                site.name
            )
        };
        sites.map(said).collect()
    }

    fn dropped(&self, claim: &Claim<'_>) -> Lot {
        let shared = self.settled.groups.iter().find(|group| {
            let targets = &claim.situation.attack.targets;
            group.needs.iter().any(|need| targets.iter().any(|target| need.covers(target)))
        });
        let others = shared.map_or_else(String::new, |group| {
            let members = group.members.iter().filter_map(|place| self.world.claims.get(*place));
            let names: Vec<String> = members.map(|other| named(other)).take(NAMED_MAX).collect();
            format!(
                ": it would be led to an absorber with {}, and there is no room for all of them",
                names.join(", ")
            )
        });
        let why = format!("{} is sacrificed (value {}){others}", claim.target, claim.value);
        Lot { sacrificed: true, why, ..Lot::default() }
    }

    /// Why a target that is kept gets what it gets.
    fn why(
        &self,
        group: &Group,
        claim: &Claim<'_>,
        absorber: Option<&str>,
        links: &[String],
        rules: &BTreeMap<String, BTreeSet<String>>,
    ) -> String {
        let mut text = format!("{} is kept (value {})", claim.target, claim.value);
        let document = &self.settled.document;
        match absorber {
            None if rules.is_empty() => text.push_str(": all of it that comes fits"),
            None => {
                let count = rules.values().flatten().collect::<BTreeSet<_>>().len();
                let at: Vec<&str> = rules.keys().map(String::as_str).collect();
                text.push_str(&format!(": {count} rules at {} are enough", at.join(", ")));
            }
            Some(name) => {
                let needs = received(document, group.key);
                text.push_str(&format!(
                    ": absorber {name} takes its {} at {}",
                    BitRate(needs),
                    links.join(", ")
                ));
                if let Some(site) = self.world.sites.iter().find(|site| site.name == name) {
                    let used: f64 = self.used(document, name);
                    text.push_str(&format!(" ({} of {} are planned)", BitRate(used), site.capacity));
                }
                let others = self.rejected(group, name, needs);
                if !others.is_empty() {
                    text.push_str(&format!("; not {}", others.join(", not ")));
                }
            }
        }
        let given: Vec<String> =
            self.plan.sacrificed.iter().take(NAMED_MAX).map(|one| one.target.to_string()).collect();
        if !given.is_empty() {
            text.push_str(&format!("; {} is given up", given.join(", ")));
        }
        text
    }

    /// Other absorbers that are prepared for it, and why it does not go there.
    fn rejected(&self, group: &Group, chosen: &str, needs: f64) -> Vec<String> {
        let others = self.world.sites.iter().filter(|site| {
            site.name != chosen && group.needs.iter().all(|need| site.prefixes.iter().any(|(p, _)| p == need))
        });
        let told = others.map(|site| {
            let left = (site.capacity.0 - self.used(&self.settled.document, &site.name)).max(0.0);
            if needs > left {
                format!("{} with {} left", site.name, BitRate(left))
            } else {
                format!("{}, which is no better", site.name)
            }
        });
        told.take(NAMED_MAX).collect()
    }

    /// What the plan leads to an absorber, bits/s.
    fn used(&self, document: &Document, absorber: &str) -> f64 {
        let to = self.plan.diverted.iter().filter(|one| one.absorber == absorber);
        let of = |one: &crate::planner::Diversion| {
            let is_it =
                |attack: &&crate::planner::Attack| attack.target == one.target && attack.entry == one.entry;
            document.attacks.iter().find(is_it).map_or(0.0, |attack| attack.bps + attack.legit_bps)
        };
        to.map(of).sum()
    }
}

fn received(document: &Document, target: Prefix) -> f64 {
    let all = document.attacks.iter().filter(|attack| attack.target == target);
    all.map(|attack| attack.bps + attack.legit_bps).sum()
}

fn named(claim: &Claim<'_>) -> String {
    format!("{} (value {})", claim.target, claim.value)
}
