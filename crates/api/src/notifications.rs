//! `/api/v1/notifications`: the channels by which attacks are told, and a test of one of them.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::body::{Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::mitigations::Because;
use crate::operate::{Channel, Tried};
use crate::problem::Problem;
use crate::router::Shared;

/// Channels, in the order of the configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelPage {
    items: Vec<Channel>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// Channels by which attacks are told: where they lead, what waits, what was given up and why.
#[utoipa::path(
    get, path = "/api/v1/notifications", tag = "configuration",
    responses((status = 200, body = ChannelPage), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<ChannelPage>, Problem> {
    let work = |shared: &Shared| {
        let items = shared.operate.channels().map_err(Problem::conflict)?;
        Ok(Json(ChannelPage { items, next: None }))
    };
    shared.ask(work).await
}

/// Send a message that is marked as a test by one channel, past what waits. It says what the other side answered.
#[utoipa::path(
    post, path = "/api/v1/notifications/{name}/test", tag = "configuration", request_body = Because,
    params(("name" = String, Path, description = "The channel's name in the configuration")),
    responses(
        (status = 200, body = Tried),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn test(
    State(shared): State<Shared>,
    caller: Caller,
    Part(name): Part<String>,
    Document(asked): Document<Because>,
) -> Result<Json<Tried>, Problem> {
    let known = |shared: &Shared| {
        let channels = shared.operate.channels().map_err(Problem::conflict)?;
        Ok(channels.into_iter().map(|channel| channel.name).collect::<Vec<_>>())
    };
    if !shared.ask(known).await?.contains(&name) {
        let hint = "GET /api/v1/notifications lists the channels; sections [notify.NAME] make them";
        return Err(Problem::missing("there is no channel of this name", hint));
    }
    let change = Change {
        action: "notification.test",
        object: name.clone(),
        reason: asked.reason.0,
        ..Change::default()
    };
    let act = move |shared: &Shared| {
        let tried = shared.operate.try_channel(&name).map_err(Problem::conflict)?;
        let after = json!({"id": tried.id, "arrived": tried.arrived});
        Ok((Json(tried), Some(after)))
    };
    shared.change(&caller, change, act).await
}
