//! What a customer sees of a document: what is its own, and figures. Nothing is blanked out: what it may not see is not there.

use base::Prefix;
use serde_json::Value;

use crate::veil::Veil;

/// An attack, as far as it is this one's; `None`: it is none of its business.
pub(crate) fn attack(veil: &Veil, document: &str) -> Option<Value> {
    let mut document: Value = serde_json::from_str(document).ok()?;
    if document.get("direction").and_then(Value::as_str) == Some("out") {
        // the target is somebody outside; what is ours are the hosts that send
        keep(&mut document, "/sources/top", |source| {
            address(source, "address").is_some_and(|own| veil.sees(&own))
        });
        document.pointer("/sources/top")?.as_array()?.first()?;
        if let Some(sources) = document.get_mut("sources").and_then(Value::as_object_mut) {
            // how many others send as well is theirs
            sources.insert(
                "count".to_owned(),
                sources.get("top").and_then(Value::as_array).map_or(0, Vec::len).into(),
            );
        }
    } else {
        let own: Vec<Prefix> = targets(&document).into_iter().filter(|target| veil.sees(target)).collect();
        let first = own.first()?;
        let target = address(&document, "target").filter(|target| veil.sees(target));
        let target = target.or_else(|| if own.len() == 1 { Some(*first) } else { veil.around(first) })?;
        let object = document.as_object_mut()?;
        object.insert("target".to_owned(), target.to_string().into());
        object.insert("targets".to_owned(), own.iter().map(ToString::to_string).collect());
        keep(&mut document, "/sources/top", |source| !veil.hides(&source.to_string()));
    }
    for list in ["/rules", "/router_rules"] {
        keep(&mut document, list, |rule| rule_is_own(veil, rule));
    }
    for list in ["/explain", "/withdrawn", "/usual_syns"] {
        keep(&mut document, list, |one| !veil.hides(&one.to_string()));
    }
    let object = document.as_object_mut()?;
    // where it enters the network is the operator's business, and so is the ladder
    object.insert("entries".to_owned(), Value::Array(Vec::new()));
    object.remove("mitigation");
    clean(veil, document)
}

/// Whether all that an attack reaches is this one's.
pub(crate) fn is_own(veil: &Veil, document: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return false };
    let targets = targets(&document);
    document.get("direction").and_then(Value::as_str) == Some("in")
        && !targets.is_empty()
        && targets.iter().all(|target| veil.sees(target))
}

/// A rule of the list; whole for whoever sees everything.
pub(crate) fn rule(veil: &Veil, document: &str) -> Option<Value> {
    let document: Value = serde_json::from_str(document).ok()?;
    if veil.is_clear() {
        return Some(document);
    }
    if rule_is_own(veil, &document) { clean(veil, document) } else { None }
}

/// What a customer is told of a mitigation: what it does to its traffic, and how long.
const MITIGATION: [&str; 10] =
    ["id", "class", "what", "state", "effect", "asked_at", "started_at", "until", "event", "at"];

/// A mitigation.
pub(crate) fn mitigation(veil: &Veil, document: &Value) -> Option<Value> {
    let what = document.get("what")?.as_str()?;
    if !subject(what).is_some_and(|own| veil.sees(&own)) {
        return None;
    }
    let kept = document.as_object()?.iter().filter(|(key, _)| MITIGATION.contains(&key.as_str()));
    let mut kept: serde_json::Map<String, Value> =
        kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    kept.insert("peers".to_owned(), Value::Array(Vec::new()));
    clean(veil, Value::Object(kept))
}

/// Whether an attack touches this prefix.
pub(crate) fn touches(document: &str, prefix: &Prefix) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return false };
    let near = |one: &Prefix| one.covers(prefix) || prefix.covers(one);
    let sources = document.pointer("/sources/top").and_then(Value::as_array).into_iter().flatten();
    targets(&document).iter().any(near)
        || sources.filter_map(|one| address(one, "address")).any(|one| near(&one))
}

/// What a rule or a bare prefix is about: the prefix after `dst`, else all of it; `None`: it does not say.
#[must_use]
pub fn subject(text: &str) -> Option<Prefix> {
    let mut words = text.split_whitespace();
    let first = words.clone().next()?;
    match words.find(|word| *word == "dst") {
        Some(_) => words.next()?.parse().ok(),
        None => first.parse().ok(),
    }
}

fn rule_is_own(veil: &Veil, rule: &Value) -> bool {
    let text = rule.get("text").and_then(Value::as_str);
    text.and_then(subject).is_some_and(|own| veil.sees(&own)) && !veil.hides(&rule.to_string())
}

fn targets(document: &Value) -> Vec<Prefix> {
    let all = document.get("targets").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|target| target.as_str()?.parse().ok()).collect()
}

fn address(document: &Value, key: &str) -> Option<Prefix> {
    let text = document.get(key)?.as_str()?;
    text.parse().ok()
}

fn keep(document: &mut Value, list: &str, wanted: impl Fn(&Value) -> bool) {
    if let Some(list) = document.pointer_mut(list).and_then(Value::as_array_mut) {
        list.retain(wanted);
    }
}

/// What still names another one is not shown at all.
fn clean(veil: &Veil, document: Value) -> Option<Value> {
    (!veil.hides(&document.to_string())).then_some(document)
}
