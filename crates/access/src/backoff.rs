//! Who guesses waits: for each account and each address, longer with every wrong guess.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};

/// Accounts and addresses that are remembered. The one whose wait ends first goes; counted in [`Backoff::evicted`].
const ENTRIES_MAX: usize = 8_192;
/// Wrong guesses that cost nothing.
const FREE: u32 = 3;
/// An account's longest wait: short, or strangers could lock its owner out.
const ACCOUNT_MAX: Span = Span::from_secs(30);
/// An address's longest wait.
const ADDRESS_MAX: Span = Span::from_secs(900);
/// After so long without a wrong guess nothing is remembered.
const FORGET: Span = Span::from_secs(3_600);

/// Who is held responsible.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The account that is guessed at.
    Account(String),
    /// Where guesses come from: an IPv4 address, or the /64 of an IPv6 one.
    Address(IpAddr),
}

impl Who {
    /// The one held responsible for what comes from here.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(subscriber(address))
    }
}

/// An IPv6 subscriber has a whole /64.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Copy, Debug)]
struct Guesses {
    wrong: u32,
    last: Timestamp,
    until: Timestamp,
}

/// Remembers wrong guesses.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    entries: BTreeMap<Who, Guesses>,
    evicted: u64,
}

impl Backoff {
    /// A wrong guess.
    pub fn failed(&mut self, who: Who, now: Timestamp) {
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.retain(|_, guesses| now.since(guesses.last) < FORGET);
        }
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&who) {
            let first =
                self.entries.iter().min_by_key(|(_, guesses)| guesses.until).map(|(who, _)| who.clone());
            if let Some(first) = first {
                self.entries.remove(&first);
                self.evicted += 1;
            }
        }
        let max = if matches!(who, Who::Account(_)) { ACCOUNT_MAX } else { ADDRESS_MAX };
        let guesses = self.entries.entry(who).or_insert(Guesses { wrong: 0, last: now, until: now });
        if now.since(guesses.last) >= FORGET {
            guesses.wrong = 0;
        }
        guesses.wrong = guesses.wrong.saturating_add(1);
        guesses.last = now;
        if let Some(power) = guesses.wrong.checked_sub(FREE + 1) {
            let wait = Span::from_secs(1_u64.checked_shl(power.min(16)).unwrap_or(u64::MAX)).min(max);
            guesses.until = now.plus(wait);
        }
    }

    /// A right one: what came before it is forgiven.
    pub fn succeeded(&mut self, who: &Who) {
        self.entries.remove(who);
    }

    /// How long this one has to wait yet.
    pub fn wait(&self, who: &Who, now: Timestamp) -> Option<Span> {
        let wait = self.entries.get(who)?.until.since(now);
        (wait > Span::ZERO).then_some(wait)
    }

    /// Entries that had to go because the table was full.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_a_right_guess_forgives() {
        let (mut backoff, who) = (Backoff::default(), Who::address("2001:db8::7".parse().unwrap()));
        let mut now = Timestamp::from_secs(1_000);
        let mut waits = Vec::new();
        for _ in 0..16 {
            backoff.failed(who.clone(), now);
            let wait = backoff.wait(&who, now).unwrap_or(Span::ZERO);
            waits.push(wait.secs());
            now = now.plus(wait);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        // the neighbour in the same /64 is the same subscriber
        let neighbour = Who::address("2001:db8::8".parse().unwrap());
        backoff.failed(who.clone(), now);
        assert!(backoff.wait(&neighbour, now).is_some());
        backoff.succeeded(&who);
        assert_eq!(backoff.wait(&who, now), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut backoff = Backoff::default();
        for n in 0..u32::try_from(ENTRIES_MAX).unwrap() + 100 {
            backoff.failed(Who::address(IpAddr::V4(n.into())), Timestamp::from_secs(1));
        }
        assert_eq!((backoff.entries.len(), backoff.evicted()), (ENTRIES_MAX, 100));
    }
}
