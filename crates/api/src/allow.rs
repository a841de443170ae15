//! `/api/v1/allow`: sources that are never filtered on their way to a prefix, up to a ceiling. A customer keeps its own list.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base::Prefix;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::{Asked, Document, Part};
use crate::door::Caller;
use crate::mitigations::Because;
use crate::problem::Problem;
use crate::router::Shared;
use crate::targets::{Decisions, anonymous, done, listed, seen};
use crate::veil::Veil;
use crate::words::{Label, Port, PrefixText, ProtocolNumber, Reason, Ttl};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those by which this source passes.
    #[param(inline)]
    source: Option<PrefixText>,
}

fn all(shared: &Shared, caller: &Caller, veil: &Veil, source: Option<Prefix>) -> Result<Vec<Value>, Problem> {
    let all = listed(shared, caller, json!({"allowed": {"source": source}}))?;
    let own = |one| if veil.is_clear() { one } else { anonymous(one, &caller.actor.name) };
    Ok(all.into_iter().map(own).filter_map(|one| seen(veil, one, "destination")).collect())
}

/// Sources that pass. A customer sees those on the way to its own prefixes.
#[utoipa::path(
    get, path = "/api/v1/allow", tag = "allow", params(Which),
    responses((status = 200, body = Decisions), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Decisions>, Problem> {
    let veil = shared.veil(&caller);
    let source = which.source.map(|source| source.0);
    shared.ask(move |shared| Ok(Json(Decisions::of(all(shared, &caller, &veil, source)?)))).await
}

/// A source that shall pass.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allow {
    source: PrefixText,
    /// On its way to here.
    destination: PrefixText,
    /// Number of an upper-layer protocol; without it, all.
    protocol: Option<ProtocolNumber>,
    /// Destination port, of TCP or UDP; without it, all.
    port: Option<Port>,
    /// A rate like `5 kpps` or `8 Mbps`, or `none`; without it, 1,000 packets/s. What is above is treated like any traffic.
    ceiling: Option<Label>,
    /// Seconds; without it, until somebody removes it.
    hold: Option<Ttl>,
    /// Why.
    reason: Reason,
}

/// Let a source pass. A customer does so for its own prefixes, within a ceiling.
#[utoipa::path(
    post, path = "/api/v1/allow", tag = "allow", request_body = Allow,
    responses((status = 201, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Allow>,
) -> Result<Response, Problem> {
    let (source, destination) = (asked.source.0, asked.destination.0);
    let veil = shared.veil(&caller);
    if !veil.sees(&destination) {
        return Err(Problem::missing("this destination is not yours", "GET /api/v1/targets lists what is"));
    }
    if veil.is_foreign(&source) {
        return Err(Problem::conflict("this source cannot be allowed: ask the operator"));
    }
    let reason = asked.reason.0;
    let order = json!({"allow": {
        "source": source, "destination": destination, "protocol": asked.protocol.map(|protocol| protocol.0), "port": asked.port.map(|port| port.0),
        "ceiling": asked.ceiling.map(|ceiling| ceiling.0), "hold": asked.hold.map(|ttl| ttl.0), "reason": reason,
        "bounded": !veil.is_clear(),
    }});
    let object = format!("{source} to {destination}");
    let made = done(&shared, &caller, ("allow.add", object), (reason, Some(destination)), order).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Let a source pass no longer. A customer removes what it added itself.
#[utoipa::path(
    post, path = "/api/v1/allow/{id}/remove", tag = "allow", request_body = Because,
    params(("id" = u64, Path, description = "Its number")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<u64>,
    Document(asked): Document<Because>,
) -> Result<Json<Value>, Problem> {
    let veil = shared.veil(&caller);
    let by = caller.clone();
    let look = move |shared: &Shared| {
        let all = all(shared, &by, &veil, None)?;
        let one = all.into_iter().find(|one| one.get("id").and_then(Value::as_u64) == Some(id));
        let own =
            |one: &Value| veil.is_clear() || one.get("owner").and_then(Value::as_str) == Some(&by.actor.name);
        one.filter(own).ok_or_else(|| {
            Problem::missing(
                format!("there is no allowed source {id} of yours"),
                "GET /api/v1/allow lists them",
            )
        })
    };
    let one = shared.ask(look).await?;
    let about = one.get("destination").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let reason = asked.reason.0;
    let order = json!({"disallow": {"id": id, "reason": reason}});
    done(&shared, &caller, ("allow.remove", id.to_string()), (reason, about), order).await.map(Json)
}
