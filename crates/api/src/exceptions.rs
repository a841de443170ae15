//! `/api/v1/exceptions`: what people took back and is not set again for a while.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::body::{Document, Part};
use crate::door::Caller;
use crate::mitigations::Because;
use crate::problem::Problem;
use crate::router::Shared;
use crate::targets::{Decisions, anonymous, done, listed, seen};

/// What was taken back. A customer sees what concerns its own prefixes.
#[utoipa::path(
    get, path = "/api/v1/exceptions", tag = "exceptions",
    responses((status = 200, body = Decisions), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(State(shared): State<Shared>, caller: Caller) -> Result<Json<Decisions>, Problem> {
    let veil = shared.veil(&caller);
    let work = move |shared: &Shared| {
        let all = listed(shared, &caller, json!("exceptions"))?;
        let own = |one| if veil.is_clear() { one } else { anonymous(one, &caller.actor.name) };
        Ok(Json(Decisions::of(
            all.into_iter().map(own).filter_map(|one| seen(&veil, one, "target")).collect(),
        )))
    };
    shared.ask(work).await
}

/// The engine may set it again.
#[utoipa::path(
    post, path = "/api/v1/exceptions/{id}/end", tag = "exceptions", request_body = Because,
    params(("id" = u64, Path, description = "Its number")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn end(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<u64>,
    Document(asked): Document<Because>,
) -> Result<Json<Value>, Problem> {
    let reason = asked.reason.0;
    let order = json!({"end-exception": {"id": id, "reason": reason}});
    done(&shared, &caller, ("exception.end", id.to_string()), (reason, None), order).await.map(Json)
}
