//! What an absorber holds, in a file: one that is started again goes on with it, and the kernel's set stays as it is.

use std::path::PathBuf;

use steer::absorb::Keepsake;

/// In the state folder.
const FILE: &str = "held.json";

/// The file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    /// As it was written last.
    last: Vec<Keepsake>,
    /// Times that it could not be written.
    failures: u64,
}

impl Kept {
    /// In this folder; what an earlier run held.
    pub(super) fn open(folder: &std::path::Path) -> anyhow::Result<(Self, Vec<Keepsake>)> {
        use anyhow::Context as _;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {} (`state_dir`)", folder.display()))?;
        let path = folder.join(FILE);
        let before = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|cause| {
                tracing::warn!(%cause, "{FILE} is not understood and left aside: brains ask anew");
                Vec::new()
            }),
            Err(_) => Vec::new(),
        };
        Ok((Self { path, last: Vec::new(), failures: 0 }, before))
    }

    /// For the next run.
    pub(super) fn write(&mut self, all: Vec<Keepsake>) {
        if all == self.last {
            return;
        }
        let text = serde_json::to_vec(&all).unwrap_or_default();
        match crate::folder::replace(&self.path, &text) {
            Ok(()) => self.last = all,
            Err(cause) => {
                self.failures += 1;
                if self.failures.is_power_of_two() {
                    let failures = self.failures;
                    tracing::warn!(%cause, failures, "{FILE} cannot be written: after a restart brains ask anew");
                }
            }
        }
    }
}
