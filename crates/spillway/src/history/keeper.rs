//! The thread that merges and deletes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::history::rollup::{Book, Keep};
use ::history::{HistoryError, Limits, merge, retain, usage};
use nix::sys::statvfs::statvfs;

use super::{Board, folder, lock, sums};
use crate::config::Config;
use crate::daemon::clock::Clock;

/// So often it looks.
const TURN: Duration = Duration::from_secs(10);

/// What the thread has.
pub(super) struct Keeper {
    folder: PathBuf,
    sums: PathBuf,
    /// Open while the file can be used.
    book: Option<Book>,
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
        Self {
            folder: folder(&config.state_dir),
            sums: sums(&config.state_dir),
            book: None,
            limits,
            clock,
            board,
            stop,
        }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let (mut said, mut said_of_sums) = (None, None);
        loop {
            // At the end, minutes that go on as well: whoever adds to them has ended before.
            let trouble = self.sum_up(self.stop.load(Ordering::Relaxed)).err().map(|cause| cause.to_string());
            if let Some(error) = trouble.as_ref().filter(|_| trouble != said_of_sums) {
                tracing::error!(error, "sums by minute wait for the disk; detection goes on");
            }
            said_of_sums = trouble;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let trouble = self.look().err().map(|cause| cause.to_string());
            if let Some(error) = trouble.as_ref().filter(|_| trouble != said) {
                tracing::error!(error, "segments of flow samples are not merged or not deleted");
            }
            said = trouble;
            if !self.stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(TURN);
            }
        }
    }

    fn sum_up(&mut self, all: bool) -> Result<(), HistoryError> {
        if self.board.full.load(Ordering::Relaxed) {
            // Minutes wait, and are counted where they wait for too long.
            self.board.shelf.minutes().close(self.clock.now());
            return Ok(());
        }
        let turned = self.turn(all);
        match turned {
            Ok(written) => {
                self.board.sums_written.fetch_add(written, Ordering::Relaxed);
                Ok(())
            }
            Err(cause) => {
                self.board.sums_refused.fetch_add(1, Ordering::Relaxed);
                self.board.shelf.minutes().close(self.clock.now());
                // A file that was taken away, or is damaged, is opened anew.
                self.book = None;
                Err(cause)
            }
        }
    }

    fn turn(&mut self, all: bool) -> Result<u64, HistoryError> {
        let book = match &mut self.book {
            Some(book) => book,
            none => none.insert(Book::open(&self.sums)?),
        };
        Ok(book.turn(&self.board.shelf, self.clock.now(), Keep::default(), all)?.written)
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
