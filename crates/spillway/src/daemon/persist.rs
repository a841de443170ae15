//! The thread that writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::metrics::Histogram;
use store::{Batch, Writer};

use super::mailbox::{Mailbox, Taken};
use crate::privacy::AtRest;

/// Pause between two writes: states of one attack that follow each other quickly are written once. Turning points end it.
const PAUSE: Duration = Duration::from_millis(200);
/// Attempts to write the last state while ending.
const LAST_ATTEMPTS: usize = 3;

/// What the writing costs.
#[derive(Clone, Debug)]
pub(super) struct Effort {
    /// Durations.
    pub(super) writes: Histogram,
    /// Failures.
    pub(super) errors: u64,
    /// Attacks that waited in vain.
    pub(super) lost: u64,
    /// Turns of attacks that were told before they were on the disk.
    pub(super) unwritten: u64,
    /// Size of the last snapshot of the core.
    pub(super) snapshot_bytes: u64,
}

impl Default for Effort {
    fn default() -> Self {
        let writes = Histogram::new(&[0.001, 0.005, 0.025, 0.1, 0.5, 2.5]);
        Self { writes, errors: 0, lost: 0, unwritten: 0, snapshot_bytes: 0 }
    }
}

/// Writes what comes until nothing more will come.
pub(super) fn run(mailbox: &Mailbox, writer: &Mutex<Writer>, at_rest: &AtRest, effort: &Arc<Mutex<Effort>>) {
    let mut failed_last = 0;
    loop {
        let Taken { batch, number, closed } = mailbox.take(Duration::from_secs(1));
        if !batch.is_empty() {
            let core = batch.snapshots.iter().find(|snapshot| snapshot.name == "core");
            let size = core.map(|snapshot| snapshot.body.len() as u64);
            let begun = Instant::now();
            let written = write(writer, at_rest, &batch);
            if written.is_ok() {
                mailbox.written(number);
            }
            let mut effort = effort.lock().unwrap_or_else(PoisonError::into_inner);
            effort.writes.observe(begun.elapsed().as_secs_f64());
            effort.snapshot_bytes = size.unwrap_or(effort.snapshot_bytes);
            if let Err(cause) = written {
                effort.errors += 1;
                let lost = mailbox.lost();
                if lost > effort.lost {
                    tracing::error!(
                        lost,
                        "attacks ended that could not be written; make room, or end what holds spillway.db"
                    );
                }
                effort.lost = lost;
                if effort.errors.is_power_of_two() {
                    tracing::error!(
                        cause = format!("{cause:#}"),
                        errors = effort.errors,
                        "cannot write; will try again"
                    );
                }
                drop(effort);
                mailbox.put_back(batch);
                failed_last += usize::from(closed);
                if failed_last < LAST_ATTEMPTS {
                    std::thread::sleep(PAUSE);
                    continue;
                }
            }
        }
        if closed {
            return;
        }
        mailbox.rest(PAUSE);
    }
}

/// Nothing of others goes to the disk in the clear.
fn write(writer: &Mutex<Writer>, at_rest: &AtRest, batch: &Batch) -> anyhow::Result<()> {
    let batch = at_rest.batch(batch)?;
    Ok(writer.lock().unwrap_or_else(PoisonError::into_inner).commit(&batch)?)
}
