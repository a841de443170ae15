//! The best plan of a small document, by trying all: every set of rules and every absorber for every attack.

use steer::planner::{Diversion, Document, Mode, Plan, Rule, Sacrifice, Solver};

use super::judge::{Worth, judge};

/// Whether `a` is better than `b`: by value beyond what sums may differ, or as valuable and cheaper.
pub(crate) fn better(mode: Mode, a: Worth, b: Worth, total: f64, margin: f64) -> bool {
    let equal = (a.value - b.value).abs() <= 1e-13 * total;
    let by_value = a.value > b.value + margin * total || (equal && a.cost < b.cost * (1.0 - 1e-6) - 1e-12);
    match mode {
        Mode::ProtectMostValuable => by_value,
        Mode::ShareThePain => a.kept > b.kept || (a.kept == b.kept && by_value),
    }
}

/// The number of plans there are.
pub(crate) fn plans(document: &Document) -> f64 {
    let ways = |attack: &steer::planner::Attack| {
        let reached = document.absorbers.iter().filter(|a| a.reaches.contains(&attack.entry)).count();
        2_f64.powi(attack.rules.len() as i32) * (1.0 + reached as f64)
    };
    document
        .targets
        .iter()
        .map(|t| 1.0 + document.attacks.iter().filter(|a| a.target == t.prefix).map(ways).product::<f64>())
        .product()
}

/// What the best plan is worth.
pub(crate) fn best(document: &Document, mode: Mode) -> Worth {
    let total: f64 = document.targets.iter().map(|t| t.value).sum();
    let mut plan = Plan {
        value_kept: 0.0,
        value_total: total,
        bound: None,
        kept: Vec::new(),
        sacrificed: Vec::new(),
        diverted: Vec::new(),
        rules: Vec::new(),
        solver: Solver::Heuristic,
    };
    let mut best = Worth::default();
    descend(document, mode, total, &mut plan, 0, &mut best);
    best
}

fn descend(document: &Document, mode: Mode, total: f64, plan: &mut Plan, at: usize, best: &mut Worth) {
    let Some(target) = document.targets.get(at) else {
        let worth = value(document, plan);
        plan.value_kept = worth;
        if let Ok(worth) = judge(document, plan)
            && better(mode, worth, *best, total, 1e-13)
        {
            *best = worth;
        }
        return;
    };
    plan.sacrificed.push(Sacrifice { target: target.prefix, why: String::new() });
    descend(document, mode, total, plan, at + 1, best);
    plan.sacrificed.pop();
    plan.kept.push(target.prefix);
    let attacks: Vec<usize> =
        (0..document.attacks.len()).filter(|i| document.attacks[*i].target == target.prefix).collect();
    treat(document, mode, total, plan, (at, &attacks), best);
    plan.kept.pop();
}

fn treat(
    document: &Document,
    mode: Mode,
    total: f64,
    plan: &mut Plan,
    (at, attacks): (usize, &[usize]),
    best: &mut Worth,
) {
    let Some((first, rest)) = attacks.split_first() else {
        return descend(document, mode, total, plan, at + 1, best);
    };
    let attack = &document.attacks[*first];
    for set in 0_u32..1 << attack.rules.len() {
        let before = plan.rules.len();
        for (_, rule) in attack.rules.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1) {
            plan.rules.push(Rule { target: attack.target, entry: attack.entry.clone(), id: rule.id.clone() });
        }
        treat(document, mode, total, plan, (at, rest), best);
        for absorber in document.absorbers.iter().filter(|a| a.reaches.contains(&attack.entry)) {
            let (entry, absorber) = (attack.entry.clone(), absorber.name.clone());
            plan.diverted.push(Diversion { target: attack.target, entry, absorber });
            treat(document, mode, total, plan, (at, rest), best);
            plan.diverted.pop();
        }
        plan.rules.truncate(before);
    }
}

/// The value of what a plan keeps; [`judge`] computes it again and compares.
fn value(document: &Document, plan: &Plan) -> f64 {
    let of = |target: &steer::planner::Target| {
        let attacks = || document.attacks.iter().filter(|a| a.target == target.prefix);
        let legit: f64 = attacks().map(|a| a.legit_bps).sum();
        let harmed: f64 = attacks()
            .filter(|a| !plan.diverted.iter().any(|d| d.target == a.target && d.entry == a.entry))
            .map(|a| {
                let used = |id: &str| {
                    plan.rules.iter().any(|r| r.target == a.target && r.entry == a.entry && r.id == id)
                };
                let left: f64 = a.rules.iter().filter(|r| used(&r.id)).map(|r| 1.0 - r.collateral).product();
                a.legit_bps * (1.0 - left)
            })
            .sum();
        target.value * if legit > 0.0 { 1.0 - harmed / legit } else { 1.0 }
    };
    document.targets.iter().filter(|t| plan.kept.contains(&t.prefix)).map(of).sum()
}
