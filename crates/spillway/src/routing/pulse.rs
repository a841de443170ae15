//! The dead-man switch's sign of life: the decision core gives it each tick, the desk looks how old it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use base::Span;

/// Shared by the one who lives and the one who looks.
#[derive(Clone, Debug)]
pub struct Pulse {
    began: Instant,
    /// Nanoseconds after `began`.
    last: Arc<AtomicU64>,
    /// Attacks that go on, as of then.
    attacks: Arc<AtomicUsize>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { began: Instant::now(), last: Arc::default(), attacks: Arc::default() }
    }
}

impl Pulse {
    /// A sign of life.
    pub fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// So many attacks go on.
    pub fn sees(&self, attacks: usize) {
        self.attacks.store(attacks, Ordering::Relaxed);
    }

    /// Attacks that go on.
    pub fn attacks(&self) -> usize {
        self.attacks.load(Ordering::Relaxed)
    }

    /// How long ago the last one was.
    pub fn silence(&self) -> Span {
        Span::from_nanos(self.now().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
