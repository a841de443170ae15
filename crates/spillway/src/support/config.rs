//! A configuration without what its owner alone may know: what is not known to be harmless is not there.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use base::Prefix;
use serde_json::{Map, Value, json};

/// What stands where something was taken out.
pub const HIDDEN: &str = "(hidden)";

/// Keys whose words are kept: they choose among few that the manual lists, or name interfaces and units.
const HARMLESS: [&str; 34] = [
    "mode",
    "kind",
    "engine",
    "format",
    "level",
    "floor",
    "compat",
    "role",
    "anonymous",
    "events",
    "severity",
    "tls",
    "facility",
    "addresses",
    "interfaces",
    "lease",
    "install_delay",
    "budget",
    "receive_buffer",
    "quota",
    "min_free",
    "spill",
    "group_wait",
    "repeat",
    "timeout",
    "retry",
    "retry_max",
    "give_up",
    "fallback_after",
    "profile",
    "type",
    "carries",
    "families",
    "speed",
];
/// Sections whose own keys are names of people or companies.
const NAMED: [&str; 2] = ["customers", "groups"];

/// The text of a configuration as a document, and every word that was taken out of it.
///
/// # Errors
/// It is not TOML: then nothing of it is kept.
pub fn redacted(text: &str) -> Result<(Value, BTreeSet<String>), String> {
    let tree: toml::Table = toml::from_str(text).map_err(|wrong| wrong.message().to_owned())?;
    let tree = serde_json::to_value(tree).map_err(|wrong| wrong.to_string())?;
    let mut hidden = BTreeSet::new();
    let document = clean("", tree, false, &mut hidden);
    Ok((document, hidden))
}

fn clean(key: &str, value: Value, named: bool, hidden: &mut BTreeSet<String>) -> Value {
    match value {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (at, (name, value)) in fields.into_iter().enumerate() {
                let shown =
                    if named && name != "default" { format!("{key}-{}", at + 1) } else { name.clone() };
                if named {
                    hide(&name, hidden);
                }
                let inside = NAMED.contains(&name.as_str());
                out.insert(shown, clean(&name, value, inside, hidden));
            }
            Value::Object(out)
        }
        Value::Array(items) => items.into_iter().map(|item| clean(key, item, false, hidden)).collect(),
        Value::String(text) if is_harmless(key, &text) => json!(text),
        Value::String(text) => {
            hide(&text, hidden);
            json!(HIDDEN)
        }
        // A number may be a secret by its key alone.
        Value::Number(number) if is_secret(key) => {
            hide(&number.to_string(), hidden);
            json!(HIDDEN)
        }
        other => other,
    }
}

/// What is shorter would be found in every other word.
const HIDDEN_MIN: usize = 4;

fn hide(text: &str, hidden: &mut BTreeSet<String>) {
    let is_common = ["true", "false", "default"].contains(&text);
    if text.len() >= HIDDEN_MIN && !is_common {
        hidden.insert(text.to_owned());
    }
}

fn is_secret(key: &str) -> bool {
    ["secret", "password", "token", "key", "md5", "pin", "passphrase"].iter().any(|word| key.contains(word))
}

fn is_harmless(key: &str, text: &str) -> bool {
    if is_secret(key) {
        return false;
    }
    let is_address = text.parse::<IpAddr>().is_ok()
        || text.parse::<SocketAddr>().is_ok()
        || text.parse::<Prefix>().is_ok();
    let is_word = text.len() <= 40 && !text.contains("://") && !text.contains(['@', '$']);
    is_address || (HARMLESS.contains(&key) && is_word)
}
