//! Each operation of the OpenAPI document that changes something leaves a line: who, why, what was, what is.

use ::access::Role;
use api::{Live, LiveAttack};
use axum::http::StatusCode;
use base::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::Writer;

use crate::access::{STRICT, call, documented, request, send, text, token};
use crate::world::{Folder, Hands, NOW, World, mitigation};

/// Operations that have a body and change nothing.
const ASKS: [&str; 8] = [
    "/api/v1/configuration/check",
    "/api/v1/configuration/diff",
    "/api/v1/flows/export",
    "/api/v1/flows/query",
    "/api/v1/plan",
    "/api/v1/rules/check",
    "/api/v1/rules/preview",
    "/api/v1/targets/simulate",
];

const PASSWORD: &str = "correct horse battery";

/// What must stand in a line beside who and why.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    /// There was nothing before.
    Made,
    /// Both.
    Changed,
}
use Line::{Changed, Made};

/// How each operation is asked for: its path, its document without the reason, and what its line has.
fn asked(verb: &str, path: &str) -> Option<(String, Value, Line)> {
    let why = json!({});
    let rule = "dst 198.18.1.1/32 proto udp -> drop";
    let (at, body, line) = match (verb, path) {
        ("POST", "/api/v1/allow") => {
            (path, json!({"source": "203.0.113.9/32", "destination": "198.18.1.0/24"}), Made)
        }
        ("POST", "/api/v1/attacks/{id}/notes") => ("/api/v1/attacks/a/notes", json!({"text": "why"}), Made),
        ("POST", "/api/v1/attacks/{id}/close") => ("/api/v1/attacks/a/close", why, Changed),
        ("POST", "/api/v1/backup") => (path, why, Made),
        ("PUT", "/api/v1/configuration") => (path, json!({"toml": "networks = []"}), Changed),
        ("POST", "/api/v1/reload" | "/api/v1/panic" | "/api/v1/resume") => (path, why, Changed),
        ("POST", "/api/v1/demo") => (path, json!({"act": "udp-flood"}), Made),
        ("POST", "/api/v1/disclosures/{id}/approval") => {
            ("/api/v1/disclosures/d-1/approval", json!({"payload_sha256": "0f".repeat(32)}), Made)
        }
        ("POST", "/api/v1/evidence/{id}/download") => ("/api/v1/evidence/1/download", why, Made),
        ("POST", "/api/v1/evidence/{id}/hold") => ("/api/v1/evidence/1/hold", why, Changed),
        ("POST", "/api/v1/evidence/{id}/release") => ("/api/v1/evidence/1/release", why, Changed),
        ("POST", "/api/v1/allow/{id}/remove" | "/api/v1/exceptions/{id}/end") => {
            return Some((path.replace("{id}", "1"), why, Changed));
        }
        ("PUT", "/api/v1/me/password") => (path, json!({"password": PASSWORD}), Changed),
        ("POST", "/api/v1/mitigations") => {
            (path, json!({"class": "blackhole", "what": "198.18.1.1/32"}), Made)
        }
        ("POST", _) if path.starts_with("/api/v1/mitigations/{id}/") => {
            return Some((path.replace("{id}", "7"), why, Changed));
        }
        ("POST", "/api/v1/mode") => (path, json!({"mode": "suggest"}), Changed),
        ("POST", "/api/v1/notifications/{name}/test") => ("/api/v1/notifications/noc/test", why, Made),
        ("POST", "/api/v1/rules") => (path, json!({"rule": rule}), Made),
        ("POST", "/api/v1/rules/{id}/extend") => ("/api/v1/rules/m1/extend", json!({"hold": 60}), Changed),
        ("POST", _) if path.starts_with("/api/v1/rules/{id}/") => {
            return Some((path.replace("{id}", "m1"), why, Changed));
        }
        ("POST", "/api/v1/targets/mode") => {
            (path, json!({"prefix": "198.18.1.0/24", "mode": "suggest"}), Changed)
        }
        ("POST", "/api/v1/tokens") => (path, json!({"user": "olga"}), Made),
        ("POST", "/api/v1/users") => (path, json!({"name": "bob", "role": "viewer"}), Made),
        ("DELETE", "/api/v1/users/{name}") => ("/api/v1/users/olga?reason=why", Value::Null, Changed),
        ("PUT", "/api/v1/users/{name}/password") => {
            ("/api/v1/users/olga/password", json!({"password": PASSWORD}), Changed)
        }
        ("PUT", "/api/v1/users/{name}/role") => {
            ("/api/v1/users/olga/role", json!({"role": "operator"}), Changed)
        }
        _ => return None,
    };
    Some((at.to_owned(), body, line))
}

fn world(name: &str) -> World {
    let folder = Folder::new(name);
    let writer = Writer::open(&folder.0).unwrap();
    let document = RawValue::from_string(json!({"id": "a", "target": "198.18.1.1/32"}).to_string()).unwrap();
    let attack =
        LiveAttack { id: "a".to_owned(), started_at: Timestamp::from_secs(1), over: false, document };
    let live = Live { attacks: vec![attack], ..Live::default() };
    let hands = Hands {
        mitigations: vec![mitigation(7, "198.18.1.1/32")],
        decided: vec!["198.18.1.0/24".to_owned(); 2],
        stage: true,
        ..Hands::default()
    };
    World::with(folder, writer, live, STRICT, true, hands)
}

/// Who, why, what was and what is stands in the line, and the ledger heard of it.
fn held(world: &World, what: &str, actor: &str, reason: &str, line: Line) {
    let trail = world.access.audit(None, 100).unwrap();
    assert_eq!(trail.len(), 1, "{what}: {trail:?}");
    let entry = &trail[0];
    assert_eq!((entry.actor.as_str(), entry.reason.as_str()), (actor, reason), "{what}");
    let outcome = entry.outcome.as_ref().unwrap();
    assert!(outcome.done, "{what}: {entry:?}");
    let stands = |side: &Option<String>| side.as_deref().is_some_and(|side| !matches!(side, "null" | "{}"));
    assert!(stands(&outcome.after), "{what}: nothing after: {entry:?}");
    assert!(line == Made || stands(&entry.before), "{what}: nothing before: {entry:?}");
    let noted = world.hands.noted.lock().unwrap();
    assert!(noted.iter().any(|noted| noted.content["reason"] == reason), "{what}: not in the ledger");
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_who_why_what_was_and_what_is() {
    let mut seen = 0;
    for (verb, path) in documented() {
        // sessions have a test of their own, and this one knows the token that it ends
        let apart = path.starts_with("/api/v1/session") || path == "/api/v1/tokens/{id}";
        if verb == "GET" || apart || ASKS.contains(&path.as_str()) {
            continue;
        }
        let what = format!("{verb} {path}");
        let (at, mut body, line) =
            asked(&verb, &path).unwrap_or_else(|| panic!("{what}: say here how it is asked for"));
        let world = world("leaves");
        let admin = token(&world, "alice", Role::Admin, &[]);
        token(&world, "olga", Role::Viewer, &[]);
        if let Some(body) = body.as_object_mut().filter(|body| !body.contains_key("text")) {
            body.insert("reason".to_owned(), json!("why"));
        }
        let body = Some(body).filter(|body| !body.is_null());
        let (status, said) = call(&world, &verb, &at, &admin, body).await;
        assert!(status.is_success(), "{what}: {status} {said}");
        held(&world, &what, "alice", "why", line);
        seen += 1;
    }
    assert!(seen >= 30, "{seen}");
}

#[tokio::test]
async fn what_only_asks_leaves_no_line() {
    let world = world("asks");
    let admin = token(&world, "alice", Role::Admin, &[]);
    let rules = "dst 198.18.1.1/32 proto udp -> drop";
    for path in ASKS {
        let body =
            json!({"toml": "networks = []", "rules": rules, "prefix": "198.18.1.0/24", "document": {}});
        let document = serde_json::to_value(api::openapi()).unwrap();
        let at = format!(
            "/paths/{}/post/requestBody/content/application~1json/schema/$ref",
            path.replace('/', "~1")
        );
        let form = document.pointer(&at).and_then(Value::as_str).unwrap().trim_start_matches('#');
        let known = &document.pointer(form).unwrap()["properties"];
        let mut body = body.as_object().unwrap().clone();
        body.retain(|key, _| known.get(key).is_some());
        let (status, said) = call(&world, "POST", path, &admin, Some(body.into())).await;
        assert_ne!(status, StatusCode::BAD_REQUEST, "{path}: {said}");
    }
    assert_eq!(world.access.audit(None, 100).unwrap(), []);
}

#[tokio::test]
async fn a_token_that_ends_and_sessions_leave_their_lines() {
    let one = world("ends");
    let admin = token(&one, "alice", Role::Admin, &[]);
    token(&one, "olga", Role::Viewer, &[]);
    let id = one.access.tokens(Some("olga"), "", 10).unwrap()[0].id.clone();
    let at = format!("/api/v1/tokens/{id}?reason=why");
    assert_eq!(call(&one, "DELETE", &at, &admin, None).await.0, StatusCode::NO_CONTENT);
    held(&one, "a token", "alice", "why", Changed);

    let one = world("opens");
    one.access.add_user("alice", Role::Operator, &[], Some(PASSWORD), NOW).unwrap();
    let login = |password: &str| {
        request("POST", "/api/v1/session", None, Some(&json!({"user": "alice", "password": password})))
    };
    let guessed = send(&one, login("wrong horse battery")).await;
    assert_eq!(guessed.status(), StatusCode::UNAUTHORIZED);
    let opened = send(&one, login(PASSWORD)).await;
    held(&one, "a login", "alice", "by a password", Made);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let word =
        serde_json::from_str::<Value>(&text(opened).await).unwrap()["csrf"].as_str().unwrap().to_owned();
    let mut gone = request("DELETE", "/api/v1/session", None, None);
    gone.headers_mut().insert("cookie", cookie.parse().unwrap());
    gone.headers_mut().insert("x-spillway-csrf", word.parse().unwrap());
    assert_eq!(send(&one, gone).await.status(), StatusCode::NO_CONTENT);
    let last = &one.access.audit(None, 100).unwrap()[0];
    assert_eq!(
        (last.action.as_str(), last.actor.as_str(), last.reason.as_str()),
        ("session.close", "alice", "logged out")
    );
    assert!(last.before.is_some() && last.outcome.as_ref().unwrap().after.is_some());

    let one = world("linked");
    one.access.add_user("alice", Role::Operator, &[], None, NOW).unwrap();
    let link = one.access.make_link("alice", NOW).unwrap();
    let by = request("POST", "/api/v1/session/link", None, Some(&json!({"secret": link.secret})));
    assert_eq!(send(&one, by).await.status(), StatusCode::CREATED);
    held(&one, "a link", "alice", "by a link", Made);
}
