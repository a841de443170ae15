//! Errors as RFC 9457 documents.

use std::borrow::Cow;

use access::AccessError;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
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
    #[schema(value_type = String)]
    hint: Cow<'static, str>,
    #[serde(skip)]
    #[schema(ignore)]
    header: Option<Box<(HeaderName, String)>>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        detail: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("error"),
            status: status.as_u16(),
            detail: detail.into(),
            hint: hint.into(),
            header: None,
        }
    }

    /// With a header that belongs to the status.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.header = Some(Box::new((name, value.to_owned())));
        self
    }

    pub(crate) fn store(error: &store::StoreError) -> Self {
        let hint = "look at the daemon's log; live attacks are still detected";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), hint)
    }

    pub(crate) fn access(error: &AccessError) -> Self {
        let (status, hint) = match error {
            AccessError::Wrong(_) => (StatusCode::BAD_REQUEST, "GET /api/v1/openapi.json shows the form"),
            AccessError::Missing(_) => (StatusCode::NOT_FOUND, "the lists show what there is"),
            AccessError::Conflict(_) => (StatusCode::CONFLICT, "look at what there is, then ask again"),
            AccessError::Store(error) => return Self::store(error),
            AccessError::Random => (StatusCode::INTERNAL_SERVER_ERROR, "look at the system's log"),
        };
        Self::new(status, error.to_string(), hint)
    }

    /// What was asked for cannot be done as things are.
    pub(crate) fn conflict(why: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, why, "the detail says what stands in the way")
    }

    pub(crate) fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why, "GET /api/v1/openapi.json shows the form")
    }

    pub(crate) fn missing(why: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, why, hint)
    }

    /// What happened.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let more = self.header.take();
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(more) = more
            && let (name, Ok(value)) = (more.0, HeaderValue::from_str(&more.1))
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
