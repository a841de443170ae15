//! A rule by hand from the dashboard in a real browser, which runs beside the daemon: packets are cut, counted on the page, and pass again.

use std::io::Write as _;

use super::*;
use crate::web;

#[test]
fn a_rule_by_hand_in_the_browser_cuts_packets_and_is_undone() {
    let browser = web::browser();
    if web::missing(&browser) {
        return;
    }
    let Some(lab) = Lab::new("w", 85) else { return };
    let scratch = Scratch::new("enforce-w");
    let config = lab.config(&scratch, "observe", "[rules]\nlease = \"15m\"");
    let daemon = lab.daemon(&config);
    let mut added = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["user", "add", "olga", "--role", "operator", "--password", "-c", &config])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    added.stdin.take().unwrap().write_all(b"a phrase of an operator\n").unwrap();
    assert!(added.wait().unwrap().success());
    let (_answers, asks) = lab.honest();
    let program = web::root().join("scripts/web");
    let mut steps = Lab::command(&lab.here, program.to_str().unwrap());
    steps.args(["node", "tests/kernel.mjs", daemon.ready["api"].as_str().unwrap()]);
    steps.args([browser, web::shots()]).arg(lab.server());
    web::run(&mut steps);
    wait("no rule in the kernel", || lab.status()?["rules"].as_array()?.is_empty().then_some(()));
    let (ok, bad) = answered(&asks.end());
    println!("{ok} answered, {bad} not");
    assert!(ok > 0 && bad > 0, "{ok} {bad}");
}
