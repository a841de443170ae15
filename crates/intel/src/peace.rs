//! What is learned of senders while nothing is attacked: who comes again and again, and how many hops their networks are away.
//!
//! Nothing here is an address: keys are keyed hashes, so that what is kept on a disk names nobody. Who wants to be known has to
//! come in several periods before an attack; what he wins is that he is reported only with a handshake in the attack itself.

use std::net::IpAddr;

use base::hash::Mixer;
use base::map::{Map, Seed};
use base::prefix::wide;
use base::{Span, Timestamp};

use crate::observe::neighbourhood;
use crate::packet::origin;

/// Who comes in several of these is known.
const PERIOD: Span = Span::from_secs(60);
/// So many make somebody known, and a hop count believed.
const PERIODS: u8 = 3;
/// Nobody is remembered for longer without coming.
const FORGOTTEN: Span = Span::from_secs(30 * 86_400);
/// Senders and networks remembered, each. When they do not fit, those go first that came in the fewest periods, then the longest
/// gone; counted in [`Peace::forgotten`].
pub const REMEMBERED_MAX: usize = 1 << 17;
/// Of the two kinds in a saved state.
const SENDER: u8 = 1;
const NETWORK: u8 = 2;
/// Octets of one of them there.
const SAVED: usize = 15;

/// What one of them was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Number of the last period in which it came.
    last: u32,
    /// Periods in which it came, and of a network those that agree on `hops` minus those that do not.
    periods: u8,
    hops: u8,
}

/// Senders and their networks, as known from quiet times.
#[derive(Clone, Debug)]
pub struct Peace {
    key: u64,
    senders: Map<u64, Known>,
    networks: Map<u64, Known>,
    /// Senders and networks that found no room.
    pub forgotten: u64,
}

impl Peace {
    /// Knows nobody; under this key.
    pub fn new(key: u64, seed: Seed) -> Self {
        Self { key, senders: Map::new(seed.clone()), networks: Map::new(seed), forgotten: 0 }
    }

    /// A packet from outside came to somebody who is not attacked. `ttl` is as it arrived, 0 where it is not known.
    pub fn note(&mut self, at: Timestamp, source: IpAddr, ttl: u8) {
        let period = u32::try_from(at.tick(PERIOD)).unwrap_or(u32::MAX);
        let sender = self.hash(SENDER, wide(source));
        self.forgotten += room(&mut self.senders, sender);
        let known = self.senders.get_or_insert_with(sender, Known::default);
        if known.periods == 0 || known.last != period {
            (known.last, known.periods) = (period, known.periods.saturating_add(1));
        }
        if ttl == 0 {
            return;
        }
        let hops = origin(ttl).saturating_sub(ttl);
        let network = self.network(source);
        self.forgotten += room(&mut self.networks, network);
        let known = self.networks.get_or_insert_with(network, Known::default);
        if known.periods == 0 {
            *known = Known { last: period, periods: 1, hops };
        } else if known.last != period {
            known.last = period;
            // The count that most periods agree on stays (Boyer and Moore): routes move, and forgers shout.
            let agrees = known.hops.abs_diff(hops) <= 1;
            known.periods = if agrees { known.periods.saturating_add(1) } else { known.periods - 1 };
        }
    }

    /// Whether somebody came again and again.
    pub fn knows(&self, source: IpAddr) -> bool {
        let known = self.senders.get(&self.hash(SENDER, wide(source)));
        known.is_some_and(|known| known.periods >= PERIODS)
    }

    /// How many hops the network of an address is away.
    pub fn hops(&self, source: IpAddr) -> Option<u8> {
        let known = self.networks.get(&self.network(source));
        known.filter(|known| known.periods >= PERIODS).map(|known| known.hops)
    }

    /// How many senders and networks are remembered.
    pub fn remembered(&self) -> (usize, usize) {
        (self.senders.len(), self.networks.len())
    }

    /// All of it, without an address in it.
    pub fn export(&self) -> Vec<u8> {
        let of = |kind: u8, (hash, known): (&u64, &Known)| {
            let mut row = vec![kind];
            row.extend(hash.to_le_bytes());
            row.extend(known.last.to_le_bytes());
            row.extend([known.periods, known.hops]);
            row
        };
        let senders = self.senders.sorted().into_iter().map(|row| of(SENDER, row));
        senders.chain(self.networks.sorted().into_iter().map(|row| of(NETWORK, row))).flatten().collect()
    }

    /// Takes back what [`Self::export`] gave under the same key; what is damaged or too much is left aside. How much was taken.
    /// Who has not come for a month is forgotten.
    pub fn import(&mut self, now: Timestamp, saved: &[u8]) -> usize {
        let mut taken = 0;
        let oldest = u32::try_from(now.minus(FORGOTTEN).tick(PERIOD)).unwrap_or(u32::MAX);
        for row in saved.chunks_exact(SAVED) {
            let [kind, rest @ ..] = row else { continue };
            let Some((hash, rest)) = rest.split_first_chunk::<8>() else { continue };
            let Some((last, [periods, hops])) = rest.split_first_chunk::<4>() else { continue };
            let map = match *kind {
                SENDER => &mut self.senders,
                NETWORK => &mut self.networks,
                _ => continue,
            };
            let known = Known { last: u32::from_le_bytes(*last), periods: *periods, hops: *hops };
            if *periods > 0 && known.last >= oldest && map.len() < REMEMBERED_MAX {
                map.insert(u64::from_le_bytes(*hash), known);
                taken += 1;
            }
        }
        taken
    }

    fn network(&self, source: IpAddr) -> u64 {
        self.hash(NETWORK, wide(neighbourhood(source).addr()))
    }

    fn hash(&self, kind: u8, value: u128) -> u64 {
        Mixer::new(self.key).with(u64::from(kind)).with_wide(value).finish()
    }
}

/// Makes room for one more; how many had to go.
fn room(map: &mut Map<u64, Known>, hash: u64) -> u64 {
    if map.len() < REMEMBERED_MAX || map.contains_key(&hash) {
        return 0;
    }
    let before = map.len();
    let mut ranks: Vec<(u8, u32)> =
        map.sorted().into_iter().map(|(_, known)| (known.periods, known.last)).collect();
    ranks.sort_unstable();
    // A quarter goes at once, so that this is rare.
    let least = ranks.get(before / 4).copied().unwrap_or_default();
    map.retain(|_, known| (known.periods, known.last) > least);
    u64::try_from(before - map.len()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + 60 * minute)
    }

    #[test]
    fn who_comes_again_and_again_is_known_and_survives_a_restart_without_an_address() {
        for source in ["203.0.113.77", "2001:db8:1:2:3:4:5:6"] {
            let source: IpAddr = source.parse().unwrap();
            let mut peace = Peace::new(7, Seed::new(1));
            for minute in 0..2 {
                (0..50).for_each(|_| peace.note(at(minute), source, 57));
            }
            assert!(!peace.knows(source) && peace.hops(source).is_none());
            peace.note(at(9), source, 57);
            assert!(peace.knows(source));
            assert_eq!(peace.hops(source), Some(7));
            let saved = peace.export();
            let octets = wide(source).to_be_bytes();
            assert!(!saved.windows(4).any(|window| window == &octets[12..]));
            let mut again = Peace::new(7, Seed::new(2));
            assert_eq!(again.import(at(10), &saved), 2);
            assert!(again.knows(source) && again.hops(source) == Some(7));
            assert_eq!(Peace::new(7, Seed::new(2)).import(at(10), &saved[..14]), 0);
            assert_eq!(Peace::new(7, Seed::new(2)).import(at(60_000), &saved), 0);
            let mut other = Peace::new(8, Seed::new(2));
            other.import(at(10), &saved);
            assert!(!other.knows(source));
        }
    }

    #[test]
    fn a_forger_does_not_move_the_hop_count_of_a_network() {
        let mut peace = Peace::new(7, Seed::new(1));
        let source = IpAddr::from([203, 0, 113, 1]);
        for minute in 0..10 {
            peace.note(at(minute), source, 57);
        }
        for minute in 10..16 {
            peace.note(at(minute), source, 243);
        }
        assert_eq!(peace.hops(source), Some(7));
    }

    #[test]
    fn a_flood_of_new_senders_pushes_out_no_old_one() {
        let mut peace = Peace::new(7, Seed::new(1));
        let old = IpAddr::from([203, 0, 113, 1]);
        (0..5).for_each(|minute| peace.note(at(minute), old, 57));
        for n in 0..400_000u32 {
            peace.note(at(6), IpAddr::from((0x0b00_0000 + n).to_be_bytes()), 50);
        }
        let (senders, networks) = peace.remembered();
        assert!(senders <= REMEMBERED_MAX && networks <= REMEMBERED_MAX);
        assert!(peace.knows(old) && peace.forgotten > 0);
    }
}
