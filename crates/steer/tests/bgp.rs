//! The speaker's session and its routes: what goes over the wire, and what a fall costs.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod world;

use std::collections::BTreeMap;

use base::{Span, Timestamp};
use proptest::prelude::*;
use steer::bgp::dialect::Dialect;
use steer::bgp::out::{Blame, Full, Key, NotTaken, Out, Route, Suspicion};
use steer::bgp::session::{Farewell, Output};
use steer::bgp::step::State;
use steer::bgp::{Down, Input, Pacing, Peer, Settings};
use wire::bgp::attribute::community;
use wire::bgp::{Family, Notification};
use world::{World, prefix, route, settings};

const FAST: Pacing = Pacing { per_second: 0, burst: 1, peer_limit: 0, search: false };

#[test]
fn a_session_comes_up_tells_its_routes_and_the_end_of_them() {
    let mut world = World::new(FAST);
    for number in 0..3 {
        world.us.announce(world.now, route(number)).unwrap();
    }
    world.us.handle(world.now, Input::Start);
    world.settle();
    assert_eq!(world.rib.len(), 3);
    assert_eq!(world.ends_of_rib, Family::ALL);
    let negotiated = world.us.session().negotiated().unwrap();
    assert_eq!((negotiated.four_octets, negotiated.hold_time), (true, 90));
    assert!(negotiated.kept_over_notification && !negotiated.internal);
}

#[test]
fn keepalives_hold_a_session_and_silence_ends_it() {
    let mut world = World::started(FAST);
    world.announce(1);
    world.pass(Span::from_secs(1000));
    assert_eq!((world.downs().len(), world.has(1)), (0, true));
    // The other side says nothing any more: only ours is stepped.
    let end = world.now.plus(Span::from_secs(100));
    while let Some(next) = world.us.poll_timeout().filter(|next| *next <= end) {
        world.now = next;
        world.us.handle_timeout(next);
        while let Some(output) = world.us.poll_output(next) {
            world.heard.push(output);
        }
        if !world.downs().is_empty() {
            break;
        }
    }
    assert_eq!(world.downs(), [&Down::Silent]);
    let said = Output::Send(Notification::HOLD_TIMER_EXPIRED.write());
    assert!(world.heard.contains(&said));
    assert_eq!(world.us.out().quarantine().count(), 0);
}

#[test]
fn a_silent_peer_keeps_our_routes_where_it_helps_restarts() {
    // Whether it says N (RFC 8538) decides how we leave: with a NOTIFICATION or without a word.
    for notification in [true, false] {
        let mut world = World::started(FAST);
        let mut open = world.opened();
        for capability in &mut open.capabilities {
            if let wire::bgp::Capability::GracefulRestart(restart) = capability {
                restart.notification = notification;
            }
        }
        world.us = Peer::new(settings(65010, 65020, 1), FAST, false);
        let now = world.now;
        world.us.handle(now, Input::Start);
        world.us.handle(now, Input::Connected);
        world.us.handle(now, Input::Received(&open.write()));
        world.us.handle(now, Input::Received(&wire::bgp::keepalive()));
        while world.us.poll_output(now).is_some() {}
        assert_eq!(world.us.session().negotiated().unwrap().kept_over_notification, notification);
        let mut said = Vec::new();
        while world.us.session().state() == State::Established {
            let next = world.us.poll_timeout().unwrap();
            world.us.handle_timeout(next);
            while let Some(output) = world.us.poll_output(next) {
                said.push(output);
            }
        }
        assert!(said.contains(&Output::Down(Down::Silent)) && said.contains(&Output::Close));
        let farewell = Output::Send(Notification::HOLD_TIMER_EXPIRED.write());
        assert_eq!(said.contains(&farewell), notification);
    }
}

#[test]
fn who_is_patient_keeps_a_session_through_silence_and_says_so() {
    let mut world = World::started(FAST);
    let open = world.opened();
    world.us = Peer::new(Settings { patience: 600, ..settings(65010, 65020, 1) }, FAST, false);
    let began = world.now;
    for input in [Input::Start, Input::Connected] {
        world.us.handle(began, input);
    }
    world.us.handle(began, Input::Received(&open.write()));
    // Before the session is up nobody is patient.
    assert!(world.us.poll_timeout().unwrap() <= began.plus(Span::from_secs(90)));
    world.us.handle(began, Input::Received(&wire::bgp::keepalive()));
    let (mut keepalives, mut ended) = (0, None);
    while let Some(next) = world.us.poll_timeout().filter(|_| ended.is_none()) {
        world.us.handle_timeout(next);
        let silent = world.us.session().silent_since(next);
        assert_eq!(
            silent.is_some(),
            next.since(began) > Span::from_secs(90) && next.since(began) < Span::from_secs(600)
        );
        while let Some(output) = world.us.poll_output(next) {
            keepalives += u32::from(output == Output::Send(wire::bgp::keepalive()));
            ended = ended.or_else(|| (output == Output::Down(Down::Silent)).then_some(next));
        }
    }
    assert_eq!(ended, Some(began.plus(Span::from_secs(600))));
    // It heard from us all the time.
    assert!(keepalives >= 19, "{keepalives}");
}

#[test]
fn a_peer_that_goes_away_is_met_again_and_hears_everything_again() {
    let mut world = World::started(FAST);
    (0..20).for_each(|number| world.announce(number));
    world.pass(Span::from_secs(30));
    world.away = true;
    world.cut();
    world.settle();
    world.pass(Span::from_secs(300));
    assert_eq!(world.rib.len(), 0);
    world.away = false;
    world.pass(Span::from_secs(6));
    assert_eq!(world.rib.len(), 20);
    assert_eq!(world.us.out().quarantine().count(), 0);
}

#[test]
fn a_stop_says_why_and_stays_stopped() {
    let mut world = World::started(FAST);
    world.announce(1);
    world.us.handle(world.now, Input::Stop("maintenance until 03:00"));
    world.settle();
    world.pass(Span::from_secs(3600));
    assert_eq!((world.rib.len(), world.us.session().state()), (0, State::Idle));
    assert_eq!(world.downs(), [&Down::Stopped]);
    // The peer agreed to keep routes over a NOTIFICATION, so the farewell is a hard reset (RFC 8538 §3.1).
    let sent =
        world.heard.iter().rev().find_map(|o| if let Output::Send(octets) = o { Some(octets) } else { None });
    let sent = Notification::read(&sent.unwrap()[19..]).unwrap();
    assert!(sent.is_hard_reset());
    assert_eq!(Notification::read(&sent.data).unwrap().text().as_deref(), Some("maintenance until 03:00"));
}

#[test]
fn a_farewell_that_keeps_routes_is_silent() {
    let mut world = World::new(FAST);
    world.us = Peer::new(Settings { on_stop: Farewell::Keep, ..settings(65010, 65020, 1) }, FAST, true);
    world.us.handle(world.now, Input::Start);
    world.settle();
    let before = world.heard.len();
    world.us.handle(world.now, Input::Stop("upgrade"));
    world.settle();
    let after: Vec<&Output> = world.heard[before..].iter().collect();
    assert_eq!(after, [&Output::Close, &Output::Down(Down::Stopped)]);
}

#[test]
fn a_peer_of_another_as_is_refused_with_the_reason() {
    let mut world = World::new(FAST);
    world.us = Peer::new(settings(65010, 65099, 1), FAST, false);
    world.us.handle(world.now, Input::Start);
    world.settle();
    assert_eq!(world.downs(), [&Down::Refused(Notification::new(2, 2))]);
    // It tries again, at most every five seconds.
    let dials = |world: &World| world.heard.iter().filter(|o| **o == Output::Dial).count();
    world.pass(Span::from_secs(60));
    assert!((10..=20).contains(&dials(&world)), "{}", dials(&world));
}

#[test]
fn what_was_sent_before_the_peer_fell_is_quarantined_and_the_rest_is_back_at_once() {
    for complaint in [Notification::new(3, 9), Notification::new(6, 8)] {
        let mut world = World::started(FAST);
        world.complaint = Some(complaint);
        (0..49).for_each(|number| world.announce(number));
        world.pass(Span::from_secs(60));
        world.poison.insert(prefix(100));
        world.announce(100);
        assert_eq!(world.rib.len(), 0);
        world.pass(Span::from_secs(10));
        assert_eq!(world.rib.len(), 49, "the others are back within ten seconds");
        let quarantine: Vec<(Key, Suspicion)> =
            world.us.out().quarantine().map(|(key, why)| (key.clone(), why)).collect();
        assert_eq!(quarantine, [(route(100).key, Suspicion::Culprit)]);
        world.pass(Span::from_secs(100_000));
        assert_eq!((world.rib.len(), world.downs().len()), (49, 1), "nothing is tried again by itself");
    }
}

#[test]
fn a_peer_that_goes_without_a_word_hears_plain_routes_once_more() {
    // It crashed by chance just after it was told a route, which it has when it is back.
    let mut world = World::started(FAST);
    world.announce(1);
    world.connected = false;
    world.us.handle(world.now, Input::Closed);
    world.them.handle(world.now, Input::Closed);
    world.settle();
    assert_eq!((world.downs(), world.us.out().quarantine().count()), (vec![&Down::Closed], 0));
    world.pass(Span::from_secs(10));
    assert!(world.has(1));
    // It crashes whenever it reads it: at once, then after a pause and alone, and no more.
    let mut world = World::started(FAST);
    (0..49).for_each(|number| world.announce(number));
    world.pass(Span::from_secs(60));
    world.poison.insert(prefix(100));
    world.announce(100);
    world.pass(Span::from_secs(40));
    assert_eq!((world.rib.len(), world.downs()), (49, vec![&Down::Closed; 3]));
    let why = |world: &World| world.us.out().quarantine().map(|(_, why)| why).next();
    assert!(matches!(why(&world), Some(Suspicion::Probation(_))), "{:?}", why(&world));
    world.pass(Span::from_secs(60));
    assert_eq!((world.rib.len(), world.downs()), (49, vec![&Down::Closed; 4]));
    let quarantine: Vec<(Key, Suspicion)> =
        world.us.out().quarantine().map(|(key, why)| (key.clone(), why)).collect();
    assert_eq!(quarantine, [(route(100).key, Suspicion::Culprit)]);
    world.pass(Span::from_secs(100_000));
    assert_eq!((world.rib.len(), world.downs().len()), (49, 4), "nothing is tried again by itself");
}

#[test]
fn a_router_that_is_killed_twice_has_its_routes_back_by_itself() {
    let mut world = World::started(FAST);
    (0..6).for_each(|number| world.announce(number));
    let kill = |world: &mut World| {
        world.connected = false;
        world.us.handle(world.now, Input::Closed);
        world.them.handle(world.now, Input::Closed);
        world.rib.clear();
        world.settle();
    };
    kill(&mut world);
    assert_eq!(world.us.out().quarantine().count(), 0, "once is no reason to wait");
    for _ in 0..10 {
        if world.rib.len() < 6 {
            world.pass(Span::from_secs(1));
        }
    }
    assert_eq!(world.rib.len(), 6);
    kill(&mut world);
    assert_eq!(world.us.out().quarantine().count(), 6);
    world.pass(Span::from_secs(30));
    assert_eq!((world.rib.len(), world.us.out().quarantine().count()), (6, 0));
    assert!(world.us.out().held().all(|route| world.us.out().is_proven(&route.key)));
    // Proven, they go out with all others whatever happens to it.
    kill(&mut world);
    assert_eq!(world.us.out().quarantine().count(), 0);
}

#[test]
fn of_two_before_which_a_peer_goes_each_time_the_one_that_ends_it_is_found_and_the_other_is_back() {
    let mut world = World::started(FAST);
    world.poison.insert(prefix(101));
    for number in [100, 101] {
        world.us.announce(world.now, route(number)).unwrap();
    }
    world.settle();
    world.pass(Span::from_secs(3600));
    let quarantine: Vec<(Key, Suspicion)> =
        world.us.out().quarantine().map(|(key, why)| (key.clone(), why)).collect();
    assert_eq!(quarantine, [(route(101).key, Suspicion::Culprit)]);
    assert!(world.has(100));
    assert!(world.downs().len() <= 5, "{:?}", world.downs());
}

#[test]
fn a_rule_before_which_a_peer_went_without_a_word_is_quarantined_at_once() {
    let mut out = Out::new(FAST, Dialect::default());
    let nlri = vec![6, 1, 32, 198, 51, 100, 7];
    let key = Key { family: Family::FLOWSPEC4, nlri };
    let rule = Route { key: key.clone(), next_hop: None, attributes: route(1).attributes, rank: 1 };
    for announced in [rule, route(1)] {
        out.announce(announced).unwrap();
    }
    let now = Timestamp::from_secs(1_000_000);
    out.up(now, &[Family::IPV4, Family::FLOWSPEC4], true);
    assert!(!out.messages(now).is_empty());
    assert_eq!(out.down(now.plus(Span::from_secs(1)), Blame::Perhaps), 1);
    let quarantine: Vec<(Key, Suspicion)> = out.quarantine().map(|(key, why)| (key.clone(), why)).collect();
    assert_eq!(quarantine, [(key, Suspicion::Culprit)]);
}

#[test]
fn the_culprit_is_found_where_sessions_may_be_lost_for_it_once_an_hour() {
    let mut world = World::started(Pacing { search: true, ..FAST });
    (0..10).for_each(|number| world.announce(number));
    world.pass(Span::from_secs(60));
    world.complaint = Some(Notification::new(3, 1));
    world.poison.insert(prefix(105));
    // Eight at once, before the peer reads the first.
    for number in 100..108 {
        world.us.announce(world.now, route(number)).unwrap();
    }
    world.settle();
    assert_eq!(world.us.out().quarantine().count(), 8);
    world.pass(Span::from_secs(8 * 3600));
    assert_eq!(world.rib.len(), 17);
    let left: Vec<(Key, Suspicion)> =
        world.us.out().quarantine().map(|(key, why)| (key.clone(), why)).collect();
    assert_eq!(left, [(route(105).key, Suspicion::Culprit)]);
    assert!(world.downs().len() <= 4, "{:?}", world.downs());
    // Mended and released by a person, it goes out.
    world.poison.clear();
    assert!(world.us.release(world.now, &route(105).key));
    world.settle();
    assert_eq!(world.rib.len(), 18);
}

#[test]
fn what_had_not_reached_a_peer_is_not_blamed_for_its_end() {
    let mut world = World::started(FAST);
    world.announce(1);
    world.us.handle(world.now, Input::Lost);
    world.connected = false;
    world.them.handle(world.now, Input::Closed);
    world.settle();
    assert_eq!((world.downs(), world.us.out().quarantine().count()), (vec![&Down::Lost], 0));
    world.pass(Span::from_secs(10));
    assert!(world.has(1));
}

#[test]
fn a_peer_that_is_shut_down_for_reasons_of_its_own_puts_nothing_into_quarantine() {
    let mut world = World::started(FAST);
    world.announce(1);
    world.us.handle(world.now, Input::Received(&Notification::shutdown("reboot").write()));
    world.settle();
    assert_eq!(world.us.out().quarantine().count(), 0);
    assert_eq!(
        world.us.last_down().unwrap().to_string(),
        "the peer ended it: cease: administrative shutdown (6/2): “reboot”"
    );
    world.pass(Span::from_secs(10));
    assert!(world.has(1));
}

#[test]
fn the_most_important_goes_first_at_the_pace_of_the_profile() {
    let mut world = World::started(Pacing { per_second: 10, burst: 5, peer_limit: 0, search: false });
    for number in 0..25 {
        world.us.announce(world.now, route(number)).unwrap();
    }
    world.settle();
    assert!(world.rib.len() <= 5);
    let mut before = world.rib.len();
    for _ in 0..20 {
        world.pass(Span::from_millis(100));
        assert!(world.rib.len() <= before + 2, "{} after {before}", world.rib.len());
        before = world.rib.len();
    }
    assert_eq!(world.rib.len(), 25);
    // After a fall, by rank.
    world.pass(Span::from_secs(10));
    world.cut();
    world.settle();
    world.pass(Span::from_secs(1));
    let ranks: Vec<u32> =
        (0..25).filter(|number| world.has(*number)).map(|number| route(number).rank).collect();
    assert!(ranks.len() < 25 && ranks.iter().all(|rank| *rank <= 2), "{ranks:?}");
}

#[test]
fn more_than_the_peer_takes_is_refused_and_nothing_tips_over() {
    let mut world = World::started(Pacing { peer_limit: 10, ..FAST });
    (0..9).for_each(|number| world.announce(number));
    let full = world.us.announce(world.now, route(9)).unwrap_err();
    assert_eq!(full, NotTaken::Full(Full { limit: 10, most: 9 }));
    // One that is there may change, and one that goes makes room.
    world.announce(3);
    world.us.withdraw(world.now, &route(0).key, false);
    world.announce(9);
    assert_eq!(world.rib.len(), 9);
}

#[test]
fn what_may_be_left_from_before_is_withdrawn_before_the_end_of_the_routes() {
    let mut world = World::new(FAST);
    world.us.announce(world.now, route(1)).unwrap();
    world.us.withdraw(world.now, &route(2).key, true);
    world.us.handle(world.now, Input::Start);
    world.settle();
    let sent: Vec<Vec<u8>> = world
        .heard
        .iter()
        .filter_map(|o| if let Output::Send(octets) = o { Some(octets.clone()) } else { None })
        .filter(|octets| octets[18] == 2)
        .collect();
    let read = |octets: &Vec<u8>| wire::bgp::Update::read(&octets[19..], true).unwrap();
    let updates: Vec<_> = sent.iter().map(read).collect();
    assert_eq!(updates[0].withdrawn, [prefix(2)]);
    assert_eq!(updates[1].announced, [prefix(1)]);
    assert_eq!(updates[2].end_of_rib, Some(Family::IPV4));
}

#[test]
fn a_refresh_tells_a_family_again() {
    let mut world = World::started(FAST);
    (0..5).for_each(|number| world.announce(number));
    world.rib.clear();
    let ask = wire::bgp::message(wire::bgp::Kind::RouteRefresh, &[0, 1, 0, 1]).unwrap();
    world.us.handle(world.now, Input::Received(&ask));
    world.settle();
    assert_eq!(world.rib.len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 400 }))]

    /// Any sequence of announcements, withdrawals, falls and pauses ends with the peer holding what is wanted.
    #[test]
    fn the_peer_ends_with_what_is_wanted(steps in proptest::collection::vec((0u8..10, 0u32..40), 1..1000)) {
        let mut world = World::started(Pacing { per_second: 100, burst: 20, peer_limit: 0, search: false });
        world.complaint = Some(Notification::shutdown("again"));
        let mut model = BTreeMap::new();
        for (step, number) in steps {
            match step {
                0..4 => {
                    let mut one = route(number);
                    one.attributes.communities.push(u32::from(step));
                    let said = [one.attributes.communities.as_slice(), &[community::NO_LLGR]].concat();
                    model.insert(prefix(number), said);
                    world.us.announce(world.now, one).unwrap();
                }
                4..7 => {
                    model.remove(&prefix(number));
                    world.us.withdraw(world.now, &route(number).key, false);
                }
                7 => world.pass(Span::from_millis(u64::from(number) * 20)),
                8 => world.pass(Span::from_secs(6)),
                _ => {
                    // A fall that is nobody's fault.
                    world.us.handle(world.now, Input::Received(&Notification::shutdown("again").write()));
                }
            }
            world.settle();
        }
        world.pass(Span::from_secs(60));
        prop_assert_eq!(&world.rib, &model);
        prop_assert_eq!(world.us.out().held().count(), model.len());
    }

    #[test]
    fn noise_never_hurts_a_session(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut world = World::started(FAST);
        world.announce(1);
        world.us.handle(world.now, Input::Received(&noise));
        world.settle();
        world.pass(Span::from_secs(200));
        prop_assert!(world.us.session().state() == State::Established);
        prop_assert!(world.has(1) || world.us.out().quarantine().count() == 1);
    }
}
