//! What a configuration changes against another one, key by key; secrets are not shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::{Table, Value};

use super::veil::{HIDDEN, is_secret};

/// Keys, and sections, that a reload does not take.
const RESTART: [&str; 3] = ["ledger", "state_dir", "user"];

/// A key that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its whole path.
    pub key: String,
    /// In the first one, as TOML; `None`: it is not there.
    pub from: Option<String>,
    /// In the second one.
    pub to: Option<String>,
    /// A reload refuses it: the daemon has to be started anew.
    pub restart: bool,
}

/// What differs, by key. Both texts were read before; one that cannot be read has no keys.
pub fn changes(from: &str, to: &str) -> Vec<Change> {
    let read = |text: &str| {
        let mut keys = BTreeMap::new();
        flatten("", toml::from_str::<Table>(text).unwrap_or_default(), &mut keys);
        keys
    };
    let (from, to) = (read(from), read(to));
    let all: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let differ = all.into_iter().filter(|key| from.get(*key) != to.get(*key));
    let change = |key: &String| Change {
        key: key.clone(),
        from: from.get(key).map(|value| shown(key, value)),
        to: to.get(key).map(|value| shown(key, value)),
        restart: RESTART
            .iter()
            .any(|one| key.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))),
    };
    differ.map(change).collect()
}

fn flatten(path: &str, table: Table, out: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let key = if plain { key } else { format!("{key:?}") };
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        match value {
            Value::Table(table) => flatten(&path, table, out),
            value => drop(out.insert(path, value)),
        }
    }
}

fn shown(key: &str, value: &Value) -> String {
    let text = written(value);
    if is_secret(key, &text) { HIDDEN.to_owned() } else { text }
}

/// As it would stand in the file.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Array(all) => format!("[{}]", all.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let keys = table.iter().map(|(key, value)| format!("{key} = {}", written(value)));
            format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
        }
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_by_key_and_secrets_are_not_shown() {
        let from = "mode = \"observe\"\n[notify.noc]\nkind = \"slack\"\nurl = \"https://h/1\"\ntoken = \"a\"\n[customers.\"a b\"]\nnetworks = [\"192.0.2.0/24\"]\n";
        let to = "mode = \"enforce\"\nstate_dir = \"/x\"\n[notify.noc]\nkind = \"slack\"\nurl = \"https://h/2\"\ntoken = \"${file:/t}\"\n";
        let said: Vec<String> = changes(from, to)
            .iter()
            .map(|c| format!("{} {:?} {:?} {}", c.key, c.from.as_deref(), c.to.as_deref(), c.restart))
            .collect();
        assert_eq!(
            said,
            [
                "customers.\"a b\".networks Some(\"[\\\"192.0.2.0/24\\\"]\") None false",
                "mode Some(\"\\\"observe\\\"\") Some(\"\\\"enforce\\\"\") false",
                "notify.noc.token Some(\"(hidden)\") Some(\"\\\"${file:/t}\\\"\") false",
                "notify.noc.url Some(\"(hidden)\") Some(\"(hidden)\") false",
                "state_dir None Some(\"\\\"/x\\\"\") true",
            ]
        );
        assert!(changes(from, &format!("# a word\n{from}")).is_empty());
    }
}
