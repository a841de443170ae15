//! What is remembered of targets over a restart: how often the attack came back, and so how long it is held; and what is not to
//! be tried again for it.
//!
//! What is in force stands in the journal; without this file everything still ends, only sooner than it should.

use std::path::{Path, PathBuf};

use base::Prefix;
use serde::{Deserialize, Serialize};
use steer::ladder::Climb;

use super::case::Barred;

/// In the state folder.
const FILE: &str = "ladder.json";

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// Which.
    pub(super) target: Prefix,
    /// Where it stands.
    pub(super) climb: Climb,
    /// What is not tried again.
    pub(super) barred: Barred,
}

/// What an earlier run knew.
pub(super) fn read(folder: &Path) -> Vec<Remembered> {
    let Ok(text) = std::fs::read(place(folder)) else { return Vec::new() };
    serde_json::from_slice(&text).unwrap_or_else(|cause| {
        tracing::warn!(%cause, "{FILE} is not understood and left aside: holds begin with the shortest");
        Vec::new()
    })
}

/// For the next run: whole, or as it was.
pub(super) fn write(folder: &Path, all: &[Remembered]) {
    let text = serde_json::to_vec(all).unwrap_or_default();
    if let Err(cause) = crate::folder::replace(&place(folder), &text) {
        tracing::warn!(%cause, "{FILE} cannot be written: after a restart holds begin with the shortest");
    }
}

fn place(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
