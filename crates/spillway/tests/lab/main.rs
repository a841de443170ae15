//! The lab, and what it is for: real stacks under attack.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod arena;
mod delay;
mod flood;
mod leftovers;

/// Whoever measures under load has the machine alone: nextest knows by the name, and tests of one process take turns.
mod alone {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    mod cookies;
    mod reroute;
    pub(super) mod scenarios;
    mod transfer;

    pub(super) fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
