//! What takes two persons, and who is one.

use std::process::Command;

use serde_json::Value;

use super::{Desk, ORDER, PAYLOAD, REQUEST, told};
use crate::support::{spillway, stderr};

/// The kernel keeps who logged in, whoever runs a command then: these have no names in `/etc/passwd`.
const LOGGED_IN: &str = "echo \"$0\" >/proc/self/loginuid && exec \"$@\"";

#[derive(Clone, Copy)]
pub(super) struct Person(&'static str);

pub(super) const ALICE: Person = Person("60001");
pub(super) const BOB: Person = Person("60002");

/// Whether somebody can be somebody else here: not in every container, whoever is root there.
pub(super) fn persons() -> bool {
    let output = Command::new("/bin/sh").args(["-c", LOGGED_IN, ALICE.0, "true"]).output().unwrap();
    if !output.status.success() {
        eprintln!("skipped: needs a kernel that keeps who logged in (/proc/self/loginuid), and root");
    }
    output.status.success()
}

impl Desk {
    /// As somebody who logged in.
    pub(super) fn run_as(&self, who: Person, args: &[&str]) -> Result<Value, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LOGGED_IN, who.0, env!("CARGO_BIN_EXE_spillway")]).args(self.line(args));
        told(command.env("NO_COLOR", "1").env_remove("COLUMNS").output().unwrap())
    }
}

#[test]
fn an_order_under_embargo_takes_two_persons_and_stays_sealed_until_its_day() {
    if !persons() {
        return;
    }
    let desk = Desk::new("order", "");
    let begun = desk.begin(ORDER);
    let id = begun["id"].as_str().unwrap();
    assert!(begun["due"].is_string());
    desk.run_as(ALICE, &["approve", id, "--as", "alice"]).unwrap();
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("two persons"), "{said}");
    desk.run_as(BOB, &["approve", id, "--as", "bob"]).unwrap();
    desk.run(&["send", id, "--to-folder", &out]).unwrap();
    let entry: Value = serde_json::from_slice(&desk.0.view().entry(0).unwrap()).unwrap();
    let sealed = entry["what"]["sealed"].as_object().unwrap();
    assert_eq!(sealed.keys().collect::<Vec<_>>(), ["commitment"]);
    let file = |end: &str| format!("{out}/{id}{end}");
    let output =
        spillway(["ledger", "verify", &file(".tlog-proof"), &file(""), "--policy", &file(".policy")]);
    assert!(output.status.success(), "who has it can check it: {}", stderr(&output));
    let report =
        || serde_json::from_slice::<Value>(&desk.0.ledger(&["report", "-o", "json"]).stdout).unwrap();
    assert_eq!(report()["halves"][0]["sealed"], 1);
    // its embargo is over
    assert_eq!(desk.run(&["unseal", id]).unwrap()["unsealed"], 1);
    assert_eq!(
        (&report()["halves"][0]["sealed"], &report()["halves"][0]["unsealed"]),
        (&1.into(), &1.into())
    );
    let opened: Value = serde_json::from_slice(&desk.0.view().entry(1).unwrap()).unwrap();
    assert_eq!(opened["what"]["unsealed"]["record"]["recipient_class"], "law-enforcement");
    assert!(desk.run(&["unseal", id]).unwrap_err().contains("was opened by entry 1"));
}

#[test]
fn an_embargo_that_lasts_is_kept() {
    if !persons() {
        return;
    }
    let desk = Desk::new("embargo", "");
    let begun = desk.begin(&ORDER.replace("2020-01-01", "2499-01-01"));
    let id = begun["id"].as_str().unwrap();
    desk.run_as(ALICE, &["approve", id, "--as", "alice"]).unwrap();
    desk.run_as(BOB, &["approve", id, "--as", "bob"]).unwrap();
    desk.run(&["send", id, "--to-folder", &desk.path("out")]).unwrap();
    assert!(desk.run(&["unseal", id]).unwrap_err().contains("stays sealed until 2499"));
}

#[test]
fn persons_are_accounts_whatever_they_call_themselves() {
    if !persons() {
        return;
    }
    let desk = Desk::new("persons", "");
    let request = desk.0.scratch.file("request.toml", REQUEST.replace("green", "amber").as_bytes());
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    let begun = desk.run_as(ALICE, &["new", &request, "--payload", &payload, "--as", "Alice A."]).unwrap();
    assert_eq!(begun["draft"]["author"], "Alice A. (uid 60001)");
    let id = begun["id"].as_str().unwrap();
    // Whatever she calls herself, and whoever she says she is, she is one person.
    for name in ["bob", "Bob (uid 60002)", "x)"] {
        assert_eq!(desk.run_as(ALICE, &["approve", id, "--as", name]).unwrap()["step"], "minimised");
    }
    let out = desk.path("out");
    let said = desk.run(&["send", id, "--to-folder", &out]).unwrap_err();
    assert!(said.contains("two persons"), "{said}");
    let shown = desk.run_as(BOB, &["approve", id]).unwrap();
    assert_eq!((&shown["step"], shown["approvals"].as_array().unwrap().len()), (&"reviewed".into(), 2));
    // A file that was edited gives nobody a voice.
    let case = desk.path(&format!("state/disclosures/{id}/case.json"));
    let text = std::fs::read_to_string(&case).unwrap().replace("\"uid 60002\"", "\"Bob (uid 60001)\"");
    std::fs::write(&case, text).unwrap();
    assert!(desk.run(&["send", id, "--to-folder", &out]).unwrap_err().contains("two persons"));
}
