//! What this configuration would do with the rules: by mode, price and policy in the kernel, by the ladder at routers.

use base::Prefix;
use engine::Mode;
use engine::report::Attack;
use serde_json::{Value, json};

use super::chain::Found;
use crate::config::Config;
use crate::enforce;
use crate::enforce::choose::{Bounds, Choice};
use crate::policy::layers::Layers;
use crate::policy::values::mode_name;
use crate::policy::{Desk, Order, View};
use crate::routing::auto::trial;

/// What a running daemon says of the target's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said(pub(crate) Mode);

/// What would be done, and why not more.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// As `spillway target show` has it.
    pub(super) policy: Value,
    /// `daemon` or `configuration`: by whose word the mode is.
    pub(super) mode_by: &'static str,
    /// Each rule: what becomes of it now, and under `enforce`.
    pub(super) rules: Vec<Value>,
    /// The ladder's choice; `null`: there is none.
    pub(super) routers: Value,
    /// A sentence each.
    pub(super) why_not_more: Vec<String>,
    /// The command to type next.
    pub(super) next: Option<String>,
}

/// Asks for it. `honest` is what the target gets in peace, packets and bits per second.
pub(super) fn of(
    config: &Config,
    target: &Prefix,
    found: &Found,
    said: Option<Said>,
    honest: (f64, f64),
) -> Outcome {
    let configured = View::of(Layers::of(config));
    let mode = said.map_or_else(|| configured.mode(target), |Said(mode)| mode);
    let differs = mode != configured.mode(target);
    let now = if differs { under(config, mode) } else { config.clone() };
    let desk = Desk::default();
    desk.adapt(&now, now.api.listen.port());
    let policy = desk.take("simulate", Order::Show { prefix: *target }).unwrap_or_default();
    let mut out = Outcome {
        policy,
        mode_by: if said.is_some() { "daemon" } else { "configuration" },
        ..Outcome::default()
    };
    let layers = Layers::of(config);
    match mode {
        Mode::Observe => {
            out.why_not_more.push(format!("{target} is at observe: attacks on it are told, and nothing acts"))
        }
        Mode::Suggest => out
            .why_not_more
            .push(format!("{target} is at suggest: rules are shown and counted, and drop nothing")),
        Mode::Enforce => {}
    }
    if layers.enforcers.is_empty() {
        out.why_not_more.push("nothing that could act is configured: name `dataplane.interfaces`, routers below [routing], or `compat`".to_owned());
    } else if !layers.filters {
        out.why_not_more.push("this machine filters nothing itself (`dataplane.interfaces`)".to_owned());
    }
    for attack in found.attacks() {
        rules(config, &now, attack, layers.filters, &mut out);
    }
    let Some(attack) = found.attack() else { return out };
    if let Some(choice) = trial(&now, attack, honest, attack.detected_at) {
        out.routers = choice;
    } else if config.routing.is_some() {
        out.why_not_more
            .push("routers are told nothing by themselves: there is no [routing.ladder]".to_owned());
    }
    out.next = next(&out.policy, target, mode);
    out
}

/// What becomes of the rules of an attack, as it is `now` and under `enforce`.
fn rules(config: &Config, now: &Config, attack: &Attack, filters: bool, out: &mut Outcome) {
    let (today, enforced) = (choose(now, attack), choose(&under(config, Mode::Enforce), attack));
    for report in &today.0.rules {
        let (state, why) = becomes(&today.1, &report.id, filters);
        let (_, barred) = becomes(&enforced.1, &report.id, filters);
        if let Some(barred) = barred.as_ref().filter(|_| filters) {
            out.why_not_more.push(format!("rule {} would not act under enforce either: {barred}", report.id));
        }
        out.rules.push(json!({
            "id": report.id, "text": report.text, "action": report.action, "collateral": report.collateral,
            "now": state, "why": why, "under_enforce": barred.as_deref().unwrap_or("acts"),
        }));
    }
}

/// The same configuration, with one mode for all. What [routing.ladder.customers] allows at most stays.
fn under(config: &Config, mode: Mode) -> Config {
    let mut config = config.clone();
    config.mode = mode;
    config.targets.iter_mut().for_each(|target| target.wishes.mode = None);
    config.customer_terms.iter_mut().for_each(|customer| customer.wishes.mode = None);
    config
}

/// The attack with its rules as this configuration likes them, and those that are chosen.
fn choose(config: &Config, attack: &Attack) -> (Attack, Choice) {
    let view = View::of(Layers::of(config));
    let bounds = Bounds::of(config);
    let mut attack = attack.clone();
    let now = attack.detected_at;
    bounds.fit(&mut attack, &view, now, enforce::own);
    let choice = bounds.choose(&view, std::iter::once(&attack));
    (attack, choice)
}

/// What becomes of a rule in the kernel, and why not more.
fn becomes(choice: &Choice, id: &str, filters: bool) -> (&'static str, Option<String>) {
    if let Some(why) = choice.spared.get(id) {
        return ("none", Some(why.to_string()));
    }
    if !filters {
        return ("none", Some("this machine has no filters (`dataplane.interfaces`)".to_owned()));
    }
    if choice.wanted.dry.contains(id) {
        return ("counted", Some("mode is suggest: it is counted, and drops nothing".to_owned()));
    }
    ("acts", None)
}

/// What to type to go further.
fn next(policy: &Value, target: &Prefix, mode: Mode) -> Option<String> {
    let further = match mode {
        Mode::Observe => Mode::Suggest,
        Mode::Suggest => Mode::Enforce,
        Mode::Enforce => return None,
    };
    let own = policy.pointer("/values/mode/from/kind").and_then(Value::as_str);
    let narrow = matches!(own, Some("target" | "customer"));
    let only = if narrow { format!(" --prefix {target}") } else { String::new() };
    Some(format!("spillway mode {}{only} --reason TEXT", mode_name(further)))
}
