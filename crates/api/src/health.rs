//! `/healthz`, `/readyz` and `/metrics`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::targets;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Traffic is watched. Lines after the first say what is amiss all the same: exporters that are silent, say.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    match shared.source.ready() {
        Ok(()) => {
            let notes = shared.source.notes().into_iter();
            let lines = std::iter::once("ready".to_owned()).chain(notes).map(|line| line + "\n");
            lines.collect::<String>().into_response()
        }
        Err(missing) => {
            let hint = "wait, or look at the daemon's log";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, missing, hint).into_response()
        }
    }
}

/// OpenMetrics text where it is asked for, as Prometheus does; else the older Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")),
)]
pub(crate) async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let asked = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let mut metrics = shared.source.metrics();
    metrics.api = Some(shared.numbers());
    let text = metrics.encode();
    let (kind, text) = if asked.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", crate::metrics::plain(&text))
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// How it is.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Status {
    /// The build.
    version: String,
    /// How far it goes where nothing narrower says it: `observe`, `suggest` or `enforce`.
    mode: Option<String>,
    /// Why, where that is not the configuration; `null`: it is.
    mode_reason: Option<String>,
    /// Whether traffic is watched.
    ready: bool,
    /// What is missing or amiss, a sentence each.
    notes: Vec<String>,
    /// Attacks that go on.
    attacks_active: u64,
    /// Rules whose lease runs.
    rules: u64,
    /// Whether the last configuration was taken.
    configuration_taken: bool,
}

/// How the daemon is, in short.
#[utoipa::path(get, path = "/api/v1/status", tag = "health", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(shared): State<Shared>, caller: Caller) -> axum::Json<Status> {
    // this is looked up in memory: the desk waits for nothing
    let stance = targets::decide(&shared, &caller, serde_json::json!("stance")).unwrap_or_default();
    let word = |at: &str| stance.pointer(at).and_then(serde_json::Value::as_str).map(str::to_owned);
    let (brief, ready) = (shared.source.brief(), shared.source.ready());
    let notes = ready.clone().err().into_iter().chain(shared.source.notes()).collect();
    axum::Json(Status {
        version: brief.version,
        mode: word("/mode/value"),
        mode_reason: word("/why"),
        ready: ready.is_ok(),
        notes,
        attacks_active: brief.attacks_active,
        rules: brief.rules,
        configuration_taken: brief.reload_ok,
    })
}
