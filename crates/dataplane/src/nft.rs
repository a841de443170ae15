//! `nft`, the program: scripts that hold whole or not at all, and tables as it tells them.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Why it did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It cannot be run.
    #[error("cannot run `nft` ({0}): install nftables")]
    Missing(#[from] io::Error),
    /// It said no; its first line.
    #[error("{0}")]
    Refused(String),
}

/// Runs a script as one transaction.
///
/// # Errors
/// When nft is not there or refuses; then nothing has changed.
pub fn run(script: &str) -> Result<(), Failed> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A program that ends early says why on its standard error.
        let _ = input.write_all(script.as_bytes());
    }
    let done = child.wait_with_output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Failed::Refused(said.lines().next().unwrap_or("no reason given").to_owned()))
}

/// A table of the family `inet`, as text or as JSON; `None` where there is none.
///
/// # Errors
/// When nft is not there.
pub fn table(name: &str, json: bool) -> Result<Option<Vec<u8>>, Failed> {
    let form: &[&str] = if json { &["-j"] } else { &[] };
    let listed = Command::new("nft").args(form).args(["list", "table", "inet", name]).output()?;
    Ok(listed.status.success().then_some(listed.stdout))
}
