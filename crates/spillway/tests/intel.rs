//! `spillway intel` and `spillway metrics`: what the running daemon knows of those who attack, and its numbers, as rows.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::net::UdpSocket;
use std::time::{SystemTime, UNIX_EPOCH};

use base::{Span, Timestamp};
use serde_json::Value;

use crate::access::done;
use crate::daemon::{Daemon, attacked, config, syns, wait};
use crate::support::{Scratch, json_lines, spillway, stderr};

/// Runs a command that asks the daemon, and succeeds; its standard output.
fn said(daemon: &Daemon, args: &[&str]) -> String {
    let api = daemon.ready["api"].as_str().unwrap();
    let out = spillway(args.iter().copied().chain(["--api", api]));
    assert!(out.status.success(), "{args:?}: {}", stderr(&out));
    String::from_utf8(out.stdout).unwrap()
}

fn document(daemon: &Daemon, args: &[&str]) -> Value {
    serde_json::from_str(&said(daemon, &[args, &["-o", "json"]].concat())).unwrap()
}

fn in_an_hour() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(u64::try_from(now.as_nanos()).unwrap()).plus(Span::from_secs(3_600))
}

#[test]
fn what_is_known_of_an_address_is_told_in_one_place() {
    let scratch = Scratch::new("intel-ip");
    let file = config(&scratch, "mode = \"suggest\"", "");
    let daemon = Daemon::start(&file);
    let attack = attacked(&daemon);
    let id = attack["id"].as_str().unwrap();
    let path = format!("/api/v1/attacks/{id}/sources?limit=3");
    // sources are followed from when it is called an attack
    let (sender, mut sequence) = (UdpSocket::bind("127.0.0.7:0").unwrap(), 100_000);
    let known = wait("its sources", || {
        for _ in 0..5 {
            sender.send_to(&syns(sequence, 10), daemon.listen(1)).unwrap();
            sequence += 10;
        }
        let (status, body) = daemon.get(&path);
        let page: Value = (status == 200).then(|| serde_json::from_str(&body).unwrap())?;
        page["items"].as_array().is_some_and(|all| all.len() == 3).then_some(page)
    });
    let address = known["items"][0]["address"].as_str().unwrap();

    // The sources of the attack, all of them over pages, and some of them.
    let page = document(&daemon, &["intel", "sources", id, "--limit", "1000000"]);
    let all = page["items"].as_array().unwrap();
    assert!(all.len() >= 3 && page["next"].is_null() && page["attack"] == id, "{page}");
    assert!(all.iter().any(|one| one["address"] == address));
    let host = format!("{address}/32");
    let within = document(&daemon, &["intel", "sources", id, "--within", &host]);
    let found: Vec<&Value> = within["items"].as_array().unwrap().iter().map(|one| &one["address"]).collect();
    assert_eq!(found, [address]);
    let verdict = within["items"][0]["verdict"].as_str().unwrap();
    let other = if verdict == "legitimate" { "bot" } else { "legitimate" };
    let none = document(&daemon, &["intel", "sources", id, "--within", &host, "--verdict", other]);
    assert_eq!(none["items"], serde_json::json!([]));
    let csv = said(&daemon, &["intel", "sources", id, "--limit", "2", "-o", "csv"]);
    assert!(csv.starts_with("address,verdict,confidence,reasons,packets"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let text = said(&daemon, &["intel", "sources", id, "--limit", "1", "-o", "text"]);
    assert!(text.starts_with(&format!("attack {id}: ")), "{text}");

    // One address: its attack with the verdict, who lets it pass and why, and its traffic.
    let until = in_an_hour().to_string();
    let begins = ["allow", "add", address, "--to", "198.18.7.7", "--until", &until];
    let allowed = done(&[&begins[..], &["--why", "a partner of ours", "-c", &file]].concat());
    assert_eq!(allowed["reason"], "a partner of ours");
    let end: Timestamp = allowed["until"].as_str().unwrap().parse().unwrap();
    // whole seconds are asked for, from when it is asked
    assert!(end > in_an_hour().minus(Span::from_secs(600)) && end <= in_an_hour(), "{allowed}");
    let told = document(&daemon, &["intel", "ip", address]);
    let seen = &told["attacks"][0];
    assert_eq!((&seen["id"], &seen["source"]["address"]), (&id.into(), &address.into()), "{told}");
    assert_eq!(told["looked_at"]["attacks"], 1);
    assert_eq!(
        (&told["allowed"][0]["reason"], &told["place"]["asn"]),
        (&"a partner of ours".into(), &Value::Null)
    );
    assert!(told["traffic"]["sent"]["total"]["packets"].is_u64(), "{told}");
    let lines =
        spillway(["intel", "ip", address, "-o", "jsonl", "--api", daemon.ready["api"].as_str().unwrap()]);
    let kinds: Vec<Value> = json_lines(&lines).iter().map(|line| line["kind"].clone()).collect();
    assert!(kinds.contains(&"attack".into()) && kinds.contains(&"allow".into()), "{kinds:?}");
    let text = said(&daemon, &["intel", "ip", address, "-o", "text"]);
    for word in [address, id, verdict, "a partner of ours", "looked at the newest 1 attacks"] {
        assert!(text.contains(word), "`{word}` in\n{text}");
    }
    let stranger = said(&daemon, &["intel", "ip", "192.0.2.77", "-o", "text"]);
    assert!(stranger.contains("no attack has it among its sources"), "{stranger}");

    // A network of which nothing came, and what attacks have in common.
    let nothing = document(&daemon, &["intel", "asn", "AS64500"]);
    assert_eq!((&nothing["asn"], &nothing["attacks"]), (&64_500.into(), &serde_json::json!([])));
    let together = document(&daemon, &["intel", "botnet"]);
    assert_eq!(together["campaigns"][0]["attacks"][0]["id"], id, "{together}");
    let rows = said(&daemon, &["intel", "campaigns", "-o", "csv"]);
    assert!(rows.starts_with("campaign,id,target") && rows.contains(id), "{rows}");
}

#[test]
fn what_is_known_of_attackers_is_for_those_who_may_see_it() {
    let scratch = Scratch::new("intel-roles");
    let file = config(&scratch, "", "anonymous = \"none\"\n[customers.acme]\nnetworks = [\"198.18.9.0/24\"]");
    let daemon = Daemon::start(&file);
    let api = daemon.ready["api"].as_str().unwrap();
    for what in [&["intel", "ip", "192.0.2.1"][..], &["metrics"], &["intel", "campaigns"]] {
        let out = spillway(what.iter().copied().chain(["--api", api]));
        assert_eq!(out.status.code(), Some(1), "{what:?}");
        assert!(stderr(&out).contains("SPILLWAY_TOKEN"), "{what:?}: {}", stderr(&out));
    }
    done(&["user", "add", "carol", "--role", "customer", "--customer", "acme", "-c", &file]);
    let made = done(&["token", "add", "carol", "-c", &file]);
    let token = scratch.file("token", made["token"].as_str().unwrap().as_bytes());
    let out = spillway(["intel", "ip", "192.0.2.1", "--api", api, "--token-file", &token, "-o", "json"]);
    assert!(out.status.success(), "{}", stderr(&out));
    // what attacks have in common, and the daemon's numbers, are of other customers, too
    for what in [&["metrics"][..], &["intel", "campaigns"]] {
        let out = spillway(what.iter().copied().chain(["--api", api, "--token-file", &token]));
        assert_eq!(out.status.code(), Some(1), "{what:?}");
    }
}

#[test]
fn numbers_are_found_by_a_word_and_laid_out_as_rows() {
    let scratch = Scratch::new("metrics-table");
    let daemon = Daemon::start(&config(&scratch, "", ""));
    let csv = said(&daemon, &["metrics", "ingest_flows", "-o", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "name,labels,value,kind");
    assert!(lines.len() > 1 && lines[1..].iter().all(|line| line.contains("ingest_flows")), "{csv}");
    // every sample of the page is a row
    let page = document(&daemon, &["metrics"]);
    let (_, text) = daemon.get("/metrics");
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    let rows = page["items"].as_array().unwrap();
    // numbers of the API's own requests come up with the requests
    assert!(rows.len().abs_diff(samples) < samples / 5, "{} of {samples}", rows.len());
    assert!(rows.iter().all(|row| row["kind"] != "untyped" && row["value"].is_number()), "{page}");
    let some = document(&daemon, &["metrics", "--nonzero"]);
    assert!(some["items"].as_array().unwrap().len() < rows.len());
    let text = said(&daemon, &["metrics", "store_write", "-o", "text"]);
    assert!(text.starts_with("spillway_store_write_seconds  ") && !text.contains("le="), "{text}");
    let list = said(&daemon, &["metrics", "--list", "-o", "text"]);
    assert!(
        list.contains("spillway_ingest_flows_total  ")
            && list.lines().all(|line| line.contains("  ") && !line.contains('{')),
        "{list}"
    );
    let api = daemon.ready["api"].as_str().unwrap();
    let none = spillway(["metrics", "no such number", "--api", api]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("`spillway metrics --list` shows all"), "{}", stderr(&none));
}
