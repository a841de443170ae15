//! Rules against a capture that comes with the request: read as it arrives, by a thread of its own, and kept nowhere.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::rules::Rule;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::StatusCode;
use futures_core::Stream as _;
use serde::Serialize;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::preview::PreviewHost;
use crate::problem::Problem;
use crate::router::Shared;

/// How a capture is sent; pcapng, too.
pub(crate) const MEDIA: [&str; 2] = ["application/vnd.tcpdump.pcap", "application/octet-stream"];
/// Octets of a capture at most.
const CAPTURE_MAX: usize = 256 << 20;
/// Captures read at once; whoever comes when there are so many is asked to come again.
const AT_ONCE: usize = 2;
/// Pieces that wait for the thread that reads.
const WAITING: usize = 4;

static READ_NOW: AtomicUsize = AtomicUsize::new(0);

/// What rules would have hit in a capture, each by itself and by the order of all.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CapturePreview {
    /// Time of the first packet, RFC 3339; `null`: there was none.
    pub from: Option<String>,
    /// Of the last one.
    pub to: Option<String>,
    /// All packets.
    pub packets: u64,
    /// Their octets of layer 3.
    pub bytes: u64,
    /// Packets that no rule matches.
    pub unmatched_packets: u64,
    /// In the order given.
    pub rules: Vec<CaptureHit>,
    /// Why this is not all of the file; `null`: it is.
    pub partial: Option<String>,
}

/// What a rule would have hit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaptureHit {
    /// Its id.
    pub id: String,
    /// In the rule language, in its one spelling.
    pub text: String,
    /// What it does.
    pub action: String,
    /// Packets that it matches by itself.
    pub matched_packets: u64,
    /// Their octets of layer 3.
    pub matched_bytes: u64,
    /// Packets that it decides beside the others.
    pub decided_packets: u64,
    /// To whom most of what it decides goes.
    pub hosts: Vec<PreviewHost>,
}

/// Holds a place among those that are read at once.
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        let room = |now: usize| (now < AT_ONCE).then_some(now + 1);
        READ_NOW.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok().map(|_| Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        READ_NOW.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body as the thread reads it: a piece after the other.
struct Pieces {
    pieces: mpsc::Receiver<Result<Bytes, String>>,
    rest: Bytes,
    read: usize,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(why)) => return Err(io::Error::other(why)),
            }
        }
        let take = self.rest.len().min(to.len());
        let piece = self.rest.split_to(take);
        if let Some(to) = to.get_mut(..take) {
            to.copy_from_slice(&piece);
        }
        self.read = self.read.saturating_add(take);
        if self.read > CAPTURE_MAX {
            return Err(io::Error::other(format!("more than {} MiB: send a part of it", CAPTURE_MAX >> 20)));
        }
        Ok(take)
    }
}

/// Reads the body, and tells what these rules would have hit.
pub(crate) async fn preview(
    shared: &Shared,
    rules: Vec<Rule>,
    body: Body,
) -> Result<CapturePreview, Problem> {
    let Some(turn) = Turn::take() else {
        let hint =
            "ask again in a moment, or use `spillway rule preview --capture FILE`, which needs no daemon";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "other captures are being read", hint));
    };
    let (tell, pieces) = mpsc::channel(WAITING);
    let work = {
        let operate = std::sync::Arc::clone(&shared.operate);
        move || {
            let _turn = turn;
            operate.preview(&rules, Box::new(Pieces { pieces, rest: Bytes::new(), read: 0 }))
        }
    };
    let reading = tokio::task::spawn_blocking(work);
    let mut stream = body.into_data_stream();
    while let Some(piece) = next(&mut stream).await {
        let piece = piece.map_err(|broken| broken.to_string());
        let ends = piece.is_err();
        // Who reads no more has seen enough: a rule it does not know, a file that is none.
        if tell.send(piece).await.is_err() || ends {
            break;
        }
    }
    drop(tell);
    let broke = |_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this broke while the capture was read",
            "look at the daemon's log",
        )
    };
    reading.await.map_err(broke)?.map_err(|why| {
        Problem::new(
            StatusCode::CONFLICT,
            why,
            "send a pcap or pcapng file as it is, as application/vnd.tcpdump.pcap",
        )
    })
}

async fn next(stream: &mut BodyDataStream) -> Option<Result<Bytes, axum::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}
