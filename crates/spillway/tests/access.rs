//! Who may do what with the real daemon: over HTTP, over TLS, and from the command line beside it.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

mod schema;
mod secured;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::daemon::{Daemon, config, wait};
use crate::support::{Scratch, spillway, stderr};

/// Sends one request over plain HTTP; status, headers and body.
pub(crate) fn call(
    daemon: &Daemon,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> (u16, String, String) {
    let address = daemon.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let (body, kind) =
        body.map_or((String::new(), ""), |body| (body.to_string(), "Content-Type: application/json\r\n"));
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{token}{kind}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

fn status(daemon: &Daemon, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> u16 {
    call(daemon, method, path, token, body).0
}

/// Runs a command that succeeds; its standard output as JSON.
pub(crate) fn done(args: &[&str]) -> Value {
    let out = spillway(args.iter().copied());
    assert!(out.status.success(), "{args:?}: {}", stderr(&out));
    serde_json::from_slice(&out.stdout).unwrap_or(Value::Null)
}

#[test]
fn the_first_administrator_is_told_once() {
    let scratch = Scratch::new("access-first");
    let config = config(&scratch, "", "");
    let daemon = Daemon::start(&config);
    daemon.signal("-TERM");
    let (_, said) = daemon.ended();
    let token = said.split("token ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(token.starts_with("spw_"), "{said}");
    let daemon = Daemon::start(&config);
    assert_eq!(status(&daemon, "GET", "/api/v1/users", Some(&token), None), 200);
    daemon.signal("-TERM");
    let (_, said) = daemon.ended();
    assert!(!said.contains("spw_"), "{said}");
}

#[test]
fn loopback_looks_on_and_changes_take_a_token_made_beside_the_daemon() {
    let scratch = Scratch::new("access-loopback");
    let config = config(&scratch, "", "");
    let daemon = Daemon::start(&config);
    let reason = json!({"reason": "trying"});
    assert_eq!(status(&daemon, "GET", "/api/v1/attacks", None, None), 200);
    assert_eq!(status(&daemon, "POST", "/api/v1/reload", None, Some(&reason)), 401);
    done(&["user", "add", "alice", "--role", "admin", "--reason", "the first day", "-c", &config]);
    let made = done(&["token", "add", "alice", "--label", "test", "-c", &config]);
    let token = made["token"].as_str().unwrap();
    assert_eq!(status(&daemon, "POST", "/api/v1/reload", Some(token), Some(&reason)), 200);
    // the reload let go of connections, and goes on with the same users
    let me = wait("the API", || {
        let (status, _, body) = call(&daemon, "GET", "/api/v1/me", Some(token), None);
        (status == 200).then_some(body)
    });
    assert_eq!(serde_json::from_str::<Value>(&me).unwrap()["name"], "alice");
    let trail = done(&["audit", "-o", "json", "-c", &config]);
    let actions: Vec<&str> =
        trail["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["configuration.reload", "token.add", "user.add", "daemon.start"]);
    assert_eq!(trail["items"][0]["reason"], "trying");
    assert_eq!(trail["items"][0]["outcome"]["done"], true);
    done(&["token", "revoke", made["id"].as_str().unwrap(), "-c", &config]);
    assert_eq!(status(&daemon, "GET", "/api/v1/me", Some(token), None), 401);
    let trail = done(&["audit", "--limit", "1", "-o", "json", "-c", &config]);
    let revoked = &trail["items"][0];
    assert_eq!(
        (&revoked["action"], &revoked["reason"]),
        (&json!("token.revoke"), &json!("by hand, on this machine"))
    );
    assert!(revoked["before"].as_str().unwrap().contains("\"alice\""), "{revoked}");
    let silent = spillway(["user", "remove", "alice", "--reason", " ", "-c", &config]);
    assert_eq!(silent.status.code(), Some(2), "{}", stderr(&silent));
    // what was asked for is in the ledger, and says nothing there
    let head = wait("the ledger", || {
        let (status, _, body) = call(&daemon, "GET", "/api/v1/ledger", None, None);
        let head: Value = serde_json::from_str(&body).ok()?;
        (status == 200).then_some(head)
    });
    let size = head["size"].as_u64().unwrap();
    let operation = wait("the entry", || {
        (0..size.max(2) + 2).find_map(|index| {
            let (status, _, body) = call(&daemon, "GET", &format!("/api/v1/ledger/{index}"), None, None);
            (status == 200 && body.contains("\"operation\"")).then_some(body)
        })
    });
    assert!(!operation.contains("alice") && !operation.contains("trying"), "{operation}");
}

#[test]
fn a_configuration_is_taken_through_the_api_or_the_old_one_stays() {
    let scratch = Scratch::new("access-configuration");
    let config = config(&scratch, "", "");
    let daemon = Daemon::start(&config);
    done(&["user", "add", "alice", "--role", "admin", "-c", &config]);
    let made = done(&["token", "add", "alice", "-c", &config]);
    let token = made["token"].as_str();
    let old = std::fs::read_to_string(&config).unwrap();
    let bad = json!({"toml": old.replace("[api]", "[apy]"), "reason": "a slip"});
    let (status, _, body) = call(&daemon, "PUT", "/api/v1/configuration", token, Some(&bad));
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("apy"), "{body}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), old);
    let checked =
        call(&daemon, "POST", "/api/v1/configuration/check", token, Some(&json!({"toml": bad["toml"]}))).2;
    assert_eq!(serde_json::from_str::<Value>(&checked).unwrap()["ok"], false);
    let program =
        json!({"toml": format!("{old}\n[notify.exec]\npath = \"/bin/true\"\n"), "reason": "a way in"});
    let (status, _, body) = call(&daemon, "PUT", "/api/v1/configuration", token, Some(&program));
    assert!(status == 409 && body.contains("notify.exec.path"), "{body}");
    let new = format!("mode = \"suggest\"\n{old}");
    let diff = call(&daemon, "POST", "/api/v1/configuration/diff", token, Some(&json!({"toml": new}))).2;
    assert_eq!(
        serde_json::from_str::<Value>(&diff).unwrap(),
        json!({"removed": [], "added": ["mode = \"suggest\""]})
    );
    let (status, _, body) = call(
        &daemon,
        "PUT",
        "/api/v1/configuration",
        token,
        Some(&json!({"toml": new, "reason": "next step"})),
    );
    assert_eq!(status, 200, "{body}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), new);
    wait("the audit trail", || {
        let trail = done(&["audit", "-o", "json", "-c", &config]);
        let last = &trail["items"][0];
        (last["action"] == "configuration.apply" && last["outcome"]["done"] == true).then_some(())
    });
}

#[test]
fn an_administrator_has_a_backup_made_and_nobody_else_does() {
    let scratch = Scratch::new("access-backup");
    let config = config(&scratch, "", "");
    let daemon = Daemon::start(&config);
    let token = |name: &str, role: &str| {
        done(&["user", "add", name, "--role", role, "-c", &config]);
        done(&["token", "add", name, "-c", &config])["token"].as_str().unwrap().to_owned()
    };
    let (admin, operator) = (token("alice", "admin"), token("bob", "operator"));
    let reason = json!({"reason": "before the upgrade"});
    assert_eq!(status(&daemon, "POST", "/api/v1/backup", None, Some(&reason)), 401);
    assert_eq!(status(&daemon, "POST", "/api/v1/backup", Some(&operator), Some(&reason)), 403);
    let mut files = Vec::new();
    for _ in 0..9 {
        let (status, _, body) = call(&daemon, "POST", "/api/v1/backup", Some(&admin), Some(&reason));
        assert_eq!(status, 200, "{body}");
        let made: Value = serde_json::from_str(&body).unwrap();
        files.push(made["file"].as_str().unwrap().to_owned());
    }
    assert_eq!(done(&["backup", "verify", files.last().unwrap()])["backup"]["keys"], false);
    assert!(files[0].starts_with(scratch.path("state/backups").to_str().unwrap()));
    let kept = std::fs::read_dir(scratch.path("state/backups")).unwrap().count();
    assert_eq!((kept, std::path::Path::new(&files[0]).exists()), (8, false), "the oldest go");
    let trail = done(&["audit", "-o", "json", "-c", &config]);
    assert_eq!(
        (&trail["items"][0]["action"], &trail["items"][0]["actor"]),
        (&json!("backup.create"), &json!("alice"))
    );
}

#[test]
fn starts_reloads_signals_and_ends_stand_in_the_trail_and_in_the_ledger() {
    let scratch = Scratch::new("access-lifecycle");
    let file = config(&scratch, "mode = \"suggest\"", "");
    let same = scratch.file("same.toml", std::fs::read_to_string(&file).unwrap().as_bytes());
    let trail = || {
        let trail = done(&["audit", "-o", "json", "-c", &same]);
        trail["items"].as_array().unwrap().clone()
    };
    let side = |line: &Value, key: &str| -> Value {
        let text = line.pointer(key).and_then(Value::as_str).unwrap_or_else(|| panic!("no {key} in {line}"));
        serde_json::from_str(text).unwrap()
    };
    let daemon = Daemon::start(&file);
    // by hand, with who and why
    let text = std::fs::read_to_string(&file).unwrap();
    scratch.file("spillway.toml", text.replace("\"suggest\"", "\"observe\"").as_bytes());
    done(&["control", "reload", "--as", "alice", "--reason", "ticket 12", "-c", &file]);
    wait("the API", || {
        TcpStream::connect(daemon.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap()).ok()
    });
    // by a signal, and refused
    scratch.file("spillway.toml", text.replace("networks", "netwroks").as_bytes());
    daemon.signal("-HUP");
    let last = |action: &str| {
        (trail()[0]["action"] == action && trail()[0]["outcome"]["done"].is_boolean()).then_some(())
    };
    wait("the refusal", || last("configuration.reload").filter(|()| trail().len() == 3));
    // what follows reads the configuration, too
    scratch.file("spillway.toml", text.as_bytes());
    daemon.signal("-USR2");
    wait("the panic", || last("panic"));
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    let daemon = Daemon::start(&file);
    done(&["control", "shutdown", "-c", &file]);
    assert_eq!(daemon.ended().0, Some(0));
    let lines = trail();
    let told: Vec<(&str, &str, &str)> = lines
        .iter()
        .map(|line| {
            let word = |key: &str| line[key].as_str().unwrap();
            (word("action"), word("actor").split(' ').next().unwrap(), word("reason"))
        })
        .collect();
    let me = told[6].1;
    assert_eq!(
        told,
        [
            ("daemon.stop", me, "`spillway control shutdown`"),
            ("daemon.start", me, "`spillway run`"),
            ("daemon.stop", "a", "SIGTERM"),
            ("panic", "a", "SIGUSR2"),
            ("configuration.reload", "a", "SIGHUP"),
            ("configuration.reload", "alice", "ticket 12"),
            ("daemon.start", me, "`spillway run`"),
        ]
    );
    for line in &lines {
        assert!(line["before"].is_string(), "{line}");
        assert!(
            line.pointer("/outcome/after").is_some_and(Value::is_string) || line["outcome"]["done"] == false,
            "{line}"
        );
    }
    let (taken, refused) = (&lines[5], &lines[4]);
    assert_eq!(side(taken, "/before")["keys"]["mode"], "\"suggest\"");
    assert_eq!(side(taken, "/outcome/after")["keys"]["mode"], "\"observe\"");
    assert!(refused["outcome"]["said"].as_str().unwrap().contains("netwroks"), "{refused}");
    assert_eq!(side(&lines[1], "/outcome/after")["mode"], "suggest");
    // in the ledger, too, an operation for each
    let out = spillway(["ledger", "report", "-o", "json", "-c", &file]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let halves = report["halves"].as_array().unwrap().iter();
    let operations: u64 = halves.filter_map(|half| half["decisions"]["operation"].as_u64()).sum();
    assert_eq!(operations, 7, "{report}");
}

#[test]
fn roles_are_one_table() {
    let matrix = done(&["roles", "-o", "json"]);
    let lines = matrix["items"].as_array().unwrap();
    let of = |permission: &str| {
        lines.iter().find(|line| line["permission"] == permission).unwrap()["roles"].clone()
    };
    assert_eq!(of("mitigate"), json!(["operator", "admin"]));
    assert_eq!(of("see-evidence"), json!(["admin", "evidence-officer"]));
    let shown = spillway(["roles", "-o", "text"]);
    assert_eq!(String::from_utf8(shown.stdout).unwrap().lines().count(), lines.len() + 1);
}

#[test]
fn mistakes_about_users_are_told_in_one_line() {
    let scratch = Scratch::new("access-mistakes");
    let config = config(&scratch, "", "");
    let early = spillway(["user", "list", "-c", &config]);
    assert!(stderr(&early).contains("`spillway run` makes it"), "{}", stderr(&early));
    std::fs::create_dir_all(scratch.path("state")).unwrap();
    for (args, said) in [
        (vec!["user", "add", "Bob", "--role", "viewer"], "begins with a letter"),
        (vec!["user", "add", "bob", "--role", "customer"], "name at least one"),
        (vec!["user", "add", "bob", "--role", "boss"], "is no role"),
        (vec!["user", "add", "bob", "--role", "viewer", "--prefix", "192.0.2.0/24"], "only a customer"),
        (vec!["user", "remove", "bob"], "no user bob"),
        (vec!["token", "add", "bob"], "no user bob"),
        (vec!["token", "revoke", "bob"], "no token bob"),
        (vec!["user", "add", "acme", "--role", "customer", "--customer", "acme"], "[customers.acme]"),
    ] {
        let out = spillway(args.iter().copied().chain(["-c", config.as_str()]));
        let error = stderr(&out);
        assert!(
            !out.status.success() && error.contains(said) && error.trim().lines().count() == 1,
            "{args:?}: {error}"
        );
    }
}
