//! A bench on a loopback of its own: it runs again within a network namespace, and leaves its table in a file.

use std::ffi::OsStr;

use ::peers::namespace;

use super::build;
use crate::run::{Outcome, finish, root};

/// Set in the environment of who runs inside the namespace.
const INSIDE: &str = "SPILLWAY_BENCH_INSIDE";

/// Builds what is measured, and measures it in a namespace where that is possible; `name` is the bench's.
pub(super) fn run(name: &str, measure: fn() -> Outcome<String>) -> Outcome<String> {
    if std::env::var_os(INSIDE).is_some() {
        return measure();
    }
    build()?;
    if !namespace::available() {
        eprintln!("not root: on the machine's own loopback, not in a namespace");
        return measure();
    }
    let folder = root().join("target/bench");
    let sheet = folder.join(format!("{name}.md"));
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let words = [OsStr::new("bench-inside"), OsStr::new(name), sheet.as_os_str()];
    finish(namespace::inside(words)?.current_dir(root()).env(INSIDE, "1"))?;
    std::fs::read_to_string(&sheet).map_err(|e| format!("{}: {e}", sheet.display()))
}

/// The other half of the re-exec: measures, and leaves the table.
pub(crate) fn inside(args: &[String]) -> Outcome {
    let [name, sheet] = args else { return Err("bench-inside NAME FILE".to_owned()) };
    let bench = super::BENCHES.iter().find(|(known, _)| known == name);
    let (_, bench) = bench.ok_or_else(|| format!("no bench '{name}'"))?;
    std::fs::write(sheet, bench()?).map_err(|e| format!("{sheet}: {e}"))
}
