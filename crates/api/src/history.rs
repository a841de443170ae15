//! `/api/v1/history`: lines of the journal of mitigations.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::{Asked, Part};
use crate::door::Caller;
use crate::mitigations::route;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{Limit, Number};

/// A line of the journal.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Past {
    /// Its number.
    number: u64,
    /// RFC 3339, UTC.
    at: String,
    /// Number of the mitigation.
    mitigation: Option<u64>,
    /// What happened.
    event: String,
    /// Who.
    actor: String,
    /// Why.
    reason: String,
    /// To what.
    what: String,
}

/// Lines, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryPage {
    items: Vec<Past>,
    /// Always `null`: ask for more lines instead.
    next: Option<String>,
}

/// How many.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lines {
    /// At most this many.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
}

/// What was done about routes, newest first.
#[utoipa::path(
    get, path = "/api/v1/history", tag = "mitigations", params(Lines),
    responses((status = 200, body = HistoryPage), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn of_all(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(lines): Asked<Lines>,
) -> Result<Json<HistoryPage>, Problem> {
    past(&shared, caller, None, lines.limit).await
}

/// What was done about one mitigation, newest first.
#[utoipa::path(
    get, path = "/api/v1/mitigations/{id}/history", tag = "mitigations",
    params(("id" = inline(Number), Path, description = "Its number"), Lines),
    responses((status = 200, body = HistoryPage), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn of_one(
    State(shared): State<Shared>,
    caller: Caller,
    Part(Number(id)): Part<Number>,
    Asked(lines): Asked<Lines>,
) -> Result<Json<HistoryPage>, Problem> {
    past(&shared, caller, Some(id), lines.limit).await
}

async fn past(
    shared: &Shared,
    caller: Caller,
    id: Option<u64>,
    limit: Limit,
) -> Result<Json<HistoryPage>, Problem> {
    let work = move |shared: &Shared| {
        let answer = route(shared, &caller, json!({"history": {"id": id, "limit": limit.0}}))?;
        let lines = answer.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
        let items = lines.into_iter().filter_map(|line| serde_json::from_value(line).ok()).collect();
        Ok(Json(HistoryPage { items, next: None }))
    };
    shared.ask(work).await
}
