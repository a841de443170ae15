//! Absorbers take only so many prefixes at one time: who has to go elsewhere when a plan leads more to one.

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;

use super::document::World;
use super::group::Group;
use super::settle::Held;
use crate::planner::Plan;

/// Who keeps a place at an absorber that has not enough of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The most valuable.
    Value,
    /// Those whom no other absorber takes, then the most valuable.
    Bound,
}

/// Prefixes that a plan leads to each absorber.
fn led(groups: &[Group], plan: &Plan) -> BTreeMap<String, usize> {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for (group, site) in places(groups, plan) {
        *all.entry(site).or_default() += group.needs.len();
    }
    all
}

/// Groups with the absorbers to which they are led, each once.
fn places<'a>(groups: &'a [Group], plan: &Plan) -> Vec<(&'a Group, String)> {
    let mut all = Vec::new();
    for group in groups {
        let own = plan.diverted.iter().filter(|one| one.target == group.key);
        let sites: BTreeSet<&String> = own.map(|one| &one.absorber).collect();
        all.extend(sites.into_iter().map(|site| (group, site.clone())));
    }
    all
}

/// Whether an absorber gets more prefixes than it takes.
pub(super) fn is_over(world: &World<'_>, groups: &[Group], plan: &Plan) -> bool {
    let led = led(groups, plan);
    world
        .sites
        .iter()
        .any(|site| site.slots.is_some_and(|slots| led.get(&site.name).copied().unwrap_or_default() > slots))
}

/// Keeps those who find no place from absorbers that get too many prefixes. `for_good`: all but those who are there have none, so
/// that the next plan leads nobody else there.
pub(super) fn bar(
    world: &World<'_>,
    groups: &[Group],
    plan: &Plan,
    held: &mut Held,
    (pinned, first, for_good): (bool, First, bool),
) {
    let led = led(groups, plan);
    for site in world.sites {
        let Some(slots) = site.slots else { continue };
        if led.get(&site.name).copied().unwrap_or_default() <= slots {
            continue;
        }
        let mut there: Vec<&Group> = places(groups, plan)
            .into_iter()
            .filter(|(_, to)| *to == site.name)
            .map(|(group, _)| group)
            .collect();
        let others = |group: &Group| {
            let entries = plan.diverted.iter().filter(|one| one.target == group.key);
            let mut takers = entries.map(|one| world.takers(group, &one.entry, pinned, held));
            takers.next().is_some_and(|names| names.iter().any(|name| *name != site.name))
        };
        let bound = |group: &Group| first == First::Bound && !others(group);
        let value = |group: &Group| members(world, group).map(|claim| claim.value).sum::<f64>();
        let stays = |group: &Group| members(world, group).any(|claim| claim.at == Some(site.name.as_str()));
        there.sort_by(|a, b| {
            bound(b)
                .cmp(&bound(a))
                .then(value(b).total_cmp(&value(a)))
                .then(stays(b).cmp(&stays(a)))
                .then(a.key.cmp(&b.key))
        });
        let (mut left, mut barred) = (slots, Vec::new());
        for group in &there {
            match left.checked_sub(group.needs.len()) {
                Some(less) => left = less,
                None => barred.push(group.key),
            }
        }
        if for_good {
            let is_there = |key: &Prefix| there.iter().any(|group| group.key == *key);
            barred.extend(groups.iter().map(|group| group.key).filter(|key| !is_there(key)));
        }
        for key in barred {
            held.barred.entry(key).or_default().insert(site.name.clone());
        }
    }
}

fn members<'a>(world: &'a World<'a>, group: &'a Group) -> impl Iterator<Item = &'a super::Claim<'a>> {
    group.members.iter().filter_map(|place| world.claims.get(*place))
}
