//! The API, from the document that it serves and the matrix that it asks.

use serde_json::Value;

use super::one_line;

const HEAD: &str = "# API\n\n\
    Everything that the dashboard and the command line do goes through this API. The running daemon serves the whole document, with every \
    schema, at `/api/v1/openapi.json`; generate a client from that. Here is what there is, and which permission each endpoint takes: \
    [Roles](roles.md) says who has it.\n\n\
    * Credentials: `Authorization: Bearer spw_ID_SECRET` (`spillway token add`), or a session with the header `X-Spillway-CSRF` \
    for what changes something. Who asks on plain loopback without any is a viewer, unless `[api] anonymous = \"none\"`.\n\
    * Errors are `application/problem+json` (RFC 9457) with a `hint`.\n\
    * Lists come in pages: `next` of one is `after` (or `before`) of the following question.\n\
    * `/api/v1/events` is a stream (SSE); `Last-Event-ID` goes on where it broke.\n";
const VERBS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page.
pub(super) fn page() -> String {
    let mut out = HEAD.to_owned();
    let document = serde_json::to_value(api::openapi()).unwrap_or_default();
    let schemas = document.pointer("/components/schemas");
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for verb in VERBS {
            let Some(operation) = item.get(verb) else { continue };
            let method = verb.to_uppercase();
            out.push_str(&format!("\n## {method} {path}\n\n"));
            let summary = text(operation, "summary");
            out.push_str(&format!("{}\n\n", one_line(summary)));
            let needed = api::endpoints().find(|(verb, at, _)| *verb == method && *at == path);
            if let Some((_, _, permission)) = needed {
                out.push_str(&format!("Takes the permission `{permission}`.\n\n"));
            }
            for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                let schema = parameter.get("schema").unwrap_or(&Value::Null);
                let required =
                    if parameter.get("required") == Some(&Value::Bool(true)) { ", required" } else { "" };
                out.push_str(&format!(
                    "* `{}` ({}{required}): {}{}\n",
                    text(parameter, "name"),
                    text(parameter, "in"),
                    one_line(text(parameter, "description")),
                    words(schema)
                ));
            }
            if let Some(name) = body(operation.get("requestBody")) {
                out.push_str(&format!("* body: `{name}`{}\n", keys(schemas, name)));
            }
            let answers = operation.get("responses").and_then(Value::as_object);
            for (status, answer) in
                answers.into_iter().flatten().filter(|(status, _)| status.starts_with('2'))
            {
                let name = body(Some(answer)).map(|name| format!(" `{name}`")).unwrap_or_default();
                let said = one_line(text(answer, "description"));
                let said = if said.is_empty() { said } else { format!(", {said}") };
                out.push_str(&format!("* answers {status}{name}{said}\n"));
            }
        }
    }
    out
}

/// The name of the schema of a body.
fn body(body: Option<&Value>) -> Option<&str> {
    let content = body?.get("content")?.as_object()?;
    content.values().find_map(|media| media.pointer("/schema/$ref")?.as_str()?.rsplit('/').next())
}

/// The keys of a schema, by name.
fn keys(schemas: Option<&Value>, name: &str) -> String {
    let schema = schemas.and_then(|schemas| schemas.get(name)).unwrap_or(&Value::Null);
    let required = super::required(schema);
    let named = schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(key, _)| {
        if required.contains(&key.as_str()) { format!("`{key}`") } else { format!("`{key}` (optional)") }
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() { String::new() } else { format!(" with {}", named.join(", ")) }
}

fn words(schema: &Value) -> String {
    let words = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    if words.is_empty() { String::new() } else { format!(" One of {}.", words.join(", ")) }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
