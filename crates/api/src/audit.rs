//! `/api/v1/audit`: who did what.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::body::Asked;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::Limit;

/// Something that somebody asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLine {
    /// Its number.
    number: i64,
    /// RFC 3339, UTC.
    at: String,
    /// Who.
    actor: String,
    /// In which role.
    role: String,
    /// `session`, `token ID` or `local`.
    via: String,
    /// From where.
    address: String,
    /// `mitigation.announce` and the like.
    action: String,
    /// To what.
    object: String,
    /// Why.
    reason: String,
    /// What was.
    before: Option<Value>,
    /// What is.
    after: Option<Value>,
    /// Whether it was done; `null`: the process ended before it knew.
    done: Option<bool>,
    /// Why it was not.
    refused: Option<String>,
}

impl From<access::Entry> for AuditLine {
    fn from(entry: access::Entry) -> Self {
        let value = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let (done, refused, after) = match entry.outcome {
            Some(outcome) => (Some(outcome.done), outcome.said, value(outcome.after)),
            None => (None, None, None),
        };
        Self {
            number: entry.number,
            at: entry.at.to_string(),
            actor: entry.actor,
            role: entry.role,
            via: entry.via,
            address: entry.address,
            action: entry.action,
            object: entry.object,
            reason: entry.reason,
            before: value(entry.before),
            after,
            done,
            refused,
        }
    }
}

/// Lines, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    items: Vec<AuditLine>,
    /// Give it as `before` to get the next page.
    next: Option<i64>,
}

/// What is asked of a trail.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Trail {
    /// At most this many.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
    /// Only lines before this number: `next` of the page before.
    before: Option<i64>,
}

/// Who asked for what, and what came of it; newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", params(Trail), responses((status = 200, body = AuditPage)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(asked): Asked<Trail>,
) -> Result<Json<AuditPage>, Problem> {
    let found = shared.access.audit(asked.before, asked.limit.0 + 1).map_err(|e| Problem::access(&e))?;
    let (items, next) = asked.limit.cut(found, |entry| entry.number.to_string());
    let next = next.and_then(|number| number.parse().ok());
    Ok(Json(AuditPage { items: items.into_iter().map(AuditLine::from).collect(), next }))
}
