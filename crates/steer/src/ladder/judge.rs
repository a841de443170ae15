//! Of the steps that could be taken, the one that shall be.

use base::Timestamp;

use super::reach::{Reach, reach};
use super::{Choice, Mode, Plan, Rejected, Situation, Step};
use crate::allot::Lot;
use crate::effect::Verdict;

/// The lowest step that suffices; of those below the blackhole, one that passed a drill lately before one that did not.
/// Where none suffices, the one that helps most, short of a blackhole.
pub fn choose(now: Timestamp, situation: &Situation<'_>) -> Choice {
    let mut choice = Choice {
        plan: None,
        mode: Mode::Observe,
        suffices: false,
        person: false,
        reason: String::new(),
        beside: None,
        rejected: Vec::new(),
        at: now,
    };
    if !situation.attack.sure {
        "it is not sure enough to act on".clone_into(&mut choice.reason);
        return choice;
    }
    let mut enough: Vec<Plan> = Vec::new();
    let mut short: Vec<(Plan, String, f64)> = Vec::new();
    for step in Step::ALL {
        match weigh(now, situation, step) {
            Err(reason) => choice.rejected.push(Rejected { step, reason }),
            Ok(Reach { plan, lacks: None, .. }) => enough.push(plan),
            Ok(Reach { plan, lacks: Some(lacks), helps }) => short.push((plan, lacks, helps)),
        }
    }
    let gentle = |plan: &&Plan| plan.step != Step::Blackhole;
    let best = enough.iter().filter(gentle).find(|p| p.drilled).or_else(|| enough.iter().find(gentle));
    let (plan, suffices) = match (best.or_else(|| enough.first()), most(&short)) {
        (Some(plan), _) => (Some(plan.clone()), true),
        (None, Some(plan)) => (Some(plan.clone()), false),
        (None, None) => (None, false),
    };
    choice.suffices = suffices;
    for other in enough.iter().filter(|other| plan.as_ref().is_some_and(|plan| plan.step != other.step)) {
        let reason = match plan.as_ref() {
            Some(plan) if plan.step > other.step => {
                "no drill of it passed lately, and one of the chosen step did"
            }
            _ => "a gentler step suffices",
        };
        choice.rejected.push(Rejected { step: other.step, reason: reason.to_owned() });
    }
    for (other, lacks, _) in &short {
        if plan.as_ref().is_none_or(|plan| plan.step != other.step) {
            choice.rejected.push(Rejected { step: other.step, reason: lacks.clone() });
        }
    }
    choice.rejected.sort_by_key(|rejected| rejected.step);
    let Some(plan) = plan else {
        "no step helps".clone_into(&mut choice.reason);
        return choice;
    };
    choice.beside = beside(now, situation, &plan);
    let unmeasured = unmeasured(situation, plan.step).is_some();
    choice.person = plan.step == Step::Blackhole && unmeasured;
    let mode = situation.policy.mode(plan.step).unwrap_or(Mode::Observe);
    choice.mode = if choice.person { mode.min(Mode::Suggest) } else { mode };
    choice.reason = reason(situation, &plan, &choice, &short);
    choice.plan = Some(plan);
    choice
}

fn weigh(now: Timestamp, situation: &Situation<'_>, step: Step) -> Result<Reach, String> {
    if situation.policy.mode(step).is_none() {
        return Err("the customer's policy rules it out".to_owned());
    }
    if step == Step::Blackhole && situation.lot.is_some_and(|lot| !lot.sacrificed) {
        return Err("the plan for all attacks keeps it".to_owned());
    }
    let mut reach = reach(now, situation, step)?;
    // It may suffice for this one by itself, and not for all who share the links.
    if situation.lot.and_then(least).is_some_and(|least| step < least) && reach.lacks.is_none() {
        reach.lacks = Some("it does not suffice beside the other attacks".to_owned());
    }
    match situation.verdict(step, reach.plan.rules.iter()) {
        Some(Verdict::Ineffective) => return Err("it is in force and not effective".to_owned()),
        Some(Verdict::Partly) => reach.lacks = Some("it is in force and only partly effective".to_owned()),
        _ => {}
    }
    Ok(reach)
}

/// The gentlest step that the plan for all attacks has for this one.
fn least(lot: &Lot) -> Option<Step> {
    if lot.sacrificed {
        Some(Step::Blackhole)
    } else if lot.absorber.is_some() {
        Some(Step::Diversion)
    } else if !lot.rules.is_empty() {
        Some(Step::Flowspec)
    } else {
        None
    }
}

/// The rules that the plan for all attacks has before a diversion.
fn beside(now: Timestamp, situation: &Situation<'_>, plan: &Plan) -> Option<Plan> {
    let planned = situation.lot.is_some_and(|lot| !lot.rules.is_empty());
    if plan.step != Step::Diversion || !planned {
        return None;
    }
    weigh(now, situation, Step::Flowspec).ok().map(|reach| reach.plan)
}

/// Of those that do not suffice, the one that helps most; no target is given up for what would not suffice, and of equal
/// ones the gentlest.
fn most(short: &[(Plan, String, f64)]) -> Option<&Plan> {
    let gentle = short.iter().filter(|(plan, ..)| plan.step != Step::Blackhole);
    gentle.reduce(|best, other| if other.2 > best.2 + 1e-9 { other } else { best }).map(|(plan, ..)| plan)
}

fn reason(situation: &Situation<'_>, plan: &Plan, choice: &Choice, short: &[(Plan, String, f64)]) -> String {
    let name = plan.step.as_str();
    let lower = |rejected: &&Rejected| rejected.step < plan.step;
    let below: Vec<String> = choice
        .rejected
        .iter()
        .filter(lower)
        .map(|rejected| format!("{}: {}", rejected.step.as_str(), rejected.reason))
        .collect();
    let mut text = match choice.suffices {
        true if below.is_empty() => format!("the {name} suffices and is the gentlest step"),
        true => format!("the {name} suffices; not so {}", below.join("; ")),
        false => {
            let lacks =
                short.iter().find(|(other, ..)| other.step == plan.step).map(|(_, lacks, _)| lacks.as_str());
            format!("nothing suffices; the {name} helps most ({})", lacks.unwrap_or_default())
        }
    };
    let is_said =
        choice.rejected.iter().any(|rejected| situation.lot.is_some_and(|lot| rejected.reason == lot.why));
    let tells = |lot: &&Lot| !is_said && least(lot).is_some_and(|least| least > Step::Flowspec);
    if let Some(lot) = situation.lot.filter(tells) {
        text.push_str(&format!("; {}", lot.why));
    }
    if let Some(step) = unmeasured(situation, plan.step).filter(|_| choice.person) {
        text.push_str(&format!(
            "; a person has to agree, because nobody could measure what the {} does",
            step.as_str()
        ));
    }
    text
}

/// The strongest step in force below this one, where nobody could measure it: all that are in force act together, so it
/// stands for them.
fn unmeasured(situation: &Situation<'_>, below: Step) -> Option<Step> {
    let held = situation.in_force.iter().filter(|held| held.step < below).max_by_key(|held| held.step)?;
    matches!(held.verdict, Verdict::NotMeasurable | Verdict::Pending).then_some(held.step)
}
