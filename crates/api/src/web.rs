//! The dashboard's files, as `make web` left them when this was built; without them, one page that says how to get them.
//!
//! `build.rs` lists `web/dist`. Names with a hash in them are kept by browsers for good; the page itself is asked for anew.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// One file, in up to three codings.
struct File {
    name: &'static str,
    kind: &'static str,
    /// A quoted hash of the plain octets.
    tag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Scripts and styles of our own, and nobody else's; nothing is framed, and no form goes anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The page itself is asked for anew each time.
const ANEW: &str = "no-cache";
/// A name with a hash never means anything else.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Where nothing was built.
const WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Spillway</title>\n\
    <h1>Spillway runs, without its dashboard</h1>\n\
    <p>This binary was built without the web files. In the sources, <code>make</code> builds them, and a binary that has them.</p>\n\
    <p>Everything else works: <a href=\"/manual/\">the manual</a>, <a href=\"/api/v1/openapi.json\">the API</a>, <a href=\"/metrics\">the metrics</a>, the command line.</p>\n\
    </html>\n";

/// The one page; where in it, its scripts find behind the `#`.
pub(crate) async fn page(headers: HeaderMap) -> Response {
    first(find("index.html"), &headers)
}

fn first(file: Option<&'static File>, headers: &HeaderMap) -> Response {
    match file {
        Some(file) => serve(file, headers, ANEW),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], WITHOUT).into_response(),
    }
}

/// What it is made of.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    match find(&name).filter(|file| file.name != "index.html") {
        Some(file) => Ok(serve(file, &headers, if file.name.contains('-') { FOR_GOOD } else { ANEW })),
        None => {
            Err(Problem::missing("there is no such file".to_owned(), "load the page anew: it has changed"))
        }
    }
}

fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

fn serve(file: &'static File, headers: &HeaderMap, keep: &'static str) -> Response {
    let asked = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let always = [
        (header::CACHE_CONTROL, keep),
        (header::ETAG, file.tag),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    if asked(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.tag) {
        return (StatusCode::NOT_MODIFIED, always).into_response();
    }
    let codings = asked(header::ACCEPT_ENCODING);
    // whoever weighs codings gets one that he names with a weight of more than nothing
    let takes = |coding: &str| {
        codings.split(',').any(|one| {
            let (name, weight) = one.split_once(';').unwrap_or((one, ""));
            name.trim() == coding && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    };
    let coded = [("br", file.brotli), ("gzip", file.gzip)];
    let coded = coded.into_iter().find_map(|(name, octets)| Some((name, octets.filter(|_| takes(name))?)));
    let kind = [(header::CONTENT_TYPE, file.kind)];
    match coded {
        Some((coding, octets)) => {
            (always, kind, [(header::CONTENT_ENCODING, coding)], octets).into_response()
        }
        None => (always, kind, file.plain).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::endpoints;

    #[tokio::test]
    async fn a_binary_without_web_files_has_one_page_that_says_how_to_get_them() {
        let answer = first(None, &HeaderMap::new());
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let octets = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        let page = String::from_utf8(octets.to_vec()).unwrap();
        assert!(page.contains("<html lang=\"en\">") && page.contains("<code>make</code>"), "{page}");
        // no script, nothing from elsewhere, and where it leads to there is something
        assert!(!page.contains("<script") && !page.contains("://"), "{page}");
        let links: Vec<&str> =
            page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() > 1, "{page}");
        for link in links {
            assert!(endpoints().any(|(method, path, _)| method == "GET" && path == link), "{link}");
        }
    }
}
