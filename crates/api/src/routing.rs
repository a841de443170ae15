//! Neighbours, absorbers, what diversions move, and the panic button.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Document;
use crate::change::Change;
use crate::door::Caller;
use crate::mitigations::{Because, Done, route};
use crate::problem::Problem;
use crate::router::Shared;

/// Documents as `spillway route … -o json` prints them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Documents {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Always `null`: one page.
    next: Option<String>,
}

async fn listed(shared: &Shared, caller: Caller, what: &'static str) -> Result<Json<Documents>, Problem> {
    let work = move |shared: &Shared| {
        let answer = route(shared, &caller, json!(what))?;
        let items = answer.get(what).and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Json(Documents { items, next: None }))
    };
    shared.ask(work).await
}

/// Neighbours and their sessions, as `spillway route peers` shows them.
#[utoipa::path(
    get, path = "/api/v1/peers", tag = "routing",
    responses((status = 200, body = Documents), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn peers(State(shared): State<Shared>, caller: Caller) -> Result<Json<Documents>, Problem> {
    listed(&shared, caller, "peers").await
}

/// Who takes what is diverted, as `spillway route absorbers` shows them.
#[utoipa::path(
    get, path = "/api/v1/absorbers", tag = "routing",
    responses((status = 200, body = Documents), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn absorbers(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<Documents>, Problem> {
    listed(&shared, caller, "absorbers").await
}

/// What diversions were measured to move, as `spillway route playbook` shows it.
#[utoipa::path(
    get, path = "/api/v1/playbook", tag = "routing",
    responses((status = 200, body = Documents), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn playbook(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<Documents>, Problem> {
    listed(&shared, caller, "playbook").await
}

/// Withdraw everything, and begin nothing until it is resumed.
#[utoipa::path(post, path = "/api/v1/panic", tag = "routing", request_body = Because, responses((status = 200, body = Done)))]
pub(crate) async fn panic(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Because>,
) -> Result<Json<Done>, Problem> {
    let order = json!({"panic": {"reason": asked.reason.0}});
    button(&shared, &caller, ("panic", true), asked.reason.0, order).await
}

/// Things may begin again.
#[utoipa::path(post, path = "/api/v1/resume", tag = "routing", request_body = Because, responses((status = 200, body = Done)))]
pub(crate) async fn resume(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Because>,
) -> Result<Json<Done>, Problem> {
    let order = json!({"resume": {"reason": asked.reason.0}});
    button(&shared, &caller, ("resume", false), asked.reason.0, order).await
}

async fn button(
    shared: &Shared,
    caller: &Caller,
    (action, urgent): (&'static str, bool),
    reason: String,
    order: Value,
) -> Result<Json<Done>, Problem> {
    // how far things went is in memory: nobody waits for it
    let before = shared.operate.policy(&caller.actor.name, json!("stance")).ok();
    let object = "all mitigations".to_owned();
    let change = Change { action, object, reason, before, urgent, ..Change::default() };
    let by = caller.clone();
    let act = move |shared: &Shared| {
        let answer = route(shared, &by, order)?;
        let done = answer.get("done").and_then(Value::as_u64).unwrap_or(0);
        Ok((Json(Done { done, exception: None }), Some(answer)))
    };
    shared.change(caller, change, act).await
}
