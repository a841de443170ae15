//! `/api/v1/attacks/{id}/notes`: what people write to an attack. Notes stand in the audit trail, which is only added to.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::attacks;
use crate::body::{Asked, Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{Limit, Reason};

/// As the audit trail calls it.
const ACTION: &str = "attack.note";

/// What somebody wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Note {
    /// RFC 3339, UTC.
    at: String,
    /// Who.
    actor: String,
    /// What.
    text: String,
}

/// Notes, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotePage {
    items: Vec<Note>,
    /// Always `null`: ask for more instead.
    next: Option<String>,
}

/// How many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Many {
    /// At most this many.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
}

/// What is to be written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteText {
    /// One line.
    text: Reason,
}

/// What people wrote to an attack, newest first.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/notes", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id"), Many),
    responses((status = 200, body = NotePage), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(many): Asked<Many>,
) -> Result<Json<NotePage>, Problem> {
    attacks::find(&shared, &caller, &id)?;
    let work =
        move |shared: &Shared| Ok(Json(NotePage { items: noted(shared, &id, many.limit.0)?, next: None }));
    shared.ask(work).await
}

fn noted(shared: &Shared, id: &str, most: u32) -> Result<Vec<Note>, Problem> {
    let found = shared.access.audited_of(ACTION, id, most).map_err(|e| Problem::access(&e))?;
    let note =
        |entry: access::Entry| Note { at: entry.at.to_string(), actor: entry.actor, text: entry.reason };
    Ok(found.into_iter().map(note).collect())
}

/// Notes as documents, newest first.
pub(crate) fn of(shared: &Shared, id: &str, most: u32) -> Result<Vec<Value>, Problem> {
    let all = noted(shared, id, most)?;
    Ok(all.iter().filter_map(|note| serde_json::to_value(note).ok()).collect())
}

/// Write something to an attack. It stays.
#[utoipa::path(
    post, path = "/api/v1/attacks/{id}/notes", tag = "attacks", request_body = NoteText,
    params(("id" = String, Path, description = "The attack's id")),
    responses((status = 201, body = Note), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<NoteText>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    let document = attacks::find(&shared, &caller, &id)?;
    let document: Value = serde_json::from_str(document.get()).unwrap_or_default();
    let about = document.get("target").and_then(Value::as_str).and_then(|target| target.parse().ok());
    let text = asked.text.0;
    let note = Note { at: shared.now().to_string(), actor: caller.actor.name.clone(), text: text.clone() };
    let change = Change { action: ACTION, object: id, reason: text, about, ..Change::default() };
    shared.change(&caller, change, move |_| Ok(((), Some(json!({"noted": true}))))).await?;
    Ok((StatusCode::CREATED, Json(note)))
}
