//! Set-up is a shell script, because a fresh machine cannot link this program yet.

use std::process::Child;

use crate::run::{Outcome, command, finish};

pub(crate) fn run(groups: &[String]) -> Outcome {
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    finish(&mut command("scripts/setup", if groups.is_empty() { &["build", "core"] } else { &groups }))
}

/// Beside the first compile: the packages take as long as a few crates.
pub(crate) fn start(groups: &[&str]) -> Outcome<Child> {
    command("scripts/setup", groups).spawn().map_err(|e| format!("scripts/setup: {e}"))
}
