//! Who told of something lately, and whether one of them has fallen silent: what the others tell is then not all of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};

/// Who told of a flood and then says nothing at all for so long is silent. Who exports in bursts is silent in between, and then
/// what came in so short a time is not known either.
const SILENT: Span = Span::from_secs(2);
/// Who told nothing of it for so long is no witness of it any more.
const FORGET: Span = Span::from_secs(60);
/// Witnesses of one thing; further ones are left out and counted.
const WITNESSES_MAX: usize = 256;

/// Witnesses of one thing.
#[derive(Clone, Debug, Default)]
pub struct Witnesses {
    /// When each told of it last.
    told: BTreeMap<IpAddr, Timestamp>,
    /// Those for whom there was no room.
    pub left_out: u64,
}

impl Witnesses {
    /// These told of it since the last time.
    pub fn told(&mut self, now: Timestamp, who: impl Iterator<Item = IpAddr>) {
        self.told.retain(|_, at| now.since(*at) < FORGET);
        for one in who {
            if self.told.len() < WITNESSES_MAX || self.told.contains_key(&one) {
                self.told.insert(one, now);
            } else {
                self.left_out += 1;
            }
        }
    }

    /// One that told of it and has fallen silent; `heard`: when anything came of each exporter last.
    pub fn silent(&self, now: Timestamp, heard: &BTreeMap<IpAddr, Timestamp>) -> Option<IpAddr> {
        let is_silent = |one: &IpAddr| heard.get(one).is_none_or(|at| now.since(*at) >= SILENT);
        self.told.iter().filter(|(_, at)| now.since(**at) < FORGET).map(|(one, _)| *one).find(is_silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn router(n: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, n))
    }

    #[test]
    fn who_told_of_it_and_says_nothing_at_all_any_more_is_silent_and_is_forgotten_later() {
        let at = Timestamp::from_secs;
        let mut witnesses = Witnesses::default();
        let mut heard = BTreeMap::from([(router(1), at(10)), (router(2), at(10)), (router(3), at(1))]);
        witnesses.told(at(10), [router(1), router(2)].into_iter());
        assert_eq!(witnesses.silent(at(11), &heard), None, "who never told of it is not missed");
        for second in 11..=69 {
            heard.insert(router(1), at(second));
            witnesses.told(at(second), std::iter::once(router(1)));
            let silent = witnesses.silent(at(second), &heard);
            assert_eq!(silent, (second >= 12).then_some(router(2)), "second {second}");
        }
        heard.insert(router(1), at(70));
        assert_eq!(witnesses.silent(at(70), &heard), None);
        // Who is heard and tells nothing of it has nothing to tell.
        witnesses.told(at(71), std::iter::once(router(2)));
        heard.extend([(router(1), at(80)), (router(2), at(80))]);
        assert_eq!(witnesses.silent(at(80), &heard), None);
    }

    #[test]
    fn there_is_room_for_so_many_and_others_are_counted() {
        let mut witnesses = Witnesses::default();
        let all = (0..300_u32).map(|n| IpAddr::V4(std::net::Ipv4Addr::from(n)));
        witnesses.told(Timestamp::from_secs(1), all);
        assert_eq!((witnesses.told.len(), witnesses.left_out), (WITNESSES_MAX, 44));
    }
}
