//! The way to the disk: the latest state of each thing, never a queue that could fill.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use store::{AttackRow, Batch, Snapshot};

/// Attacks that wait at most: while nothing can be written those that are over gather here beside those that the core follows.
const ATTACKS_MAX: usize = 8_192;

/// What waits to be written.
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
    /// Attacks that found no room.
    lost: u64,
    /// What was put in last, by number.
    last: u64,
    /// Up to which number everything is on the disk.
    written: u64,
}

/// What is taken out to be written.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) batch: Batch,
    /// Everything up to this number is in it, or was written before.
    pub(super) number: u64,
    /// Nothing more will come.
    pub(super) closed: bool,
}

impl Inner {
    /// Where more wait than there is room for, those go that were over first.
    fn fit(&mut self) {
        while self.attacks.len() > ATTACKS_MAX {
            let oldest = self.attacks.values().min_by_key(|row| (row.ended_at.is_none(), row.updated_at));
            let Some(id) = oldest.map(|row| row.id.clone()) else { return };
            self.attacks.remove(&id);
            self.lost += 1;
        }
    }
}

impl Mailbox {
    /// Puts in attacks and snapshots of one instant; each replaces an older state of the same name. What is urgent does not
    /// wait for the writer's pause. Gives the number under which [`Mailbox::reached`] tells that it is on the disk.
    pub(super) fn put(&self, attacks: Vec<AttackRow>, snapshots: Vec<Snapshot>, urgent: bool) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.urgent |= urgent;
        inner.attacks.extend(attacks.into_iter().map(|row| (row.id.clone(), row)));
        inner.snapshots.extend(snapshots.into_iter().map(|row| (row.name.clone(), row)));
        inner.fit();
        inner.last += 1;
        self.changed.notify_all();
        inner.last
    }

    /// Everything up to this number is on the disk.
    pub(super) fn written(&self, number: u64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.written = inner.written.max(number);
    }

    /// Up to which number everything is on the disk, or was lost and counted.
    pub(super) fn reached(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).written
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
        inner.fit();
    }

    /// Attacks that were not written, for nothing could be for so long that too many waited.
    pub(super) fn lost(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    /// Nothing more will come.
    fn close(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Waits for something and takes all of it.
    pub(super) fn take(&self, wait: Duration) -> Taken {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let empty =
            |inner: &mut Inner| inner.attacks.is_empty() && inner.snapshots.is_empty() && !inner.closed;
        let (mut inner, _) =
            self.changed.wait_timeout_while(inner, wait, empty).unwrap_or_else(PoisonError::into_inner);
        inner.urgent = false;
        let attacks = std::mem::take(&mut inner.attacks).into_values().collect();
        let snapshots = std::mem::take(&mut inner.snapshots).into_values().collect();
        Taken { batch: Batch { attacks, snapshots }, number: inner.last, closed: inner.closed }
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

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;

    fn row(id: usize, over: bool) -> AttackRow {
        let at = Timestamp::from_nanos(id as u64);
        AttackRow {
            id: format!("{id}"),
            state: String::new(),
            severity: String::new(),
            target: String::new(),
            direction: String::new(),
            started_at: at,
            ended_at: over.then_some(at),
            updated_at: at,
            document: String::new(),
            rules: Vec::new(),
        }
    }

    #[test]
    fn what_cannot_be_written_waits_and_what_is_too_much_is_counted() {
        let mailbox = Mailbox::default();
        // the oldest goes on, the others are over
        mailbox.put((0..ATTACKS_MAX).map(|id| row(id, id > 0)).collect(), Vec::new(), true);
        let Taken { batch, .. } = mailbox.take(Duration::ZERO);
        assert_eq!((batch.attacks.len(), mailbox.lost()), (ATTACKS_MAX, 0));
        // meanwhile one of them went on, and there is another one
        mailbox.put(vec![row(5, false), row(ATTACKS_MAX, false)], Vec::new(), true);
        mailbox.put_back(batch);
        assert_eq!(mailbox.lost(), 1);
        let Taken { batch, closed, .. } = mailbox.take(Duration::ZERO);
        assert!(!closed);
        let of = |id: usize| batch.attacks.iter().find(|row| row.id == format!("{id}"));
        assert_eq!(batch.attacks.len(), ATTACKS_MAX);
        assert!(of(1).is_none(), "that was over first");
        assert!(of(0).is_some() && of(5).is_some_and(|row| row.ended_at.is_none()));
    }
    #[test]
    fn what_is_on_the_disk_is_known_by_its_number() {
        let mailbox = Mailbox::default();
        let first = mailbox.put(vec![row(1, false)], Vec::new(), true);
        let taken = mailbox.take(Duration::ZERO);
        // while it is being written another one comes
        let second = mailbox.put(vec![row(2, false)], Vec::new(), true);
        assert_eq!(taken.number, first);
        assert!(mailbox.reached() < first);
        // the write failed: nothing is on the disk, and both are in the next one
        mailbox.put_back(taken.batch);
        let taken = mailbox.take(Duration::ZERO);
        assert_eq!((taken.batch.attacks.len(), taken.number), (2, second));
        mailbox.written(taken.number);
        assert_eq!(mailbox.reached(), second);
    }
}
