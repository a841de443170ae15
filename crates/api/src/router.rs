//! Routes and their OpenAPI document, from one list.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use store::{Reader, StoreError};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::live::Source;
use crate::problem::Problem;
use crate::{attacks, exporters, health, rules, sources};

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn Source>,
    history: Arc<Mutex<Reader>>,
}

impl Shared {
    /// Asks the store. Queries are bounded by their page, so one at a time is enough.
    pub(crate) fn history<T>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        ask(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Spillway",
    description = "Attacks, rules, exporters, health and metrics of a running daemon. Read-only.",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
))]
struct Document;

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(attacks::list))
        .routes(routes!(attacks::one))
        .routes(routes!(sources::list))
        .routes(routes!(rules::list))
        .routes(routes!(exporters::list))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// All routes over this source and this history.
pub fn router(source: Arc<dyn Source>, history: Reader) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = Arc::new(document);
    routes
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(move || {
                let document = Arc::clone(&document);
                async move { Json(document.as_ref().clone()) }
            }),
        )
        .fallback(nothing_here)
        .method_not_allowed_fallback(read_only)
        .layer(from_fn(local_only))
        .with_state(Shared { source, history: Arc::new(Mutex::new(history)) })
}

async fn nothing_here(request: Request) -> Problem {
    let detail = format!("there is nothing at {}", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, detail, "GET /api/v1/openapi.json lists what there is")
}

async fn read_only() -> Problem {
    let hint =
        "use GET; changes go through `spillway control`, which talks to a socket only its owner may open";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this interface only answers questions", hint)
}

/// Refuses requests that came by a foreign name: a web page may point its own name at our loopback address and read us.
async fn local_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if host.is_none_or(is_local) {
        return next.run(request).await;
    }
    let hint = "use the address that the daemon printed when it became ready";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "this name is not ours", hint).into_response()
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
