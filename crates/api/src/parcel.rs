//! `/api/v1/flows/export`: samples themselves, as a Parquet file. What is narrowed for a customer is narrowed here too, and what of
//! a sample is the operator's alone stands in none of its rows.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use history::{Column, Field, HistoryError, Parcel, Sample};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::body::Document;
use crate::door::Caller;
use crate::flows::{FlowsError, PARTIAL, asked, filter, narrowed, range, stopper};
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{FilterText, Patience, Seconds, TimeText};

/// Samples of one file. Some 15 MB of it, and some 50 MB while it is made.
const ROWS_MAX: u64 = 500_000;
/// Its type, as IANA has it.
const KIND: &str = "application/vnd.apache.parquet";
/// How many samples it has.
const ROWS: HeaderName = HeaderName::from_static("spillway-samples");

/// Which samples.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowExport {
    /// In the filter language of `spillway flows query`; all, without one.
    #[serde(default)]
    filter: FilterText,
    /// From here on, RFC 3339; without it, `last`.
    from: Option<TimeText>,
    /// Before here; without it, now.
    to: Option<TimeText>,
    /// So many seconds before `to`; an hour without `from` and this.
    last: Option<Seconds>,
    /// It may take so many seconds; what was not looked at by then is said.
    #[serde(default)]
    within: Patience,
}

/// Flow samples as a Parquet file, at most half a million, the newest included. A customer gets those of its own targets, without
/// who told them.
#[utoipa::path(
    post, path = "/api/v1/flows/export", tag = "flows", request_body = FlowExport,
    responses(
        (status = 200, content((String = "application/vnd.apache.parquet")), headers(
            ("Spillway-Samples" = u64, description = "How many samples it has"),
            ("Spillway-Partial" = String, description = "Why it is not all"),
        )),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn export(
    State(shared): State<Shared>,
    caller: Caller,
    Document(wanted): Document<FlowExport>,
) -> Result<Response, Problem> {
    let bounds = range(wanted.from, wanted.to, wanted.last, shared.now())?;
    // Each row names the other end, whatever the filter asks.
    let filter = narrowed(&shared, &caller, filter(&wanted.filter.0)?, &[Field::Of(Column::Foreign)])?;
    let is_clear = caller.actor.scope().is_everything();
    let within = wanted.within;
    let work = move |shared: &Shared| {
        let full = Cell::new(false);
        let mut patience = stopper(within);
        let mut stop = || full.get() || patience();
        let broken = |error: HistoryError| Problem::from(FlowsError::Broken(error.to_string()));
        let mut parcel = Parcel::new(Vec::new(), Path::new("flows.parquet")).map_err(broken)?;
        let (mut rows, mut failed) = (0, None);
        let mut show = |sample: &Sample<'_>| {
            full.set(full.get() || rows >= ROWS_MAX);
            if full.get() || failed.is_some() {
                return;
            }
            rows += 1;
            let told = if is_clear { *sample } else { veiled(sample) };
            failed = parcel.push(&told).err();
        };
        let scanned = shared.flows.walk(&filter, bounds, &mut stop, &mut show).map_err(Problem::from)?;
        if let Some(error) = failed {
            return Err(broken(error));
        }
        let (octets, rows) = parcel.finish().map_err(broken)?;
        let partial = if full.get() {
            Some(format!("a file has at most {ROWS_MAX} samples: ask for less time, or narrower"))
        } else {
            scanned.partial
        };
        Ok((octets, rows, partial))
    };
    let (octets, rows, partial) = asked(&shared, work).await?;
    let name = HeaderValue::from_static("attachment; filename=\"flows.parquet\"");
    let mut response = ([(header::CONTENT_TYPE, KIND)], octets).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, name);
    headers.insert(ROWS, HeaderValue::from(rows));
    if let Some(why) = partial.and_then(|why| HeaderValue::from_str(&why).ok()) {
        headers.insert(PARTIAL, why);
    }
    Ok(response)
}

/// Without who told it, and where it entered and left the network.
fn veiled<'a>(sample: &Sample<'a>) -> Sample<'a> {
    Sample { exporter: IpAddr::V4(Ipv4Addr::UNSPECIFIED), input_if: None, output_if: None, ..*sample }
}
