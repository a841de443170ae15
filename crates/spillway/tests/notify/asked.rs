//! What somebody hears who tries a channel, or configures one that cannot work.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{Receiver, secret};
use crate::access::{call, done};
use crate::daemon::{Daemon, config};
use crate::support::{Scratch, spillway, stderr};

#[test]
fn notify_test_says_what_the_other_side_answered() {
    let scratch = Scratch::new("notify-test");
    let Some(far) = Receiver::start(&scratch) else { return };
    let more = format!(
        "[notify.good]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"${{file:{}}}\"\n[notify.bad]\nkind = \"slack\"\nurl = \"{}\"\n[notify.exec]\npath = \"/bin/true\"",
        far.url("/ok"),
        secret(&scratch),
        far.url("/gone")
    );
    let file = config(&scratch, "", &more);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let test = |name: &str| spillway(["notify", "test", name, "-c", &file, "-o", "json"]);
    let good = test("good");
    assert!(good.status.success(), "{}", stderr(&good));
    let said: Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!((&said["arrived"], &said["answer"]), (&Value::Bool(true), &Value::from("HTTP 200 ok")));
    let came = far.got("/ok").remove(0);
    assert_eq!(
        (&came["signed"], &came["wrong"], &came["body"]["test"]),
        (&true.into(), &"".into(), &true.into())
    );
    assert!(came["body"]["summary"].as_str().unwrap().starts_with("TEST"));
    let bad = test("bad");
    assert_eq!(bad.status.code(), Some(1));
    assert!(stderr(&bad).contains("HTTP 404 no_service"), "{}", stderr(&bad));
    assert!(!stderr(&bad).contains("/gone"), "the address may be a secret");
    let none = test("nope");
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("known: bad, good"), "{}", stderr(&none));
    assert!(stderr(&test("exec")).contains("is fixed and may ban"));

    // The same through the API, and who may.
    let daemon = Daemon::start(&file);
    let token = |name: &str, role: &str| {
        done(&["user", "add", name, "--role", role, "-c", &file]);
        done(&["token", "add", name, "-c", &file])["token"].as_str().unwrap().to_owned()
    };
    let (admin, operator) = (token("anna", "admin"), token("otto", "operator"));
    let ask = |verb: &str, path: &str, token: &str| {
        let why = (verb == "POST").then(|| serde_json::json!({"reason": "does it arrive?"}));
        let (status, _, body) =
            call(&daemon, verb, &format!("/api/v1/notifications{path}"), Some(token), why.as_ref());
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, listed) = ask("GET", "", &operator);
    assert_eq!(
        (status, &listed["items"][0]["name"], &listed["items"][1]["name"]),
        (200, &"bad".into(), &"good".into())
    );
    assert!(!listed.to_string().contains("/gone"), "{listed}");
    assert_eq!(ask("POST", "/good/test", &operator).0, 403);
    let (status, tried) = ask("POST", "/good/test", &admin);
    assert_eq!((status, &tried["arrived"], &tried["answer"]), (200, &true.into(), &"HTTP 200 ok".into()));
    let (status, tried) = ask("POST", "/bad/test", &admin);
    assert_eq!((status, &tried["arrived"]), (200, &false.into()));
    assert!(tried["answer"].as_str().unwrap().contains("HTTP 404 no_service"), "{tried}");
    assert_eq!(ask("POST", "/exec/test", &admin).0, 404);
}

#[test]
fn a_channel_that_cannot_work_is_refused_with_its_place_and_a_remedy() {
    let scratch = Scratch::new("notify-config");
    let open = scratch.file("open.secret", b"x");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (section, says) in [
        ("kind = \"webhook\"".to_owned(), "missing key `url`"),
        ("url = \"http://x/\"".to_owned(), "missing key `kind`"),
        ("kind = \"webhok\"".to_owned(), "did you mean `webhook`?"),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\nchat = \"1\"".to_owned(),
            "`chat` is not for this kind of channel",
        ),
        ("kind = \"webhook\"\nurl = \"ftp://h/\"".to_owned(), "neither https: nor http:"),
        ("kind = \"webhook\"\nurl = \"http://h/\"\nsecrt = \"x\"".to_owned(), "did you mean `secret`?"),
        (
            format!("kind = \"webhook\"\nurl = \"http://h/\"\nsecret = \"${{file:{open}}}\""),
            "readable by everybody (mode 0644)",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\nsecret = \"plain\"".to_owned(),
            "the file is readable by everybody",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\nsecret = \"${env:SPILLWAY_NONE}\"".to_owned(),
            "set the variable",
        ),
        ("kind = \"webhook\"\nurl = \"http://h/\"\nfallback = \"y\"".to_owned(), "there is no channel `y`"),
        ("kind = \"webhook\"\nurl = \"http://h/\"\nfallback = \"x\"".to_owned(), "leads back to it"),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\ncustomers = [\"c\"]".to_owned(),
            "there is no customer `c`",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\nca = \"/dev/null\"\n".to_owned() + "timeout = \"1h\"",
            "timeout is",
        ),
        ("kind = \"slack\"\nurl = \"${env:HOME}\"".to_owned(), "https://hooks"),
        ("kind = \"email\"\nserver = \"h\"\nfrom = \"a@b.c\"".to_owned(), "to is missing"),
        (
            "kind = \"email\"\ntls = \"none\"\nserver = \"h\"\nfrom = \"nobody\"\nto = [\"a@b.c\"]"
                .to_owned(),
            "is no mail address",
        ),
        (
            "kind = \"email\"\nserver = \"h\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nuser = \"u\"".to_owned(),
            "user and password go together",
        ),
        ("kind = \"syslog\"\ntarget = \"192.0.2.1\"".to_owned(), "is no place for syslog"),
        ("kind = \"exec\"\npath = \"/nothing\"".to_owned(), "is not a program"),
    ] {
        let file = config(&scratch, "", &format!("[notify.x]\n{section}"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let out = spillway(["check", "-c", &file]);
        let text = stderr(&out);
        assert!(!out.status.success() && text.contains(says), "{section}: {text}");
        assert!(text.contains("spillway.toml:"), "it has a place: {text}");
    }
}
