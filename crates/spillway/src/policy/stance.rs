//! How far the whole installation goes: what is said for all, what says otherwise for whom, and what that means.

use base::Prefix;
use serde_json::{Value, json};

use super::desk::Live;
use super::values::mode_name;
use super::view::View;
use engine::Mode;

/// Exempt prefixes that a note names.
const NAMED: usize = 8;

/// What is said for all, and what says otherwise.
pub(super) fn document(view: &View) -> Value {
    let general = view.general();
    let exempt: Vec<Value> = view
        .exempt()
        .iter()
        .map(|(prefix, mode)| {
            json!({"prefix": prefix, "mode": mode_name(mode.value), "from": mode.from.document()})
        })
        .collect();
    json!({
        "mode": general.document(|mode| mode_name(*mode).into()),
        "file": mode_name(view.layers.mode()),
        "panic": view.panic().map(super::show::held),
        "why": view.stand().1,
        "means": means(view, general.value),
        "enforcers": view.layers.enforcers,
        "narrower": exempt,
    })
}

/// What a mode means on this installation, in one sentence.
fn means(view: &View, mode: Mode) -> String {
    let enforcers = &view.layers.enforcers;
    match mode {
        Mode::Observe if view.panic().is_some() => {
            "nothing acts since the panic button; attacks are told. `spillway panic off` lets things act again".to_owned()
        }
        Mode::Observe => "attacks are told, and nothing acts".to_owned(),
        Mode::Suggest if view.layers.filters => {
            "filters are derived, and counted in the kernel without dropping; a person lets them act".to_owned()
        }
        Mode::Suggest => "filters are derived and shown; a person lets them act".to_owned(),
        Mode::Enforce if enforcers.is_empty() => {
            "filters would act, but nothing that could is configured: name `dataplane.interfaces`, routers below [routing], or `compat`".to_owned()
        }
        Mode::Enforce => format!("filters act by themselves, by {}", enforcers.join("; ")),
    }
}

/// What becomes of what is going on, now that a mode holds for a prefix, or for all; a sentence each.
pub(super) fn notes(view: &View, live: &[Live], prefix: Option<&Prefix>) -> Vec<String> {
    let mode = prefix.map_or_else(|| view.general().value, |prefix| view.mode(prefix));
    let mut out = vec![format!("from now on {}", means(view, mode))];
    if let Some(prefix) = prefix {
        let said = view.values(prefix).mode.value;
        if said != mode {
            out.push(format!(
                "a part of {prefix} is at {}, and what reaches all of it goes no further",
                mode_name(mode)
            ));
        }
    } else {
        let exempt = view.exempt();
        let names =
            exempt.iter().take(NAMED).map(|(prefix, mode)| format!("{prefix} {}", mode_name(mode.value)));
        let names: Vec<String> = names.collect();
        let more = exempt.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !names.is_empty() {
            out.push(format!("what has a mode of its own keeps it: {}{more}", names.join(", ")));
        }
    }
    let of = |rule: &&Live| {
        prefix.is_none_or(|prefix| prefix.covers(&rule.target)) && view.mode(&rule.target) == mode
    };
    let rules = live.iter().filter(of).count();
    match mode {
        Mode::Enforce if rules > 0 => out.push(format!(
            "{rules} rules of attacks that go on act from now on, within `collateral_max` and the never-list (`spillway rule list`)"
        )),
        Mode::Observe | Mode::Suggest if rules > 0 => {
            out.push(format!("{rules} rules of attacks that go on drop nothing from now on"));
        }
        _ => {}
    }
    out
}
