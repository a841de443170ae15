//! What desks have in common: a desk is a thread that takes orders, and the door to it outlives it, for after a reload another
//! thread may sit there.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Where an answer goes.
pub(crate) type Reply<A> = Sender<Result<A, String>>;

/// What is there at the moment, for all who hold a clone.
#[derive(Debug)]
pub(crate) struct Place<T>(Arc<RwLock<Option<T>>>);

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Place<T> {
    pub(crate) fn get(&self) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, there: Option<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = there;
    }
}

/// How a desk is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// Orders that wait at once; who comes then is told so.
    pub(crate) waiting_max: usize,
    /// How long a caller waits for its answer.
    pub(crate) patience: Duration,
    /// What is said where the thread is gone.
    pub(crate) gone: &'static str,
    /// What is said where no answer comes in time.
    pub(crate) late: &'static str,
}

/// Asks, and waits for the answer. `waiting` is shared with all who wait.
///
/// # Errors
/// Why it was not done.
pub(crate) fn ask<M, A>(
    asks: &Sender<M>,
    waiting: &Arc<()>,
    manners: Manners,
    order: impl FnOnce(Reply<A>) -> M,
) -> Result<A, String> {
    if Arc::strong_count(waiting) > manners.waiting_max {
        return Err("too many orders wait already: try again".to_owned());
    }
    let (reply, answer) = channel();
    asks.send(order(reply)).map_err(|_| manners.gone.to_owned())?;
    answer.recv_timeout(manners.patience).unwrap_or_else(|_| Err(manners.late.to_owned()))
}

/// What a desk has written down for others to see.
pub(crate) fn seen<T: Clone>(board: &Mutex<T>) -> T {
    board.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Goes off when the thread that holds it panics.
pub(crate) struct Alarm<F: FnOnce()>(pub(crate) Option<F>);

impl<F: FnOnce()> Drop for Alarm<F> {
    fn drop(&mut self) {
        if let (true, Some(broken)) = (std::thread::panicking(), self.0.take()) {
            broken();
        }
    }
}
