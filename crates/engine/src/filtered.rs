//! Attacks that a device filters, and tells of: while its packets are still seen to be dropped, an attack goes on.
//!
//! Dropped packets are no traffic and are counted nowhere: what reaches nobody has no rate. They are only a sign of life, and a
//! weak one, for rules hit some honest strangers, too. So as many have to be dropped as an attack has at least, and not much fewer
//! than while it was surely going on. A trickle that is left of it, or that began when it was over, does not keep it alive.

use std::collections::VecDeque;

use base::{Span, Timestamp};

/// Dropped packets are counted over so long.
const WINDOW: Span = Span::from_secs(10);
/// Fewer than these are no attack: what a capture's attack has at least, too.
const LEAST: u64 = 20;
/// Less than this part of the most that was seen is what is left of it.
const FADED: u64 = 50;

/// What was seen of one attack's packets being dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filtered {
    window: VecDeque<(Timestamp, u64)>,
    sum: u64,
    /// The most that was seen in one window.
    pub(crate) most: u64,
    /// The last packet that showed that it goes on, as it was told.
    pub(crate) until: Option<Timestamp>,
}

impl Filtered {
    /// Takes in that `strangers` were dropped by its rules until `now`; whether it goes on by that. Its last sign of life before
    /// was at `last`.
    pub(crate) fn goes_on(&mut self, now: Timestamp, strangers: u64, last: Timestamp) -> bool {
        self.window.push_back((now, strangers));
        self.sum += strangers;
        while let Some((_, old)) = self.window.pop_front_if(|(at, _)| now.since(*at) >= WINDOW) {
            self.sum -= old;
        }
        // Only what is dropped right after it was seen says how much of it is dropped.
        if now.since(last) < WINDOW {
            self.most = self.most.max(self.sum);
        }
        self.most > 0 && self.sum >= LEAST && self.sum.saturating_mul(FADED) >= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    #[test]
    fn an_attack_goes_on_while_about_as_much_is_dropped_as_at_first_and_ends_with_a_trickle() {
        let mut filtered = Filtered::default();
        let mut last = secs(0);
        for at in 1..100 {
            assert_eq!(filtered.goes_on(secs(at), 200, last), at >= 1, "{at}");
            last = secs(at);
        }
        // Three a second of two hundred: enough for an attack, and not for this one.
        let ends = (100..200).find(|at| !filtered.goes_on(secs(*at), 3, last));
        assert_eq!(ends, Some(109));
    }

    #[test]
    fn what_is_dropped_long_after_its_last_packet_does_not_bring_it_back() {
        let mut filtered = Filtered::default();
        for at in 11..60 {
            assert!(!filtered.goes_on(secs(at), 1_000, secs(0)));
        }
        // Nor do a few, however soon.
        let mut few = Filtered::default();
        assert!((1..60).all(|at| !few.goes_on(secs(at), 1, secs(at - 1))));
    }
}
