//! `/api/v1/tokens`: credentials of programs. One's own; an administrator's list has everybody's.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use access::{Issue, Permission};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base::Span;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::body::{Asked, Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::session::whole;
use crate::words::{Label, Limit, PrefixText, Reason, RoleWord, Ttl, UserName};

/// What is known of a token.
#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    /// Its public part.
    id: String,
    /// Whose it is.
    user: String,
    /// A role within the user's; `null`: the user's own.
    role: Option<String>,
    /// With the role customer: what it sees.
    prefixes: Vec<String>,
    /// What it is for.
    label: String,
    /// RFC 3339, UTC.
    created_at: String,
    /// `null`: until it is revoked.
    expires_at: Option<String>,
    /// All of it; once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Token {
    fn of(token: access::Token, secret: Option<String>) -> Self {
        Self {
            id: token.id,
            user: token.user,
            role: token.role.map(|role| role.to_string()),
            prefixes: token.prefixes.iter().map(ToString::to_string).collect(),
            label: token.label,
            created_at: token.created_at.to_string(),
            expires_at: token.expires_at.map(|at| at.to_string()),
            token: secret,
        }
    }
}

/// Tokens by id.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPage {
    items: Vec<Token>,
    /// Give it as `after` to get the next page.
    next: Option<String>,
}

/// A page of a list by name.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// At most this many.
    #[serde(default)]
    #[param(inline, required = false)]
    pub(crate) limit: Limit,
    /// `next` of the page before.
    #[serde(default)]
    #[param(required = false)]
    pub(crate) after: String,
}

/// Tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", params(Listing), responses((status = 200, body = TokenPage)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(asked): Asked<Listing>,
) -> Result<Json<TokenPage>, Problem> {
    let all = caller.actor.may(Permission::ManageAccess);
    let user = (!all).then_some(caller.actor.name.as_str());
    let found =
        shared.access.tokens(user, &asked.after, asked.limit.0 + 1).map_err(|e| Problem::access(&e))?;
    let (items, next) = asked.limit.cut(found, |token| token.id.clone());
    Ok(Json(TokenPage { items: items.into_iter().map(|token| Token::of(token, None)).collect(), next }))
}

/// What a token shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// Whose; without it, one's own. Other users' are for administrators.
    user: Option<UserName>,
    /// Narrower than the user.
    role: Option<RoleWord>,
    /// With the role customer: what it sees.
    #[serde(default)]
    prefixes: Vec<PrefixText>,
    /// What it is for.
    #[serde(default)]
    label: Label,
    /// Seconds; without it, until it is revoked.
    expires_in: Option<Ttl>,
    /// Why.
    reason: Reason,
}

/// Make a token. The answer alone has all of it.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "access", request_body = NewToken,
    responses((status = 201, body = Token), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    Document(new): Document<NewToken>,
) -> Result<Response, Problem> {
    whole(&caller)?;
    let own = caller.actor.name.clone();
    let user = new.user.map_or_else(|| own.clone(), |user| user.0);
    if user != own && !caller.actor.may(Permission::ManageAccess) {
        let hint = "leave `user` out to make one of your own";
        return Err(Problem::new(StatusCode::FORBIDDEN, "tokens of others are for administrators", hint));
    }
    let now = shared.now();
    let issue = Issue {
        user,
        role: new.role.map(|role| role.0),
        prefixes: new.prefixes.iter().map(|prefix| prefix.0).collect(),
        label: new.label.0,
        expires_at: new.expires_in.map(|ttl| now.plus(Span::from_secs(ttl.0))),
    };
    let change =
        Change { action: "token.add", object: issue.user.clone(), reason: new.reason.0, ..Change::default() };
    let act = move |shared: &Shared| {
        let issued = shared.access.issue(&issue, now).map_err(|e| Problem::access(&e))?;
        let after = told(&issued.token);
        Ok((Token::of(issued.token, Some(issued.secret)), Some(after)))
    };
    let token = shared.change(&caller, change, act).await?;
    Ok((StatusCode::CREATED, Json(token)).into_response())
}

/// Why something is taken away.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Why; stands in the audit trail.
    #[param(inline)]
    pub(crate) reason: Reason,
}

/// What the audit trail keeps of a token: nothing secret.
fn told(token: &access::Token) -> Value {
    json!({
        "id": token.id, "user": token.user, "role": token.role, "prefixes": token.prefixes, "label": token.label,
        "expires_at": token.expires_at.map(|at| at.to_string()),
    })
}

/// End a token: one's own; an administrator anybody's.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "access", params(("id" = String, Path, description = "Its public part"), Why),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn revoke(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(Why { reason }): Asked<Why>,
) -> Result<StatusCode, Problem> {
    let user = (!caller.actor.may(Permission::ManageAccess)).then(|| caller.actor.name.clone());
    let before = shared.access.token(&id, user.as_deref()).map_err(|e| Problem::access(&e))?;
    let change = Change {
        action: "token.revoke",
        object: shown(&id),
        reason: reason.0,
        before: before.as_ref().map(told),
        ..Change::default()
    };
    let act = move |shared: &Shared| {
        shared.access.revoke(&id, user.as_deref()).map_err(|e| Problem::access(&e))?;
        Ok((StatusCode::NO_CONTENT, Some(json!({"revoked": true}))))
    };
    shared.change(&caller, change, act).await
}

/// A word of the path as the audit trail takes it.
pub(crate) fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}
