//! `/api/v1/mitigations`: what is announced to routers, asked for or agreed to; in the words of the control socket.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::{Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::view;
use crate::words::{Number, PeerName, Reason, RuleText, Ttl};

/// A mitigation.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Mitigation {
    /// Its number; `null`: it was only asked what would be.
    id: Option<u64>,
    /// `blackhole`, `diversion` or `flowspec`.
    class: String,
    /// A prefix, or a rule.
    what: String,
    /// `proposed`, `starting` or `active`.
    state: String,
    /// What it does to traffic.
    effect: String,
    /// Where; not for customers.
    peers: Vec<At>,
    /// Who asked; not for customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// Why; not for customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// RFC 3339, UTC.
    asked_at: String,
    /// When it began.
    started_at: Option<String>,
    /// When it ends by itself; of a proposal, when it is forgotten.
    until: String,
    /// Who agreed; not for customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approved_by: Option<Vec<String>>,
    /// How many have to; not for customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approvals_needed: Option<u8>,
    /// When it reverts unless a person confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm_by: Option<String>,
    /// How the service does since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Doing>,
}

/// A mitigation at one neighbour.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct At {
    /// The neighbour.
    peer: String,
    /// `announced`, `waiting`, `quarantined` or `refused`.
    state: String,
    /// Why it was refused.
    reason: Option<String>,
}

/// How a service does since a measure.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Doing {
    /// `better`, `same`, `worse` or `unknown`.
    is: String,
    /// Which signal says so.
    reason: String,
}

/// Mitigations by number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MitigationPage {
    items: Vec<Mitigation>,
    /// Always `null`: one page.
    next: Option<String>,
    /// Whether nothing begins, since the panic button.
    frozen: bool,
}

/// What is proposed and what holds. A customer sees what concerns its own prefixes.
#[utoipa::path(
    get, path = "/api/v1/mitigations", tag = "mitigations",
    responses((status = 200, body = MitigationPage), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<MitigationPage>, Problem> {
    let veil = shared.veil(&caller);
    let work = move |shared: &Shared| {
        let listed = route(shared, &caller, json!("list"))?;
        let listed = listed.get("list").cloned().unwrap_or_default();
        let all = listed.get("mitigations").and_then(Value::as_array).cloned().unwrap_or_default();
        let seen = all
            .into_iter()
            .filter_map(|one| if veil.is_clear() { Some(one) } else { view::mitigation(&veil, &one) });
        let items = seen.map(read).collect::<Result<Vec<_>, _>>()?;
        let frozen = listed.get("frozen").and_then(Value::as_bool).unwrap_or_default();
        Ok(Json(MitigationPage { items, next: None, frozen }))
    };
    shared.ask(work).await
}

/// One of them.
#[utoipa::path(
    get, path = "/api/v1/mitigations/{id}", tag = "mitigations", params(("id" = inline(Number), Path, description = "Its number")),
    responses(
        (status = 200, body = Mitigation),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    Part(Number(id)): Part<Number>,
) -> Result<Json<Mitigation>, Problem> {
    let Json(page) = list(State(shared), caller).await?;
    page.items.into_iter().find(|one| one.id == Some(id)).map(Json).ok_or_else(|| missing(id))
}

fn missing(id: u64) -> Problem {
    Problem::missing(format!("there is no mitigation {id}"), "GET /api/v1/mitigations lists them")
}

/// What routers can be told.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// A host is given up upstream.
    Blackhole,
    /// Traffic goes to an absorber.
    Diversion,
    /// A rule at routers.
    Flowspec,
}

/// What is to be announced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announce {
    class: Class,
    /// A prefix, or for `flowspec` a rule.
    what: RuleText,
    /// At these neighbours; empty: at all that carry the class.
    #[serde(default)]
    peers: Vec<PeerName>,
    /// Seconds; without it, the configured lease.
    hold: Option<Ttl>,
    /// Only say what would be.
    #[serde(default)]
    dry_run: bool,
    /// Why.
    reason: Reason,
}

/// Announce, or with `dry_run` only say what would be. Where two persons have to agree, it is proposed.
#[utoipa::path(
    post, path = "/api/v1/mitigations", tag = "mitigations", request_body = Announce,
    responses((status = 200, body = Mitigation, description = "What would be"), (status = 201, body = Mitigation)),
)]
pub(crate) async fn announce(
    State(shared): State<Shared>,
    caller: Caller,
    Document(wanted): Document<Announce>,
) -> Result<Response, Problem> {
    let peers: Vec<&String> = wanted.peers.iter().map(|peer| &peer.0).collect();
    let order = json!({"announce": {
        "class": wanted.class, "what": wanted.what.0, "peers": peers, "hold": wanted.hold.map(|ttl| ttl.0),
        "reason": wanted.reason.0, "dry_run": wanted.dry_run,
    }});
    if wanted.dry_run {
        let would = shared.ask(move |shared| single(&route(shared, &caller, order)?)).await?;
        return Ok(Json(would).into_response());
    }
    let change = Change {
        action: "mitigation.announce",
        object: wanted.what.0.chars().take(512).collect(),
        reason: wanted.reason.0,
        about: view::subject(&wanted.what.0),
        ..Change::default()
    };
    let by = caller.clone();
    let act = move |shared: &Shared| {
        let answer = route(shared, &by, order)?;
        Ok((single(&answer)?, answer.get("one").cloned()))
    };
    let begun = shared.change(&caller, change, act).await?;
    Ok((StatusCode::CREATED, Json(begun)).into_response())
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Because {
    /// Why.
    pub(crate) reason: Reason,
}

/// How it went on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// Mitigations that were concerned.
    pub(crate) done: u64,
    /// By what was withdrawn it is not announced again by itself for a while: number and end of the exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) exception: Option<Value>,
}

/// For how long from now, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renew {
    /// Seconds; without it, the configured lease.
    hold: Option<Ttl>,
    /// Why.
    reason: Reason,
}

/// Where, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// The neighbour; without it, all.
    peer: Option<PeerName>,
    /// Why.
    reason: Reason,
}

macro_rules! order {
    ($(#[$doc:meta])* $name:ident, $path:literal, $body:ty, $action:literal, $urgent:literal, |$id:ident, $asked:ident| $order:expr) => {
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "mitigations", request_body = $body, params(("id" = inline(Number), Path, description = "Its number")),
            responses((status = 200, body = Done), (status = 404, body = Problem, content_type = "application/problem+json")),
        )]
        pub(crate) async fn $name(
            State(shared): State<Shared>,
            caller: Caller,
            Part(Number($id)): Part<Number>,
            Document($asked): Document<$body>,
        ) -> Result<Json<Done>, Problem> {
            let reason = $asked.reason.0.clone();
            let order = $order;
            step(&shared, &caller, $id, ($action, $urgent), reason, order).await
        }
    };
}

order! {
    /// End it.
    withdraw, "/api/v1/mitigations/{id}/withdraw", Because, "mitigation.withdraw", true,
    |id, asked| json!({"withdraw": {"id": id, "reason": asked.reason.0}})
}
order! {
    /// It shall go on for so long from now.
    renew, "/api/v1/mitigations/{id}/renew", Renew, "mitigation.renew", false,
    |id, asked| json!({"renew": {"id": id, "hold": asked.hold.map(|ttl| ttl.0), "reason": asked.reason.0}})
}
order! {
    /// All is well with it: it does not revert.
    confirm, "/api/v1/mitigations/{id}/confirm", Because, "mitigation.confirm", false,
    |id, asked| json!({"confirm": {"id": id, "reason": asked.reason.0}})
}
order! {
    /// Let its routes out of quarantine at a neighbour.
    release, "/api/v1/mitigations/{id}/release", Release, "mitigation.release", false,
    |id, asked| json!({"release": {"id": id, "peer": asked.peer.map(|peer| peer.0), "reason": asked.reason.0}})
}
order! {
    /// Agree to what another person asked for.
    approve, "/api/v1/mitigations/{id}/approve", Because, "mitigation.approve", false,
    |id, asked| json!({"approve": {"id": id, "reason": asked.reason.0}})
}
order! {
    /// Do not agree: the proposal is gone.
    reject, "/api/v1/mitigations/{id}/reject", Because, "mitigation.reject", true,
    |id, asked| json!({"reject": {"id": id, "reason": asked.reason.0}})
}

async fn step(
    shared: &Shared,
    caller: &Caller,
    id: u64,
    (action, urgent): (&'static str, bool),
    reason: String,
    order: Value,
) -> Result<Json<Done>, Problem> {
    let by = caller.clone();
    // the same desk does it afterwards: to look costs nobody another wait
    let before = shared.ask(move |shared| Ok(look(shared, &by, id))).await?;
    let about =
        before.as_ref().and_then(|one| one.get("what")).and_then(Value::as_str).and_then(view::subject);
    let change = Change { action, object: id.to_string(), reason, before, about, urgent };
    let by = caller.clone();
    let act = move |shared: &Shared| {
        let answer = route(shared, &by, order)?;
        let done = answer.get("done").and_then(Value::as_u64).unwrap_or(1);
        let exception = answer.get("taken-back").cloned();
        Ok((Json(Done { done, exception }), Some(answer)))
    };
    shared.change(caller, change, act).await
}

fn look(shared: &Shared, caller: &Caller, id: u64) -> Option<Value> {
    let listed = route(shared, caller, json!("list")).ok()?;
    let all = listed.get("list")?.get("mitigations")?.as_array()?;
    all.iter().find(|one| one.get("id").and_then(Value::as_u64) == Some(id)).cloned()
}

/// Asks the desk. What it refuses stands in the way of what was asked; a number that it does not know is not there.
pub(crate) fn route(shared: &Shared, caller: &Caller, order: Value) -> Result<Value, Problem> {
    shared.operate.route(&caller.actor.name, order).map_err(|why| {
        if why.starts_with("there is no mitigation ") {
            Problem::missing(why, "GET /api/v1/mitigations lists them")
        } else {
            Problem::conflict(why)
        }
    })
}

fn single(answer: &Value) -> Result<Mitigation, Problem> {
    read(answer.get("one").cloned().unwrap_or_default())
}

fn read(value: Value) -> Result<Mitigation, Problem> {
    serde_json::from_value(value).map_err(|wrong| {
        let hint = "look at `spillway route list` instead, and report this";
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the desk's answer cannot be read: {wrong}"),
            hint,
        )
    })
}
