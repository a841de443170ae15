//! Attacks one by one, each asked for some of its sources.

use anyhow::bail;
use serde_json::{Map, Value, json};

use crate::client::Api;

/// What of an attack tells people which one it was.
const ABOUT: [&str; 6] = ["id", "state", "severity", "target", "started_at", "ended_at"];

/// The newest attacks, and what those are whose sources were found.
pub(super) struct Seen {
    /// Attacks that were asked.
    pub(super) attacks: usize,
    /// Of these, attacks of whose sources nothing is known any more, or not to this role.
    pub(super) unknown: usize,
    /// Attack and page of its sources, the newest first.
    pub(super) pages: Vec<(Map<String, Value>, Value)>,
}

/// Asks the newest attacks, so many at most, for sources by this question.
///
/// # Errors
/// Nobody answers, or something else than a page.
pub(super) fn look(api: &Api, attacks: u32, question: &str) -> anyhow::Result<Seen> {
    let list = api.json(&format!("/api/v1/attacks?limit={attacks}"))?;
    let Some(all) = list.get("items").and_then(Value::as_array) else {
        bail!("the daemon's answer cannot be read; is it another version?");
    };
    let mut seen = Seen { attacks: all.len(), unknown: 0, pages: Vec::new() };
    for attack in all {
        let id = attack.get("id").and_then(Value::as_str).unwrap_or_default();
        match api.find(&format!("/api/v1/attacks/{id}/sources?{question}"))? {
            Some(page) => seen.pages.push((about(attack), page)),
            None => seen.unknown += 1,
        }
    }
    Ok(seen)
}

fn about(attack: &Value) -> Map<String, Value> {
    let of = |key: &str| (key.to_owned(), attack.get(key).cloned().unwrap_or(Value::Null));
    let mut about: Map<String, Value> = ABOUT.into_iter().map(of).collect();
    let vectors = attack.get("vectors").and_then(Value::as_array).into_iter().flatten();
    about.insert("vectors".to_owned(), vectors.filter_map(|vector| vector.get("name").cloned()).collect());
    about
}

/// A row: the attack, and this beside it.
pub(super) fn row(attack: &Map<String, Value>, key: &str, value: Value) -> Value {
    let mut row = attack.clone();
    row.insert(key.to_owned(), value);
    Value::Object(row)
}

/// What of the attacks was looked at, for the document.
pub(super) fn extent(seen: &Seen) -> Value {
    json!({"attacks": seen.attacks, "without_sources": seen.unknown})
}

/// The same in a sentence.
pub(super) fn said(document: &Value) -> String {
    let number =
        |key: &str| document.pointer(&format!("/looked_at/{key}")).and_then(Value::as_u64).unwrap_or(0);
    let (all, unknown) = (number("attacks"), number("without_sources"));
    let rest = if unknown == 0 {
        String::new()
    } else {
        format!(
            ", of {unknown} of which no sources are known (any more); `[evidence] record = true` keeps them"
        )
    };
    format!("looked at the newest {all} attacks{rest}")
}
