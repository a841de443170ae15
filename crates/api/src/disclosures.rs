//! `/api/v1/disclosures`: what left the house, and what is about to.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::{Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::evidence::EvidenceFile;
use crate::operate::Told;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{Digest, Reason};

/// Disclosures by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct DisclosurePage {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// Disclosures: to whom, on what basis, who agreed, and how far each has come. As `spillway disclosure list` prints them.
#[utoipa::path(get, path = "/api/v1/disclosures", tag = "evidence", responses((status = 200, body = DisclosurePage)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<DisclosurePage>, Problem> {
    let work = |shared: &Shared| {
        let items = shared.operate.disclosures().map_err(Problem::conflict)?;
        Ok(Json(DisclosurePage { items, next: None }))
    };
    shared.ask(work).await
}

/// What would leave.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayloadShown {
    /// SHA-256 of all of it, as an approval names it.
    pub payload_sha256: String,
    /// Its size.
    pub octets: u64,
    /// `text`, `capture`, `archive` or `other`.
    pub kind: String,
    /// The text, its first 64 KiB; `null`: it is none.
    pub text: Option<String>,
    /// Files of an archive, at most a thousand.
    pub files: Vec<EvidenceFile>,
    /// Whether there is more than is shown; `spillway disclosure show` names the file.
    pub cut: bool,
}

fn missing(id: &str) -> Problem {
    Problem::missing(format!("there is no disclosure {id}"), "GET /api/v1/disclosures lists what there is")
}

/// What would leave, for whoever is asked to agree.
#[utoipa::path(
    get, path = "/api/v1/disclosures/{id}/payload", tag = "evidence",
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = PayloadShown),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn payload(
    State(shared): State<Shared>,
    Part(id): Part<String>,
) -> Result<Json<PayloadShown>, Problem> {
    let work = move |shared: &Shared| {
        let shown = shared.operate.disclosure_payload(&id).map_err(Problem::conflict)?;
        shown.map(Json).ok_or_else(|| missing(&id))
    };
    shared.ask(work).await
}

/// Agree to a disclosure.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agreed {
    /// SHA-256 of the payload that was looked at, as `payload_sha256` of `spillway disclosure show`.
    payload_sha256: Digest,
    /// Why.
    reason: Reason,
}

/// Agree to exactly what would leave, as whoever is logged in. An account counts once.
#[utoipa::path(
    post, path = "/api/v1/disclosures/{id}/approval", tag = "evidence", request_body = Agreed,
    params(("id" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = Object),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn approve(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Agreed>,
) -> Result<Json<Value>, Problem> {
    let (who, sha256) = (caller.actor.name.clone(), asked.payload_sha256.0);
    let change = Change {
        action: "disclosure.approve",
        object: id.clone(),
        reason: asked.reason.0,
        ..Change::default()
    };
    let act = move |shared: &Shared| {
        let now = shared.operate.approve_disclosure(&id, &who, &sha256).map_err(Problem::conflict)?;
        let now = now.ok_or_else(|| missing(&id))?;
        Ok((Json(now), Some(json!({"payload_sha256": sha256}))))
    };
    shared.change(&caller, change, act).await
}

/// Disclosures about whoever asks.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnDisclosurePage {
    items: Vec<Told>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// What was told to others about a customer, newest first. A customer sees what concerns it and left the house, unless an
/// embargo forbids to tell; whoever sees all networks sees that of all customers.
#[utoipa::path(
    get, path = "/api/v1/disclosures/own", tag = "evidence",
    responses((status = 200, body = OwnDisclosurePage), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn own(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<OwnDisclosurePage>, Problem> {
    let veil = shared.veil(&caller);
    let work = move |shared: &Shared| {
        let all = shared.operate.disclosed().map_err(Problem::conflict)?;
        let is_own = |about: &[base::Prefix]| {
            veil.is_clear() || (!about.is_empty() && about.iter().all(|prefix| veil.sees(prefix)))
        };
        let mut items: Vec<Told> =
            all.into_iter().filter(|one| is_own(&one.about)).map(|one| one.told).collect();
        items.sort_by(|a, b| b.sent.cmp(&a.sent));
        items.truncate(OWN_MAX);
        Ok(Json(OwnDisclosurePage { items, next: None }))
    };
    shared.ask(work).await
}

/// Disclosures that are told at once; older ones are asked for at the operator.
const OWN_MAX: usize = 500;
