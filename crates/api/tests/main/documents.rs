//! Lists, pages, single documents, health and metrics.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::world::served;

async fn get(router: &axum::Router, path: &str) -> (StatusCode, String) {
    ask(router, Request::get(path).header("host", "127.0.0.1:1").body(Body::empty()).unwrap()).await
}

async fn ask(router: &axum::Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn json(router: &axum::Router, path: &str) -> (StatusCode, Value) {
    let (status, body) = get(router, path).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn ids(page: &Value) -> Vec<String> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| format!("{}:{}", text(a, "id"), text(a, "from")))
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[tokio::test]
async fn attacks_of_core_and_store_stand_in_one_list_and_the_core_wins() {
    let (_folder, router) = served("list", true);
    let (status, page) = json(&router, "/api/v1/attacks").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(ids(&page), ["d:core", "c:core", "b:store", "a:store"]);
    assert!(page["next"].is_null());
    assert_eq!(ids(&json(&router, "/api/v1/attacks?state=active").await.1), ["d:core", "c:core"]);
    assert_eq!(ids(&json(&router, "/api/v1/attacks?state=over").await.1), ["b:store", "a:store"]);
}

#[tokio::test]
async fn pages_of_any_size_show_every_attack_once() {
    let (_folder, router) = served("pages", true);
    for limit in 1..=5 {
        let (mut path, mut seen) = (format!("/api/v1/attacks?limit={limit}"), Vec::new());
        loop {
            let (_, page) = json(&router, &path).await;
            seen.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/attacks?limit={limit}&after={next}");
        }
        assert_eq!(seen, ["d:core", "c:core", "b:store", "a:store"], "limit {limit}");
    }
}

#[tokio::test]
async fn one_attack_is_found_wherever_it_is() {
    let (_folder, router) = served("one", true);
    assert_eq!(text(&json(&router, "/api/v1/attacks/c").await.1, "from"), "core");
    assert_eq!(text(&json(&router, "/api/v1/attacks/a").await.1, "from"), "store");
    let (status, problem) = json(&router, "/api/v1/attacks/nosuch").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(text(&problem, "detail"), "no attack has this id");
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_a_problem_document() {
    let (_folder, router) = served("wrong", true);
    for path in ["?limit=0", "?limit=1001", "?limit=x", "?after=x", "?state=open", "?stat=over"] {
        let (status, problem) = json(&router, &format!("/api/v1/attacks{path}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(problem["status"], 400, "{path}");
        assert!(!text(&problem, "hint").is_empty());
    }
    let (status, _) = json(&router, "/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let post = Request::post("/api/v1/attacks").body(Body::empty()).unwrap();
    assert_eq!(ask(&router, post).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_foreign_name_is_refused() {
    let (_folder, router) = served("name", true);
    let foreign =
        Request::get("/api/v1/attacks").header("host", "rebind.example").body(Body::empty()).unwrap();
    assert_eq!(ask(&router, foreign).await.0, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn health_says_what_is_missing() {
    let (_folder, router) = served("health", false);
    assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
    let (status, problem) = json(&router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(&problem, "detail").contains("listeners"));
    let (_folder, router) = served("health-ready", true);
    let ready = get(&router, "/readyz").await;
    assert_eq!(ready.0, StatusCode::OK);
    assert_eq!(ready.1, "ready\nexporter 192.0.2.9 is silent since 2025-06-01T00:00:00Z\n");
}

#[tokio::test]
async fn metrics_show_each_listener_from_the_start() {
    let (_folder, router) = served("metrics", true);
    let (status, text) = get(&router, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        r#"spillway_ingest_flows_total{listener="sflow"} 0"#,
        r#"spillway_ingest_flows_total{listener="sflow",exporter="192.0.2.1",proto="sflow5"} 21"#,
        r#"spillway_ingest_datagrams_total{listener="sflow",exporter="192.0.2.1",proto="sflow5"} 7"#,
        r#"spillway_ingest_socket_drops_total{listener="sflow"} 3"#,
        r#"spillway_exporter_silent{exporter="192.0.2.9"} 1.0"#,
        r#"spillway_exporter_heard_in_part{exporter="192.0.2.9"} 0.0"#,
        r#"spillway_build_info{version="0.1.0"} 1.0"#,
        r#"spillway_tick_seconds_bucket{le="+Inf"} 0"#,
        "# TYPE spillway_ingest_flows_total counter",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    // Who asks for OpenMetrics, as Prometheus does, gets it.
    let request = Request::get("/metrics")
        .header("host", "127.0.0.1:1")
        .header("accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
    let (_, text) = ask(&router, request.body(Body::empty()).unwrap()).await;
    assert!(text.contains("# TYPE spillway_ingest_flows counter\n") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn sources_come_in_pages_with_what_they_are_together() {
    let (_folder, router) = served("sources", true);
    let mut seen = Vec::new();
    let mut path = "/api/v1/attacks/d/sources?limit=2".to_owned();
    loop {
        let (status, page) = json(&router, &path).await;
        assert_eq!(status, StatusCode::OK);
        let page: api::model::SourcePage = serde_json::from_value(page).unwrap();
        assert_eq!((page.count, page.verdicts["reflector"].packets), (5, 490));
        seen.extend(page.items.into_iter().map(|one| one.packets));
        let Some(next) = page.next else { break };
        path = format!("/api/v1/attacks/d/sources?limit=2&after={next}");
    }
    assert_eq!(seen, [100, 99, 98, 97, 96]);
    let (status, page) = json(&router, "/api/v1/attacks/d/sources?after=4000000000").await;
    assert_eq!(
        (status, page["items"].as_array().unwrap().len(), &page["next"]),
        (StatusCode::OK, 0, &Value::Null)
    );
    // some of them: within a prefix, of a network, and in pages
    for (some, packets) in [
        ("within=192.0.2.3", vec![97]),
        ("within=192.0.2.0%2F31", vec![100, 99]),
        ("within=192.0.2.0%2F30&limit=2&after=2", vec![98, 97]),
        ("within=192.0.2.0%2F30&asn=64500&limit=3", vec![100, 99, 98]),
        ("within=2001:db8::%2F32", vec![]),
        ("asn=64501", vec![]),
    ] {
        let (status, page) = json(&router, &format!("/api/v1/attacks/d/sources?{some}")).await;
        let found: Vec<_> =
            page["items"].as_array().unwrap().iter().filter_map(|one| one["packets"].as_u64()).collect();
        assert_eq!((status, found), (StatusCode::OK, packets), "{some}");
        assert_eq!(page["count"], 5, "what they are together is of all: {some}");
    }
    for (path, status) in [
        ("/api/v1/attacks/d/sources?within=nowhere", StatusCode::BAD_REQUEST),
        ("/api/v1/attacks/d/sources?asn=-1", StatusCode::BAD_REQUEST),
        ("/api/v1/attacks/a/sources", StatusCode::NOT_FOUND),
        ("/api/v1/attacks/d/sources?limit=0", StatusCode::BAD_REQUEST),
        ("/api/v1/attacks/d/sources?limit=1001", StatusCode::BAD_REQUEST),
        ("/api/v1/attacks/d/sources?after=-1", StatusCode::BAD_REQUEST),
        ("/api/v1/attacks/d/sources?sort=asn", StatusCode::BAD_REQUEST),
    ] {
        let (found, problem) = json(&router, path).await;
        assert_eq!((found, problem["status"].as_u64()), (status, Some(u64::from(status.as_u16()))), "{path}");
        assert!(!problem["hint"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_document_lists_every_route() {
    let (_folder, router) = served("openapi", true);
    let (_, document) = json(&router, "/api/v1/openapi.json").await;
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    for path in [
        "/api/v1/attacks",
        "/api/v1/attacks/{id}",
        "/api/v1/attacks/{id}/sources",
        "/api/v1/exporters",
        "/api/v1/rules",
        "/healthz",
        "/readyz",
        "/metrics",
    ] {
        assert!(paths.iter().any(|p| p == path), "{path} is missing in {paths:?}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is referred to and not there");
    }
}
