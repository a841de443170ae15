//! `/api/v1/attacks/{id}/report`: all that is to be said of one attack, as one document to hand on.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use access::Permission;

use crate::body::{Asked, Part};
use crate::door::Caller;
use crate::explanation::{self, Explanation};
use crate::notes;
use crate::problem::Problem;
use crate::router::Shared;

/// Notes that a report has at most, the newest.
const NOTES_MAX: u32 = 200;
/// A page of its own, opened from a file: it needs nothing, and gets nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
                     th{text-align:left;padding-right:2rem;font-weight:normal}li{overflow-wrap:anywhere}";

/// As what it is handed out.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// One page that needs nothing else.
    #[default]
    Html,
    /// Lines for a mail or a ticket.
    Text,
    /// `attack`, `explanation`, `notes`.
    Json,
}

/// As what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wish {
    /// `html`, `text` or `json`.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Format,
}

/// A report about an attack, to hand on: what it was, why it is called one, what was done and not. Who sees the whole network gets
/// what people noted, too.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/report", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id"), Wish),
    responses(
        (status = 200, content(
            (String = "text/html"),
            (String = "text/plain"),
            (Object = "application/json"),
        )),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn hand_out(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(wish): Asked<Wish>,
) -> Result<Response, Problem> {
    let of = id.clone();
    let work = move |shared: &Shared| {
        let (attack, explanation) = explanation::found(shared, &caller, &of)?;
        let notes = if caller.actor.may(Permission::SeeNetwork) {
            notes::of(shared, &of, NOTES_MAX)?
        } else {
            Vec::new()
        };
        Ok((attack, explanation, notes))
    };
    let (attack, explanation, notes) = shared.ask(work).await?;
    let named = |ending: &str| {
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"attack-{id}.{ending}\""))
    };
    Ok(match wish.format {
        Format::Html => {
            let kind = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, POLICY),
            ];
            (kind, [named("html")], html(&attack, &explanation, &notes)).into_response()
        }
        Format::Text => {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (kind, [named("txt")], plain(&attack, &explanation, &notes)).into_response()
        }
        Format::Json => {
            let document = json!({"attack": attack, "explanation": explanation, "notes": notes});
            ([named("json")], Json(document)).into_response()
        }
    })
}

/// What stands in a table at the top.
const HEAD: [(&str, &str); 8] = [
    ("Target", "target"),
    ("Direction", "direction"),
    ("State", "state"),
    ("Began", "started_at"),
    ("Detected", "detected_at"),
    ("Ended", "ended_at"),
    ("Peak, packets/s", "peak_pps"),
    ("Peak, bits/s", "peak_bps"),
];

fn word(document: &Value, key: &str) -> String {
    match document.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Titles and lines, without those that have none.
fn sections(it: &Explanation, notes: &[Value]) -> Vec<(&'static str, Vec<String>)> {
    let vectors =
        it.vectors.iter().map(|one| format!("{} ({:.0} %): {}", one.name, one.share * 100.0, one.meaning));
    let rules = it.rules.iter().map(|one| format!("{} \u{2014} {}; {}", one.text, one.stands, one.price));
    let steps = it.steps.iter().map(|one| format!("{} {} ({})", one.at, one.what, one.by));
    let refused = it.refused.iter().map(|one| format!("{}: {}", one.what, one.reason));
    let noted =
        notes.iter().map(|one| format!("{} {}: {}", word(one, "at"), word(one, "actor"), word(one, "text")));
    let all = vec![
        ("Why it is called an attack", it.why.clone()),
        ("What it is made of", vectors.collect()),
        ("Filters", rules.collect()),
        ("What was done", steps.collect()),
        ("What was not done, and why", refused.collect()),
        ("What comes next", it.next.clone()),
        ("Notes", noted.collect::<Vec<_>>()),
    ];
    all.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
}

/// A page without scripts, pictures or addresses to load from.
#[must_use]
pub fn html(attack: &Value, it: &Explanation, notes: &[Value]) -> String {
    let mut body = format!("<h1>Attack {}</h1>\n<p>{}</p>\n", escaped(&it.attack), escaped(&it.summary));
    let rows: String = HEAD
        .iter()
        .map(|(name, key)| format!("<tr><th>{name}</th><td>{}</td></tr>\n", escaped(&word(attack, key))))
        .collect();
    body.push_str(&format!("<table>\n{rows}</table>\n"));
    for (title, lines) in sections(it, notes) {
        let all: String = lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
        body.push_str(&format!("<h2>{title}</h2>\n<ul>\n{all}</ul>\n"));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Attack {}</title>\n<style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n",
        escaped(&it.attack)
    )
}

/// Lines for a mail.
fn plain(attack: &Value, it: &Explanation, notes: &[Value]) -> String {
    let mut out = format!("Attack {}\n\n{}\n\n", it.attack, it.summary);
    for (name, key) in HEAD {
        out.push_str(&format!("{name:<16} {}\n", word(attack, key)));
    }
    for (title, lines) in sections(it, notes) {
        out.push_str(&format!("\n{title}\n"));
        out.extend(lines.iter().map(|line| format!("  {line}\n")));
    }
    out
}

/// Whatever came from the wire or from people is text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
