//! `/api/v1/traffic`: what arrives, second by second, for the first page of the dashboard.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::router::Shared;

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

/// What arrives, second by second, over the last quarter of an hour.
#[utoipa::path(get, path = "/api/v1/traffic", tag = "health", responses((status = 200, body = TrafficPage)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<TrafficPage> {
    Json(TrafficPage { items: shared.source.traffic(), next: None })
}
