//! How many crates the default build has, and who is new.

use std::collections::BTreeSet;
use std::process::Command;

use crate::run::{Outcome, command, output, root};

pub(crate) fn run() -> Outcome {
    let now = of(&mut command("cargo", TREE))?;
    println!("{} crates in the default build (normal and build dependencies, Linux)", now.len());
    // the lock file of the main branch, looked at in a scratch copy, so that nothing here is touched
    let before = output(&mut command("git", &["show", "main:Cargo.lock"])).unwrap_or_default();
    let locked_before: BTreeSet<&str> = before.lines().filter_map(name).collect();
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).map_err(|e| format!("Cargo.lock: {e}"))?;
    let new: Vec<&str> = lock.lines().filter_map(name).filter(|name| !locked_before.contains(name)).collect();
    match new.as_slice() {
        [] => println!("no crate in Cargo.lock that main does not have"),
        names => println!("not in main's Cargo.lock: {}", names.join(", ")),
    }
    Ok(())
}

/// Names and versions in the default build.
const TREE: &[&str] = &[
    "tree",
    "--locked",
    "--package",
    "spillway",
    "--edges",
    "normal,build",
    "--target",
    "x86_64-unknown-linux-gnu",
    "--prefix",
    "none",
];

fn of(tree: &mut Command) -> Outcome<BTreeSet<String>> {
    Ok(output(tree)?.lines().filter_map(crate_of).collect())
}

/// `serde v1.0.229 (proc-macro)` → `serde v1.0.229`.
fn crate_of(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?))
}

fn name(line: &str) -> Option<&str> {
    line.strip_prefix("name = \"")?.strip_suffix('"')
}
