//! Who listens: one task for each feeds what happened since, as far as it may be seen, until the client goes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::views::Guise;
use super::{Events, Happened, Kind, Next, Place};
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::veil::Veil;
use crate::{model, view};

/// Events on their way to one client.
const UNDER_WAY_MAX: usize = 32;
/// A client that takes nothing for so long is cut off, and counted.
const PATIENCE: Duration = Duration::from_secs(10);
/// A silent line is used at least so often.
const ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after so long: who comes back is asked anew who it is.
const STREAM_MAX: Duration = Duration::from_secs(600);

/// Attacks that open, change and end, states of rules, mitigations; as server-sent events.
///
/// `Last-Event-ID` goes on behind that event. Where it is too old, or of another run of the daemon, the first event is `reset`:
/// read the lists again.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen")),
    responses(
        (status = 200, body = model::StreamEvent, content_type = "text/event-stream"),
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
    let veil = shared.veil(&caller);
    let (begin, reset) = match events.begin(last, veil.is_clear()) {
        Ok(begin) => (begin, false),
        Err(begin) => (begin, true),
    };
    let (send, receive) = mpsc::channel(UNDER_WAY_MAX);
    // Who sees everything shares what was made for all of them.
    let guise = (!veil.is_clear()).then(|| events.0.views.join(veil));
    tokio::spawn(async move { feed(&place, guise.as_deref(), begin, reset, &send).await });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(Messages(receive))).into_response())
}

/// Feeds one client until it goes, is cut off, or has to say again who it is.
async fn feed(place: &Place, guise: Option<&Guise>, begin: u64, reset: bool, send: &mpsc::Sender<Bytes>) {
    let events = &place.0;
    let mut changed = events.0.changed.subscribe();
    let end = Instant::now() + STREAM_MAX;
    let mut number = begin;
    let mut first = Some(if reset {
        message("reset", None, "{}")
    } else {
        // so that whoever listens knows that it is heard
        Bytes::from_static(b": welcome\n\n")
    });
    loop {
        let line = match first.take() {
            Some(line) => Some(line),
            None => match events.after(number) {
                Next::Some(event) => {
                    number = event.number + 1;
                    match guise {
                        None => Some(event.whole(events)),
                        Some(guise) => {
                            events.0.views.of(event.number, guise, |veil| event.seen_through(veil, events))
                        }
                    }
                }
                Next::Behind => break cut(events),
                Next::Nothing => {
                    let until = end.min(Instant::now() + ALIVE);
                    tokio::select! {
                        woken = timeout_at(until, changed.changed()) => match woken {
                            Ok(_) => continue,
                            Err(_) if Instant::now() >= end => return,
                            Err(_) => Some(Bytes::from_static(b":\n\n")),
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

/// What a client sees of it that does not see everything.
fn shown(veil: &Veil, event: &Happened) -> Option<String> {
    let shown: Value = match event.kind {
        Kind::Attack => view::attack(veil, &event.document)?,
        Kind::Rule => view::rule(veil, &event.document)?,
        Kind::Mitigation => view::mitigation(veil, &serde_json::from_str(&event.document).ok()?)?,
    };
    let text = shown.to_string();
    (!veil.hides(&text)).then_some(text)
}

/// What arrives becomes the body.
struct Messages(mpsc::Receiver<Bytes>);

impl Stream for Messages {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|message| message.map(Ok))
    }
}

impl Happened {
    /// As it goes to all who see everything.
    fn whole(&self, events: &Events) -> Bytes {
        self.whole.get_or_init(|| self.message(&events.id(self.number, true), &self.document)).clone()
    }

    /// As it goes to a client behind a veil; `None`: not at all.
    fn seen_through(&self, veil: &Veil, events: &Events) -> Option<Bytes> {
        shown(veil, self).map(|data| self.message(&events.id(self.number, false), &data))
    }

    fn message(&self, id: &str, data: &str) -> Bytes {
        message(self.kind.name(), Some(id), data)
    }
}

/// One message of the stream (WHATWG HTML, section 9.2.6).
fn message(event: &str, id: Option<&str>, data: &str) -> Bytes {
    let mut text = format!("event: {event}\n");
    if let Some(id) = id {
        text.push_str(&format!("id: {id}\n"));
    }
    for line in data.split('\n') {
        text.push_str("data: ");
        text.push_str(line.trim_end_matches('\r'));
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    #[test]
    fn a_message_is_made_once_for_all_who_see_everything() {
        let happened =
            Happened { number: 3, kind: Kind::Rule, document: "{}\n{}".to_owned(), whole: OnceLock::new() };
        let events = Events::new(7);
        let [first, second] = [(); 2].map(|()| happened.whole(&events));
        assert_eq!(first, "event: rule\nid: 7-3\ndata: {}\ndata: {}\n\n");
        assert_eq!(first.as_ptr(), second.as_ptr());
    }
}
