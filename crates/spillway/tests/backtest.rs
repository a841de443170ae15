//! `backtest`: what another configuration would have made of a recording.

use base::{Prefix, Span};
use serde_json::Value;
use sim::exporter::{Fleet, Format, Settings};
use sim::population::Role;
use sim::{Config, Event, Kind, World};

use crate::support::{Scratch, json_lines, pcap_at, spillway, stderr, udp};

const NETWORKS: &str =
    "networks = [\"198.18.0.0/16\", \"2001:db8::/32\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n";

/// A small site whose web server gets 2,000 SYN a second for ten seconds: above the low floor, below the usual one.
fn world() -> (World, Prefix) {
    let config = Config { pps: 500.0, hosts: 64, span: Span::from_secs(30), thin: 1, ..Config::default() };
    let web = Prefix::host(World::population(&config).find(5, Role::Web, true));
    let kind = Kind::SynFlood { forged: true };
    let flood = Event::new(kind, web, config.start.plus(Span::from_secs(15)), Span::from_secs(10), 2000.0);
    (World::new(config, vec![flood.port(443)]), web)
}

/// What its router exports, as a capture of the datagrams.
fn export(scratch: &Scratch) -> (String, Prefix) {
    let (world, victim) = world();
    let router = Settings::new(Format::Sflow, 1, world.now());
    let packets = Fleet::new(world, vec![router]).map(|sent| (sent.at, udp(&sent.bytes)));
    (scratch.file("export.pcap", &pcap_at(101, packets)), victim)
}

fn config(scratch: &Scratch, name: &str, more: &str) -> String {
    scratch.file(name, format!("{NETWORKS}{more}").as_bytes())
}

fn lines(args: &[&str]) -> Vec<Value> {
    let output = spillway(["backtest", "-o", "jsonl"].iter().chain(args).copied());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    json_lines(&output)
}

#[test]
fn a_lower_floor_finds_what_the_default_does_not() {
    let scratch = Scratch::new("backtest-floor");
    let (recording, victim) = export(&scratch);
    let low = config(&scratch, "low.toml", "[detection]\nfloor = \"low\"\n");
    let told = lines(&["--config", &low, &recording]);
    let (summary, rows) = told.split_last().unwrap();
    assert_eq!(
        (&summary["profile"], &summary["old"]["configuration"]),
        (&"daemon".into(), &"defaults".into())
    );
    assert_eq!(summary["old"]["attacks"], 0, "{summary}");
    let [row] = rows else { panic!("{rows:#?}") };
    assert_eq!((&row["event"], &row["change"]), (&"incident".into(), &"appears".into()));
    assert_eq!(row["target"], victim.to_string());
    assert_eq!((&row["direction"], &row["old"]), (&"in".into(), &Value::Null));
    assert_eq!(
        (&row["new"]["severity"], &row["new"]["vectors"][0]),
        (&"attack".into(), &"tcp-syn-flood".into())
    );
    assert_eq!(summary["appears"], 1);

    // The other way round it vanishes; the document and the table tell the same.
    let usual = config(&scratch, "usual.toml", "");
    let told = lines(&["--config", &usual, "--against", &low, &recording]);
    assert_eq!((&told[0]["change"], &told[0]["new"]), (&"vanishes".into(), &Value::Null));
    assert_eq!(told[0]["old"], row["new"]);
    let args = ["backtest", "--config", &usual, "--against", &low, &recording, "-o"];
    let document: Value = serde_json::from_slice(&spillway(args.into_iter().chain(["json"])).stdout).unwrap();
    assert_eq!(document["summary"], told[1]);
    let table = String::from_utf8(spillway(args.into_iter().chain(["text"])).stdout).unwrap();
    let line = table.lines().find(|line| line.starts_with("vanishes")).unwrap();
    assert!(line.contains(&victim.to_string()) && line.contains("tcp-syn-flood"), "{table}");
    assert!(table.starts_with("profile daemon: flow export is judged as the daemon does"), "{table}");
}

#[test]
fn the_same_configuration_twice_makes_no_difference() {
    let scratch = Scratch::new("backtest-same");
    let (recording, _) = export(&scratch);
    let low = config(&scratch, "low.toml", "[detection]\nfloor = \"low\"\n");
    let again = config(&scratch, "again.toml", "[detection]\nfloor = \"low\"\n[log]\nlevel = \"debug\"\n");
    let told = lines(&["--config", &low, "--against", &again, &recording]);
    assert_eq!((told.len(), &told[0]["change"], &told[1]["same"]), (2, &"same".into(), &1.into()));
    assert_eq!(told[0]["old"], told[0]["new"]);
    let output = spillway(["backtest", "--config", &low, "--against", &again, &recording, "-o", "text"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("no difference: both find the same incident\n"), "{text}");
    let usual = config(&scratch, "usual.toml", "");
    let output = spillway(["backtest", "--config", &usual, &recording, "-o", "text"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("no difference: neither finds anything\n"), "{text}");
}

#[test]
fn packets_are_judged_as_captures_unless_a_configuration_says_otherwise() {
    let scratch = Scratch::new("backtest-profile");
    let recording = scratch.file("few.pcap", &crate::support::pcap(101, &vec![udp(b"x"); 30]));
    let usual = config(&scratch, "usual.toml", "");
    let low = config(&scratch, "low.toml", "[detection]\nfloor = \"low\"\n");
    let group = config(&scratch, "group.toml", "[groups.default]\nincoming = { packets = \"1 kpps\" }\n");
    let profile = |args: &[&str]| lines(args).pop().unwrap()["profile"].as_str().unwrap().to_owned();
    assert_eq!(profile(&["--config", &usual, &recording]), "capture");
    assert_eq!(profile(&["--config", &low, &recording]), "daemon");
    assert_eq!(profile(&["--config", &usual, "--against", &group, &recording]), "daemon");
    assert_eq!(profile(&["--config", &low, "--profile", "capture", &recording]), "capture");
}

#[test]
fn a_bad_configuration_or_recording_is_one_line() {
    let scratch = Scratch::new("backtest-wrong");
    let recording = scratch.file("few.pcap", &crate::support::pcap(101, &[udp(b"x")]));
    let good = config(&scratch, "good.toml", "");
    let bad = config(&scratch, "bad.toml", "[detection]\nflor = \"low\"\n");
    let missing = scratch.path("missing.pcap").to_str().unwrap().to_owned();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--config", &bad, &recording], 1, "bad.toml:5:1: unknown key `flor`; did you mean `floor`?"),
        (&["--config", &good, "--against", &bad, &recording], 1, "bad.toml:5:1: unknown key"),
        (&["--config", "/nonexistent.toml", &recording], 1, "/nonexistent.toml: cannot be read"),
        (&["--config", &good, &missing], 1, "missing.pcap: no such file; check the name"),
        (&[&recording], 2, "required arguments were not provided: --config <NEW>"),
        (&["--config", &good], 2, "required arguments were not provided: <RECORDING>"),
    ];
    for (args, code, expected) in cases {
        let output = spillway(["backtest"].iter().chain(args).copied());
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(expected) && text.lines().count() == 1, "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
