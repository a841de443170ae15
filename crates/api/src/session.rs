//! `/api/v1/session`, `/api/v1/me`, `/api/v1/roles`: who somebody is.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use access::{Actor, Permission, Role, SESSION_SECS, Via, Who, matrix};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::Span;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::body::Document;
use crate::change::Change;
use crate::door::{COOKIE, Caller, session};
use crate::problem::Problem;
use crate::router::Shared;
use crate::users::passworded;
use crate::words::{Password, Reason, UserName};

/// Passwords that are checked at a time: each takes 19 MiB and tens of milliseconds.
static CHECKS: Semaphore = Semaphore::const_new(2);

/// What a session is opened with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    user: UserName,
    password: Password,
}

/// A session. The cookie is in `Set-Cookie`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// Send it as header `X-Spillway-CSRF` with everything that changes something.
    csrf: String,
    /// RFC 3339, UTC.
    expires_at: String,
}

/// Open a session with a password.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "access", request_body = Login,
    responses((status = 201, body = Session), (status = 401, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn open(
    State(shared): State<Shared>,
    caller: Caller,
    Document(login): Document<Login>,
) -> Result<Response, Problem> {
    let Login { user: UserName(user), password: Password(password) } = login;
    let both = [Who::Account(user.clone()), Who::address(caller.address)];
    let waits = || -> Option<Span> {
        let guesses = shared.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        both.iter().filter_map(|who| guesses.wait(who, shared.now())).max()
    };
    let wait = |span: Span| {
        let secs = span.secs().saturating_add(1).to_string();
        let hint = "wait, then try again; `spillway user password` gives another password";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords", hint)
            .with(header::RETRY_AFTER, &secs)
    };
    if let Some(span) = waits() {
        return Err(wait(span));
    }
    let _turn = CHECKS.acquire().await;
    // whoever waited for the turn may have guessed meanwhile
    if let Some(span) = waits() {
        return Err(wait(span));
    }
    let name = user.clone();
    let right = shared
        .ask(move |shared| shared.access.is_password(&name, &password).map_err(|e| Problem::access(&e)));
    if !right.await? {
        let mut guesses = shared.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        both.into_iter().for_each(|who| guesses.failed(who, shared.now()));
        shared.counts.guesses.fetch_add(1, Ordering::Relaxed);
        let hint = "check both; `spillway user password NAME` gives another password";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "this user does not have this password", hint);
        return Err(problem.with(header::WWW_AUTHENTICATE, "Bearer"));
    }
    shared.guesses.lock().unwrap_or_else(PoisonError::into_inner).succeeded(&Who::Account(user.clone()));
    opened(&shared, caller, user, "by a password").await
}

/// A session of this user, who has shown who it is, and how.
async fn opened(
    shared: &Shared,
    caller: Caller,
    user: String,
    how: &'static str,
) -> Result<Response, Problem> {
    let known = shared.access.user(&user).map_err(|e| Problem::access(&e))?;
    let Some(known) = known else {
        let hint = "GET /api/v1/users lists them";
        return Err(Problem::missing(format!("there is no user {user}"), hint));
    };
    let via = Via::Session { csrf: [0; 32] };
    let actor = Actor::new(user.clone(), via, known.role, known.prefixes);
    let caller = Caller { actor, ..caller };
    let change =
        Change { action: "session.open", object: user.clone(), reason: how.to_owned(), ..Change::default() };
    let act = move |shared: &Shared| {
        let opened = shared.access.open_session(&user, shared.now()).map_err(|e| Problem::access(&e))?;
        let after = json!({"expires_at": opened.expires_at.to_string()});
        Ok((opened, Some(after)))
    };
    let opened = shared.change(&caller, change, act).await?;
    let secure = if shared.door.settings.local { "" } else { "; Secure" };
    let cookie = format!(
        "{COOKIE}={}; Path=/; Max-Age={SESSION_SECS}; HttpOnly; SameSite=Strict{secure}",
        opened.cookie
    );
    let session = Session { csrf: opened.csrf, expires_at: opened.expires_at.to_string() };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(session)).into_response())
}

/// A link that opens a session once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnceLink {
    /// What stands at its end.
    secret: String,
}

/// Open a session by a link, which works once, and for minutes.
#[utoipa::path(
    post, path = "/api/v1/session/link", tag = "access", request_body = OnceLink,
    responses((status = 201, body = Session), (status = 401, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn by_link(
    State(shared): State<Shared>,
    caller: Caller,
    Document(link): Document<OnceLink>,
) -> Result<Response, Problem> {
    // 256 bits of chance are not guessed, and the door counts how often is asked
    let user = shared.access.use_link(&link.secret, shared.now()).map_err(|e| Problem::access(&e))?;
    let Some(user) = user else {
        let hint = "links work once, within ten minutes; log in with a password instead";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "this link does not hold any more", hint);
        return Err(problem.with(header::WWW_AUTHENTICATE, "Bearer"));
    };
    opened(&shared, caller, user, "by a link").await
}

/// End the session that this came with.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", responses((status = 204)))]
pub(crate) async fn close(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(cookie) = session(&headers).map(str::to_owned) {
        let change = Change {
            action: "session.close",
            object: caller.actor.name.clone(),
            reason: "logged out".to_owned(),
            before: Some(json!({"open": true})),
            // who goes is let go
            urgent: true,
            ..Change::default()
        };
        let act = move |shared: &Shared| {
            shared.access.close_session(&cookie).map_err(|error| Problem::access(&error))?;
            Ok(((), Some(json!({"open": false}))))
        };
        shared.change(&caller, change, act).await?;
    }
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Who one is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The user.
    name: String,
    /// The user's role; with a narrower token both, as `user+token`.
    role: String,
    /// `session` or `token ID`.
    via: String,
    /// What may be done.
    may: Vec<&'static str>,
    /// Whether only prefixes of one's own are seen.
    scoped: bool,
}

/// Who I am, and what I may.
#[utoipa::path(get, path = "/api/v1/me", tag = "access", responses((status = 200, body = Me)))]
pub(crate) async fn me(caller: Caller) -> Json<Me> {
    let actor = &caller.actor;
    let may = matrix().map(|(permission, _)| permission).filter(|permission| actor.may(*permission));
    Json(Me {
        name: actor.name.clone(),
        role: actor.role(),
        via: actor.via.name(),
        may: may.map(Permission::name).collect(),
        scoped: !actor.scope().is_everything(),
    })
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// What it shall be.
    password: Password,
    /// What it is; needed in a session.
    current: Option<Password>,
    /// Why.
    reason: Reason,
}

/// Give oneself another password; all own sessions end.
#[utoipa::path(
    put, path = "/api/v1/me/password", tag = "access", request_body = NewPassword, responses((status = 204)),
)]
pub(crate) async fn password(
    State(shared): State<Shared>,
    caller: Caller,
    Document(new): Document<NewPassword>,
) -> Result<StatusCode, Problem> {
    whole(&caller)?;
    let name = caller.actor.name.clone();
    let in_session = matches!(caller.actor.via, Via::Session { .. });
    let (object, reason) = (name.clone(), new.reason.0);
    let before = passworded(&shared, &name)?;
    let change = Change { action: "user.password", object, reason, before, ..Change::default() };
    let _turn = CHECKS.acquire().await;
    let act = move |shared: &Shared| {
        let current = new.current.map(|current| current.0).unwrap_or_default();
        if in_session && !shared.access.is_password(&name, &current).map_err(|e| Problem::access(&e))? {
            let hint = "give the present password as `current`";
            return Err(Problem::new(StatusCode::FORBIDDEN, "the present password is another one", hint));
        }
        shared.access.set_password(&name, &new.password.0).map_err(|e| Problem::access(&e))?;
        Ok((StatusCode::NO_CONTENT, Some(json!({"password": "another one"}))))
    };
    shared.change(&caller, change, act).await
}

/// A token that is less than its user cannot give itself more.
pub(crate) fn whole(caller: &Caller) -> Result<(), Problem> {
    if caller.actor.is_whole() {
        return Ok(());
    }
    let hint = "use a session, or a token without a role of its own";
    Err(Problem::new(StatusCode::FORBIDDEN, "a narrowed token makes no credentials", hint))
}

/// One line of the matrix.
#[derive(Serialize, ToSchema)]
pub(crate) struct Allowed {
    /// What can be done.
    permission: &'static str,
    /// Who may.
    #[schema(value_type = Vec<String>)]
    roles: Vec<&'static str>,
}

/// The matrix of roles.
#[derive(Serialize, ToSchema)]
pub(crate) struct Matrix {
    /// By permission.
    items: Vec<Allowed>,
}

/// What each role may do.
#[utoipa::path(get, path = "/api/v1/roles", tag = "access", responses((status = 200, body = Matrix)))]
pub(crate) async fn roles() -> Json<Matrix> {
    let line = |(permission, _): (Permission, [bool; 5])| Allowed {
        permission: permission.name(),
        roles: Role::ALL.into_iter().filter(|role| role.may(permission)).map(Role::name).collect(),
    };
    Json(Matrix { items: matrix().map(line).collect() })
}
