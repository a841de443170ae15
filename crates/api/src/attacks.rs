//! `/api/v1/attacks`: what the core holds, and behind it what the store remembers.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use store::{Cursor, Filter};
use utoipa::IntoParams;

use crate::live::Live;
use crate::model;
use crate::problem::Problem;
use crate::router::Shared;

/// Attacks on one page, unless fewer are asked for.
const PAGE_MAX: u32 = 1000;

/// What a list can be narrowed by.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Ask {
    /// Only `active` ones, or only those that are `over`.
    #[param(inline)]
    state: Option<AttackState>,
    /// At most this many.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
}

/// State of an attack, as a question.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttackState {
    /// It goes on.
    Active,
    /// It has ended.
    Over,
}

/// 1 to [`PAGE_MAX`].
#[derive(Clone, Copy, Debug)]
struct Limit(u32);

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE_MAX)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if (1..=PAGE_MAX).contains(&found) {
            Ok(Self(found))
        } else {
            Err(serde::de::Error::custom(format_args!("limit must be 1 to {PAGE_MAX}, not {found}")))
        }
    }
}

/// `NANOSECONDS-ID`, as [`text`] writes it.
fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cursor>, D::Error> {
    let found = String::deserialize(deserializer)?;
    let parsed = found.split_once('-').and_then(|(at, id)| {
        let at: u64 = at.parse().ok()?;
        Some(Cursor { started_at: Timestamp::from_nanos(at), id: id.to_owned() })
    });
    parsed.map(Some).ok_or_else(|| serde::de::Error::custom("after must be the `next` of an earlier page"))
}

fn text(cursor: &Cursor) -> String {
    format!("{}-{}", cursor.started_at.nanos(), cursor.id)
}

/// A page of documents that pass through as they are.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Page {
    /// All there is.
    pub(crate) fn whole(items: Vec<Box<RawValue>>) -> Self {
        Self { items, next: None }
    }
}

/// Attacks, newest first.
#[utoipa::path(
    get, path = "/api/v1/attacks", params(Ask), tag = "attacks",
    responses((status = 200, body = model::AttackPage), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(ask) = ask.map_err(|wrong| {
        Problem::new(StatusCode::BAD_REQUEST, wrong.body_text(), "parameters are state, limit and after")
    })?;
    let live = shared.source.live();
    let state = ask.state.map(|state| if state == AttackState::Active { "active" } else { "over" });
    let filter = Filter { state: state.map(str::to_owned), after: ask.after.clone() };
    // One more than asked tells whether there is a next page; the core's own may take the place of as many again.
    let held = u32::try_from(live.attacks.len()).unwrap_or(PAGE_MAX);
    let wanted = ask.limit.0.saturating_add(1).saturating_add(held);
    let stored = shared.history(|reader| reader.attacks(&filter, wanted)).map_err(|e| Problem::store(&e))?;
    Ok(Json(page(&live, stored, &ask)))
}

/// Lays what the core holds over what the store remembers.
fn page(live: &Live, stored: Vec<(Cursor, String)>, ask: &Ask) -> Page {
    let key = |cursor: &Cursor| (Reverse(cursor.started_at), cursor.id.clone());
    let floor = ask.after.as_ref().map(&key);
    let mut all: BTreeMap<_, (Cursor, Box<RawValue>)> = BTreeMap::new();
    for (cursor, document) in stored {
        if live.attacks.iter().any(|held| held.id == cursor.id) {
            continue;
        }
        if let Ok(document) = RawValue::from_string(document) {
            all.insert(key(&cursor), (cursor, document));
        }
    }
    for held in &live.attacks {
        let cursor = Cursor { started_at: held.started_at, id: held.id.clone() };
        let asked = ask.state.is_none_or(|state| (state == AttackState::Over) == held.over);
        if asked && floor.as_ref().is_none_or(|floor| key(&cursor) > *floor) {
            all.insert(key(&cursor), (cursor, held.document.clone()));
        }
    }
    let limit = usize::try_from(ask.limit.0).unwrap_or(usize::MAX);
    let more = all.len() > limit;
    let items: Vec<_> = all.into_values().take(limit).collect();
    let next = if more { items.last().map(|(cursor, _)| text(cursor)) } else { None };
    Page { items: items.into_iter().map(|(_, document)| document).collect(), next }
}

/// One attack.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}", tag = "attacks", params(("id" = String, Path, description = "The attack's id")),
    responses((status = 200, body = model::Attack), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let live = shared.source.live();
    if let Some(held) = live.attacks.iter().find(|held| held.id == id) {
        return Ok(Json(held.document.clone()));
    }
    let stored = shared.history(|reader| reader.attack(&id)).map_err(|e| Problem::store(&e))?;
    let hint = "GET /api/v1/attacks lists all ids";
    let missing = || Problem::new(StatusCode::NOT_FOUND, format!("no attack has the id {id}"), hint);
    stored.and_then(|document| RawValue::from_string(document).ok()).map(Json).ok_or_else(missing)
}
