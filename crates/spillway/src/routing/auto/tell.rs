//! What is shown of a case: which step is in force, why, and why not the others.

use serde_json::{Value, json};
use steer::book::Stage;
use steer::ladder::Mode;

use super::case::Case;
use super::pieces;
use crate::routing::clerk::Clerk;

/// The key `mitigation` of an attack.
pub(super) fn document(clerk: &Clerk, case: &Case) -> Value {
    let numbers = |proposed: bool| -> Vec<u64> {
        let of = pieces(clerk, case).filter(|one| matches!(one.stage, Stage::Proposed(_)) == proposed);
        of.map(|one| one.id).collect()
    };
    let in_force: Vec<Value> = case
        .judged
        .iter()
        .map(|(step, judged)| {
            json!({ "step": step, "effect": judged.verdict.as_str(), "stopped": judged.stopped.map(|(a, b)| [a, b]), "reason": judged.reason })
        })
        .collect();
    let choice = case.choice.as_ref();
    let concerns = |prefix: &base::Prefix| case.concerns(prefix);
    let health: Vec<Value> = clerk
        .wards
        .about(concerns)
        .into_iter()
        .map(
            |(id, said)| json!({ "mitigation": id, "outcome": said.outcome.as_str(), "reason": said.reason }),
        )
        .collect();
    let began = case.attack.as_ref().map_or(base::Timestamp::ZERO, |attack| attack.started_at);
    let withdrawn: Vec<Value> = clerk
        .wards
        .withdrawn(began, concerns)
        .into_iter()
        .map(|(at, harm)| json!({ "mitigation": harm.id, "at": at.to_string(), "reason": harm.reason }))
        .collect();
    let rejected: Vec<Value> = choice
        .iter()
        .flat_map(|choice| &choice.rejected)
        .map(|rejected| json!({ "step": rejected.step, "reason": rejected.reason }))
        .collect();
    json!({
        "step": case.climb.at(),
        "stands": case.climb.explain(),
        "wanted": choice.and_then(|choice| choice.plan.as_ref()).map(|plan| plan.step),
        "suffices": choice.is_some_and(|choice| choice.suffices),
        "mode": choice.map(|choice| mode(choice.mode)),
        "needs_person": choice.is_some_and(|choice| choice.person || choice.mode != Mode::Enforce),
        "reason": choice.map(|choice| choice.reason.clone()),
        "in_force": in_force,
        "rejected": rejected,
        "health": health,
        "withdrawn": withdrawn,
        "mitigations": numbers(false),
        "proposals": numbers(true),
        "refused": case.refused.values().map(|(_, why)| why.clone()).collect::<Vec<_>>(),
    })
}

pub(super) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Suggest => "suggest",
        Mode::Enforce => "enforce",
    }
}
