//! The Debian package, by cargo-deb: what is in it stands in crates/spillway/Cargo.toml. What is not in the repository, pages and
//! completions, is made first, by the program itself (scripts/package-parts).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::run::{Outcome, command, finish, output, root};

/// The packager; another version is a decision.
const VERSION: &str = "3.8.0";

/// `deb [PROFILE [FILE [VERSION]]]`: the package of what was built in this profile; `release` is built first.
pub(crate) fn run(args: &[String]) -> Outcome {
    let profile = args.first().map_or("release", String::as_str);
    install()?;
    if profile == "release" {
        finish(&mut command(
            "cargo",
            &["build", "--locked", "--release", "--package", "spillway", "--package", "verifier"],
        ))?;
    }
    let program = format!("target/{profile}/spillway");
    finish(&mut command("scripts/package-parts", &[&program]))?;
    let mut deb = Command::new(tool());
    deb.current_dir(root()).args([
        "--no-build",
        "--locked",
        "--quiet",
        "--profile",
        profile,
        "--package",
        "spillway",
        "--strip",
    ]);
    if profile != "release" {
        deb.arg("--fast");
    }
    if let Some(file) = args.get(1) {
        deb.args(["--output", file]);
    }
    if let Some(version) = args.get(2) {
        deb.args(["--deb-version", version]);
    }
    let packed = output(&mut deb)?;
    let packed = packed.trim();
    // The same table holds what tests pack without cargo-deb.
    finish(&mut command("scripts/package", &["check", profile, packed]))?;
    println!("{packed}");
    Ok(())
}

/// Where the packager is, once it is there: in the target folder, so that nothing outside is touched.
fn tool() -> PathBuf {
    root().join("target/tools/bin/cargo-deb")
}

/// Puts the packager there, where it is missing or of another version.
fn install() -> Outcome {
    match start()? {
        Some(mut child) => {
            let status = child.wait().map_err(|e| e.to_string())?;
            if status.success() { Ok(()) } else { Err(format!("cargo install cargo-deb: {status}")) }
        }
        None => Ok(()),
    }
}

/// Begins to; `None`: it is there. A minute of one core (61 s, measured); without optimisation it takes minutes to pack. Tests
/// pack by the same table without it (scripts/package).
fn start() -> Outcome<Option<Child>> {
    let have = Command::new(tool()).arg("--version").output().ok();
    if have.is_some_and(|out| String::from_utf8_lossy(&out.stdout).contains(VERSION)) {
        return Ok(None);
    }
    let version = format!("cargo-deb@{VERSION}");
    let mut cargo = command("cargo", &["install", "--quiet", "--locked", "--root", "target/tools"]);
    cargo.args(["--target-dir", "target/tools/build", &version]);
    // Its own lints are its own business.
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER").stdin(Stdio::null());
    cargo.spawn().map(Some).map_err(|e| format!("cargo install cargo-deb: {e}"))
}
