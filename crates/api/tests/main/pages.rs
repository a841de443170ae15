//! What pages of the dashboard ask beside lists: packets, samples as a file, thresholds that are tried, channels, room.

use ::access::Role;
use axum::body::{Body, to_bytes};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::access::{call, request, send, token};
use crate::flows::world;
use crate::world::World;

async fn get(world: &World, path: &str, token: &str) -> (StatusCode, Value) {
    call(world, "GET", path, token, None).await
}

#[tokio::test]
async fn packets_of_an_attack_are_spread_and_a_customer_sees_nothing_of_others() {
    let world = world("pages-packets");
    let viewer = token(&world, "vera", Role::Viewer, &[]);
    let (status, page) = get(&world, "/api/v1/attacks/d1/packets", &viewer).await;
    assert_eq!((status, page["items"].as_array().unwrap().len()), (StatusCode::OK, 6));
    assert_eq!((&page["seen"], &page["items"][0]["exporter"]), (&json!(600), &json!("192.0.2.1")));
    for (limit, places) in [(1, vec![0]), (2, vec![0, 3]), (4, vec![0, 2, 4]), (9, vec![0, 1, 2, 3, 4, 5])] {
        let (_, page) = get(&world, &format!("/api/v1/attacks/d1/packets?limit={limit}"), &viewer).await;
        let at = |one: &Value| one["at"].as_str().unwrap()[18..19].parse::<usize>().unwrap();
        let shown: Vec<usize> = page["items"].as_array().unwrap().iter().map(at).collect();
        assert_eq!(shown, places, "{limit}");
    }
    let own = token(&world, "c1", Role::Customer, &["198.18.1.0/24"]);
    let (status, page) = get(&world, "/api/v1/attacks/d1/packets", &own).await;
    assert_eq!((status, page["items"].as_array().unwrap().len()), (StatusCode::OK, 5), "{page}");
    assert!(
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["exporter"].is_null() && one["input_if"].is_null())
    );
    let other = token(&world, "c2", Role::Customer, &["198.18.2.0/24"]);
    assert_eq!(get(&world, "/api/v1/attacks/d1/packets", &other).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&world, "/api/v1/attacks/d2/packets", &viewer).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&world, "/api/v1/attacks/d1/packets?limit=0", &viewer).await.0, StatusCode::BAD_REQUEST);
}

async fn export(world: &World, token: &str, body: Value) -> Response<Body> {
    send(world, request("POST", "/api/v1/flows/export", Some(token), Some(&body))).await
}

#[tokio::test]
async fn samples_come_as_a_parquet_file_and_a_customer_gets_its_own_alone() {
    let world = world("pages-export");
    let all = token(&world, "vera", Role::Viewer, &[]);
    let own = token(&world, "c1", Role::Customer, &["198.18.1.0/24", "2001:db8:1::/48"]);
    // of two hosts of the customer's, ten each; what came from another customer's host is not told
    for (token, filter, rows) in
        [(&all, "", "41"), (&all, "proto = tcp", "0"), (&own, "", "20"), (&own, "target = 198.18.1.7", "10")]
    {
        let answer = export(&world, token, json!({"filter": filter})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "application/vnd.apache.parquet");
        assert_eq!(answer.headers()["spillway-samples"], rows, "{filter}");
        assert!(!answer.headers().contains_key("spillway-partial"));
        let octets = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
        assert!(octets.starts_with(b"PAR1") && octets.ends_with(b"PAR1"));
        let text = String::from_utf8_lossy(&octets);
        let tells = text.contains("198.18.0.1");
        assert_eq!(tells, token == &all && rows != "0", "who told: {filter}");
    }
    let other = export(&world, &own, json!({"filter": "exporter = 198.18.0.1"})).await.status();
    assert_eq!(other, StatusCode::FORBIDDEN);
    assert_eq!(export(&world, &own, json!({"filter": "nonsense"})).await.status(), StatusCode::CONFLICT);
    assert_eq!(export(&world, &own, json!({"top": 3})).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_threshold_is_tried_on_what_was_recorded() {
    let world = world("pages-simulate");
    let viewer = token(&world, "vera", Role::Viewer, &[]);
    let ask = async |question: Value| {
        call(&world, "POST", "/api/v1/targets/simulate", &viewer, Some(question)).await
    };
    // a hundred packets of one host within two minutes
    let (status, told) = ask(json!({"prefix": "198.18.0.0/16", "pps": 1, "days": 1})).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!((&told["fired"], &told["hosts"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(told["parts"].as_array().unwrap().len(), 1, "a day is told by minutes alone: {told}");
    assert_eq!(told["parts"][0]["step_seconds"], 60);
    assert!(told["times"][0]["peak_pps"].as_f64().unwrap() >= 1.0, "{told}");
    let fired: u64 = told["days"].as_array().unwrap().iter().map(|day| day["fired"].as_u64().unwrap()).sum();
    assert_eq!(fired, 2);
    let (_, told) = ask(json!({"prefix": "198.18.0.0/16", "pps": 1_000})).await;
    assert_eq!((&told["fired"], told["parts"].as_array().unwrap().len()), (&json!(0), 2), "{told}");
    // the steps say themselves how long they are
    assert_eq!(
        (&told["parts"][0]["step_seconds"], &told["parts"][1]["step_seconds"]),
        (&json!(3600), &json!(60))
    );
    let (_, told) = ask(json!({"prefix": "198.18.1.7/32", "bps": 1, "class": "tcp-syn"})).await;
    assert_eq!(told["fired"], 0, "none of that class: {told}");
    let (_, told) = ask(json!({"prefix": "2001:db8:1::7/128", "bps": 1, "class": "udp"})).await;
    assert_eq!(told["fired"], 1, "{told}");
    assert_eq!(ask(json!({"prefix": "198.18.1.7/32"})).await.0, StatusCode::CONFLICT);
    for wrong in [json!({"pps": 0}), json!({"pps": 1, "days": 91}), json!({"pps": 1, "class": "a b"})] {
        let mut question = wrong.clone();
        question["prefix"] = json!("198.18.1.7/32");
        assert_eq!(ask(question).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn a_customer_is_told_of_disclosures_about_it() {
    let world = world("pages-disclosed");
    let sent = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["sent"].as_str().unwrap()[..10].to_owned())
            .collect()
    };
    for (role, prefixes, told) in [
        (Role::Customer, &["198.18.1.0/24"][..], &["2025-06-03", "2025-06-01"][..]),
        (Role::Customer, &["198.18.2.0/24"], &["2025-06-02"]),
        (Role::Customer, &["198.18.3.0/24"], &[]),
        // half of a customer's network is not the customer
        (Role::Customer, &["198.18.1.0/25"], &[]),
        (Role::Viewer, &[], &["2025-06-03", "2025-06-02", "2025-06-01"]),
    ] {
        let name = format!("u{}{}", prefixes.len(), prefixes.join("").replace(['.', '/'], ""));
        let token = token(&world, &name, role, prefixes);
        let (status, page) = get(&world, "/api/v1/disclosures/own", &token).await;
        assert_eq!(
            (status, sent(&page)),
            (StatusCode::OK, told.iter().map(|day| (*day).to_owned()).collect())
        );
    }
}

#[tokio::test]
async fn a_test_of_a_channel_is_an_act_and_says_what_came_of_it() {
    let world = world("pages-channels");
    let (admin, operator) =
        (token(&world, "anna", Role::Admin, &[]), token(&world, "otto", Role::Operator, &[]));
    let (status, page) = get(&world, "/api/v1/notifications", &operator).await;
    assert_eq!((status, &page["items"][0]["name"]), (StatusCode::OK, &json!("noc")));
    let path = "/api/v1/notifications/noc/test";
    let why = || Some(json!({"reason": "is it there?"}));
    assert_eq!(call(&world, "POST", path, &operator, why()).await.0, StatusCode::FORBIDDEN);
    let (status, tried) = call(&world, "POST", path, &admin, why()).await;
    assert_eq!(
        (status, &tried["arrived"], &tried["answer"]),
        (StatusCode::OK, &json!(false), &json!("status 500"))
    );
    let never = call(&world, "POST", "/api/v1/notifications/none/test", &admin, why()).await.0;
    assert_eq!(never, StatusCode::NOT_FOUND);
    let (_, trail) = get(&world, "/api/v1/audit", &admin).await;
    assert_eq!(
        (&trail["items"][0]["action"], &trail["items"][0]["object"]),
        (&json!("notification.test"), &json!("noc"))
    );
}

#[tokio::test]
async fn room_is_told_with_its_bounds() {
    let world = world("pages-capacity");
    let viewer = token(&world, "vera", Role::Viewer, &[]);
    let (status, page) = get(&world, "/api/v1/capacity", &viewer).await;
    assert_eq!(status, StatusCode::OK);
    let lines: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["kind"], &one["of"], &one["used"], &one["max"]))
        .collect();
    assert_eq!(
        lines,
        [
            (&json!("all-routers"), &json!("blackhole, diversion"), &json!(0), &json!(100)),
            (&json!("all-routers"), &json!("flowspec"), &json!(0), &json!(500)),
        ]
    );
    let (status, told) = get(&world, "/api/v1/intelligence", &viewer).await;
    assert_eq!((status, &told["attacks"]), (StatusCode::OK, &json!(0)));
}

#[tokio::test]
async fn a_report_is_a_page_a_text_and_a_document_and_notes_are_the_operators() {
    let world = world("pages-report");
    let operator = token(&world, "olga", Role::Operator, &[]);
    let own = token(&world, "c1", Role::Customer, &["198.18.1.0/24"]);
    let note = json!({"text": "called the <customer> & told"});
    let (status, _) = call(&world, "POST", "/api/v1/attacks/d1/notes", &operator, Some(note)).await;
    assert_eq!(status, StatusCode::CREATED);
    let mut pages = Vec::new();
    for (format, kind, name) in [
        ("html", "text/html; charset=utf-8", "attack-d1.html"),
        ("text", "text/plain; charset=utf-8", "attack-d1.txt"),
        ("json", "application/json", "attack-d1.json"),
    ] {
        for who in [&operator, &own] {
            let path = format!("/api/v1/attacks/d1/report?format={format}");
            let answer = send(&world, request("GET", &path, Some(who), None)).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(answer.headers()["content-type"], kind);
            assert!(answer.headers()["content-disposition"].to_str().unwrap().contains(name));
            let octets = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            pages.push(String::from_utf8(octets.to_vec()).unwrap());
        }
    }
    let told = pages.iter().map(|page| page.contains("called the")).collect::<Vec<_>>();
    assert_eq!(told, [true, false, true, false, true, false]);
    assert!(
        pages[0].contains("the &lt;customer&gt; &amp; told") && !pages[0].contains("<script"),
        "{}",
        pages[0]
    );
    assert_eq!(
        get(&world, "/api/v1/attacks/d1/report?format=pdf", &operator).await.0,
        StatusCode::BAD_REQUEST
    );
    let (status, measures) = get(&world, "/api/v1/attacks/d1/measures", &own).await;
    assert_eq!((status, &measures["complete"]), (StatusCode::OK, &json!(true)), "{measures}");
    assert_eq!(get(&world, "/api/v1/attacks/nothing/measures", &own).await.0, StatusCode::NOT_FOUND);
}
