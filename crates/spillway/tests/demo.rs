//! The demonstration from outside: the whole way from datagrams to filters, with the world's truth beside it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Scratch;
use crate::web::Demo;

fn demo(seed: &str, attacks: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["demo", "-o", "json"])
        .env("DEMO_SEED", seed)
        .env("DEMO_ATTACKS", attacks)
        .env("DEMO_ONCE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_demo_finds_what_its_world_did_and_leaves_the_crowd_alone() {
    let told = demo("7", "1");
    assert_eq!(told["synthetic"], true);
    assert_eq!(told["unexplained"], serde_json::json!([]), "{told:#}");
    let world = told["world"].as_array().unwrap();
    assert_eq!(world.len(), 4);
    for deed in world {
        let found = !deed["found"].as_array().unwrap().is_empty();
        assert_eq!(found, deed["attack"] == true, "{}: {told:#}", deed["name"]);
        assert_eq!(deed["named"], deed["attack"], "{}: {told:#}", deed["name"]);
    }
    assert!(told["intake"]["flows"].as_u64().unwrap() > 5_000);
    // The border had rules of the daemon, which stopped what they are for, and let the others be.
    let border = &told["border"];
    let count = |of: &str, what: &str| border[of][what].as_u64().unwrap();
    assert!(border["rules"].as_u64() > Some(0) && border["unread"] == 0, "{border}");
    assert!(count("attack", "dropped") > 100_000, "{border}");
    assert!(count("honest", "dropped") <= count("honest", "passed") / 20, "{border}");
}

#[test]
fn without_attacks_the_demo_reports_none() {
    let told = demo("8", "0");
    assert_eq!(told["attacks"], serde_json::json!([]));
    assert_eq!(told["border"]["rules"], 0);
    assert_eq!(told["world"].as_array().unwrap().len(), 1);
}

#[test]
fn the_demo_does_what_is_typed_and_ends_without_a_trace() {
    let scratch = Scratch::new("typed");
    let folder = scratch.path("tmp");
    std::fs::create_dir(&folder).unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["demo", "--stay", "--no-attacks"])
        .env("TMPDIR", &folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Demo(demo) = &mut Demo(demo.unwrap());
    let mut typed = demo.stdin.take().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut until = |wanted: &str| {
        let found = lines.find(|line| line.contains(wanted));
        found.unwrap_or_else(|| panic!("it ended before it said: {wanted}"))
    };
    let link = until("/#/login/");
    typed.write_all(b"earthquake\n4\n\nl\n").unwrap();
    until("no: there is no act earthquake; there are dns-amplification, ");
    assert_ne!(until("/#/login/"), link);
    until("UDP falls on a whole network of ours");
    // nothing else in this world is an attack
    until("ATTACK on 198.18.");
    until("told the border, as its mitigation 1: flowspec ");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // twice, as the impatient do: the daemon is ended all the same
    let twice = format!("kill -INT {0}; kill -INT {0}", demo.id());
    let status = Command::new("sh").args(["-c", &twice]).status().unwrap();
    assert!(status.success());
    until("Nothing of them is left.");
    assert!(demo.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_seed_that_is_no_number_is_wrong_use() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_spillway")).arg("demo").env("DEMO_SEED", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("DEMO_SEED=7"));
}
