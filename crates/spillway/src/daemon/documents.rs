//! Attacks and their rules as the store keeps them and as the API shows them: what the engine reports, with what the kernel and
//! people made of it.

use base::Timestamp;
use engine::Mode;
use engine::report::{Attack, RuleReport, Severity, State};
use store::{AttackRow, RuleRow};

use super::enforcing::Standing;
use crate::enforce::choose::destination;
use crate::policy::View;
use crate::policy::book::What;

/// What a rule is: what the kernel says where an enforcer is there, else what the mode makes of it.
pub(super) fn rule_state(
    attack: &Attack,
    rule: &RuleReport,
    view: &View,
    standing: Option<&Standing>,
) -> (&'static str, Option<String>) {
    match (attack.state, view.mode(&destination(rule).unwrap_or(attack.target)), standing) {
        (State::Over, ..) => ("expired", None),
        (_, Mode::Observe, _) => ("observed", None),
        (_, _, None) => ("suggested", None),
        (_, _, Some(standing)) => {
            match (standing.actual.contains_key(&rule.id), standing.spared.get(&rule.id)) {
                (true, _) => (if standing.dry.contains(&rule.id) { "dry-run" } else { "active" }, None),
                (false, Some(reason)) => ("suggested", Some(reason.to_string())),
                (false, None) => match &standing.error {
                    Some(error) => ("failed", Some(error.clone())),
                    None => ("installing", None),
                },
            }
        }
    }
}

/// An attack as the store keeps it.
pub(super) fn row(attack: &Attack, now: Timestamp, view: &View, standing: Option<&Standing>) -> AttackRow {
    let rules = attack.rules.iter().map(|rule| {
        let state = rule_state(attack, rule, view, standing);
        RuleRow {
            id: rule.id.clone(),
            state: state.0.to_owned(),
            text: rule.text.clone(),
            expires_at: Some(rule.expires_at),
            document: rule_document(attack, rule, &state, standing),
        }
    });
    AttackRow {
        id: attack.id.clone(),
        state: if attack.state == State::Over { "over" } else { "active" }.to_owned(),
        severity: if attack.severity == Severity::Attack { "attack" } else { "suspicious" }.to_owned(),
        target: attack.target.to_string(),
        direction: attack.direction.name().to_owned(),
        started_at: attack.started_at,
        ended_at: attack.ended_at,
        updated_at: now,
        document: text(attack),
        rules: rules.collect(),
    }
}

/// An attack as the API shows it while it is followed: each of its rules with its state.
pub(super) fn live_document(
    attack: &Attack,
    view: &View,
    standing: Option<&Standing>,
    mitigation: Option<serde_json::Value>,
) -> String {
    let mut document = serde_json::to_value(attack).unwrap_or_default();
    if let (Some(document), Some(mitigation)) = (document.as_object_mut(), mitigation) {
        document.insert("mitigation".to_owned(), mitigation);
    }
    if let Some(explain) = document.get_mut("explain").and_then(|lines| lines.as_array_mut()) {
        explain.extend(told(attack, view).into_iter().map(serde_json::Value::from));
    }
    let shown = document.get_mut("rules").and_then(|rules| rules.as_array_mut());
    for (shown, rule) in shown.into_iter().flatten().zip(&attack.rules) {
        let (state, reason) = rule_state(attack, rule, view, standing);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("state".to_owned(), state.into());
            shown.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
        }
    }
    document.to_string()
}

/// What people decided about an attack's target, without their names: customers read this.
fn told(attack: &Attack, view: &View) -> Vec<String> {
    let exceptions = view.exceptions(&attack.target).map(|held| {
        let (what, end) = match &held.entry.what {
            What::TakenBack { rule, .. } => (
                format!("`{rule}` was taken back by a person, and nothing that hits the same packets is set"),
                held.end(),
            ),
            What::StepBack { step, announced, .. } => {
                (format!("{step} {announced} was taken back by a person, and is not announced"), held.end())
            }
            _ => (String::new(), None),
        };
        let end = end.map_or_else(|| "somebody ends it".to_owned(), |end| end.to_string());
        format!("exception {}: {what} until {end}", held.id)
    });
    exceptions.collect()
}

/// A rule that a person made, as the list of rules has it.
pub(super) fn made_document(
    id: &str,
    rule: &::rules::Rule,
    end: Timestamp,
    standing: Option<&Standing>,
) -> String {
    let done = standing.and_then(|standing| standing.actual.get(id));
    let state = match (done, standing.and_then(|standing| standing.error.as_ref())) {
        (Some(_), _) => "active",
        (None, Some(_)) => "failed",
        (None, None) => "installing",
    };
    serde_json::json!({
        "id": id, "text": rule.to_string(), "action": rule.action.as_str(), "collateral": null, "expires_at": end.to_string(),
        "state": state, "reason": standing.and_then(|standing| standing.error.clone()).filter(|_| state == "failed"),
        "backend": standing.map(|standing| standing.backend),
        "decided_packets": done.map(|done| done.packets), "dropped_packets": done.map(|done| done.dropped),
    })
    .to_string()
}

/// A rule with its attack, its state and what it did.
pub(super) fn rule_document(
    attack: &Attack,
    rule: &RuleReport,
    (state, reason): &(&'static str, Option<String>),
    standing: Option<&Standing>,
) -> String {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        attack: &'a str,
        state: &'a str,
        /// Why it does not act.
        reason: Option<&'a str>,
        backend: Option<&'static str>,
        /// Since it is in the kernel; `null` where it is not.
        decided_packets: Option<u64>,
        dropped_packets: Option<u64>,
        /// It only counts: told after its end, too, when its state does not say it any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        dry: Option<bool>,
        #[serde(flatten)]
        rule: &'a RuleReport,
    }
    let done = standing.and_then(|standing| standing.actual.get(&rule.id));
    text(&Document {
        attack: &attack.id,
        state,
        reason: reason.as_deref(),
        backend: standing.map(|standing| standing.backend),
        decided_packets: done.map(|done| done.packets),
        dropped_packets: done.map(|done| done.dropped),
        dry: standing.filter(|standing| standing.dry.contains(&rule.id)).map(|_| true),
        rule,
    })
}

/// Documents of plain structs with text keys always serialise.
pub(super) fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
