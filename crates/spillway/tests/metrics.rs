//! Metrics as Prometheus sees them: by its own tool, by a real server, and in the dashboard and the alerts that come with us.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use api::metrics::{
    Dataplane, Dns, Exporter, Flowed, Hearing, Histogram, Ledger, Listener, Metrics, Routing, plain,
};
use serde_json::Value;

use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::{Scratch, free_port};

/// Runs a tool of the package `prometheus` with this input; `None`, said aloud: it is not there.
fn tool(name: &str, args: &[&str], input: &str) -> Option<Output> {
    if !there(name) {
        return None;
    }
    let command = Command::new(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = command.unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn there(name: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok();
    if !there {
        let what = "skipped: needs promtool and prometheus; `scripts/setup core` installs them";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have them");
        eprintln!("{what}");
    }
    there
}

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(file)
}

/// All parts that a daemon can have.
fn whole() -> String {
    let one = |a: &str, b: &str| BTreeMap::from([((a.to_owned(), b.to_owned()), 1)]);
    let exporter = Exporter {
        address: "192.0.2.1".to_owned(),
        counts: BTreeMap::from([(("sflow".to_owned(), "sflow5".to_owned()), (1, 1))]),
        faults: BTreeMap::from([("truncated".to_owned(), 1)]),
        sampling_rate: Some(1000),
        last_seen: 1.0,
        export_delay: Some(1.0),
        flow_duration: Some(1.0),
        earliest_detection: Some(1.0),
        truth_factor: Some(1.0),
        hearing: Some(Hearing::Whole),
        ..Exporter::default()
    };
    let metrics = Metrics {
        listeners: vec![Listener { name: "sflow".to_owned(), ..Listener::default() }],
        exporters: vec![exporter],
        attacks_active: one("udp-flood", "attack"),
        baseline_ready: vec![("other".to_owned(), 0.5)],
        reports: one("abuse-report", "sent"),
        rules: one("xdp", "active"),
        notifications: one("noc", "sent"),
        notifications_waiting: BTreeMap::from([("noc".to_owned(), 0)]),
        detection_delay: Histogram::new(&[1.0]),
        tick: Histogram::new(&[1.0]),
        store_write: Histogram::new(&[1.0]),
        traffic: vec![Flowed {
            group: "other".to_owned(),
            direction: "in",
            proto: "udp",
            packets: 1,
            bytes: 1,
        }],
        dataplane: Some(Dataplane {
            apply: Histogram::new(&[1.0]),
            decided: BTreeMap::from([("drop", (1, 1))]),
            left: vec![("eth0".to_owned(), "allowed".to_owned(), 1)],
            tables: vec![("eth0".to_owned(), "rules".to_owned(), 1, 2)],
            ..Dataplane::default()
        }),
        routing: Some(Routing::default()),
        dns: Some(Dns::default()),
        ledger: Some(Ledger { head_age: Some(1), ..Ledger::default() }),
        ..Metrics::default()
    };
    plain(&metrics.encode())
}

/// Families of a page by name: their kind, and whether they have a help text.
fn families(page: &str) -> BTreeMap<String, (String, bool)> {
    let mut out: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for line in page.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "HELP", name, help] => out.entry((*name).to_owned()).or_default().1 = !help.is_empty(),
            ["#", "TYPE", name, kind] => {
                (*kind).clone_into(&mut out.entry((*name).to_owned()).or_default().0)
            }
            _ => {}
        }
    }
    out
}

/// Names in an expression of PromQL that are ours.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("spillway_") || word.starts_with("process_"));
    let bare = |word: &str| {
        let bare = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
        bare.unwrap_or(word).to_owned()
    };
    ours.map(bare).collect()
}

#[test]
fn metrics_pass_promtool_and_keep_to_its_conventions() {
    let scratch = Scratch::new("metrics-promtool");
    let daemon = Daemon::start(&config(&scratch, "mode = \"suggest\"", ""));
    attacked(&daemon);
    // It is counted every ten seconds.
    let live = wait("hosts that are known", || {
        let (_, page) = daemon.get("/metrics");
        page.contains("spillway_baseline_ready_ratio{group=\"other\"} ").then_some(page)
    });
    for page in [live, whole()] {
        for (name, (kind, helped)) in families(&page) {
            assert!(helped, "{name} has no HELP");
            assert!(name.starts_with("spillway_") || name.starts_with("process_"), "{name}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            let milli = ["_ms", "_milliseconds", "_minutes", "_kilobytes", "_mb", "_percent"];
            assert!(!milli.iter().any(|unit| name.ends_with(unit)), "{name}: base units");
            assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
        }
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let known = families(&page);
            assert!(names(&name).iter().all(|name| known.contains_key(name)), "{line} belongs to no family");
        }
        let Some(out) = tool("promtool", &["check", "metrics"], &page) else { return };
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && text.is_empty(), "{text}");
    }
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_exist() {
    let known = families(&whole());
    let rules = std::fs::read_to_string(packaging("prometheus/spillway.rules.yml")).unwrap();
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(alerts.len() >= 10);
    let board = std::fs::read_to_string(packaging("grafana/spillway.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let is_row = |panel: &&Value| panel["type"] == "row";
    assert_eq!(panels.iter().filter(is_row).count(), 3);
    let mut asked: Vec<&str> = alerts;
    for panel in panels.iter().filter(|panel| !is_row(panel)) {
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{}", panel["title"]);
        let targets = panel["targets"].as_array().unwrap();
        asked.extend(targets.iter().map(|target| target["expr"].as_str().unwrap()));
    }
    let variables = board["templating"]["list"].as_array().unwrap();
    assert!(variables.len() >= 3);
    asked.extend(variables.iter().filter_map(|one| one["definition"].as_str()));
    for expression in asked {
        for name in names(expression) {
            assert!(known.contains_key(&name), "`{name}` in `{expression}` is no metric of ours");
        }
    }
}

#[test]
fn promtool_takes_the_alerts_and_their_tests_pass() {
    for (what, file) in [("check", "prometheus/spillway.rules.yml"), ("test", "prometheus/spillway.test.yml")]
    {
        let path = packaging(file);
        let Some(out) = tool("promtool", &[what, "rules", path.to_str().unwrap()], "") else { return };
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && text.contains("SUCCESS"), "{text}");
    }
}

#[test]
fn prometheus_scrapes_the_daemon_and_answers_a_query() {
    if !there("prometheus") {
        return;
    }
    let scratch = Scratch::new("metrics-prometheus");
    let daemon = Daemon::start(&config(&scratch, "", ""));
    attacked(&daemon);
    let target = daemon.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let rules = packaging("prometheus/spillway.rules.yml").canonicalize().unwrap();
    let text = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nscrape_configs:\n  - job_name: spillway\n    static_configs: [{{ targets: ['{target}'] }}]\n",
        rules.display()
    );
    let file = scratch.file("prometheus.yml", text.as_bytes());
    let port = format!("127.0.0.1:{}", free_port());
    let mut server = Command::new("prometheus")
        .arg(format!("--config.file={file}"))
        .arg(format!("--storage.tsdb.path={}", scratch.path("tsdb").display()))
        .arg(format!("--web.listen-address={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ask = |query: &str| -> Option<Value> {
        let mut stream = std::net::TcpStream::connect(&port).ok()?;
        write!(stream, "GET /api/v1/{query} HTTP/1.0\r\nHost: {port}\r\n\r\n").ok()?;
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    };
    let value = |answer: &Value| answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned);
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let up = wait("a scrape", || value(&ask("query?query=up")?).filter(|up| up == "1"));
        let active = wait("the attack", || value(&ask("query?query=sum(spillway_attacks_active)")?));
        let flows = wait("flows", || value(&ask("query?query=sum(spillway_ingest_flows_total)")?));
        let alert = wait("the alert", || {
            let alerts = ask("alerts")?;
            let all = alerts["data"]["alerts"].as_array()?.clone();
            all.into_iter().find(|one| one["labels"]["alertname"] == "SpillwayAttack")
        });
        (up, active, flows, alert)
    }));
    let _ = server.kill();
    let _ = server.wait();
    let (_, active, flows, alert) = seen.unwrap();
    assert!(active.parse::<f64>().unwrap() >= 1.0);
    assert!(flows.parse::<f64>().unwrap() > 0.0);
    assert_eq!(alert["labels"]["class"], "tcp-syn-flood");
}
