//! `/api/v1/configuration`: what is in force, what another one would change, and taking it. Secrets are never shown.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::body::Document;
use crate::change::Change;
use crate::door::Caller;
use crate::mitigations::{Because, Done};
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{Reason, RuleText};

/// A configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct Shown {
    /// TOML, secrets left out.
    toml: String,
}

/// The configuration file as it is, without secrets.
#[utoipa::path(
    get, path = "/api/v1/configuration", tag = "configuration",
    responses((status = 200, body = Shown), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn show(State(shared): State<Shared>) -> Result<Json<Shown>, Problem> {
    let work = |shared: &Shared| {
        let toml = shared.operate.configuration().map_err(Problem::conflict)?;
        Ok(Json(Shown { toml }))
    };
    shared.ask(work).await
}

/// A configuration that is only looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proposed {
    toml: RuleText,
}

/// What is wrong with it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Findings {
    /// Whether it could be taken.
    ok: bool,
    /// Place and remedy, a line each.
    problems: Vec<String>,
}

/// Check a configuration. Nothing is taken.
#[utoipa::path(
    post, path = "/api/v1/configuration/check", tag = "configuration", request_body = Proposed,
    responses((status = 200, body = Findings)),
)]
pub(crate) async fn check(
    State(shared): State<Shared>,
    Document(proposed): Document<Proposed>,
) -> Result<Json<Findings>, Problem> {
    let work = move |shared: &Shared| {
        let problems = shared.operate.check(&proposed.toml.0);
        Ok(Json(Findings { ok: problems.is_empty(), problems }))
    };
    shared.ask(work).await
}

/// Lines of both.
#[derive(Serialize, ToSchema)]
pub(crate) struct Difference {
    /// Lines that would go, secrets left out.
    removed: Vec<String>,
    /// Lines that would come.
    added: Vec<String>,
}

/// What a configuration would change: lines that go and lines that come.
#[utoipa::path(
    post, path = "/api/v1/configuration/diff", tag = "configuration", request_body = Proposed,
    responses((status = 200, body = Difference)),
)]
pub(crate) async fn diff(
    State(shared): State<Shared>,
    Document(proposed): Document<Proposed>,
) -> Result<Json<Difference>, Problem> {
    let work = move |shared: &Shared| {
        let now = shared.operate.configuration().map_err(Problem::conflict)?;
        let (old, new): (Vec<&str>, Vec<&str>) = (now.lines().collect(), proposed.toml.0.lines().collect());
        let without = |all: &[&str], others: &[&str]| {
            let kept = all.iter().filter(|line| !line.trim().is_empty() && !others.contains(line));
            kept.map(|line| (*line).to_owned()).collect::<Vec<_>>()
        };
        Ok(Json(Difference { removed: without(&old, &new), added: without(&new, &old) }))
    };
    shared.ask(work).await
}

/// A configuration that shall be taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    toml: RuleText,
    /// Why.
    reason: Reason,
}

/// Put a configuration into the file and take it. What is wrong with it is refused; where it is not taken, the old one is put back.
#[utoipa::path(
    put, path = "/api/v1/configuration", tag = "configuration", request_body = Wanted, responses((status = 200, body = Done)),
)]
pub(crate) async fn apply(
    State(shared): State<Shared>,
    caller: Caller,
    Document(wanted): Document<Wanted>,
) -> Result<Json<Done>, Problem> {
    let by = shared.clone();
    let before = shared.ask(move |_| Ok(by.operate.configuration().ok())).await?;
    let change = Change {
        action: "configuration.apply",
        object: "configuration".to_owned(),
        reason: wanted.reason.0,
        before: before.map(|toml| json!({"toml": toml})),
        ..Change::default()
    };
    let act = move |shared: &Shared| {
        shared.operate.apply(&wanted.toml.0).map_err(Problem::conflict)?;
        let after = shared.operate.configuration().ok().map(|toml| json!({"toml": toml}));
        Ok((Json(Done { done: 1, exception: None }), after))
    };
    shared.change(&caller, change, act).await
}

/// Check the configuration file again and take it, as SIGHUP does.
#[utoipa::path(
    post, path = "/api/v1/reload", tag = "configuration", request_body = Because, responses((status = 200, body = Done)),
)]
pub(crate) async fn reload(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Because>,
) -> Result<Json<Done>, Problem> {
    let before = shared.ask(|shared| Ok(shared.operate.in_force().ok())).await?;
    let change = Change {
        action: "configuration.reload",
        object: "configuration".to_owned(),
        reason: asked.reason.0,
        before: before.map(|toml| json!({"toml": toml})),
        ..Change::default()
    };
    let act = |shared: &Shared| {
        shared.operate.reload().map_err(Problem::conflict)?;
        let after = shared.operate.configuration().ok().map(|toml| json!({"toml": toml}));
        Ok((Json(Done { done: 1, exception: None }), after))
    };
    shared.change(&caller, change, act).await
}
