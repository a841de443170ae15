//! The thread that merges and deletes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::history::{HistoryError, Limits, merge, retain, usage};
use nix::sys::statvfs::statvfs;

use super::{Board, folder, lock};
use crate::config::Config;
use crate::daemon::clock::Clock;

/// So often it looks.
const TURN: Duration = Duration::from_secs(10);

/// What the thread has.
pub(super) struct Keeper {
    folder: PathBuf,
    limits: Limits,
    clock: Clock,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
}

impl Keeper {
    /// By the configuration.
    pub(super) fn new(config: &Config, clock: Clock, board: Arc<Board>, stop: Arc<AtomicBool>) -> Self {
        let section = &config.history;
        let limits = Limits { age: config.privacy.samples, bytes: section.quota, free: section.free };
        Self { folder: folder(&config.state_dir), limits, clock, board, stop }
    }

    /// Works until it is told to stop.
    pub(super) fn run(self) {
        let mut said = None;
        loop {
            let trouble = self.look().err().map(|cause| cause.to_string());
            if let Some(error) = trouble.as_ref().filter(|_| trouble != said) {
                tracing::error!(error, "segments of flow samples are not merged or not deleted");
            }
            said = trouble;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::park_timeout(TURN);
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn look(&self) -> Result<(), HistoryError> {
        let now = self.clock.now();
        let kept = retain(&self.folder, self.limits, now, &mut || self.free())?;
        if kept.segments > 0 {
            tracing::info!(segments = kept.segments, bytes = kept.bytes, "old flow samples deleted");
        }
        if self.board.full.swap(kept.full, Ordering::Relaxed) != kept.full {
            if kept.full {
                tracing::error!(
                    "the disk has less free than `history.min_free`: no flow samples are written until it has"
                );
            } else {
                tracing::info!("the disk has room for flow samples again");
            }
        }
        let mut stops = || self.stop.load(Ordering::Relaxed);
        while !stops() {
            // Old and new ones lie side by side for a while.
            let room = self.free().map_or(u64::MAX, |free| free.saturating_sub(self.limits.free));
            if merge(&self.folder, now, room, &mut stops)?.from == 0 {
                break;
            }
        }
        *lock(&self.board.usage) = usage(&self.folder)?;
        Ok(())
    }

    /// Octets that the disk has left.
    fn free(&self) -> Option<u64> {
        let told = statvfs(&self.folder).ok()?;
        Some(told.blocks_available().saturating_mul(told.fragment_size()))
    }
}
