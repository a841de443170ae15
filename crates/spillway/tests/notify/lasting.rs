//! Far ends that are dead, silent or killed, and an outbox that lasts.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use store::{EventRow, Outbox};

use super::{Receiver, event, secret};
use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::{Scratch, free_port, spillway};

#[test]
fn dead_and_silent_endpoints_hold_up_nobody_and_the_second_path_takes_over() {
    let scratch = Scratch::new("notify-dead");
    let Some(far) = Receiver::start(&scratch) else { return };
    // Takes connections and never says a word; its queue is short, so that later ones are not even taken.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("127.0.0.1:{}", free_port());
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
