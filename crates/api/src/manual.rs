//! The manual in the browser: pages without any script, which anybody may read.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use manual::{Book, html};
use serde::Deserialize;

use crate::router::Shared;

/// A style sheet and a form of our own, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// Names below `/manual/` that are no page.
const STYLE: &str = "manual.css";
const SEARCH: &str = "search";

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
}

/// The first page.
pub(crate) async fn first(State(shared): State<Shared>) -> Response {
    let book = (shared.manual)();
    match book.pages().first() {
        Some(page) => shown(StatusCode::OK, html::page(book, page)),
        None => absent(book, ""),
    }
}

/// A page, what was found, or the style sheet.
pub(crate) async fn page(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let book = (shared.manual)();
    match name.as_str() {
        STYLE => {
            let always =
                [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
            (always, html::STYLE).into_response()
        }
        SEARCH => shown(StatusCode::OK, html::found(book, &asked.q)),
        _ => match book.pages().iter().find(|page| page.path == name) {
            Some(page) => shown(StatusCode::OK, html::page(book, page)),
            None => absent(book, &name),
        },
    }
}

fn absent(book: &Book, name: &str) -> Response {
    shown(StatusCode::NOT_FOUND, html::missing(book, name))
}

fn shown(status: StatusCode, text: String) -> Response {
    let always = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (status, always, text).into_response()
}
