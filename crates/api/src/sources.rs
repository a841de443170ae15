//! `/api/v1/attacks/{id}/sources`: who attacks, with a verdict on each, of an attack that goes on or of which it is kept.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::IntoParams;

use crate::model;
use crate::problem::Problem;
use crate::router::Shared;

/// Sources on one page, unless fewer are asked for.
const PAGE_MAX: u32 = 1000;

/// What is known of the sources of one attack.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The attack's id.
    pub attack: String,
    /// Up to when, RFC 3339.
    pub as_of: String,
    /// Whether the attack is over.
    pub over: bool,
    /// What they are together: `spoofed`, `reflectors`, `real`, `mixed` or `unknown`.
    pub nature: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Distinct sources, also those that are not listed.
    pub count: u64,
    /// By verdict: sources and packets.
    pub verdicts: Value,
    /// Sources and packets by country, the most packets first.
    pub countries: Value,
    /// Likewise by number of the network that announces them.
    pub networks: Value,
    /// Likewise by announced prefix.
    pub prefixes: Value,
    /// One document each, the most packets first.
    pub items: Vec<Box<RawValue>>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Ask {
    /// At most this many.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before. While an attack goes on, sources may change their places between two pages.
    #[serde(default)]
    after: u32,
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

#[derive(Serialize)]
struct Page<'a> {
    attack: &'a str,
    as_of: &'a str,
    over: bool,
    nature: &'a str,
    confidence: f64,
    count: u64,
    verdicts: &'a Value,
    countries: &'a Value,
    networks: &'a Value,
    prefixes: &'a Value,
    items: &'a [Box<RawValue>],
    next: Option<u32>,
}

/// The sources of an attack, those with the most packets first, and what they are together.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/sources", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id"), Ask),
    responses(
        (status = 200, body = model::SourcePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(ask) = ask.map_err(|wrong| {
        Problem::new(StatusCode::BAD_REQUEST, wrong.body_text(), "parameters are limit and after")
    })?;
    let Some(sources) = shared.source.sources(&id) else {
        let hint =
            "sources are followed while an attack goes on, and kept where [evidence] has `record = true`";
        let detail = format!("nothing is known of the sources of an attack {id}");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail, hint));
    };
    let of = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let rest = sources.items.get(of(ask.after)..).unwrap_or(&[]);
    let items = rest.get(..of(ask.limit.0)).unwrap_or(rest);
    let next = (items.len() < rest.len()).then(|| ask.after.saturating_add(ask.limit.0));
    let page = Page {
        attack: &sources.attack,
        as_of: &sources.as_of,
        over: sources.over,
        nature: &sources.nature,
        confidence: sources.confidence,
        count: sources.count,
        verdicts: &sources.verdicts,
        countries: &sources.countries,
        networks: &sources.networks,
        prefixes: &sources.prefixes,
        items,
        next,
    };
    Ok(Json(serde_json::to_value(&page).unwrap_or_default()))
}
