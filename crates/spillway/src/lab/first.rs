//! When a filter first acted, as seen from outside: by its counters, while attackers are being started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use base::Timestamp;

use super::enforce::counts;
use super::sampler::wall;

/// Between two looks: the error of what is told.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until it has seen something, or is dropped.
#[derive(Debug)]
pub(super) struct First {
    stop: Arc<AtomicBool>,
    seen: Arc<OnceLock<Timestamp>>,
    thread: Option<JoinHandle<()>>,
}

impl First {
    /// Looks at these interfaces.
    pub(super) fn watch(interfaces: Vec<String>) -> std::io::Result<Self> {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let (stopped, told) = (Arc::clone(&stop), Arc::clone(&seen));
        let look = move || {
            while !stopped.load(Ordering::Relaxed) {
                // While a set is being replaced there may be nothing to read.
                let acts = counts(&interfaces).is_ok_and(|(rules, challenged)| {
                    challenged > 0 || rules.iter().any(|rule| rule.dropped > 0)
                });
                if acts {
                    let _ = told.set(wall());
                    return;
                }
                std::thread::sleep(LOOK);
            }
        };
        let thread = Some(Builder::new().name("lab-first".to_owned()).spawn(look)?);
        Ok(Self { stop, seen, thread })
    }

    /// When it did, if it has.
    pub(super) fn seen(&self) -> Option<Timestamp> {
        self.seen.get().copied()
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
