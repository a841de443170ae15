//! The newest samples, in memory: what is not in a segment yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::Batch;

/// Shared by who records and who asks.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Mutex<Vec<Arc<Batch>>>>);

impl Recent {
    /// While this is held, nothing goes from memory into a segment: a look at both sees each sample once.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Vec<Arc<Batch>>> {
        // A poisoned lock holds whole batches all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Samples in memory.
    pub fn len(&self) -> usize {
        self.hold().iter().map(|batch| batch.len()).sum()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.hold().is_empty()
    }
}
