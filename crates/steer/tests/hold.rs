//! When mitigations end, under attackers who watch.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use base::units::BitRate;
use base::{Span, Timestamp};
use proptest::prelude::*;
use steer::hold::{Change, Evidence, Hold, Settings, View, part};

const HOUR: Span = Span::from_secs(3600);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

/// Looks every ten seconds from `from` until something changes: what, and after how many seconds.
fn until_change(hold: &mut Hold, from: u64, evidence: Evidence) -> (Change, u64) {
    (1..)
        .map(|look| look * 10)
        .take(10_000)
        .find_map(|later| hold.handle(at(from + later), evidence).map(|change| (change, later)))
        .unwrap()
}

#[test]
fn each_return_of_the_attack_doubles_the_time_of_quiet() {
    let mut hold = Hold::new(at(0), View::Open, Settings::default());
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let (change, later) = until_change(&mut hold, now, Evidence::Quiet);
        assert_eq!(change, Change::Release);
        waits.push(later);
        now += later + 10;
        assert_eq!(hold.handle(at(now), Evidence::Attack), Some(Change::Restore));
    }
    assert_eq!(waits, [300, 600, 1200, 2400, 4800, 9600, 14_400, 14_400]);
}

#[test]
fn silence_and_pauses_between_looks_are_not_quiet() {
    let mut hold = Hold::new(at(0), View::Open, Settings::default());
    for second in 1..100_000 {
        assert_eq!(hold.handle(at(second), Evidence::Blind), None);
    }
    // One look after a day stands for thirty seconds, as does one after the clock was moved.
    let mut looks = (1..).map(|day| hold.handle(at(100_000 + day * 86_400), Evidence::Quiet));
    assert_eq!(looks.position(|change| change == Some(Change::Release)), Some(9));
}

#[test]
fn the_time_in_which_nobody_ran_is_no_quiet() {
    let first = Span::from_secs(10);
    let mut hold = Hold::new(at(0), View::Hidden, Settings { first, ..Settings::default() });
    assert_eq!(hold.handle(at(1), Evidence::Attack), None);
    let text = serde_json::to_string(&hold).unwrap();
    let mut again: Hold = serde_json::from_str(&text).unwrap();
    again.wake(at(26));
    // Nobody is heard yet.
    assert_eq!(again.handle(at(26), Evidence::Blind), None);
    assert_eq!(again.handle(at(35), Evidence::Blind), None);
    assert_eq!(again.handle(at(36), Evidence::Blind), Some(Change::Probe), "its own time counts");
    // A clock that was set back does not bring time twice.
    again.wake(at(10));
    assert_eq!(again.handle(at(37), Evidence::Attack), Some(Change::Restore));
}

#[test]
fn behind_a_blackhole_a_part_is_let_through_first() {
    let mut hold = Hold::new(at(0), View::Hidden, Settings::default());
    // Nobody sees anything behind it; when its time is over, a part shows whether the attack goes on.
    assert_eq!(until_change(&mut hold, 0, Evidence::Blind), (Change::Probe, 300));
    assert_eq!(hold.handle(at(310), Evidence::Attack), Some(Change::Restore));
    assert_eq!(until_change(&mut hold, 310, Evidence::Blind), (Change::Probe, 600));
    // A part that shows nothing is no evidence either.
    assert_eq!(until_change(&mut hold, 910, Evidence::Blind), (Change::Restore, 300));
    assert_eq!(until_change(&mut hold, 1210, Evidence::Blind), (Change::Probe, 1200));
    assert_eq!(until_change(&mut hold, 2410, Evidence::Quiet), (Change::Release, 60));
    assert!(!hold.is_held());
}

#[test]
fn a_day_of_quiet_makes_the_first_hold_short_again() {
    let mut hold = Hold::new(at(0), View::Open, Settings::default());
    assert_eq!(until_change(&mut hold, 0, Evidence::Quiet), (Change::Release, 300));
    assert_eq!(hold.handle(at(400), Evidence::Attack), Some(Change::Restore));
    assert_eq!(until_change(&mut hold, 400, Evidence::Quiet), (Change::Release, 600));
    for look in 1..=8640 {
        assert_eq!(hold.handle(at(1000 + look * 10), Evidence::Quiet), None);
    }
    assert!(hold.is_forgotten());
    let now = 1000 + 86_410;
    assert_eq!(hold.handle(at(now), Evidence::Attack), Some(Change::Restore));
    assert_eq!(until_change(&mut hold, now, Evidence::Quiet), (Change::Release, 300));
}

#[test]
fn an_attacker_who_sees_each_release_gets_few_of_them_a_day() {
    for (view, most) in [(View::Open, 10), (View::Hidden, 10)] {
        let mut hold = Hold::new(at(0), view, Settings::default());
        let mut opened = 0;
        for second in 1..86_400 {
            // It pauses while it is held, and attacks as soon as anything is let through.
            let evidence = if hold.is_held() && opened % 2 == 0 { Evidence::Quiet } else { Evidence::Attack };
            opened += usize::from(hold.handle(at(second), evidence).is_some());
        }
        assert!(opened / 2 <= most, "{view:?}: let through {} times", opened / 2);
    }
}

#[test]
fn a_part_is_a_rate_for_all_that_goes_there() {
    let rule = part("p", "2001:db8::7/128".parse().unwrap(), BitRate(1e6), Span::from_secs(60));
    assert_eq!(rule.to_string(), "p @0 dst 2001:db8::7/128 -> rate 1Mbps for 1m");
    let read = rules::parse::rules(&rule.to_string()).unwrap();
    assert_eq!((read.len(), read.first()), (1, Some(&rule)));
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![1 => Just(Evidence::Attack), 4 => Just(Evidence::Quiet), 1 => Just(Evidence::Blind)]
}

proptest! {
    #[test]
    fn no_hour_has_more_changes_than_the_bound(
        looks in prop::collection::vec((1_u64..400, evidence()), 1..800),
        hidden in any::<bool>(),
        (first, probe, per_hour) in (1_u64..300, 1_u64..60, 0_usize..9),
    ) {
        let settings = Settings {
            first: Span::from_secs(first), probe: Span::from_secs(probe), per_hour,
            longest: Span::from_secs(first), look: Span::from_secs(400), ..Settings::default()
        };
        let view = if hidden { View::Hidden } else { View::Open };
        let mut hold = Hold::new(at(0), view, settings);
        let (mut now, mut changes, mut quiet) = (0, vec![at(0)], Span::ZERO);
        for (later, evidence) in looks {
            now += later;
            let change = hold.handle(at(now), evidence);
            match evidence {
                Evidence::Quiet => quiet = Span::from_nanos(quiet.nanos() + Span::from_secs(later).nanos()),
                Evidence::Blind => {}
                Evidence::Attack => quiet = Span::ZERO,
            }
            // Nothing ends without quiet that somebody saw since the last attack.
            if change == Some(Change::Release) {
                let least = Span::from_secs(if hidden { probe } else { first });
                prop_assert!(quiet >= least);
            }
            prop_assert!(hidden || change != Some(Change::Probe));
            if let Some(_changed) = change {
                changes.push(at(now));
                quiet = Span::ZERO;
            }
        }
        for then in &changes {
            let within = changes.iter().filter(|other| *other >= then && other.since(*then) < HOUR).count();
            prop_assert!(within <= per_hour.max(4), "{within} changes within an hour");
        }
    }
}
