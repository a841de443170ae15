//! The pseudonyms of the days in use: a key is looked at once a second, whatever is concealed in between.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::map::{Map, Seed};
use base::{Day, Prefix, Span, Timestamp};
use intel::{Clear, Pseudonyms};

use super::keys::{Key, Keys};

/// Days remembered; the earliest goes first, and is read again when it is needed.
const DAYS_MAX: usize = 16;
/// Pseudonyms remembered of a day in each of two halves; the older half goes when the newer one is full. They are made anew in microseconds.
/// Some 5 MB.
const HALF_MAX: usize = 57_344;
/// A key that was destroyed by another process is used no longer than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The days in use.
#[derive(Debug)]
pub(super) struct Days {
    keys: Keys,
    /// How long a key lives after its day.
    keep: Span,
    known: Mutex<BTreeMap<Day, (Instant, Arc<Of>)>>,
}

/// A day's pseudonyms.
#[derive(Debug)]
pub(super) struct Of {
    key: Key,
    /// It is in no file: what it conceals is never revealed.
    is_lost: bool,
    pseudonyms: Pseudonyms,
    remembered: Mutex<Remembered>,
}

/// The pseudonyms that were asked for last: a flood from forged sources does not push out those who are always there.
#[derive(Debug)]
struct Remembered {
    newer: Map<Prefix, Prefix>,
    older: Map<Prefix, Prefix>,
}

impl Remembered {
    /// Nothing. Whoever sends from chosen addresses does not know the seed.
    fn new() -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { newer: Map::new(Seed::new(seed)), older: Map::new(Seed::new(seed)) }
    }

    /// The pseudonym of a prefix, made where it is not known.
    fn get(&mut self, prefix: Prefix, make: impl FnOnce() -> Prefix) -> Prefix {
        if let Some(known) = self.newer.get(&prefix) {
            return *known;
        }
        let pseudonym = self.older.get(&prefix).copied().unwrap_or_else(make);
        if self.newer.len() >= HALF_MAX {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(prefix, pseudonym);
        pseudonym
    }
}

impl Days {
    pub(super) fn new(keys: Keys, keep: Span) -> Self {
        Self { keys, keep, known: Mutex::default() }
    }

    /// A day's pseudonyms, as of `now`. Where its key is gone or cannot be had they are under one that nobody keeps: concealed it is
    /// in any case.
    pub(super) fn of(&self, day: Day, now: Timestamp) -> Arc<Of> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, of)) = known.get(&day).filter(|(looked, _)| looked.elapsed() < LOOK_EVERY) {
            return Arc::clone(of);
        }
        let before = known.get(&day).map(|(_, of)| Arc::clone(of));
        let key =
            if self.is_over(day, now) { self.keys.get(day) } else { self.keys.get_or_make(day).map(Some) };
        let key = key.unwrap_or_else(|cause| {
            tracing::error!("addresses of {day} are concealed for good, and cannot be revealed: {cause:#}");
            None
        });
        let of = match (before, key) {
            (Some(before), Some(key)) if before.key == key => before,
            (Some(before), None) if before.is_lost => before,
            (_, key) => Arc::new(Of::new(key)),
        };
        known.insert(day, (Instant::now(), Arc::clone(&of)));
        if known.len() > DAYS_MAX {
            known.pop_first();
        }
        of
    }

    /// A day's key, for what has to be opened again.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) fn key(&self, day: Day) -> anyhow::Result<Key> {
        self.keys.get_or_make(day)
    }

    /// A day's key, if it is kept.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn kept(&self, day: Day) -> anyhow::Result<Option<Key>> {
        self.keys.get(day)
    }

    /// Whether a day's key was to be destroyed.
    fn is_over(&self, day: Day, now: Timestamp) -> bool {
        day.end().plus(self.keep) <= now
    }
}

impl Of {
    fn new(key: Option<Key>) -> Self {
        let is_lost = key.is_none();
        let mut key = key.or_else(|| crate::ledger::random().ok()).unwrap_or_else(pieced);
        let pseudonyms = loop {
            match Pseudonyms::new(key) {
                Some(pseudonyms) => break pseudonyms,
                // Equal halves: a file that somebody wrote by hand.
                None => key = pieced(),
            }
        };
        Self { key, is_lost, pseudonyms, remembered: Mutex::new(Remembered::new()) }
    }

    /// The pseudonym of a prefix or host.
    pub(super) fn conceal(&self, clear: &Clear, prefix: Prefix) -> Prefix {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(prefix, || self.pseudonyms.conceal(clear, prefix))
    }
}

/// A key where the system gives no random numbers: of seeds that the standard library drew when the process began.
fn pieced() -> Key {
    let mut key = Key::default();
    for (at, chunk) in key.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&RandomState::new().hash_one(at).to_le_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    const KEEP: Span = Span::from_secs(30 * 86_400);

    fn host() -> Prefix {
        "203.0.113.9/32".parse().unwrap()
    }

    #[test]
    fn what_has_no_key_is_concealed_all_the_same() {
        let folder = Folder::new("spillway-days").unwrap();
        let (clear, day): (Clear, Day) = (Clear::new([]), "2026-11-26".parse().unwrap());
        // where the folder should be is a file
        std::fs::write(folder.path().join("keys"), "x").unwrap();
        let days = Days::new(Keys::new(folder.path()), KEEP);
        let pseudonym = days.of(day, day.begin()).conceal(&clear, host());
        assert_ne!(pseudonym, host());
        assert_eq!(days.of(day, day.begin()).conceal(&clear, host()), pseudonym);
        assert!(days.key(day).is_err(), "and nothing is sealed that could not be opened");
        // the key of a day that is over is not made again
        std::fs::remove_file(folder.path().join("keys")).unwrap();
        let days = Days::new(Keys::new(folder.path()), KEEP);
        let late = day.end().plus(KEEP);
        assert_ne!(days.of(day, late).conceal(&clear, host()), host());
        assert_eq!(Keys::new(folder.path()).days().unwrap(), []);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_who_comes_again_stays() {
        let mut remembered = Remembered::new();
        let at = |n: u32| Prefix::host(std::net::Ipv4Addr::from(n).into());
        let pseudonym = |n: u32| at(n.wrapping_mul(3));
        for n in 0..1_000_000u32 {
            assert_eq!(remembered.get(at(n), || pseudonym(n)), pseudonym(n));
            if n % 10_000 == 0 {
                assert_eq!(remembered.get(at(7), || pseudonym(7)), pseudonym(7));
            }
            assert!(remembered.newer.len() <= HALF_MAX && remembered.older.len() <= HALF_MAX);
        }
        let unknown = || panic!("it was asked for all the time");
        assert_eq!(remembered.get(at(7), unknown), pseudonym(7));
    }

    #[test]
    fn a_day_has_one_key_and_days_have_different_ones() {
        let folder = Folder::new("spillway-days").unwrap();
        let (clear, day): (Clear, Day) = (Clear::new([]), "2026-11-26".parse().unwrap());
        let of =
            |day: Day| Days::new(Keys::new(folder.path()), KEEP).of(day, day.begin()).conceal(&clear, host());
        assert_eq!(of(day), of(day), "whoever reads it");
        assert_ne!(of(day), of(Day::of(day.end())));
        assert_eq!(Keys::new(folder.path()).days().unwrap().len(), 2);
        // many days do not take room for all of them
        let days = Days::new(Keys::new(folder.path()), KEEP);
        let mut at = day;
        for _ in 0..40 {
            at = Day::of(at.end());
            days.of(at, at.begin());
        }
        assert!(days.known.lock().unwrap().len() <= DAYS_MAX);
    }
}
