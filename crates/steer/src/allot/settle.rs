//! Planning until what a route cannot say is not in the plan any more: one prefix led to several absorbers.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Only, World};
use super::group::{Group, groups};
use crate::planner::{Document, Effort, Mode, Plan, Refusal, plan};

/// Plans at most for one document; then what still goes to several absorbers goes to none.
const TRIES_MAX: usize = 16;

/// A document whose plan can be carried out.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) document: Document,
    pub(super) groups: Vec<Group>,
    /// Claims that are given up so that others of their prefix can be kept, by place.
    pub(super) dropped: BTreeSet<usize>,
    plan: Plan,
}

impl Settled {
    /// Somebody is given up.
    pub(super) fn gives_up(&self) -> bool {
        !self.plan.sacrificed.is_empty() || !self.dropped.is_empty()
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

/// Plans.
pub(super) fn settle(
    world: &World<'_>,
    pinned: bool,
    mode: Mode,
    effort: Effort,
) -> Result<Settled, Refusal> {
    let (mut only, mut dropped) = (Only::new(), BTreeSet::new());
    let mut tries = 0;
    loop {
        let groups = groups(world.claims, world.sites, &dropped);
        let document = world.document(&groups, pinned, &only);
        let plan = plan(&document, mode, effort)?;
        tries += 1;
        let parted = parted(&document, &plan);
        if let Some((group, best)) = parted {
            let best = Some(best).filter(|_| tries < TRIES_MAX);
            only.insert(group, best.into_iter().collect());
            continue;
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
            None => return Ok(Settled { document, groups, dropped, plan }),
        }
    }
}

/// A group that is led to several absorbers, and the one that gets most of it.
fn parted(document: &Document, plan: &Plan) -> Option<(base::Prefix, String)> {
    let mut by: BTreeMap<base::Prefix, BTreeMap<&str, f64>> = BTreeMap::new();
    for one in &plan.diverted {
        let is_it =
            |attack: &&crate::planner::Attack| attack.target == one.target && attack.entry == one.entry;
        let bps = document.attacks.iter().find(is_it).map_or(0.0, |attack| attack.bps);
        *by.entry(one.target).or_default().entry(&one.absorber).or_insert(0.0) += bps;
    }
    let (group, sites) = by.into_iter().find(|(_, sites)| sites.len() > 1)?;
    let best = sites.into_iter().reduce(|best, other| if other.1 > best.1 { other } else { best })?;
    Some((group, best.0.to_owned()))
}

/// Of a group's members that may be given up, the least valuable; of equal ones the largest.
fn least(world: &World<'_>, group: &Group) -> Option<usize> {
    let of = |place: &usize| world.claims.get(*place).map(|claim| (*place, claim));
    let all = group.members.iter().filter_map(of).filter(|(_, claim)| claim.can_end);
    let size = |claim: &super::Claim<'_>| claim.situation.attack.volume.bits.0;
    all.min_by(|(_, a), (_, b)| a.value.total_cmp(&b.value).then(size(b).total_cmp(&size(a))))
        .map(|(place, _)| place)
}
