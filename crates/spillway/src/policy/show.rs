//! Decisions and what follows from them, as documents.

use base::Prefix;
use serde_json::{Value, json};

use super::book::{Held, What};
use super::values::mode_name;
use super::view::View;
use super::{desk::Live, profile};
use crate::config::target::Wishes;

/// A decision.
pub(super) fn held(held: &Held) -> Value {
    let entry = &held.entry;
    let mut out = json!({
        "id": held.id, "owner": entry.owner, "reason": entry.reason, "at": entry.at.to_string(),
        "until": held.end().map(|end| end.to_string()),
    });
    let (kind, more) = match &entry.what {
        What::Mode { prefix, mode } => ("mode", json!({"prefix": prefix, "mode": mode_name(*mode)})),
        What::General { mode, file } => {
            ("general", json!({"prefix": null, "mode": mode_name(*mode), "file": mode_name(*file)}))
        }
        What::Panic => ("panic", json!({})),
        What::Allow(allowed) => ("allow", allow(allowed)),
        What::TakenBack { attack, target, rule } => {
            ("exception", json!({"attack": attack, "target": target, "rule": rule, "step": null}))
        }
        What::StepBack { target, step, announced } => {
            ("exception", json!({"attack": null, "target": target, "rule": announced, "step": step}))
        }
        What::Closed { attack, target } => ("close", json!({"attack": attack, "target": target})),
        What::Rule { rule, confirm_by } => (
            "rule",
            json!({"rule": format!("m{}", held.id), "text": held.rule.as_ref().map_or_else(|| rule.clone(), ToString::to_string), "confirm_by": confirm_by.map(|by| by.to_string())}),
        ),
    };
    if let (Some(out), Value::Object(more)) = (out.as_object_mut(), more) {
        out.insert("kind".to_owned(), kind.into());
        out.extend(more);
    }
    out
}

/// An allowed source; who owns it stands there already.
pub(super) fn allow(allowed: &super::allow::Allowed) -> Value {
    json!({
        "source": allowed.source, "destination": allowed.destination, "protocol": allowed.protocol, "port": allowed.port,
        "ceiling": allowed.ceiling,
    })
}

/// One of the configuration.
fn configured(allowed: &super::allow::Allowed) -> Value {
    let mut out = allow(allowed);
    if let Some(out) = out.as_object_mut() {
        out.insert("id".to_owned(), Value::Null);
        out.insert("owner".to_owned(), allowed.owner.clone().into());
        out.insert("reason".to_owned(), allowed.reason.clone().into());
        out.insert("until".to_owned(), allowed.until.map(|until| until.to_string()).into());
        out.insert("at".to_owned(), Value::Null);
        out.insert("kind".to_owned(), "allow".into());
    }
    out
}

/// Allowed sources that hold, of those who allow this one.
pub(super) fn allowed(view: &View, source: Option<&Prefix>) -> Vec<Value> {
    let fits = |of: &Prefix| source.is_none_or(|asked| of.covers(asked));
    let of_file =
        view.layers.allow.iter().filter(|one| one.holds(view.now) && fits(&one.source)).map(configured);
    let decided = view.book.holding(view.now).filter(|one| match &one.entry.what {
        What::Allow(allowed) => fits(&allowed.source),
        _ => false,
    });
    of_file.chain(decided.map(held)).collect()
}

/// What was taken back.
pub(super) fn exceptions(view: &View) -> Vec<Value> {
    let taken = |one: &&Held| matches!(one.entry.what, What::TakenBack { .. } | What::StepBack { .. });
    view.book.holding(view.now).filter(taken).map(held).collect()
}

/// Rules that people made, and those of the engine.
pub(super) fn rules(view: &View, live: &[Live]) -> Vec<Value> {
    let made = |one: &&Held| matches!(one.entry.what, What::Rule { .. });
    let by_hand = view.book.holding(view.now).filter(made).map(held);
    let of_engine = live.iter().map(|rule| {
        json!({
            "kind": "derived", "rule": rule.id, "text": rule.text, "attack": rule.attack, "target": rule.target,
            "until": rule.until.to_string(), "owner": "spillway", "reason": format!("attack {}", rule.attack),
        })
    });
    by_hand.chain(of_engine).collect()
}

/// What holds for a prefix, and why.
pub(super) fn target(view: &View, prefix: &Prefix) -> Value {
    let values = view.values(prefix);
    let near = |of: &Prefix| of.covers(prefix) || prefix.covers(of);
    let allowed: Vec<Value> = allowed(view, None)
        .into_iter()
        .filter(|one| {
            one.get("destination")
                .and_then(Value::as_str)
                .and_then(|text| text.parse().ok())
                .is_some_and(|of| near(&of))
        })
        .collect();
    let rules = view
        .book
        .holding(view.now)
        .filter(|one| matches!(one.entry.what, What::Rule { .. }) && one.about().is_some_and(|of| near(&of)));
    let inside: Vec<Value> = view
        .reached(prefix)
        .iter()
        .filter(|inner| inner.prefix != *prefix)
        .map(|inner| json!({"prefix": inner.prefix, "mode": mode_name(inner.mode.value), "profile": inner.profile.value}))
        .collect();
    let profile = profile::find(&values.profile.value).ok();
    json!({
        "prefix": prefix,
        "ours": view.layers.networks.iter().any(|own| own.covers(prefix)),
        "customer": values.customer,
        "never": view.layers.never.iter().any(near),
        "profile": profile.map(|wishes| profile_document(&values.profile.value, wishes)),
        "values": values.document(),
        "acts": acts(view, prefix),
        "inside": inside,
        "allow": allowed,
        "exceptions": view.exceptions(prefix).map(held).collect::<Vec<_>>(),
        "rules": rules.map(held).collect::<Vec<_>>(),
    })
}

/// What becomes of a rule for it, in one sentence.
fn acts(view: &View, prefix: &Prefix) -> &'static str {
    let (filters, absorbed) = (view.layers.filters, view.layers.is_absorbed(prefix));
    if view.layers.never.iter().any(|never| never.covers(prefix) || prefix.covers(never)) {
        return "no filter ever cuts it: it is on the never-list";
    }
    match (view.mode(prefix), filters) {
        (engine::Mode::Observe, _) if view.panic().is_some() => {
            "nothing acts for anybody since the panic button (`spillway panic off`)"
        }
        (engine::Mode::Enforce, false) if absorbed => {
            "rules act at absorbers within the bounds below, while it is led there; this machine has no filters (`dataplane.interfaces`)"
        }
        (engine::Mode::Observe, _) => "attacks on it are told, and nothing is done",
        (engine::Mode::Suggest, true) => "rules are derived and counted in the kernel, and drop nothing",
        (engine::Mode::Suggest, false) => "rules are derived and shown",
        (engine::Mode::Enforce, true) => "rules act in the kernel within the bounds below",
        (engine::Mode::Enforce, false) => {
            "rules would act, but this machine has no filters (`dataplane.interfaces`)"
        }
    }
}

/// A prefix of which something of its own is said, in one line.
pub(super) fn named(view: &View, prefix: &Prefix) -> Value {
    let values = view.values(prefix);
    json!({
        "prefix": prefix, "customer": values.customer, "profile": values.profile.value,
        "mode": mode_name(values.mode.value), "exceptions": view.exceptions(prefix).count(),
    })
}

/// A profile.
pub(super) fn profile_document(name: &str, wishes: &Wishes) -> Value {
    json!({"name": name, "title": wishes.title, "why": wishes.why})
}
