//! The configuration as it holds: what stands in the file, and what holds where nothing stands there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use toml::Table;

use super::diff::{flatten, written};
use super::veil::veiled;

/// A key and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its whole path.
    pub key: String,
    /// As TOML; secrets are not shown.
    pub value: String,
    /// `file`, or `default`.
    pub from: &'static str,
}

/// All keys of a text that was checked, and those that have a default and do not stand in it, by name.
///
/// # Errors
/// The text, or the schema, cannot be read.
pub fn effective(text: &str) -> Result<Vec<Key>, String> {
    let table: Table = toml::from_str(&veiled(text)).map_err(|wrong| wrong.to_string())?;
    let mut out = Vec::new();
    let mut said = BTreeMap::new();
    flatten("", table, &mut said);
    let names: BTreeSet<String> = said.keys().cloned().collect();
    out.extend(said.into_iter().map(|(key, value)| Key { key, value: written(&value), from: "file" }));
    defaults("", &super::schema()?, &mut |key, value| {
        // a section may be written as one value
        let inside =
            |name: &String| name == key || name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        if !names.iter().any(inside) {
            out.push(Key { key: key.to_owned(), value, from: "default" });
        }
    });
    // keys that stand for themselves come before sections, as in a file
    out.sort_by(|a, b| (a.key.contains('.'), &a.key).cmp(&(b.key.contains('.'), &b.key)));
    Ok(out)
}

fn defaults(path: &str, schema: &Value, found: &mut impl FnMut(&str, String)) {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (key, one) in properties {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        // a default of JSON is one of TOML: texts, numbers, truths and lists of these
        if let Some(value) = one.get("default").and_then(|value| toml::Value::try_from(value).ok()) {
            found(&path, written(&value));
        } else {
            defaults(&path, one, found);
        }
    }
}
