//! The thread that lets go what is over: at the start, and once an hour.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::ledger::entry::By;
use api::metrics::Privacy;

use super::clock::Clock;
use crate::config::Config;
use crate::privacy::{AtRest, sweep};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3_600);
/// How soon the end is noticed.
const TURN: Duration = Duration::from_millis(200);

/// Looks until the daemon ends.
pub(super) fn run(
    config: &Config,
    at_rest: &AtRest,
    mut clock: Clock,
    stop: &AtomicBool,
    board: &Mutex<Privacy>,
) {
    while !stop.load(Ordering::Relaxed) {
        clock.follow();
        let now = clock.now();
        let swept = sweep(config, Some(at_rest), now, (By::Product, None));
        for problem in &swept.errors {
            tracing::error!(problem, "retention; tried again within the hour");
        }
        let gone: Vec<String> =
            swept.gone.iter().filter(|(_, n)| **n > 0).map(|(class, n)| format!("{n} {class}")).collect();
        if !gone.is_empty() {
            tracing::info!(gone = gone.join(", "), "retention is over for these");
        }
        let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
        for (class, count) in swept.gone {
            *board.gone.entry(class.to_owned()).or_default() += count;
        }
        board.errors += u64::try_from(swept.errors.len()).unwrap_or(u64::MAX);
        board.swept_at = Some(now.secs());
        drop(board);
        let begun = Instant::now();
        while begun.elapsed() < EVERY && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TURN);
        }
    }
}
