//! Agreeing through the API: exactly what would leave now, persons by who is logged in, and all of it written down.

use serde_json::{Value, json};

use super::{Desk, PAYLOAD, REQUEST};
use crate::access::{call, done};
use crate::daemon::{Daemon, wait};

#[test]
fn two_users_agree_through_the_api_to_exactly_what_would_leave() {
    let desk = Desk::new("approval", "");
    let daemon = Daemon::start(&desk.0.config);
    let token = |name: &str, role: &str| {
        done(&["user", "add", name, "--role", role, "-c", &desk.0.config]);
        done(&["token", "add", name, "-c", &desk.0.config])["token"].as_str().unwrap().to_owned()
    };
    let (eve, adam) = (token("eve", "evidence-officer"), token("adam", "admin"));
    let begun = desk.begin(&REQUEST.replace("green", "amber"));
    let id = begun["id"].as_str().unwrap();
    let ask = |token: &str, method: &str, path: &str, body: Option<&Value>| {
        let (status, _, body) = call(&daemon, method, path, Some(token), body);
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let place = |part: &str| format!("/api/v1/disclosures/{id}/{part}");
    let (status, shown) = ask(&eve, "GET", &place("payload"), None);
    assert_eq!((status, shown["text"].as_str()), (200, std::str::from_utf8(PAYLOAD).ok()), "{shown}");
    assert_eq!(shown["payload_sha256"], begun["payload_sha256"]);

    let size = || ask(&eve, "GET", "/api/v1/ledger", None).1["size"].as_u64().unwrap();
    let agreed = json!({"payload_sha256": shown["payload_sha256"], "reason": "looked at"});
    let before = size();
    for _ in 0..2 {
        let (status, now) = ask(&eve, "POST", &place("approval"), Some(&agreed));
        assert_eq!((status, &now["step"]), (200, &json!("minimised")), "{now}");
        let by: Vec<_> = now["approvals"].as_array().unwrap().iter().map(|one| &one["by"]).collect();
        assert_eq!(by, [&json!("eve")], "one person, however often");
        assert!(now["missing"].as_str().unwrap().contains("two persons"), "{now}");
    }
    wait("each word in the ledger", || (size() == before + 2).then_some(()));

    let payload = desk.path(&format!("state/disclosures/{id}/payload"));
    std::fs::write(&payload, b"{\"source\":\"203.0.113.8\"}").unwrap();
    let (status, refused) = ask(&adam, "POST", &place("approval"), Some(&agreed));
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("look again"), "{refused}");
    std::fs::write(&payload, PAYLOAD).unwrap();
    let (status, now) = ask(&adam, "POST", &place("approval"), Some(&agreed));
    assert_eq!((status, &now["step"], &now["missing"]), (200, &json!("reviewed"), &Value::Null), "{now}");

    let (_, list) = ask(&eve, "GET", "/api/v1/disclosures", None);
    assert_eq!(list["items"][0]["approvals"].as_array().unwrap().len(), 2, "{list}");
    let (_, trail) = ask(&adam, "GET", "/api/v1/audit?limit=20", None);
    let words = trail["items"].as_array().unwrap().iter();
    let words: Vec<_> = words
        .filter(|line| line["action"] == "disclosure.approve" && line["object"] == id)
        .map(|line| (line["actor"].as_str().unwrap(), line["done"].as_bool().unwrap()))
        .collect();
    assert_eq!(words, [("adam", true), ("adam", false), ("eve", true), ("eve", true)], "{trail}");
}

#[test]
fn words_of_many_at_the_same_time_are_all_kept() {
    let desk = Desk::new("approval-together", "");
    let begun = desk.begin(&REQUEST.replace("green", "amber"));
    let id = begun["id"].as_str().unwrap();
    let cases = spillway::disclosure::Cases::new(std::path::Path::new(&desk.path("state")));
    let now = cases.get(id).unwrap().draft.created;
    let all: Vec<String> = (0..8).map(|number| format!("person{number}")).collect();
    let together = std::sync::Barrier::new(all.len());
    std::thread::scope(|scope| {
        for who in &all {
            scope.spawn(|| {
                together.wait();
                cases.approve(id, who.clone(), None, now).unwrap();
            });
        }
    });
    let mut by: Vec<String> = cases.get(id).unwrap().approvals.into_iter().map(|one| one.by).collect();
    by.sort();
    assert_eq!(by, all);
}
