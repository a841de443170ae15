//! Evidence and previews through the API: who may, what stands written before something leaves, and what is too much.

use ::access::Role;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::access::{STRICT, call, request, send, token, world};

#[tokio::test]
async fn a_copy_for_the_house_goes_only_when_that_stands_written() {
    let world = world("evidence", STRICT);
    let officer = token(&world, "eve", Role::EvidenceOfficer, &[]);
    let page = call(&world, "GET", "/api/v1/evidence?limit=2", &officer, None).await.1;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (2, &json!("2")));
    let rest = call(&world, "GET", "/api/v1/evidence?limit=2&after=2", &officer, None).await.1;
    assert_eq!((rest["items"][0]["attack"].as_str(), &rest["next"]), (Some("3"), &Value::Null));
    assert_eq!(call(&world, "GET", "/api/v1/evidence/9", &officer, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(call(&world, "GET", "/api/v1/evidence/1/verification", &officer, None).await.1["valid"], true);
    let because = |reason: &str| Some(json!({"reason": reason}));
    let held = call(&world, "POST", "/api/v1/evidence/1/hold", &officer, because("case 17")).await;
    assert_eq!(held.0, StatusCode::OK, "{held:?}");
    // One that is open stays; where the ledger takes nothing, nothing leaves.
    for (id, reason, why) in [("3", "case 17", "not sealed"), ("1", "no ledger", "there is no ledger")] {
        let path = format!("/api/v1/evidence/{id}/download");
        let (status, problem) = call(&world, "POST", &path, &officer, because(reason)).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    let body = because("case 17").unwrap();
    let answer =
        send(&world, request("POST", "/api/v1/evidence/1/download", Some(&officer), Some(&body))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-tar");
    let octets = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    assert_eq!(octets.len(), 1_000_000);
    {
        let noted = world.hands.noted.lock().unwrap();
        let disclosed = noted.iter().find(|noted| noted.content["by"] == "eve").unwrap();
        assert_eq!(
            (&disclosed.content["for"], &disclosed.content["reason"]),
            (&json!("own-keeping"), &json!("case 17"))
        );
    }
    let audited = world.access.audited_of("evidence.download", "1", 10).unwrap();
    assert_eq!(audited.len(), 1, "who got it");
    // A customer gets what concerns it through a disclosure, and no bag.
    let customer = token(&world, "carl", Role::Customer, &["198.18.1.0/24"]);
    let taken = call(&world, "POST", "/api/v1/evidence/1/download", &customer, because("mine")).await;
    assert_eq!(taken.0, StatusCode::FORBIDDEN, "{taken:?}");
    // Operators mitigate; evidence is not theirs.
    let operator = token(&world, "olga", Role::Operator, &[]);
    for (verb, path) in [("GET", "/api/v1/evidence"), ("POST", "/api/v1/evidence/1/release")] {
        assert_eq!(call(&world, verb, path, &operator, because("x")).await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_disclosure_is_approved_by_who_is_logged_in_and_not_by_a_name() {
    let world = world("approval", STRICT);
    let path = "/api/v1/disclosures/d-1/approval";
    let sha256 = "0f".repeat(32);
    let agreed = json!({"payload_sha256": sha256, "reason": "case 17"});
    let officer = token(&world, "eve", Role::EvidenceOfficer, &[]);
    let payload = "/api/v1/disclosures/d-1/payload";
    let (status, shown) = call(&world, "GET", payload, &officer, None).await;
    assert_eq!((status, &shown["payload_sha256"]), (StatusCode::OK, &json!(sha256)), "{shown}");
    let nothing = call(&world, "GET", "/api/v1/disclosures/d-2/payload", &officer, None).await;
    assert_eq!(nothing.0, StatusCode::NOT_FOUND);
    let (status, now) = call(&world, "POST", path, &officer, Some(agreed.clone())).await;
    assert_eq!((status, &now["approvals"][0]["by"]), (StatusCode::OK, &json!("eve")), "{now}");
    let named = json!({"payload_sha256": sha256, "reason": "case 17", "by": "olga"});
    assert!(call(&world, "POST", path, &officer, Some(named)).await.0.is_client_error());
    let short = json!({"payload_sha256": "0f", "reason": "case 17"});
    assert!(call(&world, "POST", path, &officer, Some(short)).await.0.is_client_error());
    let stale = json!({"payload_sha256": "ff".repeat(32), "reason": "case 17"});
    assert_eq!(call(&world, "POST", path, &officer, Some(stale)).await.0, StatusCode::CONFLICT);
    let other = "/api/v1/disclosures/d-2/approval";
    assert_eq!(call(&world, "POST", other, &officer, Some(agreed.clone())).await.0, StatusCode::NOT_FOUND);
    let operator = token(&world, "olga", Role::Operator, &[]);
    assert_eq!(call(&world, "POST", path, &operator, Some(agreed)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(&world, "GET", payload, &operator, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.access.audited_of("disclosure.approve", "d-1", 10).unwrap().len(), 1, "who agreed");
}

#[tokio::test]
async fn rules_are_tried_against_a_capture_that_comes_with_them() {
    let world = world("capture", STRICT);
    let operator = token(&world, "olga", Role::Operator, &[]);
    let ask = |query: &str, kind: &str, body: &'static str| {
        Request::builder()
            .method("POST")
            .uri(format!("/api/v1/rules/preview{query}"))
            .header("authorization", format!("Bearer {operator}"))
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap()
    };
    let rules = "?rules=r%20dst%20198.18.1.1%2F32%20-%3E%20drop";
    let pcap = "application/vnd.tcpdump.pcap";
    let answer = send(&world, ask(rules, pcap, "capture of twenty six octets")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let found: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap();
    assert_eq!((&found["packets"], &found["rules"][0]["id"]), (&json!(28), &json!("r")));
    for (query, kind, body, status, why) in [
        (rules, pcap, "something else", 409, "no capture"),
        ("", pcap, "capture", 409, "`rules` is missing"),
        ("?rules=nonsense", pcap, "capture", 409, "line 1"),
        (rules, "text/plain", "capture", 415, "this takes JSON"),
    ] {
        let answer = send(&world, ask(query, kind, body)).await;
        assert_eq!(answer.status().as_u16(), status, "{why}");
        let text = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        assert!(String::from_utf8_lossy(&text).contains(why), "{text:?}");
    }
}
