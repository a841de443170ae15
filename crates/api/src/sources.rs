//! `/api/v1/attacks/{id}/sources`: who attacks, with a verdict on each, of an attack that goes on or of which it is kept.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use std::net::IpAddr;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::IntoParams;

use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::veil::Veil;
use crate::words::{Limit, PrefixText};
use crate::{attacks, model};

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
    #[param(inline, required = false)]
    limit: Limit,
    /// `next` of the page before. While an attack goes on, sources may change their places between two pages.
    #[serde(default)]
    after: u32,
    /// Only sources within this prefix.
    #[param(inline)]
    within: Option<PrefixText>,
    /// Only sources that this network announces.
    asn: Option<u32>,
}

/// What of a source it is looked for by.
#[derive(Deserialize)]
struct Sought {
    address: IpAddr,
    asn: Option<u32>,
}

impl Ask {
    /// Whether a source's document is asked for.
    fn wants(&self, one: &RawValue) -> bool {
        if self.within.is_none() && self.asn.is_none() {
            return true;
        }
        serde_json::from_str::<Sought>(one.get()).is_ok_and(|source| {
            self.within.as_ref().is_none_or(|within| within.0.contains(source.address))
                && self.asn.is_none_or(|asn| source.asn == Some(asn))
        })
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
    items: Vec<&'a RawValue>,
    next: Option<u32>,
}

/// The sources of an attack, those with the most packets first, and what they are together. A customer sees those of attacks that reach nobody else.
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
    caller: Caller,
    Path(id): Path<String>,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(ask) = ask.map_err(|wrong| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            wrong.body_text(),
            "parameters are limit, after, within and asn",
        )
    })?;
    let veil = shared.veil(&caller);
    attacks::find_own(&shared, &veil, &id)?;
    shared.ask(move |shared| page(shared, &veil, &id, &ask)).await
}

/// Reads a folder where the attack is over, and looks through all sources where some are asked for.
fn page(shared: &Shared, veil: &Veil, id: &str, ask: &Ask) -> Result<Json<Value>, Problem> {
    let Some(sources) = shared.source.sources(id) else {
        let hint =
            "sources are followed while an attack goes on, and kept where [evidence] has `record = true`";
        let detail = format!("nothing is known of the sources of an attack {id}");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail, hint));
    };
    let of = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let found: Vec<&RawValue> =
        sources.items.iter().map(AsRef::as_ref).filter(|one| ask.wants(one)).collect();
    let rest = found.get(of(ask.after)..).unwrap_or(&[]);
    let items = rest.get(..of(ask.limit.0)).unwrap_or(rest);
    let next = (items.len() < rest.len()).then(|| ask.after.saturating_add(ask.limit.0));
    let items = items.iter().copied().filter(|one| !veil.hides(one.get())).collect();
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
