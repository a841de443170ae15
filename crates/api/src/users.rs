//! `/api/v1/users`: who there is. For administrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::{Asked, Document, Part};
use crate::change::Change;
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::tokens::{Listing, Why, shown};
use crate::words::{Password, PrefixText, Reason, RoleWord, UserName};

/// Somebody, or some program.
#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    /// Its name.
    name: String,
    /// What it is.
    role: String,
    /// What a customer sees.
    prefixes: Vec<String>,
    /// Whether it can log in; without a password it has tokens only.
    password: bool,
    /// RFC 3339, UTC.
    created_at: String,
}

impl From<access::User> for User {
    fn from(user: access::User) -> Self {
        Self {
            name: user.name,
            role: user.role.to_string(),
            prefixes: user.prefixes.iter().map(ToString::to_string).collect(),
            password: user.password,
            created_at: user.created_at.to_string(),
        }
    }
}

/// Users by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPage {
    items: Vec<User>,
    /// Give it as `after` to get the next page.
    next: Option<String>,
}

/// Users.
#[utoipa::path(get, path = "/api/v1/users", tag = "access", params(Listing), responses((status = 200, body = UserPage)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asked(asked): Asked<Listing>,
) -> Result<Json<UserPage>, Problem> {
    let found = shared.access.users(&asked.after, asked.limit.0 + 1).map_err(|e| Problem::access(&e))?;
    let (items, next) = asked.limit.cut(found, |user| user.name.clone());
    Ok(Json(UserPage { items: items.into_iter().map(User::from).collect(), next }))
}

/// One user.
#[utoipa::path(
    get, path = "/api/v1/users/{name}", tag = "access", params(("name" = String, Path, description = "The user")),
    responses((status = 200, body = User), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn one(
    State(shared): State<Shared>,
    Part(name): Part<String>,
) -> Result<Json<User>, Problem> {
    let user = shared.access.user(&name).map_err(|e| Problem::access(&e))?;
    user.map(|user| Json(user.into()))
        .ok_or_else(|| Problem::missing(format!("there is no user {name}"), "GET /api/v1/users lists them"))
}

/// Who shall be there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    name: UserName,
    role: RoleWord,
    /// What a customer sees; at least one, and none for others.
    #[serde(default)]
    prefixes: Vec<PrefixText>,
    /// Without it, the user has tokens only.
    password: Option<Password>,
    /// Why.
    reason: Reason,
}

/// Add a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "access", request_body = NewUser, responses((status = 201, body = User)))]
pub(crate) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    Document(new): Document<NewUser>,
) -> Result<Response, Problem> {
    let change =
        Change { action: "user.add", object: new.name.0.clone(), reason: new.reason.0, ..Change::default() };
    let act = move |shared: &Shared| {
        let prefixes: Vec<_> = new.prefixes.iter().map(|prefix| prefix.0).collect();
        let password = new.password.as_ref().map(|password| password.0.as_str());
        let user = shared.access.add_user(&new.name.0, new.role.0, &prefixes, password, shared.now());
        let user = user.map_err(|e| Problem::access(&e))?;
        let after = json!({"role": user.role, "prefixes": user.prefixes, "password": user.password});
        Ok((User::from(user), Some(after)))
    };
    let user = shared.change(&caller, change, act).await?;
    Ok((StatusCode::CREATED, Json(user)).into_response())
}

/// Remove a user with all tokens and sessions. The last administrator stays.
#[utoipa::path(
    delete, path = "/api/v1/users/{name}", tag = "access", params(("name" = String, Path, description = "The user"), Why),
    responses(
        (status = 204),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Part(name): Part<String>,
    Asked(Why { reason }): Asked<Why>,
) -> Result<StatusCode, Problem> {
    let before = shared.access.user(&name).map_err(|e| Problem::access(&e))?;
    let before = before.map(|user| json!({"role": user.role, "prefixes": user.prefixes}));
    let change =
        Change { action: "user.remove", object: shown(&name), reason: reason.0, before, ..Change::default() };
    let act = move |shared: &Shared| {
        shared.access.remove_user(&name).map_err(|e| Problem::access(&e))?;
        Ok((StatusCode::NO_CONTENT, Some(json!({"removed": true}))))
    };
    shared.change(&caller, change, act).await
}

/// A password for somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenPassword {
    password: Password,
    /// Why.
    reason: Reason,
}

/// Give a user another password; its sessions end.
#[utoipa::path(
    put, path = "/api/v1/users/{name}/password", tag = "access", request_body = GivenPassword,
    params(("name" = String, Path, description = "The user")),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn password(
    State(shared): State<Shared>,
    caller: Caller,
    Part(name): Part<String>,
    Document(given): Document<GivenPassword>,
) -> Result<StatusCode, Problem> {
    let (object, reason) = (shown(&name), given.reason.0);
    let before = passworded(&shared, &name)?;
    let change = Change { action: "user.password", object, reason, before, ..Change::default() };
    let act = move |shared: &Shared| {
        shared.access.set_password(&name, &given.password.0).map_err(|e| Problem::access(&e))?;
        Ok((StatusCode::NO_CONTENT, Some(json!({"password": "another one"}))))
    };
    shared.change(&caller, change, act).await
}

/// What somebody shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenRole {
    role: RoleWord,
    /// What a customer sees; at least one, and none for others.
    #[serde(default)]
    prefixes: Vec<PrefixText>,
    /// Why.
    reason: Reason,
}

/// Give a user another role; its sessions end, and its tokens can do no more than it. The last administrator stays one.
#[utoipa::path(
    put, path = "/api/v1/users/{name}/role", tag = "access", request_body = GivenRole,
    params(("name" = String, Path, description = "The user")),
    responses((status = 200, body = User), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn role(
    State(shared): State<Shared>,
    caller: Caller,
    Part(name): Part<String>,
    Document(given): Document<GivenRole>,
) -> Result<Json<User>, Problem> {
    let before = shared.access.user(&name).map_err(|e| Problem::access(&e))?;
    let before = before.map(|user| json!({"role": user.role, "prefixes": user.prefixes}));
    let change = Change {
        action: "user.role",
        object: shown(&name),
        reason: given.reason.0,
        before,
        ..Change::default()
    };
    let act = move |shared: &Shared| {
        let prefixes: Vec<_> = given.prefixes.iter().map(|prefix| prefix.0).collect();
        let user = shared.access.set_role(&name, given.role.0, &prefixes).map_err(|e| Problem::access(&e))?;
        let after = json!({"role": user.role, "prefixes": user.prefixes});
        Ok((User::from(user), Some(after)))
    };
    shared.change(&caller, change, act).await.map(Json)
}

/// Whether a user has a password, as the audit trail keeps it; `None`: there is no such user.
pub(crate) fn passworded(shared: &Shared, name: &str) -> Result<Option<Value>, Problem> {
    let user = shared.access.user(name).map_err(|e| Problem::access(&e))?;
    Ok(user.map(|user| json!({"password": if user.password { "there is one" } else { "none" }})))
}
