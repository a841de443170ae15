//! The one place where the daemon looks at a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Timestamp;

/// A wall clock that is this much ahead of us has been set, and we follow.
const JUMP: Duration = Duration::from_secs(1);

/// Wall time that never runs backwards: anchored once, carried on by the monotonic clock, moved forward when the wall
/// clock was set forward. A wall clock set back is followed at the next start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Duration,
    since: Instant,
}

impl Clock {
    /// Anchored now.
    pub(crate) fn start() -> Self {
        Self { wall: wall(), since: Instant::now() }
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        let nanos = self.elapsed().as_nanos();
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Follows a wall clock that was set forward. Called at ticks.
    pub(crate) fn follow(&mut self) {
        let wall = wall();
        if wall > self.elapsed() + JUMP {
            *self = Self { wall, since: Instant::now() };
        }
    }

    fn elapsed(&self) -> Duration {
        self.wall + self.since.elapsed()
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
