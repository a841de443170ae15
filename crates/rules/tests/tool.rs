//! Tools of the machine that tests ask for a second opinion.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether all of these programs run (and, where asked for, we may make network namespaces). If not, the test is
/// skipped visibly; where `CI=true` it fails.
pub(crate) fn there(programs: &[&[&str]]) -> bool {
    for program in programs {
        let run =
            Command::new(program[0]).args(&program[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !run.as_ref().is_ok_and(|status| status.success()) {
            let what = format!("`{}` does not run here ({run:?})", program.join(" "));
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
            eprintln!("skipped: {what}");
            return false;
        }
    }
    true
}

/// A script beside these tests, wherever they are called from.
pub(crate) fn script(name: &str) -> String {
    format!("{}/../rules/tests/net/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder of this test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}
