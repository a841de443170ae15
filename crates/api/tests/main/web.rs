//! The dashboard's files, the greeting, and the link that logs in.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;

use crate::access::world;
use crate::world::{NOW, World};

const STRICT: api::Settings = api::Settings { anonymous: false, local: true, requests_per_second: 1_000 };

async fn ask(world: &World, request: Request<Body>) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
    let response = world.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, 1 << 22).await.unwrap().to_vec())
}

fn get(path: &str) -> axum::http::request::Builder {
    Request::get(path).header("host", "127.0.0.1:1")
}

#[tokio::test]
async fn files_of_the_dashboard_have_their_own_policy() {
    let world = world("web", STRICT);
    let (status, headers, page) = ask(&world, get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["x-frame-options"], "DENY");
    assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    let page = String::from_utf8(page).unwrap();
    let Some(script) = page.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(".js"))
    else {
        // built without the web files
        assert!(page.contains("<code>make</code>"), "{page}");
        return;
    };
    assert_eq!(headers["cache-control"], "no-cache");
    assert!(headers["content-security-policy"].to_str().unwrap().contains("script-src 'self';"));
    let (status, headers, plain) = ask(&world, get(script).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &"text/javascript; charset=utf-8".parse().unwrap())
    );
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    let tag = headers["etag"].clone();
    let coded = get(script).header("accept-encoding", "gzip, deflate, br").body(Body::empty()).unwrap();
    let (_, headers, brotli) = ask(&world, coded).await;
    assert_eq!(headers["content-encoding"], "br");
    assert!(brotli.len() < plain.len() / 2);
    let refused = get(script).header("accept-encoding", "br;q=0, gzip").body(Body::empty()).unwrap();
    assert_eq!(ask(&world, refused).await.1["content-encoding"], "gzip");
    let known = get(script).header("if-none-match", tag).body(Body::empty()).unwrap();
    let (status, _, body) = ask(&world, known).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn a_link_opens_a_session_that_changes_things_with_its_word() {
    let world = world("link", STRICT);
    let user = world.access.add_user("olga", ::access::Role::Operator, &[], None, NOW).unwrap().name;
    let link = world.access.make_link(&user, NOW).unwrap().secret;
    let open = |secret: &str| {
        let body = Body::from(json!({"secret": secret}).to_string());
        let request = Request::post("/api/v1/session/link").header("host", "127.0.0.1:1");
        request.header("content-type", "application/json").body(body).unwrap()
    };
    assert_eq!(ask(&world, open("nothing")).await.0, StatusCode::UNAUTHORIZED);
    let (status, headers, body) = ask(&world, open(&link)).await;
    assert_eq!(status, StatusCode::CREATED);
    let cookie = headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert!(headers["set-cookie"].to_str().unwrap().contains("HttpOnly; SameSite=Strict"));
    let csrf =
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["csrf"].as_str().unwrap().to_owned();
    assert_eq!(ask(&world, open(&link)).await.0, StatusCode::UNAUTHORIZED);
    let me = ask(&world, get("/api/v1/me").header("cookie", &cookie).body(Body::empty()).unwrap()).await;
    assert!(String::from_utf8(me.2).unwrap().contains("\"olga\""));
    let panic = |word: Option<&str>| {
        let request = Request::post("/api/v1/panic").header("host", "127.0.0.1:1").header("cookie", &cookie);
        let request = request.header("content-type", "application/json");
        let request = match word {
            Some(word) => request.header("x-spillway-csrf", word),
            None => request,
        };
        request.body(Body::from(json!({"reason": "a test"}).to_string())).unwrap()
    };
    assert_eq!(ask(&world, panic(None)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(&world, panic(Some(&csrf))).await.0, StatusCode::OK);
    let (status, _, greeting) = ask(&world, get("/api/v1/greeting").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (status, greeting.as_slice()),
        (StatusCode::OK, br#"{"banner":null,"anonymous":false,"demo":false}"#.as_slice())
    );
}
