//! What a configuration changes against another one, key by key; secrets are not shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use super::Config;
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

/// Whether a key that stands in one of both alone changes anything: one that is written out as it is by default does not.
pub fn makes_a_difference<'a>(path: &'a Path, from: &'a str, to: &'a str) -> impl Fn(&Change) -> bool + 'a {
    // What is written where is not what is meant.
    let meant = move |text: &str| Config::parse(path, text).ok().map(|config| format!("{config:?}"));
    let (before, after) = (meant(from), meant(to));
    move |change: &Change| {
        let (text, whole) = match (&change.from, &change.to) {
            (Some(_), None) => (from, &before),
            (None, Some(_)) => (to, &after),
            _ => return true,
        };
        let Ok(mut table) = toml::from_str::<Table>(text) else { return true };
        let Some(place) = place(&table, &change.key) else { return true };
        take(&mut table, &place);
        let without: String =
            table.iter().map(|(key, value)| format!("{} = {}\n", below("", key), written(value))).collect();
        whole.is_none() || meant(&without) != *whole
    }
}

/// The keys on the way to what [`flatten`] calls so.
fn place(table: &Table, key: &str) -> Option<Vec<String>> {
    let mut names = BTreeMap::new();
    ways("", &[], table, &mut names);
    names.remove(key)
}

fn ways(path: &str, way: &[String], table: &Table, out: &mut BTreeMap<String, Vec<String>>) {
    for (key, value) in table {
        let path = below(path, key);
        let way: Vec<String> = way.iter().chain([key]).cloned().collect();
        match value {
            Value::Table(table) => ways(&path, &way, table, out),
            _ => drop(out.insert(path, way)),
        }
    }
}

/// Takes it out, and sections that are empty then: an empty one may be a wish of its own, but then it was one before.
fn take(table: &mut Table, way: &[String]) {
    match way {
        [] => {}
        [last] => drop(table.remove(last)),
        [first, rest @ ..] => {
            if let Some(Value::Table(inner)) = table.get_mut(first) {
                take(inner, rest);
                if inner.is_empty() {
                    table.remove(first);
                }
            }
        }
    }
}

fn below(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let key = if plain { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

pub(super) fn flatten(path: &str, table: Table, out: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = below(path, &key);
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
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Array(all) => format!("[{}]", all.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let keys = table.iter().map(|(key, value)| format!("{} = {}", below("", key), written(value)));
            format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
        }
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
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

    #[test]
    fn a_key_at_its_default_is_no_difference() {
        let base = "networks = [\"192.0.2.0/24\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n";
        let with = |more: &str| {
            let to = format!("mode = \"observe\"\n{base}{more}");
            let differs = makes_a_difference(Path::new("f"), base, &to);
            let all = changes(base, &to).into_iter().filter(|change| differs(change));
            let back = makes_a_difference(Path::new("f"), &to, base);
            let again = changes(&to, base).into_iter().filter(|change| back(change)).count();
            let all: Vec<String> = all.map(|change| change.key).collect();
            assert_eq!(all.len(), again, "either way");
            all
        };
        assert_eq!(
            with("[rules]\nlease = \"15m\"\nallow_ceiling = \"1000 pps\"\n[detection]\nquiet = \"60s\"\n"),
            [""; 0]
        );
        assert_eq!(with("[rules]\nlease = \"15m\"\nallow_ceiling = \"2 kpps\"\n"), ["rules.allow_ceiling"]);
        let target = with("[target.\"192.0.2.7\"]\nmode = \"observe\"\n");
        assert_eq!(
            target,
            ["target.\"192.0.2.7\".mode"],
            "it holds against a wider one that is changed later"
        );
    }
}
