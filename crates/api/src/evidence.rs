//! `/api/v1/evidence`: bags of attacks — which there are, whether they are whole, what keeps them, and a copy to take away.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::body::{Asked, Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::mitigations::Because;
use crate::operate::Noted;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{Limit, PeerName};

/// Octets of one piece of an archive.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a client that is slow.
const WAITING: usize = 8;

/// Evidence of an attack.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// The attack's id.
    pub attack: String,
    /// `open` while packets are added, `sealed` after that, `none` where there is a folder without a bag.
    pub state: String,
    /// Octets on the disk.
    pub octets: u64,
    /// SHA-256 of its tag manifest, which names the digests of all that is in it: by this the ledger knows it; `null`: it is not sealed.
    pub seal: Option<String>,
    /// The attack's target, where it can be read.
    pub target: Option<String>,
    /// Its first packet, RFC 3339.
    pub started_at: Option<String>,
    /// Its end; `null`: it goes on.
    pub ended_at: Option<String>,
    /// What keeps it beyond its retention: since when, why and in whose name; `null`: nothing does.
    #[schema(value_type = Option<Object>)]
    pub hold: Option<Value>,
}

/// A bag, looked into.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceShown {
    /// As the list has it.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// What `bag-info.txt` says, line by line.
    pub info: Vec<String>,
    /// Its files with their sizes, at most a thousand.
    pub files: Vec<EvidenceFile>,
}

/// A file of a bag.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceFile {
    /// Inside the bag.
    pub path: String,
    /// Its size.
    pub octets: u64,
}

/// Bags by the ids of their attacks.
#[derive(Serialize, ToSchema)]
pub(crate) struct EvidencePage {
    items: Vec<Evidence>,
    /// Give it as `after` to get the next page; `null` on the last one.
    next: Option<String>,
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
    /// `next` of the page before.
    #[param(inline)]
    after: Option<PeerName>,
}

/// Bags that there are, by the ids of their attacks.
#[utoipa::path(
    get, path = "/api/v1/evidence", tag = "evidence", params(Ask),
    responses((status = 200, body = EvidencePage), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(ask): Asked<Ask>,
) -> Result<Json<EvidencePage>, Problem> {
    let work = move |shared: &Shared| {
        let after = ask.after.map(|after| after.0);
        let limit = usize::try_from(ask.limit.0).unwrap_or(usize::MAX);
        let mut items =
            shared.operate.evidence(after.as_deref(), limit.saturating_add(1)).map_err(Problem::conflict)?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().map(|last| last.attack.clone()).filter(|_| more);
        Ok(Json(EvidencePage { items, next }))
    };
    shared.ask(work).await
}

fn missing(id: &str) -> Problem {
    Problem::missing(
        format!("there is no evidence of an attack {id}"),
        "GET /api/v1/evidence lists what there is",
    )
}

fn look(shared: &Shared, id: &str) -> Result<EvidenceShown, Problem> {
    shared.operate.evidence_of(id).map_err(Problem::conflict)?.ok_or_else(|| missing(id))
}

/// One of them: what it says of itself, and its files.
#[utoipa::path(
    get, path = "/api/v1/evidence/{id}", tag = "evidence", params(("id" = String, Path, description = "The attack's id")),
    responses((status = 200, body = EvidenceShown), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn one(
    State(shared): State<Shared>,
    Part(id): Part<String>,
) -> Result<Json<EvidenceShown>, Problem> {
    shared.ask(move |shared| look(shared, &id).map(Json)).await
}

/// Whether it is as it was sealed, to the last bit, and by whom: as `spillway evidence verify` says it.
#[utoipa::path(
    get, path = "/api/v1/evidence/{id}/verification", tag = "evidence",
    params(("id" = String, Path, description = "The attack's id")),
    responses(
        (status = 200, body = Object),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn verify(
    State(shared): State<Shared>,
    Part(id): Part<String>,
) -> Result<Json<Value>, Problem> {
    let work = move |shared: &Shared| {
        look(shared, &id)?;
        shared.operate.verify_evidence(&id).map(Json).map_err(Problem::conflict)
    };
    shared.ask(work).await
}

async fn keep(
    shared: &Shared,
    caller: &Caller,
    id: String,
    (action, held): (&'static str, bool),
    reason: String,
) -> Result<Json<EvidenceShown>, Problem> {
    let asked = id.clone();
    let before = shared.ask(move |shared| look(shared, &asked)).await?;
    let change = Change {
        action,
        object: id.clone(),
        reason: reason.clone(),
        before: Some(json!({"hold": before.evidence.hold})),
        about: before.evidence.target.and_then(|target| target.parse().ok()),
        urgent: false,
    };
    let who = caller.actor.name.clone();
    let act = move |shared: &Shared| {
        let reason = held.then_some(reason.as_str());
        shared.operate.hold_evidence(&id, &who, reason).map_err(Problem::conflict)?;
        let now = look(shared, &id)?;
        let after = json!({"hold": now.evidence.hold});
        Ok((Json(now), Some(after)))
    };
    shared.change(caller, change, act).await
}

/// Keep it beyond its retention, for as long as somebody needs it.
#[utoipa::path(
    post, path = "/api/v1/evidence/{id}/hold", tag = "evidence", request_body = Because,
    params(("id" = String, Path, description = "The attack's id")),
    responses(
        (status = 200, body = EvidenceShown),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn hold(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Because>,
) -> Result<Json<EvidenceShown>, Problem> {
    keep(&shared, &caller, id, ("evidence.hold", true), asked.reason.0).await
}

/// Keep it no longer than retention says.
#[utoipa::path(
    post, path = "/api/v1/evidence/{id}/release", tag = "evidence", request_body = Because,
    params(("id" = String, Path, description = "The attack's id")),
    responses(
        (status = 200, body = EvidenceShown),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn release(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Because>,
) -> Result<Json<EvidenceShown>, Problem> {
    keep(&shared, &caller, id, ("evidence.release", false), asked.reason.0).await
}

/// A copy of a sealed bag for the house's own keeping, as a tar archive with a note of that beside the bag. It is no disclosure: to
/// hand a bag out, `spillway disclosure new ORDER --bag ATTACK` packs it, which takes two persons. That it was taken, by whom and why,
/// stands in the audit trail and in the ledger before the first octet goes, or none goes.
#[utoipa::path(
    post, path = "/api/v1/evidence/{id}/download", tag = "evidence", request_body = Because,
    params(("id" = String, Path, description = "The attack's id")),
    responses(
        (status = 200, body = String, content_type = "application/x-tar"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn download(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Document(asked): Document<Because>,
) -> Result<Response, Problem> {
    let looked = id.clone();
    let shown = shared.ask(move |shared| look(shared, &looked)).await?;
    if shown.evidence.state != "sealed" {
        return Err(Problem::conflict(format!(
            "the bag of attack {id} is not sealed yet: `spillway dossier {id}` writes a copy of one that is open"
        )));
    }
    let reason = asked.reason.0;
    let about = shown.evidence.target.as_deref().and_then(|target| target.parse().ok());
    let change = Change {
        action: "evidence.download",
        object: id.clone(),
        reason: reason.clone(),
        about,
        ..Change::default()
    };
    let (of, who) = (id.clone(), caller.actor.name.clone());
    let note = move |shared: &Shared| {
        let (octets, at) = (shown.evidence.octets, shared.now());
        let beside = kept(&of, &who, &reason, at);
        let content = json!({
            "action": "evidence.download", "for": "own-keeping", "attack": of, "by": who, "reason": reason, "octets": octets,
        });
        let noted = Noted { at, about, content, done: true };
        shared.operate.note_copy(noted).map_err(Problem::conflict)?;
        Ok((beside, Some(json!({"octets": octets, "for": "own-keeping"}))))
    };
    let beside = shared.change(&caller, change, note).await?;
    let (tell, pieces) = mpsc::channel(WAITING);
    let (operate, of) = (Arc::clone(&shared.operate), id.clone());
    // It ends when its client does: then nobody takes the pieces.
    drop(tokio::task::spawn_blocking(move || {
        let mut out = Pieces { tell, open: Vec::with_capacity(PIECE) };
        let packed = operate
            .pack_evidence(&of, &beside, &mut out)
            .and_then(|()| out.flush().map_err(|broke| broke.to_string()));
        if let Err(why) = packed {
            // An archive that breaks off is no archive: the client sees that the answer is not whole.
            let _ = out.tell.blocking_send(Err(io::Error::other(why)));
        }
    }));
    let name = format!("attachment; filename=\"evidence-{id}.tar\"");
    let headers =
        [(header::CONTENT_TYPE, "application/x-tar".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(Taken(pieces))).into_response())
}

/// What lies beside the bag in the archive.
fn kept(attack: &str, who: &str, reason: &str, at: base::Timestamp) -> String {
    format!(
        "A copy of the evidence of attack {attack} for the house's own keeping, taken by {who} on {at}: {reason}\n\
         It was disclosed to nobody. Who has to hand it out begins a disclosure: spillway disclosure new ORDER.toml --bag {attack}\n"
    )
}

/// What an archive is written into.
struct Pieces {
    tell: mpsc::Sender<io::Result<Bytes>>,
    open: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.open.extend_from_slice(octets);
        if self.open.len() >= PIECE {
            self.flush()?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.open, Vec::with_capacity(PIECE)));
        self.tell.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// What of it the client takes.
struct Taken(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Taken {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
