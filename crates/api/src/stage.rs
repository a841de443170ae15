//! `/api/v1/demo`: what the world of a demonstration does, and what it is asked to do. Nowhere else there is such a world.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::Document;
use crate::change::Change;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{ActName, Reason};

/// Something that the world can do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Act {
    /// By this it is asked for.
    name: String,
    /// A few words.
    title: String,
    /// Whether it is an attack at all.
    attack: bool,
    /// Seconds that it takes.
    secs: u64,
    /// Seconds that are left of it; `null`: it is not going on.
    left: Option<u64>,
    /// Whom it hits; `null` likewise.
    target: Option<String>,
}

/// All of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Stage {
    /// In the order of the story.
    acts: Vec<Act>,
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The act's name.
    act: ActName,
    /// Why.
    reason: Reason,
}

/// What the demonstration's world can do, and what of it goes on. There is no such thing outside of `spillway demo`.
#[utoipa::path(
    get, path = "/api/v1/demo", tag = "demo",
    responses((status = 200, body = Stage), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn show(State(shared): State<Shared>) -> Result<Json<Stage>, Problem> {
    shared.ask(|shared| answered(shared, json!("list")).map(Json)).await
}

/// Have the demonstration's world do something now: an attack, or a flash crowd.
#[utoipa::path(
    post, path = "/api/v1/demo", tag = "demo", request_body = Wish,
    responses(
        (status = 200, body = Stage),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn wish(
    State(shared): State<Shared>,
    caller: Caller,
    Document(wish): Document<Wish>,
) -> Result<Json<Stage>, Problem> {
    let (act, reason) = (wish.act.0, wish.reason.0);
    if !shared.operate.has_stage() {
        return Err(nowhere());
    }
    let change = Change { action: "demo.act", object: act.clone(), reason, ..Change::default() };
    let act = move |shared: &Shared| {
        let stage = answered(shared, json!({"start": act}))?;
        Ok((Json(stage), Some(json!({"started": act}))))
    };
    shared.change(&caller, change, act).await
}

fn answered(shared: &Shared, order: Value) -> Result<Stage, Problem> {
    let told = shared.operate.stage(order).ok_or_else(nowhere)?;
    let refused =
        |why: String| Problem::new(StatusCode::CONFLICT, why, "GET /api/v1/demo lists what can be asked for");
    let told = told.map_err(refused)?;
    serde_json::from_value(told)
        .map_err(|wrong| refused(format!("the world says what is not understood: {wrong}")))
}

fn nowhere() -> Problem {
    Problem::missing(
        "this is no demonstration: its world is the real one",
        "`spillway demo` has a world that can be asked",
    )
}
