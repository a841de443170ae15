//! Who writes down what is to be told, before anybody sends it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use notify::{Router, Writing};
use store::Outbox;

use super::letterbox::{Bell, Door, Letters};
use crate::daemon::clock::Clock;

/// Reminders are looked for, and what waits is counted, this often.
const LOOK: Duration = Duration::from_secs(1);
/// Events that wait in memory for an outbox that cannot be written; the least important and oldest beyond it go.
const PENDING_MAX: usize = 10_000;
/// Attempts to write the last of it while ending.
const LAST_ATTEMPTS: u32 = 2;

/// The clerk's thread.
pub(super) struct Clerk {
    pub(super) router: Router,
    pub(super) outbox: Arc<Mutex<Outbox>>,
    pub(super) door: Door,
    pub(super) bell: Arc<Bell>,
    pub(super) caps: BTreeMap<String, u64>,
    pub(super) clock: Clock,
}

impl Clerk {
    pub(super) fn run(mut self) {
        let mut pending = Writing::default();
        let (mut errors, mut last) = (0u32, 0);
        loop {
            let (letters, closed) = self.door.take(LOOK);
            self.clock.follow();
            let now = self.clock.now();
            self.read(letters, now, &mut pending);
            match self.write(&pending) {
                Ok(()) => {
                    pending = Writing::default();
                    errors = 0;
                }
                Err(cause) => {
                    errors = errors.saturating_add(1);
                    if errors.is_power_of_two() {
                        tracing::error!(%cause, errors, "notifications cannot be written down; will try again");
                    }
                    self.bound(&mut pending);
                    last += u32::from(closed);
                }
            }
            if closed && (errors == 0 || last >= LAST_ATTEMPTS) {
                self.door.leave(self.router.amiss().clone());
                return;
            }
            if let Ok(waiting) = self.outbox().waiting() {
                self.door.show(waiting);
            }
        }
    }

    fn read(&mut self, letters: Letters, now: Timestamp, pending: &mut Writing) {
        let mut add = |writing: Writing| {
            pending.events.extend(writing.events);
            // Of each attack the latest counts.
            pending.told.retain(|told| !writing.forgotten.contains(&told.attack));
            pending.told.extend(writing.told);
            pending.forgotten.extend(writing.forgotten);
        };
        if let Some(active) = letters.settle {
            add(self.router.settle(&active, now));
        }
        for brief in letters.briefs.into_values() {
            add(self.router.hear(brief, now));
        }
        if let Some(amiss) = letters.troubles {
            add(self.router.troubles(amiss, now));
        }
        for refused in letters.configurations {
            add(self.router.configuration(refused, now));
        }
        add(self.router.look(now));
    }

    fn write(&self, pending: &Writing) -> Result<(), store::StoreError> {
        if pending.events.is_empty() && pending.told.is_empty() && pending.forgotten.is_empty() {
            return Ok(());
        }
        let dropped = self.outbox().put(&pending.events, &pending.told, &pending.forgotten, &self.caps)?;
        for (channel, count) in dropped {
            self.door.counts().add(&channel, "dropped", count);
        }
        self.bell.ring();
        Ok(())
    }

    fn bound(&self, pending: &mut Writing) {
        while pending.events.len() > PENDING_MAX {
            let least = pending.events.iter().enumerate().min_by_key(|(at, event)| (event.rank, *at));
            let Some((at, _)) = least else { return };
            let gone = pending.events.remove(at);
            self.door.counts().add(&gone.channel, "dropped", 1);
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
