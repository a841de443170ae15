//! Flow samples through the API: the same answer as from the files, and to each what is its own.

use ::access::Role;
use api::{Live, LiveAttack};
use axum::http::StatusCode;
use base::{Prefix, Span};
use history::{Direction, Recorder, Sample, Spilling};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::Writer;

use crate::access::{STRICT, call, request, send, token};
use crate::world::{Folder, NOW, World};

/// Of an own host, and who it talked to.
fn sample<'a>(target: &str, foreign: &str, second: u64) -> Sample<'a> {
    Sample {
        at: NOW.minus(Span::from_secs(60 + second)),
        target: target.parse().unwrap(),
        foreign: foreign.parse().unwrap(),
        direction: Direction::In,
        protocol: 17,
        target_port: Some(443),
        foreign_port: Some(53),
        tcp_flags: None,
        class: "udp",
        packets: 10,
        bytes: 1_000,
        rate: None,
        asn: Some(64_500),
        country: Some("DE"),
        attack: second.is_multiple_of(2).then_some("d1"),
        customer: None,
        exporter: "198.18.0.1".parse().unwrap(),
        input_if: Some(7),
        output_if: None,
    }
}

/// Ten samples of each of two customers' hosts in either family, one of them from the other's host; and an attack on the first.
pub(crate) fn world(name: &str) -> World {
    let folder = Folder::new(name);
    let flows = folder.0.join("flows");
    let mut recorder = Recorder::open(&flows, Spilling::default(), NOW).unwrap();
    let networks: [Prefix; 2] = ["198.18.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    recorder.know(&networks);
    for second in 0..10 {
        for (target, foreign) in [
            ("198.18.1.7", "203.0.113.9"),
            ("2001:db8:1::7", "2001:db8:ffff:1::9"),
            ("198.18.2.7", "203.0.113.9"),
            ("2001:db8:2::7", "203.0.113.10"),
        ] {
            let foreign = if foreign.starts_with("2001") { "3fff::9" } else { foreign };
            recorder.push(&sample(target, foreign, second));
        }
    }
    recorder.push(&sample("198.18.1.7", "198.18.2.7", 1));
    recorder.spill(NOW).unwrap();
    let writer = Writer::open(&folder.0).unwrap();
    let attack = json!({
        "event": "attack", "state": "active", "id": "d1", "target": "198.18.1.7/32", "targets": ["198.18.1.7/32"], "direction": "in",
        "started_at": NOW.minus(Span::from_secs(600)).to_string(), "ended_at": null, "sources": {"count": 0, "top": []}, "rules": [],
        "explain": [],
    });
    let live = LiveAttack {
        id: "d1".into(),
        started_at: NOW.minus(Span::from_secs(600)),
        over: false,
        document: RawValue::from_string(attack.to_string()).unwrap(),
    };
    World::of(folder, writer, Live { attacks: vec![live], ..Live::default() }, STRICT, true)
}

async fn ask(world: &World, token: &str, question: Value) -> (StatusCode, Value) {
    call(world, "POST", "/api/v1/flows/query", token, Some(question)).await
}

#[tokio::test]
async fn a_question_is_answered_as_a_document_or_as_csv() {
    let world = world("flows-query");
    let token = token(&world, "viewer", Role::Viewer, &[]);
    let (status, answer) =
        ask(&world, &token, json!({"filter": "proto = udp", "by": ["target"], "top": 1, "last": 3_600}))
            .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["columns"], json!(["target", "bytes", "packets", "samples"]));
    assert_eq!(answer["rows"], json!([["198.18.1.7", 11_000, 110, 11], ["(other)", 30_000, 300, 30]]));
    assert_eq!((&answer["total"]["samples"], &answer["kept"]), (&json!(41), &json!("samples")));
    assert_eq!((&answer["scanned"]["partial"], &answer["scanned"]["torn"]), (&Value::Null, &json!(0)));
    let series = json!({"by": ["class"], "step": 60, "last": 180, "sort": "packets", "source": "samples", "within": 5.0, "top": 3.0});
    assert_eq!(ask(&world, &token, series).await.1["columns"][0], "time");
    let csv = json!({"by": ["foreign-port", "asn"], "format": "csv"});
    let response = send(&world, request("POST", "/api/v1/flows/query", Some(&token), Some(&csv))).await;
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let (_, text) = ask(&world, &token, csv).await;
    assert_eq!(text, "foreign-port,asn,bytes,packets,samples\r\n53,64500,41000,410,41\r\n");
}

#[tokio::test]
async fn a_wrong_question_names_the_place_and_the_remedy() {
    let world = world("flows-wrong");
    let token = token(&world, "viewer", Role::Viewer, &[]);
    for (question, status, says) in [
        (json!({"filter": "src-prot = 53"}), StatusCode::CONFLICT, "did you mean `src-port`?"),
        (json!({"from": "yesterday"}), StatusCode::CONFLICT, "`from`"),
        (json!({"from": "2026-11-26T16:00:00Z", "last": 5}), StatusCode::CONFLICT, "leave one out"),
        (
            json!({"from": "2026-11-26T16:00:00Z", "to": "2026-11-26T16:00:00Z"}),
            StatusCode::CONFLICT,
            "empty",
        ),
        (json!({"last": 86_400, "step": 1, "top": 1_000}), StatusCode::CONFLICT, "rows"),
        (json!({"source": "rollups"}), StatusCode::CONFLICT, "no sums"),
        (json!({"by": ["host"]}), StatusCode::BAD_REQUEST, "by is one of"),
        (json!({"by": ["src", "dst", "proto", "asn"]}), StatusCode::BAD_REQUEST, "at most 3"),
        (json!({"top": 0}), StatusCode::BAD_REQUEST, "1 to 1000"),
        (json!({"within": 21}), StatusCode::BAD_REQUEST, "20 seconds"),
        (json!({"last": 0}), StatusCode::BAD_REQUEST, "seconds"),
        (json!({"filter": "x".repeat(4_097)}), StatusCode::BAD_REQUEST, "4096"),
        (json!({"fliter": ""}), StatusCode::BAD_REQUEST, "fliter"),
    ] {
        let (found, problem) = ask(&world, &token, question.clone()).await;
        assert_eq!(found, status, "{question} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{question} {problem}");
    }
    let nothing = World::of(
        Folder::new("flows-none"),
        Writer::open(&Folder::new("flows-none-store").0).unwrap(),
        Live::default(),
        STRICT,
        true,
    );
    let viewer = crate::access::token(&nothing, "viewer", Role::Viewer, &[]);
    assert_eq!(ask(&nothing, &viewer, json!({})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_customer_sees_flows_of_its_own_targets_and_no_octet_of_another_ones() {
    let world = world("flows-customer");
    let operator = token(&world, "operator", Role::Operator, &[]);
    let own = token(&world, "c1", Role::Customer, &["198.18.1.0/24", "2001:db8:1::/48"]);
    for by in [
        "target",
        "src",
        "dst",
        "foreign",
        "class",
        "asn",
        "country",
        "attack",
        "foreign-port",
        "proto",
        "customer",
    ] {
        for filter in [
            "",
            "host in 198.18.2.0/24",
            "not target in 198.18.1.0/24",
            "src in 0.0.0.0/0 or src in ::/0",
            "target in 198.18.2.0/24",
        ] {
            for form in ["json", "csv"] {
                let question = json!({"filter": filter, "by": [by], "format": form, "top": 100});
                let (status, answer) = ask(&world, &own, question.clone()).await;
                assert_eq!(status, StatusCode::OK, "{question} {answer}");
                let text = answer.to_string();
                assert!(
                    !text.contains("198.18.2.")
                        && !text.contains("2001:db8:2:")
                        && !text.contains("198.18.0."),
                    "{question} {text}"
                );
            }
        }
    }
    // All of its own, the neighbour's part in it; but who that was is nobody's business.
    let (_, whole) = ask(&world, &own, json!({"by": ["class"]})).await;
    assert_eq!(whole["total"]["samples"], 21);
    let (_, sources) = ask(&world, &own, json!({"by": ["src"]})).await;
    assert_eq!(sources["total"]["samples"], 20, "{sources}");
    for hidden in [
        json!({"by": ["exporter"]}),
        json!({"filter": "input-if = 7"}),
        json!({"filter": "not exporter = 198.18.0.1"}),
    ] {
        assert_eq!(ask(&world, &own, hidden.clone()).await.0, StatusCode::FORBIDDEN, "{hidden}");
        assert_eq!(ask(&world, &operator, hidden).await.0, StatusCode::OK);
    }
    // What is wrong is said without what another one has.
    let (_, wrong) = ask(&world, &own, json!({"filter": "target in 198.18.2.0/24 nad"})).await;
    assert!(!wrong.to_string().contains("198.18.2."), "{wrong}");
    let metrics = call(&world, "GET", "/metrics", &operator, None).await.1;
    assert!(metrics.as_str().unwrap().contains("spillway_api_withheld_total{} 0"), "{metrics}");
    // Of its attack, what came to it; another one's is missing.
    let (status, top) = call(&world, "GET", "/api/v1/attacks/d1/top?by=src", &own, None).await;
    assert_eq!((status, &top["total"]["samples"]), (StatusCode::OK, &json!(10)), "{top}");
    let other = token(&world, "c2", Role::Customer, &["198.18.2.0/24"]);
    assert_eq!(call(&world, "GET", "/api/v1/attacks/d1/top", &other, None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_top_of_an_attack_is_by_sources_networks_countries_and_ports() {
    let world = world("flows-top");
    let viewer = token(&world, "viewer", Role::Viewer, &[]);
    for (by, first) in [
        ("", json!("203.0.113.9")),
        ("?by=asn&limit=1", json!(64_500)),
        ("?by=country", json!("DE")),
        ("?by=foreign-port", json!(53)),
        ("?by=target", json!("198.18.1.7")),
    ] {
        let (status, top) = call(&world, "GET", &format!("/api/v1/attacks/d1/top{by}"), &viewer, None).await;
        assert_eq!((status, &top["rows"][0][0]), (StatusCode::OK, &first), "{by} {top}");
        assert_eq!(top["total"]["samples"], 20);
    }
    for wrong in ["?by=port", "?limit=0", "?limit=1001", "?top=1"] {
        let status = call(&world, "GET", &format!("/api/v1/attacks/d1/top{wrong}"), &viewer, None).await.0;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn what_rules_would_have_hit_is_told_apart_by_attack_and_others() {
    let world = world("flows-preview");
    let viewer = token(&world, "viewer", Role::Viewer, &[]);
    let rules = "r1 @10 dst 198.18.0.0/16 proto udp src-port 53 -> drop for 15m\nr2 @20 dst 198.18.1.0/24 proto tcp ttl 1 -> drop";
    let (status, seen) =
        call(&world, "POST", "/api/v1/rules/preview", &viewer, Some(json!({"rules": rules}))).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    let (first, second) = (&seen["rules"][0], &seen["rules"][1]);
    assert_eq!(
        (&first["attacks"]["packets"], &first["others"]["packets"]),
        (&json!(100), &json!(110)),
        "{seen}"
    );
    assert_eq!(first["hosts"][0], json!({"target": "198.18.1.7", "bytes": 6_000, "packets": 60}));
    assert_eq!((&first["unknown"], &first["partial"]), (&json!([]), &Value::Null));
    assert_eq!((&second["unknown"], &second["others"]["samples"]), (&json!(["ttl"]), &json!(0)));
    for wrong in [
        json!({"rules": "r1 @1 dst -> drop"}),
        json!({"rules": (0..9).map(|n| format!("r{n} @1 dst 198.18.1.{n}/32 -> drop\n")).collect::<String>()}),
    ] {
        assert_eq!(
            call(&world, "POST", "/api/v1/rules/preview", &viewer, Some(wrong)).await.0,
            StatusCode::CONFLICT
        );
    }
}

#[tokio::test]
async fn notes_of_an_attack_say_who_and_when_and_stand_in_the_trail() {
    let world = world("flows-notes");
    let (operator, admin) =
        (token(&world, "olga", Role::Operator, &[]), token(&world, "anna", Role::Admin, &[]));
    let path = "/api/v1/attacks/d1/notes";
    for text in ["called the customer", "upstream filters now"] {
        let (status, note) = call(&world, "POST", path, &operator, Some(json!({"text": text}))).await;
        assert_eq!(
            (status, &note["actor"], &note["text"]),
            (StatusCode::CREATED, &json!("olga"), &json!(text))
        );
    }
    let (_, notes) = call(&world, "GET", path, &admin, None).await;
    let texts: Vec<&str> =
        notes["items"].as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["upstream filters now", "called the customer"]);
    let (_, trail) = call(&world, "GET", "/api/v1/audit", &admin, None).await;
    assert_eq!(
        (&trail["items"][0]["action"], &trail["items"][0]["object"]),
        (&json!("attack.note"), &json!("d1"))
    );
    assert_eq!(world.hands.noted.lock().unwrap().len(), 2);
    for text in ["", "two\nlines"] {
        assert_eq!(
            call(&world, "POST", path, &operator, Some(json!({"text": text}))).await.0,
            StatusCode::BAD_REQUEST
        );
    }
    let never =
        call(&world, "POST", "/api/v1/attacks/none/notes", &operator, Some(json!({"text": "x"}))).await.0;
    assert_eq!(never, StatusCode::NOT_FOUND);
    let own = token(&world, "c1", Role::Customer, &["198.18.1.0/24"]);
    assert_eq!(call(&world, "GET", path, &own, None).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_number_beyond_what_the_document_says_is_refused() {
    let world = world("flows-numbers");
    let admin = token(&world, "anna", Role::Admin, &[]);
    let why = || Some(json!({"reason": "x"}));
    for (verb, path) in [
        ("GET", "/api/v1/mitigations/N"),
        ("GET", "/api/v1/mitigations/N/history"),
        ("POST", "/api/v1/mitigations/N/withdraw"),
        ("GET", "/api/v1/ledger/N"),
        ("GET", "/api/v1/ledger/N/proof"),
    ] {
        let of = |number: &str| path.replace('N', number);
        let body = || if verb == "POST" { why() } else { None };
        let beyond = call(&world, verb, &of("9223372036854775808"), &admin, body()).await.0;
        let greatest = call(&world, verb, &of("9223372036854775807"), &admin, body()).await.0;
        assert_eq!(beyond, StatusCode::BAD_REQUEST, "{path}");
        assert_ne!(greatest, StatusCode::BAD_REQUEST, "{path}");
    }
}
