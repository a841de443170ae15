//! Planning until what cannot be done is not in the plan any more: one prefix led to several absorbers, more prefixes led to one
//! than it takes.

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;

use super::Site;
use super::document::World;
use super::group::{Group, groups};
use super::slots::{self, First};
use crate::planner::{Document, Effort, Mode, Plan, Refusal, plan};

/// Plans at most for one document; then what still goes to several absorbers goes to none.
const TRIES_MAX: usize = 16;

/// What was decided before planning, by the groups' names.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// The only absorbers that a group may go to.
    pub(super) only: BTreeMap<Prefix, BTreeSet<String>>,
    /// Those that have no place for it.
    pub(super) barred: BTreeMap<Prefix, BTreeSet<String>>,
}

impl Held {
    /// Whether a group may go there.
    pub(super) fn allows(&self, group: &Prefix, site: &str) -> bool {
        self.only.get(group).is_none_or(|only| only.contains(site))
            && self.barred.get(group).is_none_or(|barred| !barred.contains(site))
    }
}

/// A document whose plan can be carried out.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) document: Document,
    pub(super) groups: Vec<Group>,
    /// Claims that are given up so that others of their prefix can be kept, by place.
    pub(super) dropped: BTreeSet<usize>,
    /// Absorbers that take no more prefixes, by the groups that would have gone there.
    pub(super) full: BTreeMap<Prefix, BTreeSet<String>>,
    plan: Plan,
}

impl Settled {
    /// Somebody is given up.
    pub(super) fn gives_up(&self) -> bool {
        !self.plan.sacrificed.is_empty() || !self.dropped.is_empty()
    }

    /// Claims that are given up, by place.
    pub(super) fn lost(&self) -> BTreeSet<usize> {
        let sacrificed = |group: &&Group| self.plan.sacrificed.iter().any(|one| one.target == group.key);
        let members = self.groups.iter().filter(sacrificed).flat_map(|group| group.members.iter().copied());
        members.chain(self.dropped.iter().copied()).collect()
    }

    /// What is kept.
    pub(super) const fn value(&self) -> f64 {
        self.plan.value_kept
    }

    /// How many are kept.
    pub(super) fn kept(&self) -> usize {
        let kept = |group: &&Group| self.plan.kept.contains(&group.key);
        self.groups.iter().filter(kept).map(|group| group.members.len()).sum()
    }
}

/// Plans. Where absorbers have too few places for prefixes, the better of two ways to fill them.
pub(super) fn settle(
    world: &World<'_>,
    pinned: bool,
    mode: Mode,
    effort: Effort,
) -> Result<Settled, Refusal> {
    let settled = settle_by(world, pinned, First::Value, mode, effort)?;
    if settled.full.is_empty() || !settled.gives_up() {
        return Ok(settled);
    }
    let other = settle_by(world, pinned, First::Bound, mode, effort)?;
    let is_better = match mode {
        Mode::ProtectMostValuable => other.value() > settled.value(),
        Mode::ShareThePain => other.kept() > settled.kept(),
    };
    Ok(if is_better { other } else { settled })
}

fn settle_by(
    world: &World<'_>,
    pinned: bool,
    first: First,
    mode: Mode,
    effort: Effort,
) -> Result<Settled, Refusal> {
    let (mut held, mut dropped) = (Held::default(), BTreeSet::new());
    let mut asked: BTreeMap<Prefix, BTreeSet<String>> = BTreeMap::new();
    let mut tries = 0;
    loop {
        let groups = groups(world.claims, world.sites, &dropped);
        let document = world.document(&groups, pinned, &held);
        let plan = plan(&document, mode, effort)?;
        tries += 1;
        if slots::is_over(world, &groups, &plan) {
            slots::bar(world, &groups, &plan, &mut held, (pinned, first, tries >= TRIES_MAX));
            continue;
        }
        // One that was held to an absorber that has no room for it may find room at another.
        let lost = |group: &&Group| {
            asked.contains_key(&group.key) && plan.sacrificed.iter().any(|one| one.target == group.key)
        };
        let again = parted(&plan).or_else(|| groups.iter().find(lost).map(|group| group.key));
        if let Some(group) = again.and_then(|key| groups.iter().find(|group| group.key == key)) {
            let tried = asked.entry(group.key).or_default();
            let next = next(world, &document, group, (pinned, tried), &held).filter(|_| tries < TRIES_MAX);
            let was_held = held.only.get(&group.key).is_some_and(|only| only.len() == 1);
            tried.extend(next.clone());
            if next.is_some() || !was_held {
                held.only.insert(group.key, next.into_iter().collect());
                continue;
            }
        }
        // Of several that share a prefix, the least valuable goes first.
        let least = groups
            .iter()
            .filter(|group| group.members.len() > 1)
            .filter(|group| plan.sacrificed.iter().any(|one| one.target == group.key))
            .find_map(|group| least(world, group));
        match least.filter(|_| tries < TRIES_MAX) {
            Some(place) => {
                dropped.insert(place);
            }
            None => return Ok(Settled { document, groups, dropped, full: held.barred, plan }),
        }
    }
}

/// A group that is led to several absorbers.
fn parted(plan: &Plan) -> Option<Prefix> {
    let mut by: BTreeMap<Prefix, BTreeSet<&str>> = BTreeMap::new();
    for one in &plan.diverted {
        by.entry(one.target).or_default().insert(&one.absorber);
    }
    by.into_iter().find(|(_, sites)| sites.len() > 1).map(|(group, _)| group)
}

/// The next absorber that a group is held to: the smallest that takes all of it by itself, else the largest.
fn next(
    world: &World<'_>,
    document: &Document,
    group: &Group,
    (pinned, tried): (bool, &BTreeSet<String>),
    held: &Held,
) -> Option<String> {
    let free = Held { only: BTreeMap::new(), barred: held.barred.clone() };
    let parts = || document.attacks.iter().filter(|attack| attack.target == group.key);
    let all: f64 = parts().map(|attack| attack.bps + attack.legit_bps).sum();
    let takes = |name: &String| {
        !tried.contains(name)
            && parts().all(|part| world.takers(group, &part.entry, pinned, &free).contains(name))
    };
    let sites = world.sites.iter().filter(|site| takes(&site.name));
    let (large, small): (Vec<&Site>, Vec<&Site>) = sites.partition(|site| site.capacity.0 >= all);
    let order = |a: &&&Site, b: &&&Site| a.capacity.0.total_cmp(&b.capacity.0).then(a.name.cmp(&b.name));
    let best = large.iter().min_by(order).or_else(|| small.iter().max_by(order));
    best.map(|site| site.name.clone())
}

/// Of a group's members that may be given up, the least valuable; of equal ones the largest.
fn least(world: &World<'_>, group: &Group) -> Option<usize> {
    let of = |place: &usize| world.claims.get(*place).map(|claim| (*place, claim));
    let all = group.members.iter().filter_map(of).filter(|(_, claim)| claim.can_end);
    let size = |claim: &super::Claim<'_>| claim.situation.attack.volume.bits.0;
    all.min_by(|(_, a), (_, b)| a.value.total_cmp(&b.value).then(size(b).total_cmp(&size(a))))
        .map(|(place, _)| place)
}
