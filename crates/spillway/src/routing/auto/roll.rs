//! Who was there a moment ago: a router that restarts tells of traffic again before its session is up, and its routes wait for it.
//!
//! For that moment nobody is planned to be given up: what would be told to it, that somebody is discarded, would wait likewise.

use std::collections::BTreeMap;

use base::{Span, Timestamp};
use steer::ladder::Neighbor;

/// A neighbour without a session is waited for this long: BGP tries again within seconds.
const AWAY: Span = Span::from_secs(30);

/// When each neighbour was there last; as many as are configured.
#[derive(Debug, Default)]
pub(super) struct Roll {
    last: BTreeMap<String, Timestamp>,
}

impl Roll {
    /// Who is there now.
    pub(super) fn call<'a>(&mut self, now: Timestamp, all: impl Iterator<Item = (&'a str, bool)>) {
        let before = std::mem::take(&mut self.last);
        for (name, is_there) in all {
            let last = if is_there { Some(now) } else { before.get(name).copied() };
            self.last.extend(last.map(|last| (name.to_owned(), last)));
        }
    }

    /// Neighbours as a plan sees them: one that is waited for gets what it had, and nothing moves meanwhile.
    pub(super) fn awaited(&self, now: Timestamp, mut neighbors: Vec<Neighbor>) -> Vec<Neighbor> {
        let waits = |name: &str| self.last.get(name).is_some_and(|at| now.since(*at) < AWAY);
        for neighbor in neighbors.iter_mut().filter(|one| !one.up && waits(&one.name)) {
            neighbor.up = true;
        }
        neighbors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_that_fell_is_waited_for_a_while_and_one_that_never_was_there_is_not() {
        let at = Timestamp::from_secs;
        let seen = |roll: &Roll, second: u64, up: bool| {
            let (name, links, carries) = ("edge".to_owned(), Vec::new(), Vec::new());
            let one = Neighbor { name, up, links, carries, rules_left: 9, routes_left: 9 };
            roll.awaited(at(second), vec![one]).iter().all(|one| one.up)
        };
        let mut roll = Roll::default();
        roll.call(at(100), [("edge", false)].into_iter());
        assert!(!seen(&roll, 101, false), "it was never there");
        roll.call(at(200), [("edge", true)].into_iter());
        assert!(seen(&roll, 200, true));
        roll.call(at(201), [("edge", false)].into_iter());
        assert!(seen(&roll, 229, false));
        assert!(!seen(&roll, 230, false));
        roll.call(at(202), [("other", true)].into_iter());
        assert!(!seen(&roll, 203, false), "it is configured no more");
    }
}
