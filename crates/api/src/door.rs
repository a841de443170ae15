//! The one door: who asks, whether they may, how often, and what of the answer they see.
//!
//! Everything that is served stands in [`crate::endpoints`]; what does not stand there is not reached. Whoever may pass leaves
//! a [`Caller`] in the request.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use access::{Actor, Limiter, Permission, Via};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base::Span;
use tokio::time::{Instant, timeout};

use crate::problem::Problem;
use crate::router::Shared;
use crate::{endpoints, veil};

/// The cookie of a session.
pub(crate) const COOKIE: &str = "spillway_session";
/// What a browser has to add to requests that change something.
const CSRF: &str = "x-spillway-csrf";
/// Headers by which proxies say that somebody else asks: then this machine's address says nothing about who.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
/// An answer has to begin within this time, the reading of its question included.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// What every answer says to browsers: there is nothing to run, to frame or to keep.
const ALWAYS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Who is let in, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whoever asks from this machine without credentials is a viewer. For plain loopback only.
    pub anonymous: bool,
    /// It listens on loopback without TLS: no name but addresses and `localhost` is ours.
    pub local: bool,
    /// Requests a second of one token, session or address; twice as many at once.
    pub requests_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { anonymous: true, local: true, requests_per_second: 1_000 }
    }
}

/// Where a request comes from; the server puts it into the request. Without it: this machine.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Who asks, for handlers.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) address: IpAddr,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // a route outside the door serves nobody
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// What the door remembers.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) settings: Settings,
    limiter: Mutex<Limiter>,
}

impl Door {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, limiter: Mutex::new(Limiter::new(settings.requests_per_second)) }
    }
}

/// Lets a request pass, or says why not.
pub(crate) async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let mut response = match enter(&shared, request) {
        Ok((request, scoped)) => {
            let served =
                timeout(ANSWER_MAX, next.run(request)).await.unwrap_or_else(|_| late().into_response());
            match scoped {
                Some(actor) => veil::whole(&shared, &actor, served).await,
                None => served,
            }
        }
        Err(problem) => (*problem).into_response(),
    };
    for (name, value) in ALWAYS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    shared.counts.requests.add(route.as_deref(), &method, response.status(), begun.elapsed());
    response
}

type Entered = (Request, Option<Actor>);

fn enter(shared: &Shared, mut request: Request) -> Result<Entered, Box<Problem>> {
    let address = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if shared.door.settings.local && host.is_some_and(|host| !is_local(host)) {
        let hint = "use the address that the daemon printed when it became ready";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "this name is not ours", hint).into());
    }
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let needed = match &path {
        // there is nothing here, which anybody may know
        None => Permission::Public,
        Some(path) => endpoints::needed(request.method(), path).ok_or_else(|| not_so(path))?,
    };
    let actor = if needed == Permission::Public {
        Actor::anonymous()
    } else {
        authenticate(shared, request.headers(), address)?
    };
    let key = match &actor.via {
        Via::Token(id) => id.clone(),
        Via::Session { .. } | Via::Local => format!("user {}", actor.name),
        Via::Anonymous => Limiter::address(address),
    };
    let taken = shared.door.limiter.lock().unwrap_or_else(PoisonError::into_inner).take(&key, shared.now());
    taken.map_err(too_many)?;
    if !actor.may(needed) {
        return Err(refused(&actor, needed).into());
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let word = request.headers().get(CSRF).and_then(|value| value.to_str().ok());
    if changes && !actor.meant_it(word) {
        let hint = "send the `csrf` that opening the session gave as header X-Spillway-CSRF";
        return Err(Problem::new(StatusCode::FORBIDDEN, "a session alone changes nothing", hint).into());
    }
    let scoped = (!actor.scope().is_everything()).then(|| actor.clone());
    request.extensions_mut().insert(Caller { actor, address });
    Ok((request, scoped))
}

/// By token, by session, or as nobody in particular.
fn authenticate(shared: &Shared, headers: &HeaderMap, address: IpAddr) -> Result<Actor, Box<Problem>> {
    let now = shared.now();
    let failed = |error| Box::new(Problem::access(&error));
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let token = given.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let actor = token.map(|token| shared.access.by_token(token, now)).transpose().map_err(failed)?;
        return actor.flatten().ok_or_else(|| strangers(shared, address, "this token does not hold"));
    }
    if let Some(cookie) = session(headers) {
        let actor = shared.access.by_session(cookie, now).map_err(failed)?;
        return actor.ok_or_else(|| strangers(shared, address, "this session is over"));
    }
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    if shared.door.settings.anonymous && address.to_canonical().is_loopback() && !forwarded {
        return Ok(Actor::anonymous());
    }
    Err(strangers(shared, address, "this needs credentials"))
}

/// The cookie's value.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut all = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|one| one.trim().split_once('='));
    all.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Who is not known pays by address.
fn strangers(shared: &Shared, address: IpAddr, why: &'static str) -> Box<Problem> {
    let mut limiter = shared.door.limiter.lock().unwrap_or_else(PoisonError::into_inner);
    match limiter.take(&Limiter::address(address), shared.now()) {
        Ok(()) => unauthorised(why).into(),
        Err(wait) => too_many(wait),
    }
}

fn unauthorised(why: &str) -> Problem {
    let hint = "send `Authorization: Bearer spw_…` (`spillway token add` makes one), or open a session";
    Problem::new(StatusCode::UNAUTHORIZED, why, hint).with(header::WWW_AUTHENTICATE, "Bearer")
}

fn refused(actor: &Actor, needed: Permission) -> Problem {
    if actor.via == Via::Anonymous {
        return unauthorised("this needs credentials");
    }
    let why = format!("the role {} may not {needed}", actor.role());
    Problem::new(StatusCode::FORBIDDEN, why, "`spillway roles` shows what each role may do")
}

fn too_many(wait: Span) -> Box<Problem> {
    let secs = wait.secs().saturating_add(1).to_string();
    let hint = "ask less often, or raise `api.requests_per_second`";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests", hint)
        .with(header::RETRY_AFTER, &secs)
        .into()
}

fn not_so(path: &str) -> Box<Problem> {
    let allowed = endpoints::methods(path);
    let detail = format!("this path takes {allowed}");
    let hint = "GET /api/v1/openapi.json lists what there is";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail, hint).with(header::ALLOW, &allowed).into()
}

fn late() -> Problem {
    let hint = "look before you ask again: the audit trail says what came of it";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no answer in time", hint)
}

fn unknown() -> Problem {
    let hint = "GET /api/v1/openapi.json lists what there is";
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here", hint)
}

/// An address literal or `localhost`, with or without a port.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_addresses_and_localhost_are_our_names() {
        for ours in ["127.0.0.1:8646", "[::1]:8646", "localhost", "LOCALHOST:80", "127.0.0.1"] {
            assert!(is_local(ours), "{ours}");
        }
        for foreign in ["rebind.example:8646", "example", "localhost.example:80", ""] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
