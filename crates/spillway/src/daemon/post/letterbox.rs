//! The way from the decision core to the clerk: the latest state of each attack, never a queue that could fill.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{Brief, Counts};
use store::Waiting;

/// Shared by those who tell and those who carry.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Door(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    letters: Mutex<Letters>,
    changed: Condvar,
    counts: Counts,
    /// As last seen in the outbox.
    waiting: Mutex<BTreeMap<String, Waiting>>,
}

/// What lies in the box.
#[derive(Debug, Default)]
pub(super) struct Letters {
    open: bool,
    /// Bounded by the number of attacks that the core follows.
    pub(super) briefs: BTreeMap<String, Brief>,
    /// The attacks that the core knows at its start.
    pub(super) settle: Option<Vec<String>>,
}

impl Door {
    /// Tells of an attack's new state, where anybody wants to know.
    pub(in crate::daemon) fn tell(&self, brief: impl FnOnce() -> Brief) {
        let mut letters = self.letters();
        if letters.open {
            let brief = brief();
            letters.briefs.insert(brief.id.clone(), brief);
            self.0.changed.notify_all();
        }
    }

    /// These attacks go on; what else was told as going on does not any more.
    pub(in crate::daemon) fn settle(&self, active: Vec<String>) {
        let mut letters = self.letters();
        if letters.open {
            letters.settle = Some(active);
            self.0.changed.notify_all();
        }
    }

    /// What became of notifications.
    pub(in crate::daemon) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// What waits, by channel.
    pub(in crate::daemon) fn waiting(&self) -> BTreeMap<String, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn show(&self, waiting: BTreeMap<String, Waiting>) {
        *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    pub(super) fn open(&self) {
        self.letters().open = true;
    }

    pub(super) fn close(&self) {
        self.letters().open = false;
        self.0.changed.notify_all();
    }

    /// Waits for something and takes all of it; the flag says that nothing more will come.
    pub(super) fn take(&self, wait: Duration) -> (Letters, bool) {
        let empty =
            |letters: &mut Letters| letters.open && letters.briefs.is_empty() && letters.settle.is_none();
        let (mut letters, _) = self
            .0
            .changed
            .wait_timeout_while(self.letters(), wait, empty)
            .unwrap_or_else(PoisonError::into_inner);
        let open = letters.open;
        (std::mem::replace(&mut *letters, Letters { open, ..Letters::default() }), !open)
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.0.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes carriers.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// How often it has rung.
    pub(super) fn rings(&self) -> u64 {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until it rings after `heard`, but not longer than `wait`.
    pub(super) fn wait(&self, heard: u64, wait: Duration) {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.rung.wait_timeout_while(rings, wait, |rings| *rings == heard));
    }
}
