//! `/api/v1/disclosures`: what left the house, and what is about to.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::router::Shared;

/// Disclosures by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct DisclosurePage {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// Disclosures: to whom, on what basis, who agreed, and how far each has come. As `spillway disclosure list` prints them.
#[utoipa::path(get, path = "/api/v1/disclosures", tag = "evidence", responses((status = 200, body = DisclosurePage)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<DisclosurePage>, Problem> {
    let work = |shared: &Shared| {
        let items = shared.operate.disclosures().map_err(Problem::conflict)?;
        Ok(Json(DisclosurePage { items, next: None }))
    };
    shared.ask(work).await
}
