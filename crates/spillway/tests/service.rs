//! The unit of systemd.

use std::process::Command;

use crate::support::{Scratch, stderr};

#[test]
fn systemd_takes_the_unit_without_a_word() {
    if !Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success())
    {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "systemd is needed");
        eprintln!("skipped: needs systemd-analyze");
        return;
    }
    for name in ["spillway.service", "spillway-absorb.service"] {
        taken(name);
    }
}

fn taken(name: &str) {
    let path = format!("{}/../../packaging/{name}", env!("CARGO_MANIFEST_DIR"));
    let unit = std::fs::read_to_string(path).unwrap();
    let program = "/usr/local/bin/spillway";
    assert_eq!(unit.matches(&format!("={program} ")).count(), 2);
    // It says so where a program or a directive is not there.
    let scratch = Scratch::new("service");
    let verify = |name: &str, unit: &str| {
        let file = scratch.file(name, unit.as_bytes());
        Command::new("systemd-analyze").args(["verify", "--man=no", &file]).output().unwrap()
    };
    let here = unit.replace(program, env!("CARGO_BIN_EXE_spillway"));
    let output = verify(name, &here);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains(name), "{}", stderr(&output));
    let wrong = verify("wrong.service", &here.replace("Restart=on-failure", "Restart=sometimes"));
    assert!(stderr(&wrong).contains("wrong.service"), "{}", stderr(&wrong));
}
