//! Sentences and defaults of keys, from the commented file that `spillway init` writes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// By place: what is said of it, and its default.
pub(super) struct Words(BTreeMap<String, (String, Option<Value>)>);

impl Words {
    /// Adds what is known of a place.
    pub(super) fn add(&self, place: &str, out: &mut Map<String, Value>) {
        let Some((text, default)) = self.0.get(place) else { return };
        if !text.is_empty() {
            let form = out.get("description").and_then(Value::as_str).map(|form| format!(" ({form})"));
            out.insert("description".to_owned(), json!(text.clone() + form.as_deref().unwrap_or_default()));
        }
        if let Some(default) = default {
            out.insert("default".to_owned(), default.clone());
        }
    }
}

/// Reads them. `#key = value` is a default, `# Words` above it or a section say what it is.
pub(super) fn of(text: &str) -> Words {
    let mut out = BTreeMap::new();
    let (mut section, mut said) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            out.insert(section.clone(), (said.join(" "), None));
            said.clear();
        } else if let Some(words) = line.strip_prefix("# ") {
            // what is set in further is an example
            if !words.starts_with(' ') {
                said.push(words);
            }
        } else if let Some((key, value)) = line.strip_prefix('#').unwrap_or(line).split_once(" = ") {
            let place = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            let is_default = line.starts_with('#');
            let value = toml::from_str::<toml::Table>(&format!("v = {value}")).ok();
            let value = value.and_then(|mut table| serde_json::to_value(table.remove("v")).ok());
            out.insert(place, (said.join(" "), value.filter(|_| is_default)));
            said.clear();
        } else {
            said.clear();
        }
    }
    Words(out)
}
