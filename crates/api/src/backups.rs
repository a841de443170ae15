//! `/api/v1/backup`: a backup in the daemon's own folder, for whoever carries it away. It never has keys: who may ask for one is not
//! thereby somebody who may have those.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::body::Document;
use crate::change::Change;
use crate::door::Caller;
use crate::mitigations::Because;
use crate::operate::Backup;
use crate::problem::Problem;
use crate::router::Shared;

/// A backup that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackedUp {
    /// Where it is, on the daemon's machine.
    file: String,
    /// Its size.
    bytes: u64,
    /// Files in it.
    files: u64,
}

/// Make a backup: databases, ledger, disclosures and configuration, without keys and secrets. The last eight are kept.
#[utoipa::path(
    post, path = "/api/v1/backup", tag = "configuration", request_body = Because,
    responses((status = 200, body = BackedUp), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    Document(asked): Document<Because>,
) -> Result<Json<BackedUp>, Problem> {
    let change = Change {
        action: "backup.create",
        object: "backup".to_owned(),
        reason: asked.reason.0,
        ..Change::default()
    };
    let act = |shared: &Shared| {
        let Backup { file, bytes, files } = shared.operate.backup().map_err(Problem::conflict)?;
        let after = json!({"file": file, "bytes": bytes, "files": files});
        Ok((Json(BackedUp { file, bytes, files }), Some(after)))
    };
    shared.change(&caller, change, act).await
}
