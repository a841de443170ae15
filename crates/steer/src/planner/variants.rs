//! Which sets of rules are worth a thought for one attack: those that no other set beats in everything.

use super::document::{Attack, Filter};

/// Up to so many rules every set of them is looked at.
const ALL_SETS_OF: usize = 10;
/// Sets kept of an attack with more rules, and steps kept on the way; the weakest go first.
const SETS_MAX: usize = 256;

/// A set of rules where the traffic is not diverted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    /// Places in the attack's list.
    pub(super) rules: Vec<usize>,
    /// How many: the slots that they take.
    pub(super) slots: f64,
    /// Bits/s on the link and at the target.
    pub(super) link: f64,
    /// The attack's packets/s at the target.
    pub(super) pps: f64,
    /// Share of the legitimate traffic that is lost.
    pub(super) lost: f64,
    /// Not to be used: a question was answered so.
    pub(super) barred: bool,
}

/// A set of rules before an absorber.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Diverted {
    /// Places in the attack's list.
    pub(super) rules: Vec<usize>,
    /// How many: the slots that they take.
    pub(super) slots: f64,
    /// Bits/s that the absorber receives.
    pub(super) received: f64,
    /// The attack's packets/s that it receives.
    pub(super) pps: f64,
}

/// The sets for traffic that stays, fewest rules first; whether none that matters was left out.
pub(super) fn open(attack: &Attack, harms: bool) -> (Vec<Open>, bool) {
    let useful: Vec<usize> = (0..attack.rules.len())
        .filter(|i| attack.rules.get(*i).is_some_and(|r| r.removes > 0.0 || r.collateral > 0.0))
        .collect();
    let complete = useful.len() <= ALL_SETS_OF;
    let mut sets = vec![Vec::new()];
    for rule in useful {
        let longer: Vec<Vec<usize>> = sets.iter().map(|set| [set.as_slice(), &[rule]].concat()).collect();
        sets.extend(longer);
        if !complete && sets.len() > SETS_MAX {
            let mut all = best(sets.into_iter().map(|set| judged(attack, set, harms)).collect());
            thin(&mut all);
            sets = all.into_iter().map(|one| one.rules).collect();
        }
    }
    (best(sets.into_iter().map(|set| judged(attack, set, harms)).collect()), complete)
}

/// The sets before an absorber: of each size the one that removes most, fewest rules first.
pub(super) fn diverted(attack: &Attack) -> Vec<Diverted> {
    let mut order: Vec<(usize, &Filter)> =
        attack.rules.iter().enumerate().filter(|(_, rule)| rule.removes > 0.0).collect();
    order.sort_by(|(_, a), (_, b)| b.removes.total_cmp(&a.removes).then_with(|| a.id.cmp(&b.id)));
    let mut left = 1.0;
    let mut rules = Vec::new();
    let mut all = vec![before(attack, &rules, left)];
    for (at, rule) in order {
        left *= 1.0 - rule.removes;
        rules.push(at);
        all.push(before(attack, &rules, left));
    }
    all.dedup_by(|later, earlier| later.received >= earlier.received && later.pps >= earlier.pps);
    all
}

fn before(attack: &Attack, rules: &[usize], left: f64) -> Diverted {
    Diverted {
        rules: rules.to_vec(),
        slots: count(rules),
        received: attack.bps * left + attack.legit_bps,
        pps: attack.pps * left,
    }
}

fn judged(attack: &Attack, rules: Vec<usize>, harms: bool) -> Open {
    let each = || rules.iter().filter_map(|i| attack.rules.get(*i));
    let left: f64 = each().map(|rule| 1.0 - rule.removes).product();
    let legit: f64 = each().map(|rule| 1.0 - rule.collateral).product();
    Open {
        slots: count(&rules),
        link: attack.bps * left + attack.legit_bps * legit,
        pps: attack.pps * left,
        lost: if harms { 1.0 - legit } else { 0.0 },
        barred: false,
        rules,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of rules is small")]
fn count(rules: &[usize]) -> f64 {
    rules.len() as f64
}

/// Without those that another beats, or equals with fewer rules.
fn best(mut all: Vec<Open>) -> Vec<Open> {
    all.sort_by(|a, b| {
        let by = |one: &Open| [one.slots, one.lost, one.link, one.pps];
        let (a_by, b_by) = (by(a), by(b));
        let order = a_by.iter().zip(&b_by).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
        order.unwrap_or_else(|| a.rules.cmp(&b.rules))
    });
    let mut kept: Vec<Open> = Vec::new();
    for one in all {
        // Sorted by slots: nobody later has fewer.
        let beaten =
            kept.iter().any(|other| other.lost <= one.lost && other.link <= one.link && other.pps <= one.pps);
        if !beaten {
            kept.push(one);
        }
    }
    kept
}

/// Keeps those that remove most for what they lose, and of each number of rules some.
fn thin(all: &mut Vec<Open>) {
    let mut seen = std::collections::BTreeMap::new();
    all.sort_by(|a, b| a.slots.total_cmp(&b.slots).then_with(|| a.link.total_cmp(&b.link)));
    let sizes = all.chunk_by(|a, b| a.slots.total_cmp(&b.slots).is_eq()).count().max(1);
    all.retain(|one| {
        let of_size = seen.entry(one.rules.len()).or_insert(0_usize);
        *of_size += 1;
        *of_size <= (SETS_MAX / 2 / sizes).max(2)
    });
}
