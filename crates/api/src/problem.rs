//! Errors as RFC 9457 documents.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong and what to do (RFC 9457 §3, with a hint).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened to this request.
    detail: String,
    /// What to do about it.
    hint: &'static str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>, hint: &'static str) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            detail: detail.into(),
            hint,
        }
    }

    pub(crate) fn store(error: &store::StoreError) -> Self {
        let hint = "look at the daemon's log; live attacks are still detected";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
