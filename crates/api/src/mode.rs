//! `/api/v1/mode`: how far to go for all of whom nothing narrower is said. It holds above the file until somebody clears it, its time
//! is over, or the file says another mode.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Document;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::targets::{ModeWord, decide, done};
use crate::words::{Reason, Ttl};

/// How far to go, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GeneralMode {
    mode: ModeWord,
    /// Seconds; without it, until somebody changes it or the file.
    hold: Option<Ttl>,
    /// Why.
    reason: Reason,
}

/// How far the daemon goes where nothing narrower says it, who says so, what has a mode of its own, and what could act.
#[utoipa::path(
    get, path = "/api/v1/mode", tag = "targets",
    responses((status = 200, body = Object), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn show(State(shared): State<Shared>, caller: Caller) -> Result<Json<Value>, Problem> {
    shared.ask(move |shared| decide(shared, &caller, json!("stance")).map(Json)).await
}

/// Say how far to go where nothing narrower says it. It holds at once, and above the configuration; `inherit` goes back to that.
#[utoipa::path(
    post, path = "/api/v1/mode", tag = "targets", request_body = GeneralMode,
    responses(
        (status = 200, body = Object),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<GeneralMode>,
) -> Result<Json<Value>, Problem> {
    let mode = match asked.mode {
        ModeWord::Inherit => None,
        mode => Some(mode),
    };
    let name = serde_json::to_value(asked.mode).ok();
    let object = name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let reason = asked.reason.0;
    let order = json!({"general": {"mode": mode, "hold": asked.hold.map(|ttl| ttl.0), "reason": reason}});
    done(&shared, &caller, ("mode", object), (reason, None), order).await.map(Json)
}
