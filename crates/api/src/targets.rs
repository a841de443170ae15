//! `/api/v1/targets`: what holds for a prefix and why, how far to go for it, and what profiles there are.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base::Prefix;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::{Asked, Document};
use crate::change::Change;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::veil::Veil;
use crate::words::{PrefixText, Reason, Ttl};

/// Documents as `spillway target`, `allow`, `exception` and `rule` print them with `-o json`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decisions {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Always `null`: one page.
    next: Option<String>,
}

impl Decisions {
    pub(crate) const fn of(items: Vec<Value>) -> Self {
        Self { items, next: None }
    }
}

/// Of which prefix.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// A prefix or a host.
    #[param(inline)]
    prefix: PrefixText,
}

/// Prefixes of which something of their own is said: customers, targets, modes. A customer sees its own.
#[utoipa::path(
    get, path = "/api/v1/targets", tag = "targets",
    responses((status = 200, body = Decisions), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(State(shared): State<Shared>, caller: Caller) -> Result<Json<Decisions>, Problem> {
    let veil = shared.veil(&caller);
    let work = move |shared: &Shared| {
        let all = listed(shared, &caller, json!("targets"))?;
        let own = |one| if veil.is_clear() { one } else { anonymous(one, &caller.actor.name) };
        Ok(Json(Decisions::of(
            all.into_iter().map(own).filter_map(|one| seen(&veil, one, "prefix")).collect(),
        )))
    };
    shared.ask(work).await
}

/// Why this policy? Each value that holds for a prefix, with where it comes from. A customer asks about its own.
#[utoipa::path(
    get, path = "/api/v1/targets/policy", tag = "targets", params(Which),
    responses(
        (status = 200, body = Object),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn policy(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Value>, Problem> {
    let veil = shared.veil(&caller);
    let work = move |shared: &Shared| {
        let prefix = which.prefix.0;
        if !veil.sees(&prefix) {
            return Err(Problem::missing("this prefix is not yours", "GET /api/v1/targets lists what is"));
        }
        let mut document = decide(shared, &caller, json!({"show": {"prefix": prefix}}))?;
        if !veil.is_clear() {
            conceal(&veil, &mut document, &caller.actor.name);
        }
        Ok(Json(document))
    };
    shared.ask(work).await
}

/// What profiles there are.
#[utoipa::path(
    get, path = "/api/v1/profiles", tag = "targets",
    responses((status = 200, body = Decisions), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn profiles(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<Decisions>, Problem> {
    shared.ask(move |shared| Ok(Json(Decisions::of(listed(shared, &caller, json!("profiles"))?)))).await
}

/// How far to go.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeWord {
    /// Watch and tell.
    Observe,
    /// Also show what rules would do.
    Suggest,
    /// Also let them act.
    Enforce,
    /// As the configuration has it.
    Inherit,
}

/// How far to go for a prefix.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mode {
    prefix: PrefixText,
    mode: ModeWord,
    /// Seconds; without it, until somebody changes it.
    hold: Option<Ttl>,
    /// Why.
    reason: Reason,
}

/// Say how far to go for a prefix.
#[utoipa::path(
    post, path = "/api/v1/targets/mode", tag = "targets", request_body = Mode,
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn mode(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Mode>,
) -> Result<Json<Value>, Problem> {
    let prefix = asked.prefix.0;
    let mode = match asked.mode {
        ModeWord::Inherit => None,
        mode => Some(mode),
    };
    let reason = asked.reason.0;
    let order = json!({"mode": {
        "prefix": prefix, "mode": mode, "hold": asked.hold.map(|ttl| ttl.0), "reason": reason,
    }});
    let object = prefix.to_string();
    done(&shared, &caller, ("target.mode", object), (reason, Some(prefix)), order).await.map(Json)
}

/// Asks the desk. What it does not know is not there; what it refuses stands in the way.
pub(crate) fn decide(shared: &Shared, caller: &Caller, order: Value) -> Result<Value, Problem> {
    shared.operate.policy(&caller.actor.name, order).map_err(|why| {
        if why.starts_with("there is no ") {
            Problem::missing(why, "the lists show what there is")
        } else {
            Problem::new(StatusCode::CONFLICT, why, "the detail says what stands in the way")
        }
    })
}

/// Does something, and writes it down.
pub(crate) async fn done(
    shared: &Shared,
    caller: &Caller,
    (action, object): (&'static str, String),
    (reason, about): (String, Option<Prefix>),
    order: Value,
) -> Result<Value, Problem> {
    let (by, asked) = (caller.clone(), json!({ "before": &order }));
    let look = move |shared: &Shared| Ok(shared.operate.policy(&by.actor.name, asked).ok());
    let before = shared.ask(look).await?.filter(|before| !before.is_null());
    let change = Change { action, object, reason, before, about, urgent: false };
    let by = caller.clone();
    let act = move |shared: &Shared| {
        let answer = decide(shared, &by, order)?;
        Ok((answer.clone(), Some(answer)))
    };
    shared.change(caller, change, act).await
}

/// The items of a list.
pub(crate) fn listed(shared: &Shared, caller: &Caller, order: Value) -> Result<Vec<Value>, Problem> {
    let answer = decide(shared, caller, order)?;
    Ok(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// A document, where whoever asks may see the prefix that stands under this key and nothing in it names another one's.
pub(crate) fn seen(veil: &Veil, document: Value, key: &str) -> Option<Value> {
    if veil.is_clear() {
        return Some(document);
    }
    let prefix: Prefix = document.get(key)?.as_str()?.parse().ok()?;
    veil.sees(&prefix).then_some(document).filter(|document| !veil.hides(&document.to_string()))
}

/// Who decided is the operator's business, but for what is one's own; so is why, for that may speak of others.
pub(crate) fn anonymous(mut document: Value, own: &str) -> Value {
    let mine = document.get("owner").and_then(Value::as_str) == Some(own);
    if let Some(document) = document.as_object_mut().filter(|_| !mine) {
        document.remove("owner");
        document.remove("reason");
        document.remove("attack");
    }
    document
}

/// What a customer sees of what holds for its prefix: lists of its own things, and values without the names of people.
fn conceal(veil: &Veil, document: &mut Value, own: &str) {
    for (list, key) in
        [("allow", "destination"), ("exceptions", "target"), ("rules", ""), ("inside", "prefix")]
    {
        let Some(all) = document.get_mut(list).and_then(Value::as_array_mut) else { continue };
        let kept = all.drain(..).map(|one| anonymous(one, own));
        let kept: Vec<Value> = match key {
            "" => kept.filter(|one| is_rule_of(veil, one)).collect(),
            key => kept.filter_map(|one| seen(veil, one, key)).collect(),
        };
        *all = kept;
    }
    let values = document.get_mut("values").and_then(Value::as_object_mut);
    for value in values.into_iter().flatten().map(|(_, value)| value) {
        let foreign = veil.hides(&value.to_string());
        if let Some(from) = value.get_mut("from").and_then(Value::as_object_mut)
            && (foreign || from.get("kind").and_then(Value::as_str) == Some("person"))
        {
            // a wider target is named by a prefix that is not all theirs
            from.remove("name");
        }
    }
}

/// Whether a rule that a person made is about this one's own traffic.
pub(crate) fn is_rule_of(veil: &Veil, document: &Value) -> bool {
    let text = document.get("text").and_then(Value::as_str);
    let own = text.and_then(crate::view::subject).is_some_and(|own| veil.sees(&own));
    own && !veil.hides(&document.to_string())
}
