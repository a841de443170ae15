//! What nobody confirms reverts.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use base::{Prefix, Span, Timestamp};
use steer::book::{Actor, What};
use steer::confirm::{MINUTES, Revert, Trials, Why, Wrong, is_wide};
use steer::rails::Class;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn rule(text: &str) -> What {
    What::Flowspec(Box::new(rules::parse::rules(text).unwrap().remove(0)))
}

fn person() -> Actor {
    Actor::Person("ada".into())
}

#[test]
fn a_first_enforcement_reverts_unless_a_person_confirms_it() {
    let mut trials = Trials::new(MINUTES, [], []);
    let what = What::Blackhole(prefix("198.51.100.7/32"));
    assert_eq!(trials.wants(&Actor::Engine, &what), Some(Why::First(Class::Blackhole)));
    assert_eq!(trials.begin(at(0), 7, Why::First(Class::Blackhole)), Ok(at(600)));
    assert_eq!(trials.poll_timeout(), Some(at(600)));
    trials.handle_timeout(at(599));
    assert_eq!(trials.poll_output(), None);
    trials.handle_timeout(at(600));
    let reason = "the first blackhole that is enforced was not confirmed within 10m".to_owned();
    assert_eq!(trials.poll_output(), Some(Revert { id: 7, reason, doubted: Some(Class::Blackhole) }));
    assert_eq!((trials.poll_output(), trials.poll_timeout()), (None, None));
    // The next one is a trial too, and the engine does not begin it by itself.
    assert!(trials.is_doubted(Class::Blackhole) && !trials.is_doubted(Class::Flowspec));
    trials.begin(at(700), 8, trials.wants(&Actor::Engine, &what).unwrap()).unwrap();
    assert_eq!(trials.confirm(8, &Actor::Engine), Err(Wrong::NoPerson));
    assert_eq!(trials.confirm(8, &person()), Ok(Why::First(Class::Blackhole)));
    assert_eq!(trials.confirm(8, &person()), Err(Wrong::Unknown(8)));
    trials.handle_timeout(at(100_000));
    assert_eq!((trials.poll_output(), trials.is_doubted(Class::Blackhole)), (None, false));
    assert_eq!(trials.wants(&Actor::Engine, &what), None);
    // What nobody confirmed is doubted over a restart, too.
    let later = Trials::new(MINUTES, [], [Class::Diversion]);
    assert!(later.is_doubted(Class::Diversion) && !later.is_doubted(Class::Blackhole));
    // What was confirmed stays so over a restart; other kinds are still to be tried.
    let again = Trials::new(MINUTES, trials.proven(), []);
    assert_eq!(again.wants(&Actor::Engine, &what), None);
    assert!(again.wants(&Actor::Engine, &What::Diversion(prefix("198.51.100.0/24"))).is_some());
}

#[test]
fn every_wide_measure_of_a_person_reverts_unless_confirmed() {
    let proven = Trials::new(MINUTES, Class::ALL, []);
    for (what, wide) in [
        (What::Blackhole(prefix("198.51.100.7/32")), false),
        (What::Blackhole(prefix("198.51.100.0/25")), true),
        (What::Blackhole(prefix("2001:db8::7/128")), false),
        (What::Blackhole(prefix("2001:db8::/64")), true),
        (What::Diversion(prefix("198.51.100.0/24")), true),
        (rule("r dst 198.51.100.7/32 proto udp -> drop for 1m"), false),
        (rule("r dst 198.51.100.7/32 -> drop for 1m"), true),
        (rule("r dst 198.51.100.0/23 proto udp -> drop for 1m"), true),
        (rule("r dst 2001:db8::/48 proto udp -> drop for 1m"), false),
        (rule("r dst 2001:db8::/47 proto udp -> drop for 1m"), true),
        (rule("r proto udp -> drop for 1m"), true),
    ] {
        assert_eq!(is_wide(&what), wide, "{what:?}");
        assert_eq!(proven.wants(&person(), &what), wide.then_some(Why::Wide), "{what:?}");
        assert_eq!(proven.wants(&Actor::Engine, &what), None, "{what:?}");
    }
}

#[test]
fn what_ended_otherwise_does_not_revert_and_a_restart_gives_no_more_time() {
    let mut trials = Trials::new(Span::from_secs(60), [], []);
    trials.begin(at(0), 1, Why::Wide).unwrap();
    trials.ended(1);
    // After a restart, what began long ago reverts at once.
    trials.begin(at(100), 2, Why::Wide).unwrap();
    trials.handle_timeout(at(1000));
    assert_eq!(trials.poll_output().map(|revert| revert.id), Some(2));
    assert_eq!(trials.poll_output(), None);
}

#[test]
fn no_more_is_on_trial_than_there_is_room_for() {
    let mut trials = Trials::new(MINUTES, [], []);
    for id in 0..1000 {
        trials.begin(at(0), id, Why::Wide).unwrap();
    }
    assert_eq!(trials.begin(at(0), 1000, Why::Wide), Err(Wrong::Crowded(1000)));
    assert!(trials.begin(at(0), 7, Why::Wide).is_ok());
    assert_eq!(trials.all().count(), 1000);
}
