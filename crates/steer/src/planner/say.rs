//! A plan in the document's words.

use super::document::{Attack, Document};
use super::draft::Draft;
use super::model::{Goal, Model, Part, Way};
use super::{Diversion, Plan, Rule, Solver};

/// What is kept, diverted and filtered; sacrifices and what is known of the plan are still to be said.
pub(super) fn said(document: &Document, model: &Model, draft: &Draft) -> Plan {
    let mut plan = Plan {
        value_kept: 0.0,
        value_total: document.targets.iter().map(|target| target.value).sum(),
        bound: None,
        kept: Vec::new(),
        sacrificed: Vec::new(),
        diverted: Vec::new(),
        rules: Vec::new(),
        solver: Solver::Heuristic,
    };
    for ((goal, ways), target) in model.goals.iter().zip(&draft.kept).zip(&document.targets) {
        let Some(ways) = ways else { continue };
        plan.kept.push(goal.prefix);
        let (mut lost, mut legit) = (0.0, 0.0);
        for (part, way) in goal.parts.iter().zip(ways) {
            let Some(attack) = document.attacks.get(part.attack) else { continue };
            legit += attack.legit_bps;
            lost += attack.legit_bps * treat(&mut plan, document, goal, part, attack, *way);
        }
        let share = if legit > 0.0 { lost / legit } else { 0.0 };
        plan.value_kept += target.value * (1.0 - share).max(0.0);
    }
    plan.rules.sort_by(|a, b| (a.target, &a.entry, &a.id).cmp(&(b.target, &b.entry, &b.id)));
    plan
}

/// Adds what is done with a part; the share of its legitimate traffic that is lost by it.
fn treat(plan: &mut Plan, document: &Document, goal: &Goal, part: &Part, attack: &Attack, way: Way) -> f64 {
    let (target, entry) = (goal.prefix, &attack.entry);
    let rules = match way {
        Way::Open(set) => part.open.get(set).map(|open| &open.rules),
        Way::Diverted(set, absorber) => {
            let absorber = document.absorbers.get(absorber).map(|absorber| absorber.name.clone());
            let diverted = absorber.map(|absorber| Diversion { target, entry: entry.clone(), absorber });
            plan.diverted.extend(diverted);
            part.diverted.get(set).map(|diverted| &diverted.rules)
        }
    };
    let used = || rules.into_iter().flatten().filter_map(|rule| attack.rules.get(*rule));
    plan.rules.extend(used().map(|rule| Rule { target, entry: entry.clone(), id: rule.id.clone() }));
    match way {
        Way::Open(_) => 1.0 - used().map(|rule| 1.0 - rule.collateral).product::<f64>(),
        Way::Diverted(..) => 0.0,
    }
}
