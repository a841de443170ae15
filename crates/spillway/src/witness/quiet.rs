//! What is learned of senders in peace, over restarts: `STATE_DIR/peace`, which holds no address.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use base::map::Seed;
use base::{Span, Timestamp};
use intel::Peace;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::folder;

/// Octets of the file at most: it is read whole.
const FILE_MAX: u64 = 16 << 20;
/// Between two savings.
const SAVE_EVERY: Span = Span::from_secs(600);

/// See above.
pub(super) struct Quiet {
    path: PathBuf,
    key: u64,
    peace: Arc<Mutex<Peace>>,
    saved: Timestamp,
}

impl Quiet {
    /// As it was saved; what cannot be read is begun anew.
    pub(super) fn open(state_dir: &Path, now: Timestamp) -> Self {
        let path = state_dir.join("peace");
        let saved = std::fs::metadata(&path).is_ok_and(|about| about.len() <= FILE_MAX);
        let octets = if saved { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let key = octets.first_chunk().map_or_else(random, |key| u64::from_le_bytes(*key));
        let mut peace = Peace::new(key, Seed::new(key.rotate_left(17)));
        peace.import(now, octets.get(8..).unwrap_or(&[]));
        Self { path, key, peace: Arc::new(Mutex::new(peace)), saved: now }
    }

    /// A number that nobody outside knows.
    pub(super) const fn key(&self) -> u64 {
        self.key
    }

    /// To be asked.
    pub(super) fn known(&self) -> Arc<Mutex<Peace>> {
        Arc::clone(&self.peace)
    }

    /// To be told.
    pub(super) fn lock(&self) -> MutexGuard<'_, Peace> {
        self.peace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves it when it is time, or at the end.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn save(&mut self, now: Timestamp, last: bool) -> anyhow::Result<()> {
        if !last && now.since(self.saved) < SAVE_EVERY {
            return Ok(());
        }
        self.saved = now;
        let octets = [self.key.to_le_bytes().to_vec(), self.lock().export()].concat();
        folder::replace(&self.path, &octets)
            .with_context(|| format!("{}: cannot be written", self.path.display()))
    }
}

fn random() -> u64 {
    let mut octets = [0; 8];
    // Without random numbers the key is known to others, who gain that they may be forgotten together.
    let _ = SystemRandom::new().fill(&mut octets);
    u64::from_le_bytes(octets)
}
