//! What the service manager is told: that we serve, that we live, and how it is. Without one nothing is told.

use std::time::{Duration, Instant};

use engine::Mode;
use sd_notify::NotifyState;

use super::source::Source;

/// How it is, is said this often at most.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// So often in each time that the manager allows, a sign of life is given.
const SIGNS: u32 = 3;

/// The service manager, where there is one.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// It starts us again when it hears nothing for so long.
    patience: Option<Duration>,
    said: String,
    said_at: Instant,
}

impl Supervisor {
    pub(super) fn new() -> Self {
        Self { patience: sd_notify::watchdog_enabled(), said: String::new(), said_at: Instant::now() }
    }

    /// How long the main thread may wait for something else.
    pub(super) fn turn(&self) -> Duration {
        self.patience.map_or(STATUS_EVERY, |patience| (patience / SIGNS).min(STATUS_EVERY))
    }

    /// A sign of life, as long as the decision core gives one: a process whose core hangs is no life.
    pub(super) fn look(&mut self, mode: Mode, source: &Source) {
        if let Some(patience) = self.patience {
            let silence = Duration::from_nanos(source.routes.pulse.silence().nanos());
            if silence < patience / 2 {
                tell(&[NotifyState::Watchdog]);
            } else {
                tracing::error!(
                    ?silence,
                    "the decision core gives no sign of life; the service manager gets none either"
                );
            }
        }
        let (exporters, attacks) = source.standing();
        let mode = match mode {
            Mode::Observe => "observing",
            Mode::Suggest => "suggesting",
            Mode::Enforce => "enforcing",
        };
        let now = format!("{mode}; {exporters} exporters, {attacks} attacks");
        if now != self.said && (self.said.is_empty() || self.said_at.elapsed() >= STATUS_EVERY) {
            tell(&[NotifyState::Status(&now)]);
            self.said = now;
            self.said_at = Instant::now();
        }
    }
}

/// A configuration is being taken.
pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It serves.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Not being under a service manager is no error.
fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
