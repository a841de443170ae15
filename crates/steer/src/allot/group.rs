//! Attacks that move together: those whose diversion takes a prefix in common.

use std::collections::BTreeSet;

use base::Prefix;

use super::{Claim, Site};

/// Claims that share what would be diverted, by their places.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// Its name in the document.
    pub(super) key: Prefix,
    /// In the order in which they were given.
    pub(super) members: Vec<usize>,
    /// Prefixes that a diversion of it takes; empty: none is prepared for some of its targets.
    pub(super) needs: BTreeSet<Prefix>,
}

/// All claims but those left out, each in one group.
pub(super) fn groups(claims: &[Claim<'_>], sites: &[Site], without: &BTreeSet<usize>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, claim) in claims.iter().enumerate().filter(|(place, _)| !without.contains(place)) {
        let needs = needs(claim, sites);
        let mut group = Group { key: claim.target, members: vec![place], needs };
        // What it has in common with several makes them one.
        let meets = |other: &Group| other.key == claim.target || !other.needs.is_disjoint(&group.needs);
        let (met, others): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(meets);
        groups = others;
        for other in met {
            group.members.extend(other.members);
            group.needs.extend(other.needs);
        }
        group.members.sort_unstable();
        if group.members.len() > 1 {
            group.key = group.needs.first().copied().unwrap_or(claim.target);
        }
        groups.push(group);
    }
    groups.sort_by_key(|group| group.key);
    groups
}

/// The longest prepared prefix of each target; none where a target has none.
fn needs(claim: &Claim<'_>, sites: &[Site]) -> BTreeSet<Prefix> {
    let prepared = |target: &Prefix| {
        let all = sites.iter().flat_map(|site| &site.prefixes).map(|(prefix, _)| *prefix);
        all.filter(|prefix| prefix.covers(target)).max_by_key(Prefix::bits)
    };
    let targets = &claim.situation.attack.targets;
    targets.iter().map(prepared).collect::<Option<BTreeSet<Prefix>>>().unwrap_or_default()
}
