//! Notifications from the real daemon to real far ends: a Python program that checks signatures by its own `hmac` and documents by
//! their schema, a mail server, sockets for syslog; and far ends that are dead, that hang, that come back.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

mod amiss;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base::Timestamp;
use serde_json::Value;
use store::{EventRow, Outbox};

use crate::access::{call, done};
use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::{Scratch, spillway, stderr};

const SECRET: &str = "correct horse battery staple";

/// The far ends; dropping ends them.
struct Receiver {
    child: Child,
    kept: PathBuf,
    ports: Value,
}

impl Receiver {
    /// `None`, said aloud: Python's packages are not there.
    fn start(scratch: &Scratch) -> Option<Self> {
        Self::start_with(scratch, &[])
    }

    /// Likewise, with a certificate and its key for mail.
    fn start_with(scratch: &Scratch, more: &[&str]) -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../../.venv/bin/python");
        if !python.exists() {
            let what = "skipped: needs .venv; `scripts/setup python` makes it";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
            eprintln!("{what}");
            return None;
        }
        let schema = spillway(["notify", "schema"]);
        let schema = scratch.file("schema.json", &schema.stdout);
        let kept = PathBuf::from(scratch.file("received.jsonl", b""));
        let mut child = Command::new(python)
            .arg(here.join("tests/notify/receiver.py"))
            .args([kept.to_str().unwrap(), SECRET, &schema])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, kept, ports: serde_json::from_str(&line).unwrap() })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports["http"])
    }

    /// What came to a path, or by mail.
    fn got(&self, path: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.kept).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let all = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|one| one["path"] == path || one["kind"] == path).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that keeps what it got.
fn program(scratch: &Scratch) -> (String, PathBuf) {
    let kept = scratch.path("program.json");
    let text = format!("#!/bin/sh\ncat > {0}.tmp && mv {0}.tmp {0}\n", kept.display());
    let path = scratch.file("tell.sh", text.as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (path, kept)
}

fn secret(scratch: &Scratch) -> String {
    let path = scratch.file("noc.secret", format!("{SECRET}\n").as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// An event that waits for a channel.
fn event(channel: &str, id: usize) -> EventRow {
    let at = Timestamp::from_secs(1_700_000_000);
    let document =
        serde_json::json!({ "kind": "attack_started", "at": at, "attack": null, "note": format!("{id}") });
    EventRow {
        channel: channel.to_owned(),
        at,
        rank: 2,
        document: document.to_string(),
        ..EventRow::default()
    }
}

#[test]
fn every_channel_tells_of_an_attack_in_one_schema() {
    let scratch = Scratch::new("notify-all");
    let Some(far) = Receiver::start(&scratch) else { return };
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = scratch.path("log.sock");
    let unix = UnixDatagram::bind(&here).unwrap();
    let (tell, told) = program(&scratch);
    let more = format!(
        r#"
[notify.hook]
kind = "webhook"
url = "{hook}"
secret = "${{file:{secret}}}"
group_wait = "100ms"
[notify.chat]
kind = "slack"
url = "${{file:{url}}}"
group_wait = "100ms"
[notify.bot]
kind = "telegram"
endpoint = "{root}"
token = "${{file:{token}}}"
chat = "-100"
group_wait = "100ms"
[notify.mail]
kind = "email"
server = "127.0.0.1"
port = {smtp}
tls = "none"
from = "spillway@example.net"
to = ["noc@example.net", "boss@example.net"]
group_wait = "100ms"
[notify.udp]
kind = "syslog"
target = "udp://{udp}"
format = "json"
group_wait = "100ms"
[notify.tcp]
kind = "syslog"
target = "tcp://{tcp}"
group_wait = "100ms"
[notify.unix]
kind = "syslog"
target = "unix://{here}"
facility = "daemon"
group_wait = "100ms"
[notify.tell]
kind = "exec"
path = "{tell}"
group_wait = "100ms"
[notify.others]
kind = "webhook"
url = "{others}"
prefixes = ["198.18.99.0/24"]
group_wait = "100ms"
[customers."seven"]
networks = ["198.18.7.0/24"]
[log]
format = "json"
"#,
        hook = far.url("/ok"),
        secret = secret(&scratch),
        url = closed(&scratch, "slack.url", &far.url("/slack")),
        root = far.url(""),
        token = closed(&scratch, "bot.token", "T"),
        smtp = far.ports["smtp"],
        udp = udp.local_addr().unwrap(),
        tcp = tcp.local_addr().unwrap(),
        here = here.display(),
        others = far.url("/others"),
    );
    let daemon = Daemon::start(&config(&scratch, "", &more));
    let attack = attacked(&daemon);
    let (id, came) =
        (attack["id"].as_str().unwrap(), |path: &str| wait(path, || far.got(path).into_iter().next()));

    let hook = came("/ok");
    assert_eq!((&hook["signed"], &hook["wrong"]), (&Value::Bool(true), &Value::from("")), "{hook}");
    let (body, first) = (&hook["body"], &hook["body"]["events"][0]);
    assert_eq!((&body["schema"], &body["id"]), (&Value::from("spillway.notification/1"), &hook["id"]));
    assert_eq!((first["kind"].as_str(), first["attack"]["id"].as_str()), (Some("attack_started"), Some(id)));
    assert_eq!(first["attack"]["customers"], serde_json::json!(["seven"]));
    assert_eq!(first["attack"]["target"], "198.18.7.7/32");

    let says =
        |text: &Value| text.as_str().unwrap().starts_with("attack started: tcp-syn-flood on 198.18.7.7/32");
    assert!(says(&came("/slack")["body"]["text"]));
    let bot = came("/botT/sendMessage");
    assert!(says(&bot["body"]["text"]) && bot["body"]["chat_id"] == "-100");
    let mail = came("mail");
    assert_eq!(mail["wrong"], "");
    assert_eq!(mail["rcpt"], serde_json::json!(["noc@example.net", "boss@example.net"]));
    assert_eq!(mail["id"], format!("<{}@example.net>", mail["body"]["id"].as_str().unwrap()));
    assert!(mail["subject"].as_str().unwrap().starts_with("[spillway] attack started"), "{mail}");

    let mut octets = [0; 65_536];
    let count = udp.recv(&mut octets).unwrap();
    let line = String::from_utf8_lossy(&octets[..count]).into_owned();
    assert!(line.starts_with("<130>1 20"), "{line}");
    let json: Value = serde_json::from_str(line.split_once("] ").unwrap().1).unwrap();
    assert_eq!(json["events"][0]["attack"]["id"], id);
    let mut line = String::new();
    tcp.accept().unwrap().0.read_to_string(&mut line).unwrap();
    let (length, line) = line.split_once(' ').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), line.len());
    assert!(line.contains(&format!("attack_id=\"{id}\"")) && line.contains("] attack started: "), "{line}");
    let count = unix.recv(&mut octets).unwrap();
    assert!(String::from_utf8_lossy(&octets[..count]).starts_with("<26>1 "));

    let told: Value = wait("the program", || serde_json::from_slice(&std::fs::read(&told).ok()?).ok());
    assert_eq!(told["events"][0]["attack"]["id"], id);
    wait("all of it to be counted", || {
        let (_, text) = daemon.get("/metrics");
        let sent = |channel: &str| {
            text.contains(&format!("spillway_notifications_total{{channel=\"{channel}\",result=\"sent\"}} 1"))
        };
        ["hook", "chat", "bot", "mail", "udp", "tcp", "unix", "tell"]
            .iter()
            .all(|one| sent(one))
            .then_some(())
    });
    assert!(far.got("/others").is_empty(), "it is not about them");

    // Each line of the log that speaks of the attack says so in a field.
    daemon.signal("-TERM");
    let (_, log) = daemon.ended();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &'static str| lines.iter().filter(move |line| line["message"] == message);
    assert_eq!(of("attack").next().unwrap()["attack_id"], id);
    assert!(of("notified").count() >= 8 && of("notified").all(|line| line["attack_id"] == id));
    assert!(
        !log.contains(SECRET) && !log.contains("/slack") && !log.contains("botT"),
        "no secret in the log"
    );
}

/// A file that its owner alone reads.
fn closed(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.file(name, text.as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn dead_and_silent_endpoints_hold_up_nobody_and_the_second_path_takes_over() {
    let scratch = Scratch::new("notify-dead");
    let Some(far) = Receiver::start(&scratch) else { return };
    // Takes connections and never says a word; its queue is short, so that later ones are not even taken.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!(
        r#"
[notify.a-hole]
kind = "webhook"
url = "http://{hole}/"
timeout = "60s"
group_wait = "0s"
[notify.b-gone]
kind = "webhook"
url = "http://{gone}/"
group_wait = "0s"
retry = "50ms"
fallback = "d-second"
fallback_after = "500ms"
[notify.c-good]
kind = "webhook"
url = "{good}"
group_wait = "0s"
[notify.d-second]
kind = "webhook"
url = "{second}"
severity = "attack"
prefixes = ["198.18.99.0/24"]
"#,
        hole = hole.local_addr().unwrap(),
        good = far.url("/ok"),
        second = far.url("/second"),
    );
    let daemon = Daemon::start(&config(&scratch, "", &more));
    attacked(&daemon);
    let good = wait("the good channel", || far.got("/ok").into_iter().next());
    let second = wait("the second path", || far.got("/second").into_iter().next());
    assert_eq!(second["body"]["channel"], "b-gone");
    assert_eq!(second["body"]["events"][0]["attack"]["id"], good["body"]["events"][0]["attack"]["id"]);
    let count = |channel: &str, result: &str| {
        let (_, text) = daemon.get("/metrics");
        let head = format!("spillway_notifications_total{{channel=\"{channel}\",result=\"{result}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&head)?.parse::<u64>().ok()).unwrap()
    };
    wait("the counters", || (count("b-gone", "handed_over") == 1).then_some(()));
    assert!(count("b-gone", "failed") >= 2);
    assert_eq!((count("a-hole", "sent"), count("a-hole", "failed")), (0, 0), "it still hangs");
    wait("what hangs to be shown", || (daemon.sum("spillway_notifications_waiting") == 1.0).then_some(()));
    let file = scratch.path("spillway.toml");
    let listed = spillway(["notify", "list", "-c", file.to_str().unwrap(), "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["waiting"]), (&Value::from("a-hole"), &Value::from(1)));
    // What hangs does not hold up the end either.
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
}

#[test]
fn kill_9_before_the_acknowledgement_sends_again_under_the_same_id() {
    let scratch = Scratch::new("notify-kill");
    let Some(far) = Receiver::start(&scratch) else { return };
    let hook = |path: &str| {
        format!(
            "[notify.hook]\nkind = \"webhook\"\nurl = \"{}\"\ngroup_wait = \"0s\"\nsecret = \"${{file:{}}}\"",
            far.url(path),
            secret(&scratch)
        )
    };
    let daemon = Daemon::start(&config(&scratch, "", &hook("/slow")));
    let attack = attacked(&daemon);
    let first = wait("the first attempt", || far.got("/slow").into_iter().next());
    daemon.signal("-KILL");
    let _ = daemon.ended();
    let daemon = Daemon::start(&config(&scratch, "", &hook("/ok")));
    let again = wait("the second attempt", || far.got("/ok").into_iter().next());
    assert_eq!(again["id"], first["id"]);
    assert_eq!(again["body"], first["body"], "octet by octet, but for the time in the signature");
    assert_eq!(again["body"]["events"][0]["attack"]["id"], attack["id"]);
    wait("the count", || {
        let (_, text) = daemon.get("/metrics");
        text.contains("spillway_notifications_total{channel=\"hook\",result=\"sent\"} 1").then_some(())
    });
}

#[test]
fn a_full_outbox_survives_a_restart_and_arrives_in_order() {
    let scratch = Scratch::new("notify-outbox");
    let Some(far) = Receiver::start(&scratch) else { return };
    let file = config(
        &scratch,
        "",
        &format!("[notify.hook]\nkind = \"webhook\"\nurl = \"{}\"\nqueue_max = 500", far.url("/ok")),
    );
    let state = scratch.path("state");
    std::fs::create_dir_all(&state).unwrap();
    let events: Vec<EventRow> = (0..500).map(|id| event("hook", id)).collect();
    let caps = [("hook".to_owned(), 500)].into();
    assert!(Outbox::open(&state).unwrap().put(&events, &[], &[], &caps).unwrap().is_empty());
    // Ended twice on the way.
    for signal in ["-KILL", "-TERM"] {
        let daemon = Daemon::start(&file);
        let before = far.got("/ok").len();
        wait("some of it", || (far.got("/ok").len() > before).then_some(()));
        daemon.signal(signal);
        let _ = daemon.ended();
    }
    let _daemon = Daemon::start(&file);
    let mut ids = Vec::new();
    let told = wait("all of it", || {
        ids.clear();
        let mut told = Vec::new();
        for one in far.got("/ok") {
            // At least once: who has seen an id need not look again.
            if !ids.contains(&one["id"]) {
                ids.push(one["id"].clone());
                told.extend(
                    one["body"]["events"].as_array().unwrap().iter().map(|event| event["note"].clone()),
                );
            }
        }
        (told.len() >= 500).then_some(told)
    });
    assert_eq!(told, (0..500).map(|id| Value::from(format!("{id}"))).collect::<Vec<_>>());
    assert_eq!(ids.len(), 10, "fifty at a time");
}

#[test]
fn a_locked_outbox_stops_no_detection_and_is_caught_up_with() {
    let scratch = Scratch::new("notify-locked");
    let Some(far) = Receiver::start(&scratch) else { return };
    let hook =
        format!("[notify.hook]\nkind = \"webhook\"\nurl = \"{}\"\ngroup_wait = \"0s\"", far.url("/ok"));
    let daemon = Daemon::start(&config(&scratch, "", &hook));
    let lock = Command::new("python3")
        .args(["-c", "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\nd.execute('BEGIN EXCLUSIVE')\nprint('locked',flush=True)\nsys.stdin.read()"])
        .arg(scratch.path("state").join("notify.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut lock = lock.unwrap();
    let mut line = String::new();
    BufReader::new(lock.stdout.take().unwrap()).read_line(&mut line).unwrap();
    attacked(&daemon);
    std::thread::sleep(Duration::from_millis(500));
    assert!(far.got("/ok").is_empty(), "nothing is sent that is not written down");
    drop(lock.stdin.take());
    lock.wait().unwrap();
    let came = wait("what waited", || far.got("/ok").into_iter().next());
    assert_eq!(came["body"]["events"][0]["kind"], "attack_started");
}

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

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let scratch = Scratch::new("notify-tls");
    let (key, certificate) = (scratch.path("key.pem"), scratch.path("cert.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|out| out.status.success()) {
        let what = "skipped: needs openssl; `scripts/setup python` installs it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        return eprintln!("{what}");
    }
    let serve = "import http.server,ssl,sys\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_POST(s):\n    s.rfile.read(int(s.headers['Content-Length'])); s.send_response(204); s.end_headers()\n  def log_message(*_): pass\nh=http.server.ThreadingHTTPServer(('127.0.0.1',0),H)\nc=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1],sys.argv[2])\nh.socket=c.wrap_socket(h.socket,server_side=True)\nprint(h.server_address[1],flush=True)\nh.serve_forever()";
    let mut server = Command::new("python3")
        .args(["-c", serve])
        .args([&certificate, &key])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let hook = |name: &str, ca: &str| {
        format!("[notify.{name}]\nkind = \"webhook\"\nurl = \"https://localhost:{}/\"\n{ca}\n", port.trim())
    };
    let ours = format!("ca = \"{}\"", certificate.display());
    let file = config(&scratch, "", &(hook("known", &ours) + &hook("unknown", "")));
    let test = |name: &str| spillway(["notify", "test", name, "-c", &file, "-o", "text"]);
    let (known, unknown) = (test("known"), test("unknown"));
    let _ = server.kill();
    let _ = server.wait();
    assert!(known.status.success(), "{}", stderr(&known));
    assert!(String::from_utf8_lossy(&known.stdout).contains("HTTP 204"));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("certificate"), "{}", stderr(&unknown));
}

#[test]
fn mail_goes_by_starttls_with_a_password_that_nobody_else_sees() {
    let scratch = Scratch::new("notify-starttls");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = scratch.file("mail.crt", made.cert.pem().as_bytes());
    let key = closed(&scratch, "mail.key", &made.signing_key.serialize_pem());
    let Some(far) = Receiver::start_with(&scratch, &[&certificate, &key]) else { return };
    let channel = |name: &str, port: &Value, ca: &str, password: &str| {
        format!(
            "[notify.{name}]\nkind = \"email\"\nserver = \"127.0.0.1\"\nport = {port}\nca = \"{ca}\"\nuser = \"noc\"\npassword = \"${{file:{password}}}\"\n\
             from = \"spillway@example.net\"\nto = [\"noc@example.net\"]\ntimeout = \"5s\"\n"
        )
    };
    let password = secret(&scratch);
    let wrong = closed(&scratch, "wrong.secret", "guess");
    let (covered, plain) = (&far.ports["starttls"], &far.ports["smtp"]);
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other = scratch.file("other.crt", other.cert.pem().as_bytes());
    let more = [
        channel("good", covered, &certificate, &password),
        channel("guess", covered, &certificate, &wrong),
        channel("bare", plain, &certificate, &password),
        channel("stranger", covered, &other, &password),
    ];
    let file = config(&scratch, "", &more.concat());
    let test = |name: &str| spillway(["notify", "test", name, "-c", &file, "-o", "text"]);
    let good = test("good");
    assert!(good.status.success(), "{}", stderr(&good));
    let mail = wait("the mail", || far.got("mail").pop());
    assert_eq!(
        (&mail["tls"], &mail["user"], &mail["wrong"]),
        (&Value::Bool(true), &Value::from("noc"), &Value::from(""))
    );
    // a wrong password, a server without STARTTLS, a certificate that nobody vouches for: nothing is sent
    for name in ["guess", "bare", "stranger"] {
        let refused = test(name);
        assert!(!refused.status.success(), "{name}");
        assert!(stderr(&refused).contains("the test did not arrive"), "{}", stderr(&refused));
    }
    assert_eq!(far.got("mail").len(), 1);
}
