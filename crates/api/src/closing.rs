//! `/api/v1/attacks/{id}/close`: a person calls an attack over.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::attacks;
use crate::body::{Document, Part};
use crate::door::Caller;
use crate::mitigations::Because;
use crate::problem::Problem;
use crate::router::Shared;
use crate::targets::done;

/// Call an attack over: what was done about it by itself is withdrawn, in the order that such things always end in. It holds before the
/// answer, over a crash too. What goes on like it is no new attack for `[detection] quiet`, unless it comes to twice its peak.
#[utoipa::path(
    post, path = "/api/v1/attacks/{id}/close", tag = "attacks", request_body = Because,
    params(("id" = String, Path, description = "The attack's id")),
    responses(
        (status = 200, body = Object),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn close(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Because>,
) -> Result<Json<Value>, Problem> {
    let document = attacks::find(&shared, &caller, &id)?;
    let document: Value = serde_json::from_str(document.get()).unwrap_or_default();
    let about = document.get("target").and_then(Value::as_str).and_then(|target| target.parse().ok());
    if document.get("state").and_then(Value::as_str) == Some("over") {
        return Err(Problem::conflict(format!("attack {id} is over already")));
    }
    let reason = asked.reason.0;
    let order = json!({"close": {"attack": id, "reason": reason}});
    done(&shared, &caller, ("attack.close", id), (reason, about), order).await.map(Json)
}
