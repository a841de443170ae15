//! The validators of others, in the environment that `scripts/setup python` makes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a part of `validate.py` on a folder; what it complains of. `None` where the environment is missing.
pub(crate) fn complaints(part: &str, folder: &Path) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    if !python.exists() {
        let what = "skipped: needs .venv; `scripts/setup python` makes it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports/validate.py");
    let out =
        Command::new(python).arg("-W").arg("ignore").arg(script).arg(part).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{part}: {said}{}", String::from_utf8_lossy(&out.stderr));
    Some(said.trim().to_owned())
}

/// A folder that goes with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spillway-intel-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
