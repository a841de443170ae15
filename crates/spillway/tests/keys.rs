//! Each key of the schema with what it is not: refused in one line that names the key and what to do.
#![expect(clippy::indexing_slicing, reason = "the schema is looked into by key")]

use std::path::Path;

use serde_json::Value;
use spillway::config::{Config, effective};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("f.toml"), text)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Names of sections that somebody chooses: one of them fits.
const NAMES: [&str; 4] = ["name", "192.0.2.1", "198.51.100.0/24", "17"];
/// What to do is said by one of these.
const REMEDIES: [&str; 10] = [
    "expected ",
    "write ",
    "known here: ",
    "did you mean ",
    "like ",
    "must ",
    "remove ",
    "add ",
    "needs ",
    "give ",
];

/// Every key with its form; `*` is a name that somebody chooses, `[]` one of a list.
fn keys(path: &[String], schema: &Value, found: &mut Vec<(Vec<String>, Value)>) {
    let with = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    if !path.is_empty() {
        found.push((path.to_vec(), schema.clone()));
    }
    for (name, one) in schema["properties"].as_object().into_iter().flatten() {
        keys(&with(name), one, found);
    }
    if schema["additionalProperties"].is_object() {
        keys(&with("*"), &schema["additionalProperties"], found);
    }
    if schema["items"].is_object() {
        keys(&with("[]"), &schema["items"], found);
    }
}

/// Values that are none of this form, as TOML.
fn wrong(schema: &Value) -> Vec<String> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if schema.get("enum").is_some() {
        return ["\"nosuch\"", "7", "true", "[]"].map(str::to_owned).to_vec();
    }
    let mut out = Vec::new();
    let others = [
        ("string", "\"x y\""),
        ("integer", "7"),
        ("number", "0.25"),
        ("boolean", "true"),
        ("array", "[[7]]"),
        ("object", "{ nosuch = 1 }"),
    ];
    for (kind, value) in others {
        // a whole number is a number
        let taken = kinds.contains(&kind) || kind == "integer" && kinds.contains(&"number");
        // what is given a name may be one of several things
        if !taken {
            out.push(value.to_owned());
        }
    }
    let bound = |key: &str| schema[key].as_i64();
    out.extend(bound("minimum").and_then(|least| least.checked_sub(1)).map(|one| one.to_string()));
    out.extend(bound("maximum").and_then(|most| most.checked_add(1)).map(|one| one.to_string()));
    out
}

/// A file in which this value stands at this place.
fn file(path: &[String], name: &str, value: &str) -> String {
    let mut text = value.to_owned();
    for step in path.iter().skip(1).rev() {
        text = match step.as_str() {
            "[]" => format!("[{text}]"),
            "*" => format!("{{ \"{name}\" = {text} }}"),
            key => format!("{{ {key} = {text} }}"),
        };
    }
    let first = &path[0];
    let networks = if first == "networks" { "" } else { "networks = [\"198.51.100.0/24\"]\n" };
    format!("{networks}{first} = {text}\n")
}

#[test]
fn every_key_refuses_what_it_is_not_by_its_name_and_says_what_to_do() {
    let schema = spillway::config::schema().unwrap();
    let mut all = Vec::new();
    keys(&[], &schema, &mut all);
    let (mut tried, mut amiss) = (0, Vec::new());
    for (path, form) in &all {
        let named = path.iter().rev().find(|step| !["*", "[]"].contains(&step.as_str())).unwrap();
        for value in wrong(form) {
            tried += 1;
            let names = if path.iter().any(|step| step == "*") { &NAMES[..] } else { &NAMES[..1] };
            let said: Vec<String> = names
                .iter()
                .map(|name| parse(&file(path, name, &value)).err().unwrap_or_else(|| "(taken)".to_owned()))
                .collect();
            let fine = |said: &&String| {
                said.starts_with("f.toml:")
                    && (said.contains(named.as_str()) || value.contains("nosuch") && said.contains("nosuch"))
                    && REMEDIES.iter().any(|word| said.contains(word))
                    && said.lines().count() == 1
            };
            if !said.iter().any(|said| fine(&said)) {
                amiss.push(format!("{} = {value}: {}", path.join("."), said.join(" | ")));
            }
        }
    }
    assert!(amiss.is_empty(), "{} of {tried}:\n{}", amiss.len(), amiss.join("\n"));
    assert!(all.len() > 150 && tried > 700, "{} keys, {tried} values", all.len());
}

#[test]
fn what_holds_is_the_file_with_its_defaults_and_no_secret() {
    let text = "networks = [\"192.0.2.0/24\"]\nmode = \"suggest\"\n[listen]\nsflow = \"127.0.0.1:0\"\n[rules]\nlease = \"5m\"\n\
        [customers.\"a b\"]\nnetworks = [\"192.0.2.0/28\"]\n";
    let keys = effective(text).unwrap();
    let of = |name: &str| {
        let one = keys.iter().find(|key| key.key == name).unwrap_or_else(|| panic!("no {name}"));
        (one.value.as_str(), one.from)
    };
    assert_eq!(of("mode"), ("\"suggest\"", "file"));
    assert_eq!(of("rules.lease"), ("\"5m\"", "file"));
    assert_eq!(of("rules.install_delay"), ("\"50ms\"", "default"));
    assert_eq!(of("customers.\"a b\".networks"), ("[\"192.0.2.0/28\"]", "file"));
    assert_eq!(of("log.level"), ("\"info\"", "default"));
    // it is a configuration itself, and the same one
    let lines: String = keys.iter().map(|key| format!("{} = {}\n", key.key, key.value)).collect();
    let meant = |text: &str| format!("{:?}", Config::parse(Path::new("f"), text).unwrap());
    assert_eq!(meant(&lines), meant(text));
    let secret = format!(
        "{text}[notify.noc]\nkind = \"webhook\"\nurl = \"https://h/LEAK\"\nsecret = \"LEAKLEAKLEAKLEAK\"\n"
    );
    let keys = effective(&secret).unwrap();
    assert!(keys.iter().all(|key| !key.value.contains("LEAK")), "{keys:?}");
    assert!(keys.iter().any(|key| key.key == "notify.noc.secret" && key.value == "\"(hidden)\""));
}
