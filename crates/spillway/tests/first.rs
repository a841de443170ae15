//! The first ten minutes of a new user, as the script has them.

use std::process::Command;

#[test]
fn a_new_user_comes_through_the_first_ten_minutes() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/first-ten-minutes");
    let output = Command::new("sh")
        .args([script, "--no-demo", env!("CARGO_BIN_EXE_spillway")])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    for step in [
        "version",
        "init",
        "check",
        "run",
        "status",
        "doctor",
        "top",
        "notify test",
        "simulate",
        "mode suggest",
        "panic",
        "completion",
        "man",
        "support bundle",
        "stop",
    ] {
        let done = told.lines().any(|line| line.starts_with("ok") && line.contains(step));
        assert!(done, "`{step}` is missing in\n{told}");
    }
}
