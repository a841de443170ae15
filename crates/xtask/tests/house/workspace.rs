//! The workspace as cargo and git tell it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// One of our crates.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Our own crates it imports: name, and whether only its tests do.
    pub(crate) imports: Vec<(String, bool)>,
    /// `license` as inherited.
    pub(crate) license: Option<String>,
    pub(crate) rust_version: Option<String>,
}

/// All of our crates.
pub(crate) fn packages() -> Vec<Package> {
    let text = stdout(Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--format-version", "1"]));
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(!packages.is_empty());
    packages.iter().map(package).collect()
}

/// Files that git tracks, from the root.
pub(crate) fn tracked() -> Vec<String> {
    stdout(Command::new("git").args(["ls-files"])).lines().map(str::to_owned).collect()
}

/// A tracked file's text; `None` where it is not text or was just deleted.
pub(crate) fn text(file: &str) -> Option<String> {
    std::fs::read_to_string(root().join(file)).ok()
}

/// Standard output of a command in the root that succeeds.
pub(crate) fn stdout(command: &mut Command) -> String {
    let out = command.current_dir(root()).output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn package(value: &Value) -> Package {
    let manifest = Path::new(value["manifest_path"].as_str().unwrap());
    let imports = value["dependencies"].as_array().unwrap().iter();
    Package {
        name: value["name"].as_str().unwrap().to_owned(),
        folder: manifest.parent().unwrap().to_owned(),
        // a path is what our own crates have and others do not
        imports: imports
            .filter(|import| import["path"].is_string())
            .map(|import| (import["name"].as_str().unwrap().to_owned(), import["kind"] == "dev"))
            .collect(),
        license: value["license"].as_str().map(str::to_owned),
        rust_version: value["rust_version"].as_str().map(str::to_owned),
    }
}
