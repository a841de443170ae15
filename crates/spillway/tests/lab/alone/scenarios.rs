//! The scenarios of `spillway lab play`, as users see them.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// `None`, with the reason on standard error, where this machine cannot.
pub(crate) fn able() -> Option<()> {
    let checked = Command::new(env!("CARGO_BIN_EXE_spillway")).args(["lab", "check"]).output().unwrap();
    if checked.status.success() {
        return Some(());
    }
    let reason = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    eprintln!("skipped: {}", reason.trim());
    None
}

pub(crate) fn spillway(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spillway")).args(args).env("NO_COLOR", "1").output().unwrap()
}

fn play(args: &[&str]) -> Value {
    let output = spillway(&[&["lab", "play", "-o", "json"][..], args].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn success(played: &Value, phase: &str) -> f64 {
    let phases = played["phases"].as_array().unwrap();
    let one =
        phases.iter().rfind(|one| one["name"] == phase).unwrap_or_else(|| panic!("{phase}: {played:#}"));
    assert!(one["requests"].as_u64().unwrap() >= 10, "{played:#}");
    one["answered"].as_f64().unwrap() / one["requests"].as_f64().unwrap()
}

/// Vectors of the attacks on the server in a capture.
fn named(capture: &str) -> Vec<String> {
    let output = spillway(&[
        "replay",
        capture,
        "--protect",
        "192.0.2.0/24",
        "--protect",
        "2001:db8:5::/64",
        "-o",
        "jsonl",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let attacks = lines.filter(|one| one["event"] == "attack" && one["severity"] == "attack");
    let vectors = attacks.flat_map(|one| one["vectors"].as_array().unwrap().clone());
    vectors.map(|vector| vector["name"].as_str().unwrap().to_owned()).collect()
}

/// Of honest page loads, so many come through where nothing is wrong; the machine does other things too.
const WELL: f64 = 0.9;

struct Capture(PathBuf);

impl Capture {
    fn new(name: &str) -> Self {
        let file = format!("spillway-capture-{}-{name}.pcapng", std::process::id());
        Self(std::env::temp_dir().join(file))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_server_that_a_syn_flood_took_down_answers_again_behind_the_filter() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    let played = play(&["syn-flood", "--seconds", "8"]);
    assert!(success(&played, "before") > WELL, "{played:#}");
    assert!(success(&played, "attack") < 0.5, "{played:#}");
    assert!(success(&played, "filtered") > WELL, "{played:#}");
    assert!(success(&played, "after") > WELL, "{played:#}");
    assert!(played["challenged"].as_u64().unwrap() > 10_000, "{played:#}");
}

#[test]
fn attacks_by_real_tools_have_their_names_and_are_dropped() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    for (name, vector) in [
        ("dns-amplification", "udp-amplification-dns"),
        ("ntp-monlist", "udp-amplification-ntp"),
        ("memcached-stats", "udp-amplification-memcached"),
        ("ack-flood", "tcp-ack-flood"),
    ] {
        let capture = Capture::new(name);
        let path = capture.0.to_str().unwrap();
        let played = play(&[name, "--seconds", "8", "--capture", path]);
        assert!(success(&played, "before") > WELL, "{played:#}");
        assert!(success(&played, "filtered") > WELL, "{played:#}");
        let dropped: u64 =
            played["rules"].as_array().unwrap().iter().map(|rule| rule["dropped"].as_u64().unwrap()).sum();
        assert!(dropped > 500, "{played:#}");
        let names = named(path);
        assert!(names.iter().any(|found| found == vector), "{name} is called {names:?}");
        assert!(names.iter().all(|found| found == vector), "{name} is called {names:?}");
    }
}

#[test]
fn the_daemon_finds_a_flood_by_sflow_of_the_lab_and_its_rules_stop_it() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    let played = play(&["udp-flood", "--by", "found", "--seconds", "8"]);
    let found = played["found"].as_array().unwrap();
    assert!(!found.is_empty(), "{played:#}");
    let vectors: Vec<&Value> = found.iter().flat_map(|one| one["vectors"].as_array().unwrap()).collect();
    assert!(vectors.iter().all(|vector| *vector == "udp-flood"), "{played:#}");
    assert!(success(&played, "filtered") > WELL, "{played:#}");
    println!("found after {} ms", found[0]["after_ms"]);
}

/// What the daemon did by itself: nothing was lost on honest clients once it acted, and it was soon.
fn acted(played: &Value) {
    let after = played["acted_ms"].as_u64().unwrap_or_else(|| panic!("it never acted: {played:#}"));
    assert!(success(played, "filtered") > WELL, "{played:#}");
    assert!(success(played, "after") > WELL, "{played:#}");
    println!(
        "{} found after {} ms, acted after {after} ms",
        played["scenario"], played["found"][0]["after_ms"]
    );
    for phase in played["phases"].as_array().unwrap() {
        println!("  {}: {} of {} answered", phase["name"], phase["answered"], phase["requests"]);
    }
}

#[test]
fn the_daemon_challenges_a_syn_flood_on_its_own_interface_by_itself() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    let played = play(&["syn-flood", "--by", "daemon", "--seconds", "8"]);
    acted(&played);
    let stopped = played["phases"].as_array().unwrap().iter().map(|phase| phase["dropped"].as_u64().unwrap());
    let stopped = stopped.sum::<u64>() + played["challenged"].as_u64().unwrap();
    assert!(stopped > 10_000, "{played:#}");
}

#[test]
fn the_daemon_on_the_router_drops_a_flood_by_itself() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    let played = play(&["udp-flood", "--by", "daemon", "--seconds", "16"]);
    acted(&played);
    let vectors = &played["found"][0]["vectors"];
    assert!(vectors.as_array().unwrap().iter().all(|vector| vector == "udp-flood"), "{played:#}");
}

#[test]
fn a_flash_crowd_of_the_lab_is_left_alone() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    left_alone("found");
}

#[test]
fn a_flash_crowd_at_the_daemons_own_interface_is_left_alone() {
    let _turn = super::turn();
    let Some(()) = able() else { return };
    left_alone("daemon");
}

fn left_alone(by: &str) {
    let played = play(&["flash-crowd", "--by", by, "--seconds", "8"]);
    assert_eq!(played["found"], serde_json::json!([]), "{played:#}");
    assert_eq!(played["rules"], serde_json::json!([]), "{played:#}");
    assert!(success(&played, "attack") > WELL, "{played:#}");
}
