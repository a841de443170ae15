//! `/api/v1/exporters`: who tells us about traffic.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use crate::model::ExporterPage;
use crate::router::Shared;

/// Exporters by address.
#[utoipa::path(get, path = "/api/v1/exporters", tag = "exporters", responses((status = 200, body = ExporterPage)))]
pub(crate) async fn list(State(shared): State<Shared>) -> impl IntoResponse {
    Json(ExporterPage { items: shared.source.live().exporters.clone(), next: None })
}
