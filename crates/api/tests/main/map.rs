//! The map, and the stage of a demonstration.

use axum::http::StatusCode;
use base::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::Writer;

use crate::access::{call, token};
use crate::world::{Folder, Hands, World};

const STRICT: api::Settings = api::Settings { anonymous: false, local: true, requests_per_second: 1_000 };

/// Three attacks that come in, one that goes out, and one that is over.
fn world(name: &str, hands: Hands) -> World {
    let folder = Folder::new(name);
    let writer = Writer::open(&folder.0).unwrap();
    let attack = |(id, targets, direction, over): (&str, &[&str], &str, bool)| {
        let document = json!({"id": id, "targets": targets, "target": targets[0], "direction": direction});
        let document = RawValue::from_string(document.to_string()).unwrap();
        api::LiveAttack { id: id.to_owned(), started_at: Timestamp::from_secs(1), over, document }
    };
    let attacks = [
        attack(("ours", &["198.18.1.7/32"], "in", false)),
        attack(("shared", &["198.18.1.8/32", "198.18.2.8/32"], "in", false)),
        attack(("theirs", &["198.18.2.7/32"], "in", false)),
        attack(("unseen", &["198.18.1.9/32"], "in", false)),
        attack(("past", &["198.18.1.7/32"], "in", true)),
    ];
    let live = api::Live { attacks: attacks.to_vec(), ..api::Live::default() };
    World::with(folder, writer, live, STRICT, true, hands)
}

fn cities(map: &Value) -> Vec<&str> {
    map["places"].as_array().unwrap().iter().map(|place| place["city"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_customers_map_has_what_is_its_own() {
    let world = world("map", Hands::default());
    let viewer = token(&world, "vera", ::access::Role::Viewer, &[]);
    let customer = token(&world, "carla", ::access::Role::Customer, &["198.18.1.0/24"]);
    let (status, map) = call(&world, "GET", "/api/v1/map", &viewer, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(cities(&map), ["ours", "shared", "theirs"]);
    assert_eq!((&map["attacks"], &map["not_followed"]), (&json!(3), &json!(1)));
    assert_eq!(map["places"][0]["verdicts"]["bot"], json!({"sources": 3, "packets": 30, "pps": 1.5}));
    assert_eq!(map["sites"].as_array().unwrap().len(), 2);
    let (status, map) = call(&world, "GET", "/api/v1/map", &customer, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(cities(&map), ["ours"]);
    assert_eq!((&map["attacks"], &map["not_followed"]), (&json!(1), &json!(1)));
    assert_eq!(map["sites"][0]["prefix"], "198.18.1.0/24");
    assert_eq!(map["sites"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_a_demonstration_has_a_stage() {
    let wish = || Some(json!({"act": "udp-flood", "reason": "a test"}));
    let real = world("no-stage", Hands::default());
    let admin = token(&real, "ada", ::access::Role::Admin, &[]);
    for (verb, body) in [("GET", None), ("POST", wish())] {
        let (status, told) = call(&real, verb, "/api/v1/demo", &admin, body).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(told["detail"].as_str().unwrap().contains("no demonstration"), "{told}");
    }
    let (_, trail) = call(&real, "GET", "/api/v1/audit", &admin, None).await;
    assert_eq!(trail["items"], json!([]));

    let made_up = world("stage", Hands { stage: true, ..Hands::default() });
    let admin = token(&made_up, "ada", ::access::Role::Admin, &[]);
    let operator = token(&made_up, "olga", ::access::Role::Operator, &[]);
    let (status, told) = call(&made_up, "POST", "/api/v1/demo", &admin, wish()).await;
    assert_eq!((status, &told["acts"][0]["left"]), (StatusCode::OK, &json!(30)), "{told}");
    assert_eq!(call(&made_up, "POST", "/api/v1/demo", &operator, wish()).await.0, StatusCode::FORBIDDEN);
    let (status, told) = call(&made_up, "GET", "/api/v1/demo", &operator, None).await;
    assert_eq!((status, &told["acts"][0]["left"]), (StatusCode::OK, &Value::Null));
    let unknown = Some(json!({"act": "earthquake", "reason": "a test"}));
    assert_eq!(call(&made_up, "POST", "/api/v1/demo", &admin, unknown).await.0, StatusCode::CONFLICT);
    let wrong = Some(json!({"act": "UDP flood", "reason": "a test"}));
    assert_eq!(call(&made_up, "POST", "/api/v1/demo", &admin, wrong).await.0, StatusCode::BAD_REQUEST);
    let (_, trail) = call(&made_up, "GET", "/api/v1/audit", &admin, None).await;
    let done: Vec<_> = trail["items"].as_array().unwrap().iter().map(|line| line["done"].clone()).collect();
    assert_eq!(done, [json!(false), json!(true)]);
}
