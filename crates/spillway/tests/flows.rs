//! Flow samples: what the daemon keeps, what commands make of it, and what its end costs.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::net::UdpSocket;

use serde_json::Value;

use crate::access::call;
use crate::daemon::{Daemon, config, syns, wait};
use crate::support::{Scratch, json_lines, spillway, stderr};

/// So many datagrams of ten SYNs each.
fn send(daemon: &Daemon, first: u32, datagrams: u32) {
    let sender = UdpSocket::bind("127.0.0.7:0").unwrap();
    for number in first..first + datagrams {
        sender.send_to(&syns(number * 10, 10), daemon.listen(1)).unwrap();
    }
}

fn query(dir: &str, filter: &str, more: &[&str]) -> Value {
    let output = spillway(
        ["flows", "query", filter, "--dir", dir, "-o", "json"].into_iter().chain(more.iter().copied()),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn samples(dir: &str) -> u64 {
    query(dir, "", &[])["total"]["samples"].as_u64().unwrap()
}

#[test]
fn flows_are_asked_while_the_daemon_runs_and_outlive_sigterm_and_kill() {
    let scratch = Scratch::new("flows");
    let dir = scratch.path("state/flows").to_str().unwrap().to_owned();
    let with = |spill: &str| {
        config(&scratch, "", &format!("[history]\naddresses = \"network\"\nspill = \"{spill}\""))
    };
    let daemon = Daemon::start(&with("1s"));
    send(&daemon, 0, 20);
    wait("what was spilled", || (std::path::Path::new(&dir).is_dir() && samples(&dir) == 200).then_some(()));
    assert!(
        daemon.sum("spillway_history_segments") >= 0.0
            && daemon.sum("spillway_history_samples_total") >= 200.0
    );
    let answer = query(
        &dir,
        "dst in 198.18.0.0/16 and proto = tcp and tcp-flags has syn",
        &["--by", "src", "--top", "3"],
    );
    assert_eq!(answer["columns"], serde_json::json!(["src", "bytes", "packets", "samples"]));
    assert_eq!(
        (answer["total"]["packets"].as_u64(), answer["total"]["bytes"].as_u64()),
        (Some(200_000), Some(12_000_000))
    );
    assert_eq!(answer["rows"].as_array().unwrap().len(), 4);
    // Networks, not hosts.
    assert!(answer["rows"][0][0].as_str().unwrap().ends_with(".0"), "{answer}");
    assert_eq!(
        query(&dir, "class = tcp-syn and dst-port = 443 and direction = in", &[])["total"]["samples"],
        200
    );
    assert_eq!(query(&dir, "dst = 198.18.7.8 or proto = udp", &[])["rows"], serde_json::json!([]));

    let csv = spillway(["flows", "query", "--dir", &dir, "--by", "class,dst-port", "-o", "csv"]);
    assert_eq!(
        String::from_utf8(csv.stdout).unwrap(),
        "class,dst-port,bytes,packets,samples\r\ntcp-syn,443,12000000,200000,200\r\n"
    );
    let lines = json_lines(&spillway(["flows", "query", "--dir", &dir, "--by", "target", "-o", "jsonl"]));
    assert_eq!((lines.len(), &lines[0]["target"]), (1, &Value::from("198.18.7.7")));
    let table = spillway(["flows", "query", "--dir", &dir, "--by", "class", "-o", "table"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("class       bytes  packets  samples\ntcp-syn  12000000"), "{table}");
    // In their own words, with the place.
    let wrong = spillway(["flows", "query", "proto = udp and src-prot = 53", "--dir", &dir]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("octet 16") && stderr(&wrong).contains("did you mean `src-port`?"),
        "{}",
        stderr(&wrong)
    );
    let wrong = spillway(["check", "-o", "csv"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));

    // Into files of their own, which are not written over.
    for name in ["some.parquet", "some.csv"] {
        let file = scratch.path(name);
        let args = ["flows", "export", "proto = tcp", "--dir", &dir, "--file", file.to_str().unwrap()];
        let output = spillway(args);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(json_lines(&output)[0]["samples"], 200);
        assert_eq!(spillway(args).status.code(), Some(1));
    }
    let text = std::fs::read_to_string(scratch.path("some.csv")).unwrap();
    assert_eq!(text.lines().count(), 201);
    assert!(text.starts_with("time,target,foreign,direction,proto,"));

    // SIGTERM writes what is in memory.
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    let kept = |what: &str, send_at: u32, count: u32| {
        let daemon = Daemon::start(&with("1h"));
        send(&daemon, send_at, count);
        wait(what, || {
            (daemon.sum("spillway_history_waiting_samples") >= f64::from(count * 10)).then_some(())
        });
        daemon
    };
    let daemon = kept("samples in memory", 20, 5);
    assert_eq!(samples(&dir), 200);
    // The daemon is asked where one runs, by command and over HTTP: it has the newest minute.
    let file = with("1h");
    let asked = spillway(["flows", "query", "-c", &file, "--by", "class", "-o", "json"]);
    let asked: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((&asked["total"]["samples"], &asked["scanned"]["memory"]), (&250.into(), &50.into()));
    let sums = spillway([
        "flows",
        "query",
        "-c",
        &file,
        "--source",
        "rollups",
        "--by",
        "target,class",
        "-o",
        "json",
    ]);
    let sums: Value = serde_json::from_slice(&sums.stdout).unwrap();
    assert_eq!((&sums["kept"], &sums["total"]["samples"]), (&"rollups".into(), &250.into()), "{sums}");
    assert_eq!(sums["rows"][0][0], "198.18.7.7");
    let wrong = spillway(["flows", "query", "-c", &file, "--source", "rollups", "--by", "src"]);
    assert!(wrong.status.code() == Some(2) && stderr(&wrong).contains("not by src"), "{}", stderr(&wrong));
    let question = serde_json::json!({"filter": "dst in 198.18.0.0/16", "by": ["class"], "last": 86_400, "source": "samples"});
    let (status, _, body) = call(&daemon, "POST", "/api/v1/flows/query", None, Some(&question));
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["total"]["samples"]), (200, &250.into()), "{body}");
    assert!(daemon.get("/metrics").1.contains("spillway_history_rollups_total{"));
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    assert_eq!(samples(&dir), 250);
    // Sums were written with their minutes that went on, and are read without a daemon.
    let sums =
        spillway(["flows", "query", "-c", &file, "--source", "rollups", "--last", "24h", "-o", "json"]);
    let sums: Value = serde_json::from_slice(&sums.stdout).unwrap();
    assert_eq!((&sums["total"]["samples"], &sums["scanned"]["memory"]), (&250.into(), &0.into()), "{sums}");
    // kill -9 costs what was not spilled, and nothing else.
    drop(kept("samples that will be lost", 25, 3));
    assert_eq!(samples(&dir), 250);
    let usage = json_lines(&spillway(["flows", "usage", "--dir", &dir, "-o", "jsonl"]));
    assert!(usage[0]["segments"].as_u64().unwrap() >= 2 && usage[0]["foreign"] == 0, "{usage:?}");
}
