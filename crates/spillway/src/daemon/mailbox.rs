//! The way to the disk: the latest state of each thing, never a queue that could fill.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use store::{AttackRow, Batch, Snapshot};

/// What waits to be written. Bounded by the number of attacks that the core follows and of snapshot names.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    attacks: BTreeMap<String, AttackRow>,
    snapshots: BTreeMap<String, Snapshot>,
    /// What waits is a turning point: who dies now must find it when he is back.
    urgent: bool,
    closed: bool,
}

impl Mailbox {
    /// Puts in attacks and snapshots of one instant; each replaces an older state of the same name. What is urgent does not
    /// wait for the writer's pause.
    pub(super) fn put(&self, attacks: Vec<AttackRow>, snapshots: Vec<Snapshot>, urgent: bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.urgent |= urgent;
        inner.attacks.extend(attacks.into_iter().map(|row| (row.id.clone(), row)));
        inner.snapshots.extend(snapshots.into_iter().map(|row| (row.name.clone(), row)));
        self.changed.notify_all();
    }

    /// Rests for so long, or until something urgent waits.
    pub(super) fn rest(&self, pause: Duration) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let calm = |inner: &mut Inner| !inner.urgent && !inner.closed;
        drop(self.changed.wait_timeout_while(inner, pause, calm));
    }

    /// Puts back what could not be written, unless something newer came meanwhile.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for row in batch.attacks {
            inner.attacks.entry(row.id.clone()).or_insert(row);
        }
        for row in batch.snapshots {
            inner.snapshots.entry(row.name.clone()).or_insert(row);
        }
    }

    /// Nothing more will come.
    fn close(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Waits for something and takes all of it; the flag says that nothing more will come.
    pub(super) fn take(&self, wait: Duration) -> (Batch, bool) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let empty =
            |inner: &mut Inner| inner.attacks.is_empty() && inner.snapshots.is_empty() && !inner.closed;
        let (mut inner, _) =
            self.changed.wait_timeout_while(inner, wait, empty).unwrap_or_else(PoisonError::into_inner);
        inner.urgent = false;
        let attacks = std::mem::take(&mut inner.attacks).into_values().collect();
        let snapshots = std::mem::take(&mut inner.snapshots).into_values().collect();
        (Batch { attacks, snapshots }, inner.closed)
    }
}

/// Closes the mailbox when it is dropped.
#[derive(Debug)]
pub(super) struct CloseAtEnd(pub(super) Arc<Mailbox>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}
