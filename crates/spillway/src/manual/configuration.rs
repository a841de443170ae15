//! The configuration file, from the schema that the tables which read it give.

use serde_json::Value;

use super::one_line;

const HEAD: &str = "# Configuration\n\n\
    Every key of `spillway.toml`, as this version reads it. `spillway config schema` prints the same as JSON Schema for editors, \
    `spillway init -c -` a commented file, and `spillway check` says what is wrong, where, and what to do.\n\n\
    * Rates have units: `\"200 kpps\"`, `\"2 Gbps\"`. So have sizes (`\"10 GiB\"`) and times (`\"15m\"`, `\"90d\"`).\n\
    * `NAME`, `PREFIX` and `ADDRESS` in a section's name stand for ones of your own.\n\
    * `\"${file:/path}\"` and `\"${env:NAME}\"` stand for a secret that is kept elsewhere, where a key says that it takes them.\n\
    * A key that is not here is an error that names the nearest one. What has no default may be left out, unless it says *required*.\n";

/// The page.
pub(super) fn page() -> String {
    let mut out = HEAD.to_owned();
    match crate::config::schema() {
        Ok(schema) => section("", &schema, &mut out),
        // a test sees to it that it does not come to that
        Err(why) => out.push_str(&format!("\nIt cannot be shown: {why}\n")),
    }
    let networks = [base::Prefix::of(std::net::Ipv4Addr::new(198, 51, 100, 0).into(), 24)];
    out.push_str("\n## The commented file\n\nAs `spillway init` writes it: what is set in is an example, what has a `#` in front is the default.\n\n");
    out.push_str(&format!("```text\n{}```\n", crate::config::starter(&networks)));
    out
}

/// A section: its keys first, then the sections in it.
fn section(name: &str, schema: &Value, out: &mut String) {
    let keys = properties(schema);
    let plain: Vec<_> = keys.iter().filter(|(_, value)| !has_keys(value)).collect();
    let words = text(schema, "description");
    if !plain.is_empty() || words.is_some() {
        let title = if name.is_empty() { "At the top of the file".to_owned() } else { format!("`[{name}]`") };
        out.push_str(&format!("\n## {title}\n\n"));
        if let Some(words) = words {
            out.push_str(&format!("{}\n\n", one_line(words)));
        }
        let required = super::required(schema);
        for (key, value) in plain {
            out.push_str(&format!("* `{key}`: {}", kind(value)));
            if required.contains(&key.as_str()) {
                out.push_str(", *required*");
            }
            if let Some(default) = value.get("default") {
                out.push_str(&format!(", default `{default}`"));
            }
            match text(value, "description") {
                Some(words) => out.push_str(&format!(". {}\n", one_line(words))),
                None => out.push('\n'),
            }
        }
    }
    for (key, value) in keys.iter().filter(|(_, value)| has_keys(value)) {
        let below = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        if let Some(items) = value.get("items") {
            section(&format!("[{below}]"), items, out);
            continue;
        }
        section(&below, value, out);
        if let Some(one) = value.get("additionalProperties").filter(|one| one.is_object()) {
            section(&format!("{below}.{}", placeholder(key)), one, out);
        }
    }
}

/// What stands for a name of the operator's.
fn placeholder(key: &str) -> &'static str {
    match key {
        "exporters" => "\"ADDRESS\"",
        "target" => "\"PREFIX\"",
        "health" => "\"ADDRESS\"",
        "interfaces" => "NUMBER",
        _ => "NAME",
    }
}

fn properties(schema: &Value) -> Vec<(String, Value)> {
    let keys = schema.get("properties").and_then(Value::as_object);
    keys.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether it is a section, several ones, or a list of them.
fn has_keys(schema: &Value) -> bool {
    let object = |schema: &Value| {
        schema.get("properties").is_some() || schema.get("additionalProperties").is_some_and(Value::is_object)
    };
    object(schema) || schema.get("items").is_some_and(object)
}

fn kind(schema: &Value) -> String {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(" or ");
    }
    let range = match (
        schema.get("minimum").and_then(Value::as_i64),
        schema.get("maximum").and_then(Value::as_u64),
    ) {
        (Some(least), Some(most)) if most < u64::from(u32::MAX) => format!(" of {least} to {most}"),
        _ => String::new(),
    };
    match schema.get("type") {
        Some(Value::String(one)) if one == "array" => {
            format!("list of {}", schema.get("items").map_or_else(|| "values".to_owned(), kind))
        }
        Some(Value::String(one)) => format!("{}{range}", word(one)),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or ")
        }
        _ => "any value".to_owned(),
    }
}

fn word(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "integer" => "whole number",
        "boolean" => "true or false",
        other => other,
    }
}

fn text<'a>(schema: &'a Value, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Value::as_str)
}
