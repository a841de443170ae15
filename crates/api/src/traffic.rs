//! `/api/v1/traffic`: what arrives, second by second, for the first page of the dashboard.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;
use crate::router::Shared;
use crate::words::Limit;

/// Seconds that are kept: a quarter of an hour.
pub const SECONDS_MAX: usize = 900;

/// One second of what all own networks receive, estimated where sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Second {
    /// Its end, RFC 3339, UTC.
    pub at: String,
    /// Packets/s that arrive.
    pub pps: f64,
    /// Layer-3 bits/s that arrive.
    pub bps: f64,
    /// Packets/s of these that are counted to attacks that go on.
    pub attack_pps: f64,
    /// Layer-3 bits/s likewise.
    pub attack_bps: f64,
    /// Packets/s that rules here drop, as the kernel counts; `null`: nobody here filters, or rules only count.
    pub dropped_pps: Option<f64>,
    /// What usually arrives; `null` at first.
    pub usual: Option<Usual>,
}

/// What usually arrives: of the seconds without an attack, the last minutes weighing most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usual {
    /// Packets/s, mean.
    pub pps: f64,
    /// Packets/s, standard deviation.
    pub pps_deviation: f64,
    /// Layer-3 bits/s, mean.
    pub bps: f64,
    /// Layer-3 bits/s, standard deviation.
    pub bps_deviation: f64,
}

/// The last seconds.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrafficPage {
    /// The oldest first; at most 900.
    items: Vec<Second>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// How much of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Ask {
    /// The last so many seconds.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
}

/// What arrives, second by second, over the last quarter of an hour.
#[utoipa::path(
    get, path = "/api/v1/traffic", params(Ask), tag = "health",
    responses((status = 200, body = TrafficPage), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<Json<TrafficPage>, Problem> {
    let Query(ask) = ask.map_err(|wrong| {
        Problem::new(StatusCode::BAD_REQUEST, wrong.body_text(), "the parameter is limit")
    })?;
    let mut items = shared.source.traffic();
    let more = items.len().saturating_sub(usize::try_from(ask.limit.0).unwrap_or(usize::MAX));
    items.drain(..more);
    Ok(Json(TrafficPage { items, next: None }))
}
