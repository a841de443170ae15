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
    /// Who is there now. One that was never there is waited for since the first call.
    pub(super) fn call<'a>(&mut self, now: Timestamp, all: impl Iterator<Item = (&'a str, bool)>) {
        let before = std::mem::take(&mut self.last);
        for (name, is_there) in all {
            let known = before.get(name).copied().filter(|_| !is_there);
            self.last.insert(name.to_owned(), known.unwrap_or(now));
        }
    }

    /// Neighbours as a plan for diversions sees them: one that is waited for hears of routes, and takes no rules.
    pub(super) fn awaited(&self, now: Timestamp, mut neighbors: Vec<Neighbor>) -> Vec<Neighbor> {
        let waits = |name: &str| self.last.get(name).is_some_and(|at| now.since(*at) < AWAY);
        for neighbor in neighbors.iter_mut().filter(|one| !one.up && waits(&one.name)) {
            (neighbor.up, neighbor.rules_left) = (true, 0);
        }
        neighbors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_that_fell_is_waited_for_a_while_and_takes_no_rules_meanwhile() {
        let at = Timestamp::from_secs;
        let seen = |roll: &Roll, second: u64, up: bool| {
            let (name, links, carries) = ("edge".to_owned(), Vec::new(), Vec::new());
            let one = Neighbor { name, up, links, carries, rules_left: 9, routes_left: 9 };
            let one = roll.awaited(at(second), vec![one]).remove(0);
            (one.up, one.rules_left, one.routes_left)
        };
        let mut roll = Roll::default();
        assert_eq!(seen(&roll, 99, false), (false, 9, 9), "nobody was called yet");
        roll.call(at(100), [("edge", false)].into_iter());
        roll.call(at(110), [("edge", false)].into_iter());
        assert_eq!(seen(&roll, 129, false), (true, 0, 9), "it was never there, since the first call");
        assert_eq!(seen(&roll, 130, false), (false, 9, 9));
        roll.call(at(200), [("edge", true)].into_iter());
        assert_eq!(seen(&roll, 200, true), (true, 9, 9));
        roll.call(at(201), [("edge", false)].into_iter());
        assert_eq!(seen(&roll, 229, false), (true, 0, 9));
        assert_eq!(seen(&roll, 230, false), (false, 9, 9));
        roll.call(at(202), [("other", true)].into_iter());
        assert_eq!(seen(&roll, 203, false), (false, 9, 9), "it is configured no more");
    }
}
