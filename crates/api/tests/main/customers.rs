//! No customer ever gets an octet with another one's prefix, in worlds that nobody chose.

use std::time::Duration;

use ::access::Role;
use api::{Kind, Live, LiveAttack};
use axum::body::Body;
use axum::http::{Response, StatusCode};
use base::Timestamp;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{AttackRow, Batch, Writer};

use crate::access::{STRICT, call, request, send, token};
use crate::world::{Folder, Hands, World, mitigation};

/// Customers, from 1; each has a /24 and a /48.
const CUSTOMERS: u8 = 4;

fn own(customer: u8) -> [String; 2] {
    [format!("198.18.{customer}.0/24"), format!("2001:db8:{customer}::/48")]
}

/// What names another one's prefix, looked for without the code that is tested.
fn foreign(text: &str, customer: u8) -> Option<String> {
    let others = (1..=CUSTOMERS).filter(|other| *other != customer);
    let mut marks: Vec<String> =
        others.flat_map(|other| [format!("198.18.{other}."), format!("2001:db8:{other}:")]).collect();
    marks.extend(["198.18.0.0/16", "198.18.0.0/22", "2001:db8::/32", "0.0.0.0/0"].map(str::to_owned));
    marks.into_iter().find(|mark| text.contains(mark.as_str()))
}

fn host() -> impl Strategy<Value = String> {
    (1..=CUSTOMERS, 1..250u8, any::<bool>()).prop_map(|(customer, last, v6)| {
        if v6 { format!("2001:db8:{customer}::{last:x}/128") } else { format!("198.18.{customer}.{last}/32") }
    })
}

fn place() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => host(),
        1 => (1..=CUSTOMERS).prop_map(|customer| own(customer)[0].clone()),
        1 => Just("198.18.0.0/22".to_owned()),
    ]
}

prop_compose! {
    fn attack()(
        targets in prop::collection::vec(place(), 1..4), outward in prop::bool::weighted(0.2), sources in prop::collection::vec(host(), 0..4),
        said in prop::collection::vec(host(), 0..3), over in any::<bool>(), number in 0..u64::MAX,
    ) -> Value {
        let address = |text: &String| text.split('/').next().unwrap().to_owned();
        let target = if outward { "203.0.113.7/32".to_owned() } else if targets.len() == 1 { targets[0].clone() } else { "198.18.0.0/16".to_owned() };
        let targets = if outward { vec![target.clone()] } else { targets };
        let rules: Vec<Value> = targets.iter().chain(&said).enumerate().map(|(n, at)| json!({
            "id": format!("r{n}"), "text": format!("r{n} @10 dst {at} proto udp -> drop for 15m"), "action": "drop", "collateral": null, "expires_at": null,
        })).collect();
        json!({
            "event": "attack", "state": if over { "over" } else { "active" }, "id": format!("{number:016x}"), "target": target, "targets": targets,
            "direction": if outward { "out" } else { "in" }, "severity": "attack", "started_at": "2025-06-01T00:00:00Z", "detected_at": "2025-06-01T00:00:01Z",
            "ended_at": null, "peak_pps": 1, "peak_bps": 2, "vectors": [],
            "sources": {"count": sources.len(), "nature": "real", "confidence": 0.5,
                        "top": sources.iter().map(|at| json!({"address": address(at), "packets": 1, "share": 0.1})).collect::<Vec<_>>()},
            "rules": rules, "explain": said.iter().map(|at| format!("beside {at}, too")).collect::<Vec<_>>(), "packets": 1, "bytes": 2,
            "entries": [{"exporter": 1, "input_if": 2, "share": 1.0}], "doubtful": false,
            "withdrawn": said.iter().map(|at| json!({"id": "w", "text": format!("w dst {at} -> drop"), "at": "2025-06-01T00:00:02Z", "reason": "x"})).collect::<Vec<_>>(),
            "stability": null, "usual_syns": targets.iter().map(|at| json!({"target": at, "pps": 5})).collect::<Vec<_>>(),
            "mitigation": {"step": "blackhole", "of": said},
        })
    }
}

/// Whether a text is about this customer at all.
fn names(text: &str, customer: u8) -> bool {
    [format!("198.18.{customer}."), format!("2001:db8:{customer}:")]
        .iter()
        .any(|mark| text.contains(mark.as_str()))
}

/// A world; where `only` is given, without everything that is not about this customer.
fn build(name: &str, attacks: &[Value], mitigations: &[String], only: Option<u8>) -> World {
    let kept = |text: &str| only.is_none_or(|customer| names(text, customer));
    let folder = Folder::new(name);
    let mut writer = Writer::open(&folder.0).unwrap();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    let (mut rows, mut live) = (Vec::new(), Live::default());
    for (n, attack) in attacks.iter().enumerate().filter(|(_, attack)| kept(&attack.to_string())) {
        let started_at = Timestamp::from_secs(1_000 + n as u64 / 2);
        if n % 2 == 0 {
            let document = RawValue::from_string(attack.to_string()).unwrap();
            let over = attack["state"] == "over";
            live.attacks.push(LiveAttack { id: text(attack, "id"), started_at, over, document });
            for rule in attack["rules"].as_array().unwrap() {
                let mut rule = rule.clone();
                rule["attack"] = attack["id"].clone();
                live.rules.push(RawValue::from_string(rule.to_string()).unwrap());
            }
        } else {
            rows.push(AttackRow {
                id: text(attack, "id"),
                state: text(attack, "state"),
                severity: "attack".into(),
                target: text(attack, "target"),
                direction: text(attack, "direction"),
                started_at,
                ended_at: None,
                updated_at: started_at,
                document: attack.to_string(),
                rules: Vec::new(),
            });
        }
    }
    writer.commit(&Batch { attacks: rows, ..Batch::default() }).unwrap();
    let mitigations = (1u64..).zip(mitigations).filter(|(_, what)| kept(what));
    let mitigations = mitigations.map(|(id, what)| mitigation(id, what)).collect();
    let decided: Vec<String> = attacks
        .iter()
        .flat_map(|attack| attack["targets"].as_array().unwrap())
        // as many as there are, for they are numbered by their place
        .map(|target| target.as_str().unwrap())
        .map(|target| if kept(target) { target.to_owned() } else { "198.18.99.0/24".to_owned() })
        .collect();
    World::with(folder, writer, live, STRICT, true, Hands { mitigations, decided, ..Hands::default() })
}

/// All of a list, page by page.
async fn all(world: &World, path: &str, token: &str) -> (Vec<Value>, String) {
    let (mut items, mut raw, mut after) = (Vec::new(), String::new(), String::new());
    loop {
        let (status, page) = call(world, "GET", &format!("{path}{after}"), token, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        raw += &page.to_string();
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break (items, raw) };
        after = format!("&after={next}");
    }
}

/// What comes of a stream at once.
async fn streamed(response: Response<Body>) -> String {
    let (mut body, mut out) = (response.into_body(), String::new());
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_millis(200), body.frame()).await {
        out += &String::from_utf8_lossy(&frame.into_data().unwrap());
    }
    out
}

/// All of it happens.
fn happen(world: &World, attacks: &[Value], mitigations: &[String], kept: impl Fn(&str) -> bool) {
    for attack in attacks.iter().filter(|attack| kept(&attack.to_string())) {
        world.events.push(Kind::Attack, attack.to_string());
        for rule in attack["rules"].as_array().unwrap() {
            world.events.push(Kind::Rule, rule.to_string());
        }
    }
    for what in mitigations.iter().filter(|what| kept(what)) {
        let event = json!({"id": 1, "event": "started", "class": "flowspec", "what": what, "at": "2025-06-01T00:00:00Z"});
        world.events.push(Kind::Mitigation, event.to_string());
    }
}

/// Everything that a customer can read: each endpoint of the matrix, with what it may name, and the stream without its ids.
async fn told(
    world: &World,
    customer: u8,
    attacks: &[Value],
    mitigations: &[String],
    only: bool,
) -> Vec<String> {
    let prefixes = own(customer);
    let token = token(world, "c", Role::Customer, &prefixes.each_ref().map(String::as_str));
    // which token it is differs from world to world
    let public = token.split('_').nth(1).unwrap();
    let stream = send(world, request("GET", "/api/v1/events", Some(&token), None)).await;
    happen(world, attacks, mitigations, |text| !only || names(text, customer));
    let mut out = Vec::new();
    for (verb, path, _) in
        api::endpoints().filter(|(verb, path, _)| *verb == "GET" && *path != "/api/v1/events")
    {
        let ids = attacks.iter().map(|attack| attack["id"].as_str().unwrap()).chain(["1", "2", "3"]);
        let ids: Vec<&str> = if path.contains("{id}") { ids.collect() } else { vec![""] };
        for id in ids {
            let at = path
                .replace("{id}", id)
                .replace("{name}", "nobody")
                .replace("{index}", "0")
                .replace("{*page}", "index");
            for query in ["", "?limit=1"] {
                let (status, answer) = call(world, verb, &format!("{at}{query}"), &token, None).await;
                out.push(format!("{verb} {at}{query}: {status} {answer}").replace(public, "ID"));
            }
        }
    }
    for (path, body) in [
        ("/api/v1/rules/check", json!({"rules": "dst 198.18.2.1/32 proto udp -> drop"})),
        ("/api/v1/flows/query", json!({})),
        ("/api/v1/flows/export", json!({})),
    ] {
        let (status, answer) = call(world, "POST", path, &token, Some(body)).await;
        out.push(format!("POST {path}: {status} {answer}"));
    }
    let heard = streamed(stream).await;
    out.push(heard.lines().filter(|line| !line.starts_with("id:")).collect::<Vec<_>>().join("\n"));
    out
}

async fn check(attacks: &[Value], mitigations: &[String]) {
    let world = build("customers", attacks, mitigations, None);
    let operator = token(&world, "operator", Role::Operator, &[]);
    let mut customers = Vec::new();
    for customer in 1..=CUSTOMERS {
        let prefixes = own(customer);
        let token =
            token(&world, &format!("c{customer}"), Role::Customer, &prefixes.each_ref().map(String::as_str));
        let stream = send(&world, request("GET", "/api/v1/events", Some(&token), None)).await;
        customers.push((customer, prefixes, token, stream));
    }
    happen(&world, attacks, mitigations, |_| true);
    for (customer, prefixes, token, stream) in customers {
        let mut seen = String::new();
        let (listed, raw) = all(&world, "/api/v1/attacks?limit=2", &token).await;
        seen += &raw;
        for attack in attacks {
            let id = attack["id"].as_str().unwrap();
            let targets: Vec<&str> =
                attack["targets"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
            let mine = |text: &str| {
                text.starts_with(&format!("198.18.{customer}."))
                    || text.starts_with(&format!("2001:db8:{customer}:"))
            };
            let (status, one) = call(&world, "GET", &format!("/api/v1/attacks/{id}"), &token, None).await;
            let is_listed = listed.iter().any(|other| other["id"] == id);
            assert_eq!(status == StatusCode::OK, is_listed, "{id}");
            if attack["direction"] == "in" {
                assert_eq!(
                    is_listed,
                    targets.iter().any(|target| mine(target)),
                    "{id} {targets:?} of {customer}"
                );
            }
            if status != StatusCode::OK {
                let never = call(&world, "GET", "/api/v1/attacks/ffffffffffffffffff", &token, None).await;
                assert_eq!(
                    (status, one.clone()),
                    never,
                    "what is another one's is missing like what never was"
                );
            }
            seen += &one.to_string();
            let path = format!("/api/v1/attacks/{id}/explanation");
            let (explained, words) = call(&world, "GET", &path, &token, None).await;
            assert_eq!(explained, status, "{id}");
            seen += &words.to_string();
            for format in ["measures", "report?format=html", "report?format=text", "report?format=json"] {
                let path = format!("/api/v1/attacks/{id}/{format}");
                let (told, what) = call(&world, "GET", &path, &token, None).await;
                assert_eq!(told, status, "{path}");
                seen += &what.to_string();
            }
        }
        let policy = format!("/api/v1/targets/policy?prefix={}", prefixes[0]);
        for path in [
            "/api/v1/rules",
            "/api/v1/mitigations",
            "/api/v1/targets",
            "/api/v1/allow",
            "/api/v1/exceptions",
            &policy,
            "/api/v1/profiles",
            "/api/v1/ledger",
            "/api/v1/me",
            "/api/v1/tokens",
            "/api/v1/roles",
        ] {
            let (status, answer) = call(&world, "GET", path, &token, None).await;
            assert_eq!(status, StatusCode::OK, "{path} {answer}");
            seen += &answer.to_string();
        }
        seen += &streamed(stream).await;
        let found = foreign(&seen, customer);
        assert!(found.is_none(), "customer {customer} saw {found:?} in {seen}");
        assert!(
            !seen.contains("alice") && !seen.contains("\"exporter\":1"),
            "staff and exporters are the operator's"
        );
        // nor where it asks for it by name: in a search, in an error
        for other in (1..=CUSTOMERS).filter(|other| *other != customer) {
            for path in [
                format!("/api/v1/attacks?target=198.18.{other}.0/24"),
                format!("/api/v1/attacks?target=198.18.{other}.1/24"),
                format!("/api/v1/attacks/198.18.{other}.1"),
                format!("/api/v1/attacks?after=198.18.{other}.1"),
                format!("/api/v1/targets/policy?prefix=198.18.{other}.0/24"),
                format!("/api/v1/allow?source=198.18.{other}.0/24"),
            ] {
                let (status, answer) = call(&world, "GET", &path, &token, None).await;
                assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{path} {answer}");
                assert_eq!(foreign(&answer.to_string(), customer), None, "{path} {answer}");
            }
        }
    }
    // what customers may see was cut out, not withheld as a whole
    let metrics = call(&world, "GET", "/metrics", &operator, None).await.1;
    assert!(metrics.as_str().unwrap().contains("spillway_api_withheld_total{} 0"), "{metrics}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_customer_gets_an_octet_with_another_ones_prefix(
        attacks in prop::collection::vec(attack(), 1..7), mitigations in prop::collection::vec(place(), 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&attacks, &mitigations));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]
    /// Neither addresses nor names, nor how many there are.
    #[test]
    fn what_a_customer_is_told_is_the_same_whatever_happens_to_others(
        attacks in prop::collection::vec(attack(), 1..7), mitigations in prop::collection::vec(place(), 0..5), customer in 1..=CUSTOMERS,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let all = build("all", &attacks, &mitigations, None);
            let alone = build("alone", &attacks, &mitigations, Some(customer));
            let with = told(&all, customer, &attacks, &mitigations, false).await;
            let without = told(&alone, customer, &attacks, &mitigations, true).await;
            for (with, without) in with.iter().zip(&without) {
                assert_eq!(with, without, "customer {customer}");
            }
            assert_eq!(with.len(), without.len());
        });
    }
}
