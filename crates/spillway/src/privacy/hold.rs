//! A legal hold: what is held outlives its retention.
//!
//! A sealed bag is never touched, so its hold lies beside it (`evidence.hold`); any other folder has it inside (`hold`).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Timestamp;
use intel::bag::BAGIT;
use serde::Serialize;

/// Of a file that holds what lies beside it.
pub(super) const SUFFIX: &str = ".hold";
/// A file that holds what lies around it.
const INSIDE: &str = "hold";

/// What stands in it.
#[derive(Debug, Serialize)]
pub(crate) struct Hold<'a> {
    /// Since when.
    pub(crate) at: Timestamp,
    /// Why.
    pub(crate) reason: &'a str,
    /// In whose name.
    pub(crate) person: Option<&'a str>,
}

/// Holds a folder; gives the file that does.
///
/// # Errors
/// It is no folder, or the file cannot be written.
pub(crate) fn hold(folder: &Path, hold: &Hold<'_>) -> anyhow::Result<PathBuf> {
    let file = file(folder)?;
    let mut text = serde_json::to_vec(hold)?;
    text.push(b'\n');
    let written = crate::folder::replace(&file, &text);
    written.with_context(|| format!("{}: cannot be written", file.display()))?;
    Ok(file)
}

/// Holds it no longer.
///
/// # Errors
/// It is not held, or the file cannot be removed.
pub(crate) fn release(folder: &Path) -> anyhow::Result<PathBuf> {
    let file = file(folder)?;
    if !file.exists() {
        bail!("{}: is not held", folder.display());
    }
    std::fs::remove_file(&file).with_context(|| format!("{}: cannot be removed", file.display()))?;
    Ok(file)
}

/// What holds a folder: since when, why and in whose name; `None`: nothing does.
pub(crate) fn held(folder: &Path) -> Option<serde_json::Value> {
    let text = std::fs::read(file(folder).ok()?).ok()?;
    Some(
        serde_json::from_slice(&text)
            .unwrap_or_else(|_| serde_json::json!({"at": null, "reason": null, "person": null})),
    )
}

/// Whether a file of this name is a hold.
pub(super) fn is_hold(name: &str) -> bool {
    name == INSIDE || name.ends_with(SUFFIX)
}

/// The hold of what is at this path, where it lies beside it.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

fn file(folder: &Path) -> anyhow::Result<PathBuf> {
    if !folder.is_dir() {
        bail!("{}: no folder; name a bag, an attack's folder or a disclosure's", folder.display());
    }
    // However it was named: `.` and a stroke at its end are no names.
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    Ok(if folder.join(BAGIT).exists() { beside(&folder) } else { folder.join(INSIDE) })
}
