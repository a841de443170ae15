//! `/api/v1/rules`, where people change something: rules in this machine's kernel that they make, confirm and take back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::{Document, Part};
use crate::door::Caller;
use crate::mitigations::Because;
use crate::preview::of_samples as preview_samples;
use crate::problem::Problem;
use crate::router::Shared;
use crate::targets::{Decisions, decide, done, listed};
use crate::view;
use crate::words::{Reason, RuleText, Ttl};

/// Rules that people made, and those of the engine as they can be taken back, with owner and reason.
#[utoipa::path(
    get, path = "/api/v1/rules/made", tag = "rules",
    responses((status = 200, body = Decisions), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(State(shared): State<Shared>, caller: Caller) -> Result<Json<Decisions>, Problem> {
    shared.ask(move |shared| Ok(Json(Decisions::of(listed(shared, &caller, json!("rules"))?)))).await
}

/// A rule by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    /// One rule, as `spillway rules` reads it; its id is given anew.
    rule: RuleText,
    /// Seconds, at most a day; without it, what the rule says, else 15 minutes.
    hold: Option<Ttl>,
    /// Only say what would be.
    #[serde(default)]
    dry_run: bool,
    /// Why.
    reason: Reason,
}

/// Make a rule in the kernel, or with `dry_run` only say what would be, and (`preview`) what it would have hit in the last hour. A wide one reverts unless it is confirmed.
#[utoipa::path(
    post, path = "/api/v1/rules", tag = "rules", request_body = Made,
    responses((status = 200, body = Object, description = "What would be"), (status = 201, body = Object)),
)]
pub(crate) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Made>,
) -> Result<Response, Problem> {
    let (text, reason) = (asked.rule.0, asked.reason.0);
    let order = json!({"make-rule": {
        "rule": text, "hold": asked.hold.map(|ttl| ttl.0), "reason": reason, "dry_run": asked.dry_run,
        "from": caller.address, "ssh": null,
    }});
    if asked.dry_run {
        let by = caller.clone();
        let work = move |shared: &Shared| {
            let mut would = decide(shared, &by, order)?;
            let looked = would.get("text").and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
            let preview = preview_samples(shared.flows.as_ref(), &looked, shared.now(), None);
            if let Some(would) = would.as_object_mut() {
                let (found, why) = match preview {
                    Ok(found) => (found, None),
                    Err(why) => (Value::Null, Some(why)),
                };
                would.insert("preview".to_owned(), found);
                would.insert("no_preview".to_owned(), why.into());
            }
            Ok(would)
        };
        let would = shared.ask(work).await?;
        return Ok(Json(would).into_response());
    }
    let about = view::subject(&text);
    let made = done(&shared, &caller, ("rule.add", text), (reason, about), order).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// All is well with a wide rule: it stays to its end.
#[utoipa::path(
    post, path = "/api/v1/rules/{id}/confirm", tag = "rules", request_body = Because,
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn confirm(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Because>,
) -> Result<Json<Value>, Problem> {
    let reason = asked.reason.0;
    let order = json!({"confirm-rule": {"id": id, "reason": reason}});
    done(&shared, &caller, ("rule.confirm", id), (reason, None), order).await.map(Json)
}

/// For how long, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extend {
    /// Seconds from now.
    hold: Ttl,
    /// Why.
    reason: Reason,
}

/// A rule by hand holds for so long from now.
#[utoipa::path(
    post, path = "/api/v1/rules/{id}/extend", tag = "rules", request_body = Extend,
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = Object),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn extend(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Extend>,
) -> Result<Json<Value>, Problem> {
    let reason = asked.reason.0;
    let order = json!({"extend-rule": {"id": id, "hold": asked.hold.0, "reason": reason}});
    done(&shared, &caller, ("rule.extend", id), (reason, None), order).await.map(Json)
}

/// Why, and for how long it is not set again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeBack {
    /// Of one of the engine: seconds for which nothing that hits the same packets is set again; without it, an hour.
    hold: Option<Ttl>,
    /// Why.
    reason: Reason,
}

/// End a rule by hand, or take back one of the engine: then an exception holds for a while.
#[utoipa::path(
    post, path = "/api/v1/rules/{id}/withdraw", tag = "rules", request_body = TakeBack,
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn withdraw(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<TakeBack>,
) -> Result<Json<Value>, Problem> {
    let reason = asked.reason.0;
    let order = json!({"take-back": {"rule": id, "hold": asked.hold.map(|ttl| ttl.0), "reason": reason}});
    done(&shared, &caller, ("rule.withdraw", id), (reason, None), order).await.map(Json)
}
