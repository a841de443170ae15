//! `/api/v1/ledger`: what cannot be taken back, for those who verify. Entries hold no name and no address.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::body::Part;
use crate::operate::{Head, Proven};
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::Number;

/// The signed head, and the policy to verify it by.
#[utoipa::path(
    get, path = "/api/v1/ledger", tag = "ledger",
    responses((status = 200, body = Head), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn head(State(shared): State<Shared>) -> Result<Json<Head>, Problem> {
    let none =
        |why| Problem::missing(why, "the first decision begins one; see [ledger] in the configuration");
    shared.ask(move |shared| shared.operate.head().map(Json).map_err(none)).await
}

async fn proven(shared: &Shared, index: u64) -> Result<Proven, Problem> {
    let hint = "GET /api/v1/ledger says how many entries there are";
    let work = move |shared: &Shared| {
        let found = shared.operate.entry(index).map_err(|why| Problem::missing(why, hint))?;
        found.ok_or_else(|| Problem::missing(format!("there is no entry {index}"), hint))
    };
    shared.ask(work).await
}

/// An entry.
#[utoipa::path(
    get, path = "/api/v1/ledger/{index}", tag = "ledger", params(("index" = inline(Number), Path, description = "From 0")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn entry(
    State(shared): State<Shared>,
    Part(Number(index)): Part<Number>,
) -> Result<Response, Problem> {
    let proven = proven(&shared, index).await?;
    // the very octets: whoever checks them hashes them
    Ok(([(header::CONTENT_TYPE, "application/json")], proven.entry).into_response())
}

/// The proof that it stands there, for `spillway ledger verify` and `spillway-verify`.
#[utoipa::path(
    get, path = "/api/v1/ledger/{index}/proof", tag = "ledger", params(("index" = inline(Number), Path, description = "From 0")),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn proof(
    State(shared): State<Shared>,
    Part(Number(index)): Part<Number>,
) -> Result<String, Problem> {
    Ok(proven(&shared, index).await?.proof)
}
