//! Long random histories: whatever happened, the peer ends with what is wanted.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod world;

use std::collections::BTreeMap;

use base::Span;
use proptest::prelude::*;
use sim::rng::Rng;
use steer::bgp::session::Output;
use steer::bgp::{Input, Pacing, Peer};
use wire::bgp::attribute::community;
use wire::bgp::{Kind, Notification};
use world::{World, prefix, route, settings};

const OPERATIONS: u32 = 100_000;
/// Hosts that are announced: half IPv4, half IPv6.
const HOSTS: u64 = 200;
const PACE: Pacing = Pacing { per_second: 500, burst: 50, peer_limit: 0, search: false };

fn host(rng: &mut Rng) -> u32 {
    u32::try_from(rng.below(HOSTS)).unwrap() % 100 + if rng.chance(0.5) { 1000 } else { 0 }
}

/// A world and what it shall come to: the number of each wanted host and the word it was last announced with.
struct History {
    world: World,
    wanted: BTreeMap<u32, u32>,
    done: BTreeMap<&'static str, u32>,
}

impl History {
    fn new(keeps: bool) -> Self {
        let mut world = World::started(PACE);
        (world.keeps, world.forgets) = (keeps, true);
        world.complaint = Some(Notification::shutdown("again"));
        Self { world, wanted: BTreeMap::new(), done: BTreeMap::new() }
    }

    fn announce(&mut self, number: u32, word: u32) {
        let mut one = route(number);
        one.attributes.communities.push(word);
        self.world.us.announce(self.world.now, one).unwrap();
        self.wanted.insert(number, word);
    }

    fn operate(&mut self, rng: &mut Rng) {
        let now = self.world.now;
        let name = match rng.below(1000) {
            0..450 => {
                let number = host(rng);
                self.announce(number, rng.range(0, 3));
                "announce"
            }
            450..800 => {
                let number = host(rng);
                self.world.us.withdraw(now, &route(number).key, false);
                self.wanted.remove(&number);
                "withdraw"
            }
            800..900 => {
                self.world.pass(Span::from_millis(rng.below(2000)));
                "pause"
            }
            900..960 => {
                let family = rng.range(1, 2);
                let ask = wire::bgp::message(Kind::RouteRefresh, &[0, u8::try_from(family).unwrap(), 0, 1]);
                self.world.us.handle(now, Input::Received(&ask.unwrap()));
                "refresh"
            }
            960..980 => {
                self.world.us.handle(now, Input::Received(&Notification::shutdown("again").write()));
                "shutdown by the peer"
            }
            980..995 => {
                self.world.cut();
                "cut"
            }
            _ => {
                self.restart();
                "kill and restart"
            }
        };
        *self.done.entry(name).or_default() += 1;
        self.world.settle();
    }

    /// The speaker dies without a word, and a new one begins with what the journal says.
    fn restart(&mut self) {
        self.world.cut();
        self.world.settle();
        self.world.us = Peer::new(settings(65010, 65020, 1), PACE, true);
        for (number, word) in self.wanted.clone() {
            self.announce(number, word);
        }
        self.world.us.handle(self.world.now, Input::Start);
    }

    /// Routes that were suspected for a cut are let out, as a person would, and all has time to arrive.
    fn end(&mut self) {
        self.world.pass(Span::from_secs(30));
        let suspects: Vec<_> = self.world.us.out().quarantine().map(|(key, _)| key.clone()).collect();
        for key in suspects {
            self.world.us.release(self.world.now, &key);
        }
        self.world.settle();
        self.world.pass(Span::from_secs(30));
    }

    fn model(&self) -> BTreeMap<base::Prefix, Vec<u32>> {
        let said = |(number, word): (&u32, &u32)| {
            let mut communities = route(*number).attributes.communities;
            communities.extend([*word, community::NO_LLGR]);
            (prefix(*number), communities)
        };
        self.wanted.iter().map(said).collect()
    }
}

#[test]
fn a_hundred_thousand_operations_end_with_what_is_wanted() {
    for (seed, keeps) in [(1, false), (2, true)] {
        let mut rng = Rng::new(seed);
        let mut history = History::new(keeps);
        for operation in 1..=OPERATIONS {
            history.operate(&mut rng);
            if operation % 5_000 == 0 {
                history.end();
                let (rib, model) = (&history.world.rib, history.model());
                let differs = |key: &&base::Prefix| rib.get(*key) != model.get(*key);
                let wrong: Vec<_> = rib.keys().chain(model.keys()).filter(differs).collect();
                assert!(wrong.is_empty(), "seed {seed}, after {operation}: {wrong:?}");
                assert_eq!(history.world.us.out().held().count(), history.wanted.len());
                assert_eq!((history.world.stale.len(), history.world.us.out().quarantine().count()), (0, 0));
            }
        }
        println!("seed {seed}: {:?}, {} routes at the end", history.done, history.wanted.len());
        assert!(history.done.values().all(|count| *count >= 400), "{:?}", history.done);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 400 }))]

    /// What is said twice is sent once: an announcement that is held, and the end of what is not there.
    #[test]
    fn what_is_said_twice_is_sent_once(steps in proptest::collection::vec((any::<bool>(), 0u32..20), 1..100)) {
        let fast = Pacing { per_second: 0, burst: 1, peer_limit: 0, search: false };
        let mut world = World::started(fast);
        for (announces, number) in steps {
            for again in [false, true] {
                world.heard.clear();
                match announces {
                    true => world.us.announce(world.now, route(number)).unwrap(),
                    false => world.us.withdraw(world.now, &route(number).key, false),
                }
                let before = world.rib.contains_key(&prefix(number));
                world.settle();
                let sent = world.heard.iter().filter(|o| matches!(o, Output::Send(_))).count();
                prop_assert_eq!(sent, usize::from(before != announces));
                prop_assert!(!again || sent == 0);
            }
        }
    }
}
