//! What comes with a request: read whole or refused with the reason.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Octets of a JSON document at most.
pub(crate) const BODY_MAX: usize = 1 << 20;

/// A JSON document.
pub(crate) struct Document<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
            let hint = "send a JSON document with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this takes JSON", hint));
        }
        let octets = Bytes::from_request(request, state).await.map_err(|refused| {
            let hint = "send less: the detail says what was wrong with the body";
            Problem::new(refused.status(), refused.body_text(), hint)
        })?;
        read(&octets).map(Self)
    }
}

/// Reads a document whole; what is wrong with it is said with the field.
fn read<T: DeserializeOwned>(octets: &[u8]) -> Result<T, Problem> {
    let mut document = serde_json::Deserializer::from_slice(octets);
    let found = serde_path_to_error::deserialize(&mut document).map_err(|wrong| {
        let (field, why) = (wrong.path().to_string(), wrong.inner().to_string());
        if field == "." {
            return Problem::bad(why);
        }
        let hint = format!("mend `{field}`; GET /api/v1/openapi.json shows the form");
        Problem::new(StatusCode::BAD_REQUEST, format!("{field}: {why}"), hint)
    })?;
    document.end().map_err(|wrong| Problem::bad(wrong.to_string()))?;
    Ok(found)
}

/// A part of the path.
pub(crate) struct Part<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Part<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(part)| Self(part)).map_err(|wrong| Problem::bad(wrong.body_text()))
    }
}

/// What stands behind the question mark.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(asked)| Self(asked)).map_err(|wrong| Problem::bad(wrong.body_text()))
    }
}
