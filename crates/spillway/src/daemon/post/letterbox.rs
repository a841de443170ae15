//! The way from the decision core to the clerk: the latest state of each attack, never a queue that could fill.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{Brief, Counts, Trouble};
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
    /// What the last clerk had told as amiss.
    amiss: Mutex<BTreeMap<String, Trouble>>,
}

/// Configurations that were looked at and wait to be told; the oldest go.
const CONFIGURATIONS_MAX: usize = 16;

/// What lies in the box.
#[derive(Debug, Default)]
pub(super) struct Letters {
    open: bool,
    /// Bounded by the number of attacks that the core follows.
    pub(super) briefs: BTreeMap<String, Brief>,
    /// The attacks that the core knows at its start.
    pub(super) settle: Option<Vec<String>>,
    /// All that is amiss, as last seen.
    pub(super) troubles: Option<BTreeMap<String, Trouble>>,
    /// Configurations that were looked at: `None` taken, else why not.
    pub(super) configurations: Vec<Option<String>>,
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

    /// All that is amiss now.
    pub(in crate::daemon) fn troubles(&self, amiss: BTreeMap<String, Trouble>) {
        let mut letters = self.letters();
        if letters.open {
            letters.troubles = Some(amiss);
            self.0.changed.notify_all();
        }
    }

    /// A configuration was looked at: `None` taken, else why not.
    pub(in crate::daemon) fn configuration(&self, refused: Option<String>) {
        let mut letters = self.letters();
        if letters.open {
            if letters.configurations.len() == CONFIGURATIONS_MAX {
                letters.configurations.remove(0);
            }
            letters.configurations.push(refused);
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

    /// What is told as amiss, for the next clerk.
    pub(super) fn leave(&self, amiss: BTreeMap<String, Trouble>) {
        *self.0.amiss.lock().unwrap_or_else(PoisonError::into_inner) = amiss;
    }

    /// What the clerk before has left.
    pub(super) fn left(&self) -> BTreeMap<String, Trouble> {
        self.0.amiss.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        let empty = |letters: &mut Letters| {
            let Letters { open, briefs, settle, troubles, configurations } = letters;
            *open && briefs.is_empty() && settle.is_none() && troubles.is_none() && configurations.is_empty()
        };
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
