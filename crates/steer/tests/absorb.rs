//! The brain and an absorber over a connection that breaks, loses what is on its way, and restarts at either end.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use base::{Prefix, Span, Timestamp};
use proptest::prelude::*;
use steer::absorb::word::{Ask, Back, Declared, Kind, Load, Reason, Tell, Traffic};
use steer::absorb::{Controller, Frames, Keepsake, Settings, Site, Standing, write};

const LEASE: u64 = 30;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn settings() -> Settings {
    Settings {
        name: "brain".to_owned(),
        lease: Span::from_secs(LEASE),
        silence: Span::from_secs(5),
        retry: Span::from_secs(2),
    }
}

fn declared() -> Declared {
    Declared {
        kind: Kind::Scrub,
        prefixes: vec![(prefix("198.51.100.0/24"), Back::Gre), (prefix("2001:db8::/32"), Back::Routed)],
        capacity: Load { bps: 1_000_000, pps: 1000 },
        rules: 4,
        held: 3,
        counts: true,
    }
}

fn rules(number: usize, dst: &Prefix) -> Vec<String> {
    (0..number)
        .map(|n| {
            format!("r{n}-{} dst {dst} proto udp -> drop", dst.to_string().replace(['.', ':', '/'], "-"))
        })
        .collect()
}

/// Both ends, and frames on their way.
struct World {
    now: Timestamp,
    brain: Controller,
    site: Site,
    is_up: bool,
    there: Vec<Vec<u8>>,
    back: Vec<Vec<u8>>,
    /// When each prefix was last wanted and the absorber heard so.
    heard: BTreeMap<Prefix, Timestamp>,
    /// The absorber began anew, and the brain cannot know yet; the kernel there has what it had.
    is_news: bool,
}

impl World {
    fn new() -> Self {
        Self {
            now: Timestamp::from_secs(1_000_000),
            brain: Controller::new(settings()),
            site: Site::new("site", declared()),
            is_up: false,
            there: Vec::new(),
            back: Vec::new(),
            heard: BTreeMap::new(),
            is_news: false,
        }
    }

    fn connect(&mut self) {
        self.cut(0);
        self.is_up = true;
        self.brain.connected(self.now);
    }

    /// What is beyond the first frames is lost, and the connection.
    fn cut(&mut self, arrives: usize) {
        self.there.truncate(arrives);
        self.back.truncate(arrives);
        self.deliver();
        self.there.clear();
        self.back.clear();
        self.is_up = false;
        self.brain.disconnected();
    }

    fn send(&mut self) {
        while let Some(ask) = self.brain.poll_output() {
            self.there.push(write(&ask).unwrap());
        }
    }

    /// What is on its way arrives, whole or cut into octets.
    fn deliver(&mut self) {
        let mut frames = Frames::default();
        for octets in std::mem::take(&mut self.there).concat().chunks(7) {
            frames.push(octets);
            while let Some(ask) = frames.take::<Ask>().unwrap() {
                match &ask {
                    Ask::Take { prefix, .. } => drop(self.heard.insert(*prefix, self.now)),
                    Ask::Renew { holds, .. } => {
                        self.heard.extend(holds.iter().map(|(prefix, _)| (*prefix, self.now)));
                    }
                    _ => {}
                }
                let tell = self.site.handle(self.now, "brain", ask);
                let tell = if self.site.is_pending() { self.site.settle(Ok(())) } else { tell };
                self.back.extend(tell.map(|tell| write(&tell).unwrap()));
            }
        }
        assert_eq!(frames.waiting(), 0);
        let mut frames = Frames::default();
        frames.push(&std::mem::take(&mut self.back).concat());
        while let Some(tell) = frames.take::<Tell>().unwrap() {
            self.is_news &= !matches!(tell, Tell::Welcome { .. });
            self.brain.receive(self.now, tell);
        }
        if self.is_up {
            self.send();
        }
    }

    fn pass(&mut self, span: Span) {
        self.now = self.now.plus(span);
        self.brain.handle_timeout(self.now);
        for (_, tell) in self.site.handle_timeout(self.now) {
            if self.is_up {
                self.back.push(write(&tell).unwrap());
            }
        }
        if self.is_up {
            self.back.push(write(&Tell::Report(self.site.report("brain", |_| None))).unwrap());
            self.send();
        }
    }

    /// What never may be.
    fn check(&self) {
        let holds = self.site.holds(self.now, "brain");
        for hold in &holds {
            let heard = self.heard.get(&hold.prefix).copied().unwrap_or(Timestamp::ZERO);
            assert!(self.now < heard.plus(Span::from_secs(LEASE)), "{} outlives its lease", hold.prefix);
        }
        for prefix in self.brain.prefixes() {
            if !self.is_news && self.brain.standing(self.now, prefix) == Standing::Stands {
                assert!(
                    holds.iter().any(|hold| hold.prefix == *prefix),
                    "{prefix} stands for the brain alone"
                );
            }
        }
    }
}

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    Want(usize, usize),
    Release(usize, u64),
    Pass(u64),
    Deliver,
    Cut(usize),
    Connect,
    RestartBrain,
    RestartSite,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_usize, 0..3_usize).prop_map(|(at, number)| Event::Want(at, number)),
        1 => (0..3_usize, 0..5_u64).prop_map(|(at, linger)| Event::Release(at, linger)),
        4 => (1..15_000_u64).prop_map(Event::Pass),
        6 => Just(Event::Deliver),
        1 => (0..3_usize).prop_map(Event::Cut),
        2 => Just(Event::Connect),
        1 => Just(Event::RestartBrain),
        1 => Just(Event::RestartSite),
    ]
}

fn places() -> [Prefix; 3] {
    [prefix("198.51.100.0/24"), prefix("2001:db8:1::/48"), prefix("198.51.100.7/32")]
}

proptest! {
    #[test]
    fn after_any_breaks_losses_and_restarts_both_ends_agree_and_no_lease_outlives_its_end(
        events in prop::collection::vec(event(), 1..120)
    ) {
        let mut world = World::new();
        let mut wanted: BTreeMap<Prefix, Vec<String>> = BTreeMap::new();
        for event in events {
            match event {
                Event::Want(at, number) => {
                    let prefix = places()[at];
                    // Within the room there is: what is refused is another test's.
                    let number = number.min(1);
                    wanted.insert(prefix, rules(number, &prefix));
                    world.brain.want(world.now, prefix, rules(number, &prefix), Load::default());
                }
                Event::Release(at, linger) => {
                    wanted.remove(&places()[at]);
                    world.brain.release(world.now, places()[at], Span::from_secs(linger));
                }
                Event::Pass(millis) => world.pass(Span::from_millis(millis)),
                Event::Deliver => world.deliver(),
                Event::Cut(arrives) => world.cut(arrives),
                Event::Connect => world.connect(),
                Event::RestartBrain => {
                    world.cut(0);
                    world.brain = Controller::new(settings());
                    for (prefix, rules) in &wanted {
                        world.brain.want(world.now, *prefix, rules.clone(), Load::default());
                    }
                }
                Event::RestartSite => {
                    world.cut(0);
                    world.site = Site::new("site", declared());
                    world.is_news = true;
                }
            }
            world.check();
        }
        // In the end there is a connection, and some time.
        world.connect();
        for _ in 0..80 {
            world.pass(Span::from_millis(500));
            world.deliver();
            world.deliver();
            world.check();
        }
        let holds: Vec<(Prefix, String)> =
            world.site.holds(world.now, "brain").into_iter().map(|hold| (hold.prefix, hold.digest)).collect();
        let shall: Vec<(Prefix, String)> =
            wanted.iter().map(|(prefix, rules)| (*prefix, steer::absorb::word::digest(prefix, rules))).collect();
        prop_assert_eq!(holds, shall);
        for prefix in wanted.keys() {
            prop_assert_eq!(world.brain.standing(world.now, prefix), Standing::Stands);
        }
        // And without the brain, all of it ends.
        world.cut(0);
        world.pass(Span::from_secs(LEASE));
        prop_assert_eq!(world.site.prefixes().count(), 0);
        for prefix in wanted.keys() {
            prop_assert_eq!(world.brain.standing(world.now, prefix), Standing::Waiting);
        }
    }

    #[test]
    fn no_octets_make_a_conversation_fail_otherwise_than_by_a_fault(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut frames = Frames::default();
        frames.push(&octets);
        while let Ok(Some(_)) = frames.take::<Ask>() {}
        prop_assert!(frames.waiting() <= octets.len());
    }
}

fn take(site: &mut Site, owner: &str, place: &str, texts: &[&str], bps: u64) -> Result<(), (Reason, String)> {
    let rules = texts.iter().map(|text| (*text).to_owned()).collect();
    let ask =
        Ask::Take { number: 1, prefix: prefix(place), rules, expects: Load { bps, pps: 1 }, lease: LEASE };
    let tell = site.handle(Timestamp::from_secs(1), owner, ask);
    let tell = if site.is_pending() { site.settle(Ok(())) } else { tell };
    match tell.unwrap() {
        Tell::Taken { lease: LEASE, .. } => Ok(()),
        Tell::Refused { why, text, .. } => Err((why, text)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_declared_finds_no_room_or_is_anothers_is_refused_with_the_reason() {
    let mut site = Site::new("site", declared());
    let refused =
        |site: &mut Site, owner: &str, place: &str, texts: &[&str], bps, why: Reason, word: &str| {
            let before = site.holds(Timestamp::from_secs(1), owner);
            let (reason, text) = take(site, owner, place, texts, bps).unwrap_err();
            assert_eq!(reason, why, "{text}");
            assert!(text.contains(word), "{text}");
            assert_eq!(site.holds(Timestamp::from_secs(1), owner), before, "a refusal changes nothing");
        };
    refused(&mut site, "a", "192.0.2.0/24", &[], 1, Reason::NotDeclared, "192.0.2.0/24 is not declared");
    refused(&mut site, "a", "198.51.0.0/16", &[], 1, Reason::NotDeclared, "not declared");
    refused(
        &mut site,
        "a",
        "198.51.100.0/24",
        &[],
        2_000_000,
        Reason::Full,
        "1000000 bit/s and 1000 packets/s left",
    );
    refused(&mut site, "a", "198.51.100.0/24", &["x"], 1, Reason::Rule, "not a rule: x");
    refused(
        &mut site,
        "a",
        "198.51.100.0/24",
        &["x dst 192.0.2.1/32 -> drop"],
        1,
        Reason::Rule,
        "not inside",
    );
    refused(&mut site, "a", "198.51.100.0/24", &["x proto udp -> drop"], 1, Reason::Rule, "not inside");
    let own = "absorber-x dst 198.51.100.7/32 -> drop";
    refused(&mut site, "a", "198.51.100.0/24", &[own], 1, Reason::Rule, "the absorber's own");
    let away = "x dst 198.51.100.7/32 -> redirect 192.0.2.1";
    refused(&mut site, "a", "198.51.100.0/24", &[away], 1, Reason::Rule, "for others");
    let asks = "x dst 198.51.100.7/32 proto tcp -> challenge";
    refused(
        &mut site,
        "a",
        "198.51.100.0/24",
        &[asks],
        1,
        Reason::Rule,
        "what the server answers does not pass",
    );
    let rule = "x dst 198.51.100.7/32 -> drop";
    refused(&mut site, "a", "198.51.100.0/24", &[rule, rule], 1, Reason::Rule, "another rule has this id");
    refused(&mut site, "a", "198.51.100.0/24", &[rule; 5], 1, Reason::Full, "room for 4 rules, not for 5");
    take(&mut site, "a", "198.51.100.0/24", &[rule], 600_000).unwrap();
    refused(&mut site, "b", "198.51.100.7/32", &[], 1, Reason::Held, "held for another brain");
    refused(&mut site, "b", "2001:db8::/48", &[], 600_000, Reason::Full, "400000 bit/s");
    let six = "x dst 2001:db8::7/128 -> drop";
    refused(&mut site, "b", "2001:db8::/48", &[six], 1, Reason::Rule, "another rule has this id");
    take(&mut site, "b", "2001:db8::/48", &[], 1).unwrap();
    take(&mut site, "b", "2001:db8:1::/48", &[], 1).unwrap();
    refused(&mut site, "b", "2001:db8:2::/48", &[], 1, Reason::Full, "holds 3 prefixes already");
    // Its own it may change, and what the kernel refuses is as it was.
    let ask = Ask::Take {
        number: 7,
        prefix: prefix("198.51.100.0/24"),
        rules: Vec::new(),
        expects: Load::default(),
        lease: LEASE,
    };
    let before = site.holds(Timestamp::from_secs(1), "a");
    assert_eq!(site.handle(Timestamp::from_secs(1), "a", ask), None);
    let Some(Tell::Refused { why: Reason::Kernel, text, .. }) = site.settle(Err("no memory".to_owned()))
    else {
        panic!("the kernel refused")
    };
    assert_eq!(text, "no memory");
    assert_eq!(site.holds(Timestamp::from_secs(1), "a"), before);
    assert_eq!(site.rules(Timestamp::from_secs(1)).len(), 1);
}

#[test]
fn what_an_absorber_has_of_ours_that_nobody_wants_any_more_is_let_go_when_it_is_back() {
    let now = Timestamp::from_secs(1_000_000);
    let [wanted, over] = ["198.51.100.0/25", "2001:db8:1::/48"].map(prefix);
    let mut site = Site::new("scrub", declared());
    for prefix in [wanted, over] {
        let ask = Ask::Take { number: 1, prefix, rules: Vec::new(), expects: Load::default(), lease: LEASE };
        assert_eq!(site.handle(now, "brain", ask), None);
        site.settle(Ok(()));
    }
    let mut brain = Controller::new(settings());
    let mut talk = |brain: &mut Controller| {
        while let Some(ask) = brain.poll_output() {
            let tell = site.handle(now, "brain", ask).or_else(|| site.settle(Ok(())));
            brain.receive(now, tell.unwrap());
        }
        site.prefixes().collect::<Vec<_>>()
    };
    // It ended while there was no conversation.
    brain.want(now, wanted, Vec::new(), Load::default());
    brain.connected(now);
    assert_eq!(talk(&mut brain), [wanted, over], "more may be wanted yet: the journal is not read");
    brain.wants_no_more(now);
    assert_eq!(talk(&mut brain), [wanted]);
    assert_eq!(brain.standing(now, &wanted), Standing::Stands);
}

#[test]
fn what_was_not_measured_is_not_reported_as_nothing() {
    let (now, [held, fresh]) = (Timestamp::from_secs(1), ["198.51.100.0/24", "2001:db8:1::/48"]);
    let mut site = Site::new("site", declared());
    take(&mut site, "a", held, &[], 500_000).unwrap();
    let told = |site: &Site| site.report("a", |_| None).prefixes;
    assert!(told(&site).is_empty(), "it is held, and nothing was measured yet");
    let comes = Traffic { received: Load { bps: 600_000, pps: 100 }, ..Traffic::default() };
    site.measured(|_| Some(comes));
    assert_eq!(told(&site), [(prefix(held), comes)]);
    assert_eq!(site.report("a", |_| None).free.bps, 400_000, "what comes counts, where it is more");
    // One that is new beside it.
    take(&mut site, "a", fresh, &[], 1).unwrap();
    assert_eq!(told(&site), [(prefix(held), comes)]);
    site.measured(|of| (*of == prefix(held)).then_some(comes));
    assert_eq!(told(&site), [(prefix(held), comes)]);
    // Started again, it holds what it held and knows of no traffic.
    let mut again = Site::new("site", declared());
    again.resume(now, site.keepsakes(), |_| true);
    assert_eq!((again.prefixes().count(), told(&again).len()), (2, 0));
}

#[test]
fn an_absorber_that_is_started_again_goes_on_with_what_it_held_and_no_longer_than_that() {
    let start = Timestamp::from_secs(1_000_000);
    let mut before = Site::new("scrub", declared());
    for (number, place) in [(2, "198.51.100.0/25"), (0, "2001:db8:1::/48")] {
        let place = prefix(place);
        let ask = Ask::Take {
            number: 1,
            prefix: place,
            rules: rules(number, &place),
            // Both need all the room there is: nobody asks for room again.
            expects: Load { bps: 500_000, pps: 500 },
            lease: LEASE,
        };
        assert_eq!(before.handle(start, "brain", ask), None);
        before.settle(Ok(()));
    }
    let kept = before.keepsakes();
    let text = serde_json::to_string(&kept).unwrap();
    let kept: Vec<Keepsake> = serde_json::from_str(&text).unwrap();
    let later = start.plus(Span::from_secs(10));
    let resumed = |declared: Declared, now: Timestamp, knows: &str| {
        let mut site = Site::new("scrub", declared);
        site.resume(now, kept.clone(), |owner| owner == knows);
        site
    };
    let mut site = resumed(declared(), later, "brain");
    assert!(site.changed(), "the kernel is told");
    assert_eq!(site.holds(later, "brain"), before.holds(later, "brain"));
    assert_eq!(site.rules(later), before.rules(later));
    // The lease goes on, and is not renewed by a restart.
    let over = start.plus(Span::from_secs(LEASE));
    assert_eq!(site.handle_timeout(over).len(), 2);
    let none = |site: Site| site.prefixes().count();
    assert_eq!(none(resumed(declared(), over, "brain")), 0, "it ended meanwhile");
    assert_eq!(none(resumed(declared(), later, "another")), 0, "nobody may ask for it any more");
    let fewer = Declared { prefixes: vec![(prefix("2001:db8::/32"), Back::Routed)], ..declared() };
    assert_eq!(none(resumed(fewer, later, "brain")), 1, "what is not declared any more is left out");
}

#[test]
fn rates_of_every_kind_are_taken_and_kept_as_they_were_said() {
    for (place, target) in [("198.51.100.0/24", "198.51.100.7/32"), ("2001:db8:1::/48", "2001:db8:1::7/128")]
    {
        let texts: Vec<String> =
            ["rate 500pps", "rate 8Mbps per source", "rate 9pps per destination", "drop"]
                .iter()
                .enumerate()
                .map(|(n, action)| format!("r{n} @1 dst {target} proto udp -> {action}"))
                .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut site = Site::new("site", declared());
        take(&mut site, "brain", place, &texts, 1).unwrap();
        let again = |site: &Site| -> Vec<String> {
            let rules = site.rules(Timestamp::from_secs(10)).into_iter();
            rules.map(|rule| rules::Rule { lease: None, ..rule }.to_string()).collect()
        };
        assert_eq!(again(&site), texts);
        let mut later = Site::new("site", declared());
        later.resume(Timestamp::from_secs(10), site.keepsakes(), |owner| owner == "brain");
        assert_eq!(again(&later), texts, "{place}");
    }
}

#[test]
fn a_brain_that_is_started_again_keeps_the_rules_that_are_there_until_it_knows_which_it_wants() {
    let now = Timestamp::from_secs(1_000_000);
    let place = prefix("198.51.100.0/25");
    let mut site = Site::new("scrub", declared());
    let texts = rules(2, &place);
    let ask =
        Ask::Take { number: 1, prefix: place, rules: texts.clone(), expects: Load::default(), lease: LEASE };
    assert_eq!(site.handle(now, "brain", ask), None);
    site.settle(Ok(()));
    let mut brain = Controller::new(settings());
    let mut talk = |brain: &mut Controller| {
        let mut takes = 0;
        while let Some(ask) = brain.poll_output() {
            takes += usize::from(matches!(ask, Ask::Take { .. }));
            let tell = site.handle(now, "brain", ask).or_else(|| site.settle(Ok(())));
            brain.receive(now, tell.unwrap());
        }
        (takes, site.rules(now).len())
    };
    brain.keep(now, place, Load::default());
    brain.connected(now);
    assert_eq!(talk(&mut brain), (0, 2), "nothing is asked for");
    assert_eq!(brain.standing(now, &place), Standing::Stands);
    brain.want(now, place, texts, Load::default());
    assert_eq!(talk(&mut brain), (0, 2), "it is what is there");
    brain.keep(now, place, Load::default());
    brain.want(now, place, rules(1, &place), Load::default());
    assert_eq!(talk(&mut brain), (1, 1));
    // Where nothing is there, the prefix is asked for all the same.
    let other = prefix("2001:db8:1::/48");
    brain.keep(now, other, Load::default());
    assert_eq!(talk(&mut brain), (1, 1));
    assert_eq!(brain.standing(now, &other), Standing::Stands);
}

#[test]
fn another_version_ends_the_conversation_and_says_so() {
    let mut site = Site::new("site", declared());
    let hello = Ask::Hello { version: 99, name: "brain".to_owned() };
    let tell = site.handle(Timestamp::from_secs(1), "a", hello).unwrap();
    let mut brain = Controller::new(settings());
    brain.connected(Timestamp::from_secs(1));
    brain.receive(Timestamp::from_secs(1), tell);
    assert!(brain.is_dead(Timestamp::from_secs(1)));
    assert!(brain.wrong().unwrap().contains("version 99"), "{:?}", brain.wrong());
}

#[test]
fn who_says_nothing_for_long_is_lost_and_what_it_held_does_not_stand_any_more() {
    let mut world = World::new();
    let place = prefix("198.51.100.0/24");
    world.brain.want(world.now, place, rules(1, &place), Load::default());
    world.connect();
    for _ in 0..4 {
        world.pass(Span::from_millis(200));
        world.deliver();
    }
    assert_eq!(world.brain.standing(world.now, &place), Standing::Stands);
    assert!(world.brain.is_up());
    // A connection that breaks for a moment is no death.
    world.cut(0);
    world.pass(Span::from_secs(3));
    assert_eq!(world.brain.standing(world.now, &place), Standing::Stands);
    world.connect();
    world.pass(Span::from_secs(6));
    assert_eq!(world.brain.standing(world.now, &place), Standing::Waiting);
    assert!(world.brain.is_dead(world.now), "it is connected, and says nothing");
}
