//! Who reaches what: the matrix against the OpenAPI document, sessions, the audit trail.

use ::access::{Issue, Permission, Role};
use api::{Live, Settings};
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use store::Writer;
use tower::ServiceExt as _;

use crate::world::{Folder, NOW, World};

pub(crate) const STRICT: Settings =
    Settings { anonymous: false, local: true, requests_per_second: 1_000_000 };

pub(crate) fn world(name: &str, settings: Settings) -> World {
    let folder = Folder::new(name);
    let writer = Writer::open(&folder.0).unwrap();
    World::of(folder, writer, Live::default(), settings, true)
}

/// A user of this role with a token.
pub(crate) fn token(world: &World, name: &str, role: Role, prefixes: &[&str]) -> String {
    let prefixes: Vec<_> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
    world.access.add_user(name, role, &prefixes, None, NOW).unwrap();
    world.access.issue(&Issue { user: name.into(), ..Issue::default() }, NOW).unwrap().secret
}

fn of_role(world: &World, role: Role) -> String {
    let prefixes: &[&str] = if role == Role::Customer { &["198.18.1.0/24"] } else { &[] };
    token(world, role.name(), role, prefixes)
}

pub(crate) async fn send(world: &World, request: Request<Body>) -> Response<Body> {
    world.router.clone().oneshot(request).await.unwrap()
}

pub(crate) async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 24).await.unwrap().to_vec()).unwrap()
}

pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    match body {
        None => request.body(Body::empty()).unwrap(),
        Some(body) => {
            request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
        }
    }
}

pub(crate) async fn call(
    world: &World,
    method: &str,
    path: &str,
    token: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let response = send(world, request(method, path, Some(token), body.as_ref())).await;
    let status = response.status();
    let text = text(response).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Method and path of everything that the OpenAPI document has.
pub(crate) fn documented() -> Vec<(String, String)> {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = |(path, item): (&String, &Value)| {
        let verbs: Vec<_> = item.as_object().unwrap().keys().map(|verb| verb.to_uppercase()).collect();
        verbs.into_iter().map(|verb| (verb, path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(operations).collect()
}

#[test]
fn every_documented_endpoint_is_in_the_matrix_and_the_other_way_round() {
    let mut matrix: Vec<_> =
        api::endpoints().map(|(verb, path, _)| (verb.to_owned(), path.to_owned())).collect();
    // the document itself, files of the dashboard, and pages of the manual
    matrix.retain(|(_, path)| {
        !["/api/v1/openapi.json", "/", "/assets/{name}"].contains(&path.as_str())
            && !path.starts_with("/manual/")
    });
    let mut documented = documented();
    matrix.sort();
    documented.sort();
    assert_eq!(matrix, documented);
}

#[tokio::test]
async fn each_role_reaches_what_the_matrix_says_and_nothing_else() {
    let world = world("matrix", STRICT);
    let tokens: Vec<_> = Role::ALL.into_iter().map(|role| (role, of_role(&world, role))).collect();
    let mut refused = 0;
    for (verb, path, permission) in api::endpoints() {
        let at = path
            .replace("{id}", "404")
            .replace("{name}", "nobody")
            .replace("{*page}", "introduction")
            .replace("{index}", "404");
        let stranger = send(&world, request(verb, &at, None, None)).await.status();
        assert_eq!(
            stranger == StatusCode::UNAUTHORIZED,
            permission != Permission::Public,
            "{verb} {at}: {stranger}"
        );
        let liar = send(&world, request(verb, &at, Some("spw_0_0"), None)).await.status();
        assert_eq!(liar == StatusCode::UNAUTHORIZED, permission != Permission::Public, "{verb} {at}: {liar}");
        for (role, token) in &tokens {
            let status = send(&world, request(verb, &at, Some(token), None)).await.status();
            let kept_out = status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
            assert_eq!(kept_out, !role.may(permission), "{role}: {verb} {at}: {status}");
            refused += usize::from(kept_out);
        }
    }
    assert!(refused > 50, "{refused}");
    let asked = world.hands.asked.lock().unwrap();
    assert!(asked.iter().all(|(_, order)| !order.is_object() || order.get("history").is_some()), "{asked:?}");
}

#[tokio::test]
async fn without_credentials_loopback_looks_on_and_nothing_else() {
    let world = world("anonymous", Settings { anonymous: true, ..STRICT });
    for (verb, path, permission) in api::endpoints() {
        let at = path
            .replace("{id}", "404")
            .replace("{name}", "nobody")
            .replace("{*page}", "introduction")
            .replace("{index}", "404");
        let status = send(&world, request(verb, &at, None, None)).await.status();
        let may = Role::Viewer.may(permission) && permission != Permission::Own;
        assert_eq!(status == StatusCode::UNAUTHORIZED, !may, "{verb} {at}: {status}");
    }
    // a proxy on this machine speaks for anybody, and another machine is not this one
    let proxied =
        Request::get("/api/v1/attacks").header("x-forwarded-for", "203.0.113.7").body(Body::empty()).unwrap();
    assert_eq!(send(&world, proxied).await.status(), StatusCode::UNAUTHORIZED);
    let mut remote = request("GET", "/api/v1/attacks", None, None);
    remote.extensions_mut().insert(api::Peer("203.0.113.7".parse().unwrap()));
    assert_eq!(send(&world, remote).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_change_stands_in_the_audit_trail_and_in_the_ledger() {
    let world = world("audited", STRICT);
    let (operator, admin) = (of_role(&world, Role::Operator), of_role(&world, Role::Admin));
    let wanted = json!({"class": "blackhole", "what": "198.18.1.1/32", "reason": "a flood"});
    let (status, made) = call(&world, "POST", "/api/v1/mitigations", &operator, Some(wanted)).await;
    assert_eq!((status, &made["id"]), (StatusCode::CREATED, &json!(7)));
    let why = || Some(json!({"reason": "enough"}));
    assert_eq!(
        call(&world, "POST", "/api/v1/mitigations/404/withdraw", &operator, why()).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, trail) = call(&world, "GET", "/api/v1/audit", &admin, None).await;
    assert_eq!(status, StatusCode::OK);
    let shown: Vec<_> = trail["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (
                line["actor"].clone(),
                line["role"].clone(),
                line["action"].clone(),
                line["reason"].clone(),
                line["done"].clone(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                json!("operator"),
                json!("operator"),
                json!("mitigation.withdraw"),
                json!("enough"),
                json!(false)
            ),
            (
                json!("operator"),
                json!("operator"),
                json!("mitigation.announce"),
                json!("a flood"),
                json!(true)
            ),
        ]
    );
    assert_eq!(trail["items"][1]["after"]["id"], 7);
    let noted = world.hands.noted.lock().unwrap();
    assert_eq!(noted.iter().map(|noted| noted.done).collect::<Vec<_>>(), [true, false]);
    assert_eq!(noted[0].about, Some("198.18.1.1/32".parse().unwrap()));
}

#[tokio::test]
async fn nothing_dangerous_is_done_without_a_reason() {
    let world = world("reasons", STRICT);
    let admin = of_role(&world, Role::Admin);
    let document = serde_json::to_value(api::openapi()).unwrap();
    let mut asked = 0;
    for (verb, path) in documented() {
        let body = document.pointer(&format!(
            "/paths/{}/{}/requestBody/content/application~1json/schema/$ref",
            path.replace('/', "~1"),
            verb.to_lowercase()
        ));
        let Some(schema) = body.and_then(Value::as_str) else { continue };
        let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
        if schema["properties"].get("reason").is_none() {
            continue;
        }
        assert!(schema["required"].as_array().unwrap().contains(&json!("reason")), "{verb} {path}");
        let at = path.replace("{id}", "1").replace("{name}", "nobody");
        for body in [json!({}), json!({"reason": ""}), json!({"reason": "  "}), json!({"reason": "a\nb"})] {
            let (status, _) = call(&world, &verb, &at, &admin, Some(body.clone())).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{verb} {at} {body}");
        }
        asked += 1;
    }
    assert!(asked >= 15, "{asked}");
    // what is taken away has no body: the reason stands behind the question mark
    for at in ["/api/v1/users/viewer", "/api/v1/tokens/0"] {
        for query in ["", "?reason=", "?reason=%20", "?reason=a%0Ab"] {
            let (status, _) = call(&world, "DELETE", &format!("{at}{query}"), &admin, None).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{at}{query}");
        }
    }
    assert!(world.hands.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_and_what_is_taken_away_stands_in_the_trail_with_why_and_what_was() {
    let world = world("taken-away", STRICT);
    let admin = of_role(&world, Role::Admin);
    token(&world, "olga", Role::Operator, &[]);
    let wanted = json!({"user": "olga", "label": "laptop", "reason": "she asked"});
    let (_, made) = call(&world, "POST", "/api/v1/tokens", &admin, Some(wanted)).await;
    let gone = format!("/api/v1/tokens/{}?reason=it%20was%20lost", made["id"].as_str().unwrap());
    assert_eq!(call(&world, "DELETE", &gone, &admin, None).await.0, StatusCode::NO_CONTENT);
    let gone = "/api/v1/users/olga?reason=she%20left";
    assert_eq!(call(&world, "DELETE", gone, &admin, None).await.0, StatusCode::NO_CONTENT);
    let mode = json!({"prefix": "198.18.1.0/24", "mode": "suggest", "reason": "a week is over"});
    assert_eq!(call(&world, "POST", "/api/v1/targets/mode", &admin, Some(mode)).await.0, StatusCode::OK);
    let (_, trail) = call(&world, "GET", "/api/v1/audit", &admin, None).await;
    let of = |action: &str| {
        trail["items"].as_array().unwrap().iter().find(|line| line["action"] == action).unwrap().clone()
    };
    assert_eq!(of("token.add")["reason"], "she asked");
    let revoked = of("token.revoke");
    assert_eq!((&revoked["reason"], &revoked["before"]["user"]), (&json!("it was lost"), &json!("olga")));
    assert_eq!(revoked["before"]["label"], "laptop");
    let removed = of("user.remove");
    assert_eq!((&removed["reason"], &removed["before"]["role"]), (&json!("she left"), &json!("operator")));
    assert_eq!(of("target.mode")["before"]["kind"], "before", "as the desk said");
}

#[tokio::test]
async fn a_session_changes_things_only_with_its_word() {
    let world = world("sessions", STRICT);
    world.access.add_user("alice", Role::Operator, &[], Some("correct horse battery"), NOW).unwrap();
    let login = |password: &str| {
        request("POST", "/api/v1/session", None, Some(&json!({"user": "alice", "password": password})))
    };
    assert_eq!(send(&world, login("wrong horse battery")).await.status(), StatusCode::UNAUTHORIZED);
    let opened = send(&world, login("correct horse battery")).await;
    assert_eq!(opened.status(), StatusCode::CREATED);
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let csrf =
        serde_json::from_str::<Value>(&text(opened).await).unwrap()["csrf"].as_str().unwrap().to_owned();
    let ask = |verb: &str, path: &str, word: Option<&str>| {
        let mut request = request(verb, path, None, Some(&json!({"reason": "why"})));
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        if let Some(word) = word {
            request.headers_mut().insert("x-spillway-csrf", word.parse().unwrap());
        }
        request
    };
    assert_eq!(send(&world, ask("GET", "/api/v1/me", None)).await.status(), StatusCode::OK);
    for word in [None, Some("wrong")] {
        assert_eq!(send(&world, ask("POST", "/api/v1/panic", word)).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(send(&world, ask("POST", "/api/v1/panic", Some(&csrf))).await.status(), StatusCode::OK);
    assert_eq!(
        send(&world, ask("DELETE", "/api/v1/session", Some(&csrf))).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(send(&world, ask("GET", "/api/v1/me", None)).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_guesses_waits() {
    let world = world("guesses", STRICT);
    let guess = |user: &str| {
        request(
            "POST",
            "/api/v1/session",
            None,
            Some(&json!({"user": user, "password": "correct horse battery"})),
        )
    };
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(send(&world, guess("nobody")).await.status().as_u16());
    }
    assert_eq!(seen, [401, 401, 401, 401, 429, 429]);
    let waits = send(&world, guess("nobody")).await;
    assert!(waits.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_narrowed_token_makes_no_wider_one() {
    let world = world("narrowed", STRICT);
    of_role(&world, Role::Admin);
    let issue = Issue { user: "admin".into(), role: Some(Role::Viewer), ..Issue::default() };
    let narrow = world.access.issue(&issue, NOW).unwrap().secret;
    let (status, _) = call(&world, "POST", "/api/v1/tokens", &narrow, Some(json!({"reason": "more"}))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let new = json!({"password": "correct horse battery", "reason": "more"});
    assert_eq!(call(&world, "PUT", "/api/v1/me/password", &narrow, Some(new)).await.0, StatusCode::FORBIDDEN);
    let operator = of_role(&world, Role::Operator);
    let others = json!({"user": "admin", "reason": "more"});
    let (status, _) = call(&world, "POST", "/api/v1/tokens", &operator, Some(others)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "of others");
    let own = json!({"expires_in": 60, "reason": "a script"});
    let (status, made) = call(&world, "POST", "/api/v1/tokens", &operator, Some(own)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, listed) = call(&world, "GET", "/api/v1/tokens", &operator, None).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(made["token"].as_str().unwrap().rsplit('_').next().unwrap()));
}

#[tokio::test]
async fn each_token_has_its_own_rate() {
    let world = world("rates", Settings { requests_per_second: 5, ..STRICT });
    let (first, second) = (of_role(&world, Role::Viewer), of_role(&world, Role::Operator));
    let mut taken = 0;
    for _ in 0..30 {
        taken += usize::from(call(&world, "GET", "/api/v1/rules", &first, None).await.0 == StatusCode::OK);
    }
    assert_eq!(taken, 10);
    assert_eq!(call(&world, "GET", "/api/v1/rules", &first, None).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(call(&world, "GET", "/api/v1/rules", &second, None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_forbids_scripts_and_frames() {
    let world = world("headers", STRICT);
    for path in ["/healthz", "/nothing", "/api/v1/attacks", "/api/v1/openapi.json"] {
        let response = send(&world, request("GET", path, None, None)).await;
        let csp = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}

#[tokio::test]
async fn too_much_and_the_wrong_kind_are_refused() {
    let world = world("bodies", STRICT);
    let admin = of_role(&world, Role::Admin);
    let mut plain = request("POST", "/api/v1/panic", Some(&admin), Some(&json!({"reason": "x"})));
    plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(send(&world, plain).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = json!({"toml": "x".repeat(2 << 20)});
    let status = call(&world, "POST", "/api/v1/configuration/check", &admin, Some(long)).await.0;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let odd = json!({"reason": "x", "more": 1});
    assert_eq!(call(&world, "POST", "/api/v1/panic", &admin, Some(odd)).await.0, StatusCode::BAD_REQUEST);
    let patched = send(&world, request("PATCH", "/api/v1/panic", Some(&admin), None)).await;
    assert_eq!(
        (patched.status(), &patched.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
}

/// `SPILLWAY_BLESS=1` writes it anew; the difference is for the reviewer.
#[test]
fn the_openapi_document_is_the_one_that_is_checked_in() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let now = serde_json::to_string_pretty(&api::openapi()).unwrap() + "\n";
    if std::env::var_os("SPILLWAY_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(now == kept, "the API changed: run this test with SPILLWAY_BLESS=1 and look at the difference");
}
