//! `/api/v1/attacks`: what the core holds, and behind it what the store remembers.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Cursor, Filter};
use utoipa::IntoParams;

use crate::body::Part;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::veil::Veil;
use crate::words::{Limit, PAGE_MAX, Place, PrefixText};
use crate::{model, view};

/// Looks into the store for one page: who asks for few of very many gets a short page and a place to go on from.
const SCANS_MAX: usize = 50;

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
    #[param(inline, required = false)]
    limit: Limit,
    /// Only those that touch this prefix.
    #[param(inline)]
    target: Option<PrefixText>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<Place>,
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

/// A place as [`Place`] reads it.
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

/// What is left of a document for whoever asks.
struct Sieve {
    veil: Veil,
    target: Option<PrefixText>,
}

impl Sieve {
    fn pass(&self, document: &RawValue) -> Option<Box<RawValue>> {
        let shown = if self.veil.is_clear() {
            document.to_owned()
        } else {
            RawValue::from_string(view::attack(&self.veil, document.get())?.to_string()).ok()?
        };
        let wanted = self.target.is_none_or(|target| view::touches(shown.get(), &target.0));
        wanted.then_some(shown)
    }
}

/// Attacks, newest first. A customer sees those on its own prefixes, and of them what is its own.
#[utoipa::path(
    get, path = "/api/v1/attacks", params(Ask), tag = "attacks",
    responses((status = 200, body = model::AttackPage), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(ask) = ask.map_err(|wrong| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            wrong.body_text(),
            "parameters are state, target, limit and after",
        )
    })?;
    let sieve = Sieve { veil: shared.veil(&caller), target: ask.target };
    // a sieve may have to look at very many
    if sieve.veil.is_clear() && ask.target.is_none() {
        return page(&shared, &sieve, &ask).map(Json);
    }
    shared.ask(move |shared| page(shared, &sieve, &ask)).await.map(Json)
}

type Key = (Reverse<Timestamp>, String);

/// Lays what the core holds over what the store remembers.
fn page(shared: &Shared, sieve: &Sieve, ask: &Ask) -> Result<Page, Problem> {
    let live = shared.source.live();
    let state = ask.state.map(|state| if state == AttackState::Active { "active" } else { "over" });
    let mut filter =
        Filter { state: state.map(str::to_owned), after: ask.after.clone().map(|place| place.0) };
    // One more than asked tells whether there is a next page; the core's own may take the place of as many again.
    let held = u32::try_from(live.attacks.len()).unwrap_or(PAGE_MAX);
    let chunk = ask.limit.0.saturating_add(1).saturating_add(held);
    let limit = usize::try_from(ask.limit.0).unwrap_or(usize::MAX);
    let key = |cursor: &Cursor| (Reverse(cursor.started_at), cursor.id.clone());
    let floor = ask.after.as_ref().map(|place| key(&place.0));
    let mut all: BTreeMap<Key, (Cursor, Box<RawValue>)> = BTreeMap::new();
    for held in &live.attacks {
        let cursor = Cursor { started_at: held.started_at, id: held.id.clone() };
        let asked = ask.state.is_none_or(|state| (state == AttackState::Over) == held.over);
        if asked
            && floor.as_ref().is_none_or(|floor| key(&cursor) > *floor)
            && let Some(document) = sieve.pass(&held.document)
        {
            all.insert(key(&cursor), (cursor, document));
        }
    }
    let mut found = 0;
    // up to where the store was looked through; `None`: to its end
    let mut reached = None;
    for _ in 0..SCANS_MAX {
        let stored =
            shared.history(|reader| reader.attacks(&filter, chunk)).map_err(|e| Problem::store(&e))?;
        let short = u32::try_from(stored.len()).is_ok_and(|count| count < chunk);
        reached = stored.last().map(|(cursor, _)| cursor.clone()).filter(|_| !short);
        for (cursor, document) in stored {
            if live.attacks.iter().any(|held| held.id == cursor.id) {
                continue;
            }
            let document = RawValue::from_string(document).ok();
            if let Some(document) = document.and_then(|document| sieve.pass(&document)) {
                found += 1;
                all.insert(key(&cursor), (cursor, document));
            }
        }
        if reached.is_none() || found > limit {
            break;
        }
        filter.after.clone_from(&reached);
    }
    if let Some(reached) = &reached {
        // what lies behind this place is for the pages after; the core's own, too
        all.retain(|at, _| *at <= key(reached));
    }
    let more = all.len() > limit;
    if let (false, Some(reached)) = (more, reached) {
        // nothing that others may not know stands in the place to go on from: a time, and no id
        all.retain(|_, (cursor, _)| cursor.started_at > reached.started_at);
        let next = Cursor { started_at: reached.started_at, id: String::new() };
        let items = all.into_values().map(|(_, document)| document).collect();
        return Ok(Page { items, next: Some(text(&next)) });
    }
    let items: Vec<_> = all.into_values().take(limit).collect();
    let next = if more { items.last().map(|(cursor, _)| text(cursor)) } else { None };
    Ok(Page { items: items.into_iter().map(|(_, document)| document).collect(), next })
}

/// One attack.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}", tag = "attacks", params(("id" = String, Path, description = "The attack's id")),
    responses((status = 200, body = model::Attack), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
) -> Result<impl IntoResponse, Problem> {
    find(&shared, &caller, &id).map(Json)
}

/// An attack as this caller sees it. Another one's is missing in the same words as one that never was.
pub(crate) fn find(shared: &Shared, caller: &Caller, id: &str) -> Result<Box<RawValue>, Problem> {
    let sieve = Sieve { veil: shared.veil(caller), target: None };
    known(shared, id)?.and_then(|document| sieve.pass(&document)).ok_or_else(missing)
}

/// Whether this caller sees an attack, and all of it is its own: what is told of all of it is no business of one of several targets.
pub(crate) fn find_own(shared: &Shared, veil: &Veil, id: &str) -> Result<(), Problem> {
    let document = known(shared, id)?.ok_or_else(missing)?;
    if veil.is_clear() || view::is_own(veil, document.get()) { Ok(()) } else { Err(missing()) }
}

fn missing() -> Problem {
    Problem::missing("no attack has this id", "GET /api/v1/attacks lists all ids")
}

/// As the core holds it, or as it was kept.
fn known(shared: &Shared, id: &str) -> Result<Option<Box<RawValue>>, Problem> {
    let live = shared.source.live();
    if let Some(held) = live.attacks.iter().find(|held| held.id == id) {
        return Ok(Some(held.document.clone()));
    }
    let stored = shared.history(|reader| reader.attack(id)).map_err(|e| Problem::store(&e))?;
    Ok(stored.and_then(|document| RawValue::from_string(document).ok()))
}
