//! `/api/v1/attacks/{id}/course`: how much each vector of an attack had, step by step.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::attacks;
use crate::body::Part;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;

/// How an attack ran: what was counted to each of its vectors, as far as all of a step is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Course {
    /// Beginning of the first step, RFC 3339.
    pub from: String,
    /// Seconds of one step; it doubles as the attack grows longer.
    pub step_seconds: u64,
    /// The largest first.
    pub vectors: Vec<VectorCourse>,
}

/// One vector, step by step; all vectors have as many steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct VectorCourse {
    /// Its name.
    pub name: String,
    /// Packets in each step, estimated where sampled.
    pub packets: Vec<u64>,
    /// Layer-3 octets in each step, likewise.
    pub bytes: Vec<u64>,
}

/// How much each vector of an attack had, step by step, while it goes on and for a while after: what was counted to the attack, without
/// the honest traffic beside it. What came before it was found is spread evenly over that time.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/course", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id")),
    responses(
        (status = 200, body = Course),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
) -> Result<Json<Course>, Problem> {
    attacks::find_own(&shared, &shared.veil(&caller), &id)?;
    shared.source.course(&id).map(Json).ok_or_else(|| {
        let hint = "it is kept of the last attacks since the daemon began; flow samples are kept longer: POST /api/v1/flows/query";
        Problem::missing(format!("how attack {id} ran is not at hand"), hint)
    })
}
