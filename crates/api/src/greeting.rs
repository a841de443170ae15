//! `/api/v1/greeting`: what a dashboard has to know before anybody has said who he is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::router::Shared;

/// The first answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Greeting {
    /// What stands over every page; `null`: nothing.
    banner: Option<String>,
    /// Whether whoever asks from this machine may look on without credentials.
    anonymous: bool,
    /// Whether this is a demonstration, whose world can be asked: `/api/v1/demo`.
    demo: bool,
}

/// What anybody may know: whether one has to log in, and what stands over every page.
#[utoipa::path(get, path = "/api/v1/greeting", tag = "health", responses((status = 200, body = Greeting)))]
pub(crate) async fn greeting(State(shared): State<Shared>) -> Json<Greeting> {
    Json(Greeting {
        banner: shared.source.banner(),
        anonymous: shared.door.settings.anonymous,
        demo: shared.operate.has_stage(),
    })
}
