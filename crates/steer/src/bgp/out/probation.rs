//! Plain routes among which a peer went without a word: when each may go out again, and when no more.
//!
//! All routers read plain routes, so most such peers crashed for a reason of their own, and shall have their routes back
//! without a person. But one that a peer never survives must not end its session again and again. By how often a peer
//! went while a route was unproven:
//!
//! | falls | what becomes of it |
//! |---|---|
//! | 1 | it goes out with all others when the peer is back |
//! | 2 | it waits, then they go out one after the other |
//! | 3 and more | it waits for longer each time, then goes out alone, and nobody else on trial before it is proven |
//! | 4 and more, the last time alone | it is the culprit: a person has to release it |

use std::collections::{BTreeMap, BTreeSet};

use base::{Span, Timestamp};

use super::Key;

/// How long a route waits after its second fall, its third, …; after further ones as long as the last.
const PAUSES: [Span; 3] = [Span::from_secs(2), Span::from_secs(60), Span::from_secs(600)];
/// From one route to the next after their second fall.
const STEP: Span = Span::from_secs(1);
/// From so many falls on a route goes out alone.
const ALONE: u32 = 3;
/// And from so many on it is the culprit if it was.
const ENOUGH: u32 = 4;

/// What becomes of a route among which a peer went without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes out with all others.
    Again,
    /// It waits, and is tried again.
    Waits,
    /// It waits for a person.
    Culprit,
}

/// The routes that a peer is not known to survive. Bounded by the routes that are wanted.
#[derive(Debug, Default)]
pub(super) struct Probation {
    falls: BTreeMap<Key, u32>,
    /// Until when each waits.
    waiting: BTreeMap<Key, Timestamp>,
    /// When the last one went out.
    last: Option<Timestamp>,
}

impl Probation {
    /// The peer went without a word while these were unproven; they may be all that were, or some. What becomes of each.
    pub(super) fn fell(&mut self, now: Timestamp, plain: &BTreeSet<Key>, among: usize) -> Vec<(Key, Fate)> {
        let mut fates = Vec::new();
        for key in plain {
            let falls = self.falls.entry(key.clone()).or_default();
            *falls = falls.saturating_add(1);
            let fate = match *falls {
                0 | 1 => Fate::Again,
                // It was on trial alone, and the session ended again.
                ENOUGH.. if among == 1 => Fate::Culprit,
                falls => {
                    let place = usize::try_from(falls).unwrap_or(usize::MAX).saturating_sub(2);
                    let pause = PAUSES.get(place).or(PAUSES.last()).copied().unwrap_or(Span::ZERO);
                    self.waiting.insert(key.clone(), now.plus(pause));
                    Fate::Waits
                }
            };
            fates.push((key.clone(), fate));
        }
        fates
    }

    /// The next one that goes out now, given those that are out and unproven. Those with few falls come first.
    pub(super) fn next(&mut self, now: Timestamp, unproven: &BTreeSet<Key>) -> Option<Key> {
        let (key, _) = self.first(unproven).filter(|(_, at)| *at <= now)?;
        self.waiting.remove(&key);
        self.last = Some(now);
        Some(key)
    }

    /// When there is a next one; `None`: not before something else happens.
    pub(super) fn poll_timeout(&self, unproven: &BTreeSet<Key>) -> Option<Timestamp> {
        self.first(unproven).map(|(_, at)| at)
    }

    /// It is proven, withdrawn, another one, or a person has let it out.
    pub(super) fn forget(&mut self, key: &Key) {
        self.falls.remove(key);
        self.waiting.remove(key);
    }

    /// Until when it waits.
    pub(super) fn waits(&self, key: &Key) -> Option<Timestamp> {
        self.waiting.get(key).copied()
    }

    fn first(&self, unproven: &BTreeSet<Key>) -> Option<(Key, Timestamp)> {
        let fallen = |key: &Key| self.falls.get(key).copied().unwrap_or_default();
        // Who is out alone stays alone.
        if unproven.iter().any(|key| fallen(key) >= ALONE) {
            return None;
        }
        let goes = |key: &Key| fallen(key) < ALONE || unproven.is_empty();
        let step = self.last.map_or(Timestamp::ZERO, |last| last.plus(STEP));
        let ranked = self.waiting.iter().filter(|(key, _)| goes(key));
        let first = ranked.min_by(|(a, x), (b, y)| (*x, fallen(a), *a).cmp(&(*y, fallen(b), *b)));
        first.map(|(key, at)| (key.clone(), (*at).max(step)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::bgp::Family;

    fn key(number: u8) -> Key {
        Key { family: Family::IPV4, nlri: vec![32, 198, 51, 100, number] }
    }

    fn keys(numbers: &[u8]) -> BTreeSet<Key> {
        numbers.iter().map(|number| key(*number)).collect()
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    fn fates(probation: &mut Probation, secs: u64, numbers: &[u8]) -> Vec<Fate> {
        let fates = probation.fell(at(secs), &keys(numbers), numbers.len());
        fates.into_iter().map(|(_, fate)| fate).collect()
    }

    #[test]
    fn the_second_time_they_go_out_one_after_the_other() {
        let mut probation = Probation::default();
        assert_eq!(fates(&mut probation, 0, &[1, 2, 3]), [Fate::Again; 3]);
        assert_eq!(fates(&mut probation, 10, &[1, 2, 3]), [Fate::Waits; 3]);
        let none = BTreeSet::new();
        assert_eq!(probation.poll_timeout(&none), Some(at(12)));
        assert_eq!(probation.next(at(11), &none), None);
        assert_eq!(probation.next(at(12), &none), Some(key(1)));
        assert_eq!(probation.next(at(12), &keys(&[1])), None, "one at a time");
        assert_eq!(probation.poll_timeout(&keys(&[1])), Some(at(13)));
        assert_eq!(probation.next(at(13), &keys(&[1])), Some(key(2)));
        assert_eq!(probation.next(at(14), &keys(&[1, 2])), Some(key(3)));
        assert_eq!(probation.poll_timeout(&keys(&[1, 2, 3])), None);
    }

    #[test]
    fn from_the_third_time_on_each_goes_alone_and_the_one_that_ends_the_session_then_is_the_culprit() {
        let mut probation = Probation::default();
        for secs in [0, 10] {
            fates(&mut probation, secs, &[1, 2]);
        }
        let none = BTreeSet::new();
        assert_eq!(probation.next(at(12), &none), Some(key(1)));
        assert_eq!(probation.next(at(13), &keys(&[1])), Some(key(2)));
        assert_eq!(fates(&mut probation, 14, &[1, 2]), [Fate::Waits; 2]);
        assert_eq!(probation.poll_timeout(&none), Some(at(74)));
        assert_eq!(probation.poll_timeout(&keys(&[9])), None, "not while anything is unproven");
        assert_eq!(probation.next(at(74), &none), Some(key(1)));
        assert_eq!(probation.next(at(200), &keys(&[1])), None, "nobody beside it");
        // A new one that was sent meanwhile: nobody knows which of both it was.
        assert_eq!(fates(&mut probation, 201, &[1, 9]), [Fate::Waits, Fate::Again]);
        assert_eq!(probation.next(at(202), &none), Some(key(2)));
        assert_eq!(fates(&mut probation, 203, &[2]), [Fate::Culprit]);
        assert_eq!(probation.next(at(800), &none), None);
        assert_eq!(probation.next(at(801), &none), Some(key(1)), "ten minutes after its fall");
    }

    #[test]
    fn one_that_is_alone_is_the_culprit_when_it_was_on_trial_after_a_minute() {
        let mut probation = Probation::default();
        let none = BTreeSet::new();
        for (secs, fate, next) in
            [(0, Fate::Again, None), (100, Fate::Waits, Some(102)), (200, Fate::Waits, Some(260))]
        {
            assert_eq!(fates(&mut probation, secs, &[1]), [fate]);
            assert_eq!(probation.poll_timeout(&none), next.map(at));
            assert_eq!(probation.next(at(secs + 70), &none).is_some(), next.is_some());
        }
        assert_eq!(fates(&mut probation, 300, &[1]), [Fate::Culprit]);
        assert_eq!(probation.poll_timeout(&none), None, "a person has to say so");
    }

    #[test]
    fn pauses_grow_up_to_ten_minutes() {
        let mut probation = Probation::default();
        let mut pauses = Vec::new();
        for fall in 0..6 {
            let secs = fall * 10_000;
            fates(&mut probation, secs, &[1, 2]);
            pauses.extend(probation.waits(&key(1)).map(|until| until.since(at(secs)).secs()));
            while probation.next(at(secs + 5_000), &BTreeSet::new()).is_some() {}
        }
        assert_eq!(pauses, [2, 60, 600, 600, 600]);
    }

    #[test]
    fn what_is_proven_begins_anew() {
        let mut probation = Probation::default();
        for secs in [0, 10] {
            fates(&mut probation, secs, &[1]);
        }
        assert_eq!(probation.next(at(20), &BTreeSet::new()), Some(key(1)));
        probation.forget(&key(1));
        assert_eq!(fates(&mut probation, 30, &[1]), [Fate::Again]);
    }
}
