//! Whether a plan is feasible and what it is worth, straight from the document: sums over the lists as they are written.

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use steer::planner::{Document, Plan};

/// Sums may differ by this share.
const TOLERANCE: f64 = 1e-9;

/// What a plan comes to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Worth {
    pub(crate) value: f64,
    pub(crate) cost: f64,
    pub(crate) kept: usize,
}

fn within(what: &str, used: f64, limit: Option<f64>) -> Result<(), String> {
    match limit {
        Some(limit) if used > limit * (1.0 + TOLERANCE) => Err(format!("{what}: {used} of {limit}")),
        _ => Ok(()),
    }
}

/// What the plan is worth; an error says which promise it breaks.
pub(crate) fn judge(document: &Document, plan: &Plan) -> Result<Worth, String> {
    let all: BTreeSet<Prefix> = document.targets.iter().map(|t| t.prefix).collect();
    let kept: BTreeSet<Prefix> = plan.kept.iter().copied().collect();
    let lost: BTreeSet<Prefix> = plan.sacrificed.iter().map(|s| s.target).collect();
    if !kept.is_disjoint(&lost)
        || &kept | &lost != all
        || plan.kept.len() + plan.sacrificed.len() != all.len()
    {
        return Err("kept and sacrificed are not all targets, each once".to_owned());
    }
    let mut to: BTreeMap<(Prefix, &str), &str> = BTreeMap::new();
    for one in &plan.diverted {
        if !kept.contains(&one.target) || to.insert((one.target, &one.entry), &one.absorber).is_some() {
            return Err(format!("{one:?} is of no kept target, or a second one"));
        }
    }
    let mut chosen: BTreeSet<(Prefix, &str, &str)> = BTreeSet::new();
    for one in &plan.rules {
        if !kept.contains(&one.target) || !chosen.insert((one.target, &one.entry, &one.id)) {
            return Err(format!("{one:?} is of no kept target, or a second one"));
        }
    }
    let (mut link, mut slots) = (BTreeMap::new(), BTreeMap::new());
    let (mut taken, mut taken_pps) = (BTreeMap::new(), BTreeMap::new());
    let mut worth = Worth { kept: kept.len(), ..Worth::default() };
    for target in document.targets.iter().filter(|t| kept.contains(&t.prefix)) {
        let (mut bps, mut pps, mut legit, mut harmed) = (0.0, 0.0, 0.0, 0.0);
        for attack in document.attacks.iter().filter(|a| a.target == target.prefix) {
            let mut left = 1.0;
            let mut spared = 1.0;
            for rule in &attack.rules {
                if chosen.remove(&(target.prefix, attack.entry.as_str(), rule.id.as_str())) {
                    left *= 1.0 - rule.removes;
                    spared *= 1.0 - rule.collateral;
                    *slots.entry(attack.entry.as_str()).or_insert(0.0) += 1.0;
                }
            }
            legit += attack.legit_bps;
            let clean = if let Some(name) = to.remove(&(target.prefix, attack.entry.as_str())) {
                let absorber =
                    document.absorbers.iter().find(|a| a.name == name).ok_or("unknown absorber")?;
                if !absorber.reaches.contains(&attack.entry) {
                    return Err(format!("{name} does not reach {}", attack.entry));
                }
                let received = attack.bps * left + attack.legit_bps;
                *taken.entry(name).or_insert(0.0) += received;
                *taken_pps.entry(name).or_insert(0.0) += attack.pps * left;
                worth.cost += absorber.cost_per_gbps * received / 1e9;
                attack.legit_bps
            } else {
                harmed += attack.legit_bps * (1.0 - spared);
                pps += attack.pps * left;
                attack.bps * left + attack.legit_bps * spared
            };
            bps += clean;
            *link.entry(attack.entry.as_str()).or_insert(0.0) += clean;
        }
        within(&format!("{} bps", target.prefix), bps, target.max_bps)?;
        within(&format!("{} pps", target.prefix), pps, target.max_pps)?;
        worth.value += target.value * if legit > 0.0 { 1.0 - harmed / legit } else { 1.0 };
    }
    if !to.is_empty() || !chosen.is_empty() {
        return Err(format!("{to:?} {chosen:?} are in no attack"));
    }
    for entry in &document.entries {
        within(&entry.name, link.get(entry.name.as_str()).copied().unwrap_or(0.0), entry.link_bps)?;
        within(&entry.name, slots.get(entry.name.as_str()).copied().unwrap_or(0.0), entry.flowspec_slots)?;
    }
    for absorber in &document.absorbers {
        let name = absorber.name.as_str();
        within(name, taken.get(name).copied().unwrap_or(0.0), absorber.capacity_bps)?;
        within(name, taken_pps.get(name).copied().unwrap_or(0.0), absorber.capacity_pps)?;
    }
    let total: f64 = document.targets.iter().map(|t| t.value).sum();
    let near = |a: f64, b: f64| (a - b).abs() <= TOLERANCE * total.max(f64::MIN_POSITIVE);
    if !near(worth.value, plan.value_kept) || !near(total, plan.value_total) {
        return Err(format!(
            "value {} of {total}, but it says {} of {}",
            worth.value, plan.value_kept, plan.value_total
        ));
    }
    if let Some(bound) =
        plan.bound.filter(|bound| *bound < worth.value * (1.0 - TOLERANCE) || !bound.is_finite())
    {
        return Err(format!("bound {bound} below {}", worth.value));
    }
    Ok(worth)
}
