//! How often one may ask: a generic cell rate, one instant for each key.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};

use crate::backoff::subscriber;

/// Keys that are remembered; beyond it strangers share one bucket, counted in [`Limiter::shared`].
const KEYS_MAX: usize = 4_096;

/// Requests per key.
#[derive(Clone, Debug)]
pub struct Limiter {
    interval: Span,
    burst: Span,
    /// When each key will have paid for what it asked.
    paid: BTreeMap<String, Timestamp>,
    shared: u64,
}

impl Limiter {
    /// So many a second, and twice as many at once. At least one.
    pub fn new(per_second: u32) -> Self {
        let interval = Span::from_nanos(1_000_000_000 / u64::from(per_second.max(1)));
        Self {
            interval,
            burst: interval.times(u64::from(per_second.max(1)) * 2),
            paid: BTreeMap::new(),
            shared: 0,
        }
    }

    /// The key of an address.
    pub fn address(address: IpAddr) -> String {
        subscriber(address).to_string()
    }

    /// One more request.
    ///
    /// # Errors
    /// After how long it may come again.
    pub fn take(&mut self, key: &str, now: Timestamp) -> Result<(), Span> {
        if self.paid.len() >= KEYS_MAX && !self.paid.contains_key(key) {
            self.paid.retain(|_, paid| *paid > now);
        }
        let key = if self.paid.len() >= KEYS_MAX && !self.paid.contains_key(key) {
            self.shared += 1;
            ""
        } else {
            key
        };
        let paid = self.paid.get(key).copied().unwrap_or(now).max(now);
        let next = paid.plus(self.interval);
        let owed = next.since(now);
        if owed > self.burst {
            return Err(Span::from_nanos(owed.nanos() - self.burst.nanos()));
        }
        self.paid.insert(key.to_owned(), next);
        Ok(())
    }

    /// Requests that found no bucket of their own.
    pub fn shared(&self) -> u64 {
        self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let (mut limiter, mut now) = (Limiter::new(10), Timestamp::from_secs(5));
        let taken = (0..100).filter(|_| limiter.take("a", now).is_ok()).count();
        assert_eq!(taken, 20);
        assert!(limiter.take("b", now).is_ok());
        let mut later = 0;
        for _ in 0..100 {
            now = now.plus(Span::from_millis(50));
            later += usize::from(limiter.take("a", now).is_ok());
        }
        assert_eq!(later, 50);
    }

    #[test]
    fn strangers_share_what_is_left() {
        let (mut limiter, now) = (Limiter::new(1), Timestamp::from_secs(5));
        for n in 0..KEYS_MAX {
            assert!(limiter.take(&n.to_string(), now).is_ok());
        }
        assert!(limiter.take("x", now).is_ok() && limiter.take("y", now).is_ok());
        assert!(limiter.take("z", now).is_err());
        assert_eq!(limiter.shared(), 3);
        // who owes nothing any more makes room
        assert!(limiter.take("z", now.plus(Span::from_secs(60))).is_ok());
    }
}
