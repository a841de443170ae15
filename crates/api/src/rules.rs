//! `/api/v1/rules`: filters whose lease runs.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use crate::attacks::Page;
use crate::model::RulePage;
use crate::router::Shared;

/// Rules whose lease runs.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses((status = 200, body = RulePage)))]
pub(crate) async fn list(State(shared): State<Shared>) -> impl IntoResponse {
    Json(Page::whole(shared.source.live().rules.clone()))
}
