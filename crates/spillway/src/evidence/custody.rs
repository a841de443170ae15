//! The chain of custody: who did what to a bag, and when; a line a step.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use base::Timestamp;
use intel::bag::CUSTODY;
use serde::Serialize;

/// A step.
#[derive(Debug, Serialize)]
pub struct Step<'a> {
    /// When.
    pub at: Timestamp,
    /// Who: the program and its version.
    pub by: &'static str,
    /// `opened`, `paused`, `interrupted`, `recorded`, `annotated`, `sealed`.
    pub what: &'a str,
    /// In words.
    pub detail: String,
    /// SHA-256 of the capture before, where the step changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// SHA-256 of the capture after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// This program.
pub const SELF: &str = concat!("spillway ", env!("CARGO_PKG_VERSION"));

/// Appends a step, and waits until it is on the disk.
pub fn append(folder: &Path, step: &Step<'_>) -> anyhow::Result<()> {
    put(folder, step, true)
}

/// Appends a step; [`super::files::settle`] brings it to the disk.
pub(super) fn note(folder: &Path, step: &Step<'_>) -> anyhow::Result<()> {
    put(folder, step, false)
}

fn put(folder: &Path, step: &Step<'_>, sync: bool) -> anyhow::Result<()> {
    let path = folder.join(CUSTODY);
    let mut line = serde_json::to_vec(step)?;
    line.push(b'\n');
    let written = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| {
        file.write_all(&line)?;
        if sync { file.sync_data() } else { Ok(()) }
    });
    written.with_context(|| format!("{}: cannot be written", path.display()))
}
