//! `/api/v1/plan`: who is kept when not all can be.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use steer::planner::{self, Effort, Mode};
use utoipa::ToSchema;

use crate::body;
use crate::door::Caller;
use crate::mitigations::route;
use crate::problem::Problem;
use crate::router::Shared;

/// The plan for all attacks that go on, as `spillway plan` prints it; `null`: nothing is attacked.
#[utoipa::path(
    get, path = "/api/v1/plan", tag = "routing",
    responses(
        (status = 200, body = Option<Object>),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn live(State(shared): State<Shared>, caller: Caller) -> Result<Json<Value>, Problem> {
    let work = move |shared: &Shared| {
        let answer = route(shared, &caller, json!("plan"))?;
        Ok(Json(answer.get("plan").cloned().unwrap_or_default()))
    };
    shared.ask(work).await
}

/// What shall be aimed at.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Aim {
    /// The most value, then the least cost.
    #[default]
    ProtectMostValuable,
    /// The most targets, then the most value, then the least cost.
    ShareThePain,
}

/// A document to be planned for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Try {
    /// As `spillway plan FILE` reads it.
    #[schema(value_type = Object)]
    document: Value,
    #[serde(default)]
    mode: Aim,
}

/// Plan for a document, quickly. Nothing is done.
#[utoipa::path(post, path = "/api/v1/plan", tag = "routing", request_body = Try, responses((status = 200, body = Object)))]
pub(crate) async fn try_out(
    State(shared): State<Shared>,
    body::Document(tried): body::Document<Try>,
) -> Result<Json<Value>, Problem> {
    let work = move |_: &Shared| {
        let refused = |why: String| {
            Problem::new(StatusCode::CONFLICT, why, "`spillway plan --help` shows the form of the document")
        };
        let document: planner::Document =
            serde_json::from_value(tried.document).map_err(|wrong| refused(wrong.to_string()))?;
        let mode = match tried.mode {
            Aim::ProtectMostValuable => Mode::ProtectMostValuable,
            Aim::ShareThePain => Mode::ShareThePain,
        };
        let plan = planner::plan(&document, mode, Effort::Quick).map_err(|why| refused(why.to_string()))?;
        Ok(Json(serde_json::to_value(&plan).unwrap_or_default()))
    };
    shared.ask(work).await
}
