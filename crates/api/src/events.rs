//! `/api/v1/events`: what happens, as it happens. The last events lie in a ring; who comes back says which one it saw last.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Line, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::veil::Veil;
use crate::view;

/// Events that are kept; the oldest goes first, and who had not seen it is told so.
const RING_MAX: usize = 4_096;
/// Octets of all of them at most.
const RING_BYTES_MAX: usize = 32 << 20;
/// Clients at a time; who comes then is turned away.
const CLIENTS_MAX: usize = 512;
/// Events on their way to one client.
const UNDER_WAY_MAX: usize = 32;
/// A client that takes nothing for so long is cut off, and counted.
const PATIENCE: Duration = Duration::from_secs(10);
/// A silent line is used at least so often.
const ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after so long: who comes back is asked anew who it is.
const STREAM_MAX: Duration = Duration::from_secs(600);

/// What kind of thing an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An attack was found, changed, or is over.
    Attack,
    /// A rule's state changed.
    Rule,
    /// A mitigation was asked for, began, or ended.
    Mitigation,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Rule => "rule",
            Self::Mitigation => "mitigation",
        }
    }
}

/// The ring, for all who hold a clone.
#[derive(Clone, Debug)]
pub struct Events(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    /// Which ring this is: numbers begin anew with each start of the daemon.
    epoch: u64,
    ring: Mutex<Ring>,
    changed: watch::Sender<u64>,
    clients: AtomicUsize,
    cut: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    /// Number of the event that comes next.
    next: u64,
    bytes: usize,
    events: VecDeque<Arc<Happened>>,
}

#[derive(Debug)]
struct Happened {
    number: u64,
    kind: Kind,
    document: String,
}

/// What a client gets next.
enum Next {
    Some(Arc<Happened>),
    Nothing,
    /// Events were lost to it.
    Behind,
}

impl Events {
    /// An empty ring. The epoch must differ from that of any ring before: the time of the start, say.
    pub fn new(epoch: u64) -> Self {
        let (changed, _) = watch::channel(0);
        Self(Arc::new(Inside {
            epoch,
            ring: Mutex::default(),
            changed,
            clients: AtomicUsize::new(0),
            cut: AtomicU64::new(0),
        }))
    }

    /// Something happened. Waits for nobody.
    pub fn push(&self, kind: Kind, document: String) {
        let mut ring = self.ring();
        let number = ring.next;
        ring.next += 1;
        ring.bytes += document.len();
        ring.events.push_back(Arc::new(Happened { number, kind, document }));
        while ring.events.len() > RING_MAX || ring.bytes > RING_BYTES_MAX {
            let Some(gone) = ring.events.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(gone.document.len());
        }
        drop(ring);
        self.0.changed.send_replace(number);
    }

    /// Clients that listen.
    pub fn clients(&self) -> usize {
        self.0.clients.load(Ordering::Relaxed)
    }

    /// Clients that were cut off since the start because they took nothing.
    pub fn cut(&self) -> u64 {
        self.0.cut.load(Ordering::Relaxed)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a client begins that saw this one last; `Err`: it may have missed something.
    fn begin(&self, last: Option<&str>) -> Result<u64, u64> {
        let ring = self.ring();
        let Some(last) = last else { return Ok(ring.next) };
        let seen = last.split_once('-').and_then(|(epoch, number)| {
            let number: u64 = number.parse().ok()?;
            (epoch.parse() == Ok(self.0.epoch) && number < ring.next).then_some(number + 1)
        });
        let first = ring.next - ring.events.len() as u64;
        seen.filter(|number| *number >= first).ok_or(ring.next)
    }

    fn after(&self, number: u64) -> Next {
        let ring = self.ring();
        let first = ring.next - ring.events.len() as u64;
        if number < first {
            return Next::Behind;
        }
        let at = usize::try_from(number - first).unwrap_or(usize::MAX);
        ring.events.get(at).map_or(Next::Nothing, |event| Next::Some(Arc::clone(event)))
    }

    /// A place for a client, as long as it is held.
    fn enter(&self) -> Option<Place> {
        let taken = self.0.clients.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        (taken < CLIENTS_MAX).then_some(place)
    }
}

struct Place(Events);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Attacks that open, change and end, states of rules, mitigations; as server-sent events.
///
/// `Last-Event-ID` goes on behind that event. Where it is too old, or of another run of the daemon, the first event is `reset`:
/// read the lists again.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn stream(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let events = shared.events.clone();
    let Some(place) = events.enter() else {
        let hint = "come back later, or read /api/v1/attacks";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen already", hint));
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let (begin, reset) = match events.begin(last) {
        Ok(begin) => (begin, false),
        Err(begin) => (begin, true),
    };
    let (send, receive) = mpsc::channel(UNDER_WAY_MAX);
    let veil = shared.veil(&caller);
    tokio::spawn(async move { feed(&place, &veil, begin, reset, &send).await });
    Ok(Sse::new(Lines(receive)).into_response())
}

/// Feeds one client until it goes, is cut off, or has to say again who it is.
async fn feed(place: &Place, veil: &Veil, begin: u64, reset: bool, send: &mpsc::Sender<Line>) {
    let events = &place.0;
    let mut changed = events.0.changed.subscribe();
    let end = Instant::now() + STREAM_MAX;
    let mut number = begin;
    let mut first = Some(if reset {
        Line::default().event("reset").data("{}")
    } else {
        // so that whoever listens knows that it is heard
        Line::default().comment("welcome")
    });
    loop {
        let line = match first.take() {
            Some(line) => Some(line),
            None => match events.after(number) {
                Next::Some(event) => {
                    number = event.number + 1;
                    shown(veil, &event).map(|data| {
                        let id = format!("{}-{}", events.0.epoch, event.number);
                        Line::default().event(event.kind.name()).id(id).data(data)
                    })
                }
                Next::Behind => break cut(events),
                Next::Nothing => {
                    let until = end.min(Instant::now() + ALIVE);
                    tokio::select! {
                        woken = timeout_at(until, changed.changed()) => match woken {
                            Ok(_) => continue,
                            Err(_) if Instant::now() >= end => return,
                            Err(_) => Some(Line::default().comment("")),
                        },
                        () = send.closed() => return,
                    }
                }
            },
        };
        let Some(line) = line else { continue };
        match timeout(PATIENCE, send.send(line)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => break cut(events),
        }
    }
}

fn cut(events: &Events) {
    events.0.cut.fetch_add(1, Ordering::Relaxed);
}

/// What this client sees of it.
fn shown(veil: &Veil, event: &Happened) -> Option<String> {
    if veil.is_clear() {
        return Some(event.document.clone());
    }
    let shown: Value = match event.kind {
        Kind::Attack => view::attack(veil, &event.document)?,
        Kind::Rule => view::rule(veil, &event.document)?,
        Kind::Mitigation => view::mitigation(veil, &serde_json::from_str(&event.document).ok()?)?,
    };
    let text = shown.to_string();
    (!veil.hides(&text)).then_some(text)
}

/// What arrives becomes the body.
struct Lines(mpsc::Receiver<Line>);

impl Stream for Lines {
    type Item = Result<Line, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|line| line.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_goes_on_where_it_was_or_is_told_that_it_cannot() {
        let events = Events::new(7);
        assert_eq!(events.begin(None), Ok(0));
        for n in 0..RING_MAX + 10 {
            events.push(Kind::Attack, n.to_string());
        }
        let next = RING_MAX as u64 + 10;
        assert_eq!(events.begin(Some("7-12")), Ok(13));
        assert_eq!(events.begin(Some(&format!("7-{}", next - 1))), Ok(next));
        // too old, of another run, of the future, of nobody
        for odd in ["7-3", "8-12", "7-99999", "x", "7-", ""] {
            assert_eq!(events.begin(Some(odd)), Err(next), "{odd}");
        }
        assert!(matches!(events.after(3), Next::Behind));
        assert!(matches!(events.after(next), Next::Nothing));
        assert!(matches!(events.after(10), Next::Some(event) if event.document == "10"));
    }

    #[test]
    fn the_ring_is_bounded_in_octets() {
        let events = Events::new(7);
        for _ in 0..100 {
            events.push(Kind::Attack, "x".repeat(1 << 20));
        }
        assert_eq!(events.ring().events.len(), 32);
    }
}
