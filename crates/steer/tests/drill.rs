//! Fire drills, with worlds in which they pass and in which they fail.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use base::{Prefix, Span, Timestamp};
use proptest::prelude::*;
use steer::drill::{Arrived, Drill, Input, Log, Output, Plan, Record, Standing, Witness};
use steer::rails::Class;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// How a network behaves.
#[derive(Clone, Copy, Debug, Default)]
struct World {
    /// Seconds until an announcement acts; `None`: never.
    acts: Option<u64>,
    /// Seconds until a withdrawal does.
    clears: Option<u64>,
    refuses: bool,
    unreachable: bool,
}

/// Runs a drill with a probe a second: its record, and whether every announcement was withdrawn.
fn run(class: Class, text: &str, world: World) -> (Record, bool) {
    let plan = Plan::new("edge".into(), class, prefix(text));
    let mut drill = Drill::new(at(0), plan.clone());
    let (mut announced, mut withdrawn, mut done) = (None, None, None);
    for second in 0..600 {
        while let Some(output) = drill.poll_output() {
            match output {
                Output::Announce(what) => {
                    assert_eq!(what, plan);
                    announced = Some(second);
                    let refusal = Input::Refused("the session is down".into());
                    drill.handle(at(second), if world.refuses { refusal } else { Input::Announced });
                }
                Output::Withdraw(what) => {
                    assert_eq!(what, plan);
                    withdrawn = Some(second);
                    drill.handle(at(second), Input::Withdrawn);
                }
                Output::Done(record) => done = Some(record),
            }
        }
        if let Some(record) = done {
            assert_eq!(drill.poll_timeout(), None);
            return (record, announced.is_some() == withdrawn.is_some());
        }
        let since = |then: Option<u64>, delay: Option<u64>| {
            then.is_some_and(|then| delay.is_some_and(|delay| second >= then + delay))
        };
        let acts = !world.refuses && since(announced, world.acts) && !since(withdrawn, world.clears);
        let arrived = match (world.unreachable, acts, class) {
            (true, ..) | (_, true, Class::Blackhole | Class::Flowspec) => Arrived::Nowhere,
            (_, true, Class::Diversion) => Arrived::Absorber,
            _ => Arrived::Home,
        };
        drill.handle(at(second), Input::Probe(arrived));
    }
    panic!("it never ends");
}

const WORKS: World = World { acts: Some(2), clears: Some(1), refuses: false, unreachable: false };

#[test]
fn a_drill_proves_effect_and_withdrawal_of_each_class_in_both_families() {
    for (class, text) in [
        (Class::Blackhole, "198.51.100.250/32"),
        (Class::Blackhole, "2001:db8::250/128"),
        (Class::Flowspec, "198.51.100.250/32"),
        (Class::Flowspec, "2001:db8::250/128"),
        (Class::Diversion, "198.51.100.0/24"),
        (Class::Diversion, "2001:db8::/48"),
    ] {
        let (record, clean) = run(class, text, WORKS);
        assert!(clean && record.wrong.is_none(), "{record:?}");
        // Three probes in a row, one a second, from the second in which it acts.
        let took = (record.acted.map(Span::secs), record.cleared.map(Span::secs));
        assert_eq!((took, record.prefix), ((Some(4), Some(3)), prefix(text)), "{record:?}");
    }
}

#[test]
fn what_goes_wrong_is_named_and_withdrawn() {
    for (world, word) in [
        (World { acts: None, ..WORKS }, "probes still arrived after 30s"),
        (World { clears: None, ..WORKS }, "did not arrive again"),
        (World { refuses: true, ..WORKS }, "refused: the session is down"),
        (World { unreachable: true, ..WORKS }, "could not show"),
    ] {
        let (record, clean) = run(Class::Blackhole, "198.51.100.250/32", world);
        assert!(clean, "{record:?}");
        assert!(record.wrong.as_ref().unwrap().contains(word), "{record:?}");
    }
    let (record, _) = run(Class::Diversion, "198.51.100.0/24", World { acts: None, ..WORKS });
    assert!(record.wrong.unwrap().contains("the absorber"));
}

#[test]
fn all_looks_lie_within_the_lease() {
    let plan = Plan::new("edge".into(), Class::Blackhole, prefix("198.51.100.250/32"));
    assert!(plan.patience < plan.lease && plan.lease == Span::from_secs(60));
}

#[test]
fn the_last_drill_counts_until_it_is_too_old() {
    let mut log = Log::default();
    let day = 86_400;
    let (passed, _) = run(Class::Blackhole, "198.51.100.250/32", WORKS);
    let (failed, _) = run(Class::Blackhole, "198.51.100.250/32", World { acts: None, ..WORKS });
    let of = |log: &Log, now, ipv4| {
        log.standing(at(now), Span::from_secs(30 * day), "edge", Class::Blackhole, ipv4)
    };
    assert_eq!(of(&log, 0, true), Standing::Untried);
    log.note(passed.clone());
    assert_eq!((of(&log, day, true), of(&log, 31 * day, true)), (Standing::Passed, Standing::Untried));
    // What was tried with IPv4 says nothing of IPv6.
    assert_eq!(of(&log, day, false), Standing::Untried);
    // What nobody saw act is not proven, and not failed.
    log.note(Record { witness: Witness::View, ..passed.clone() });
    assert_eq!(of(&log, day, true), Standing::Untried);
    log.note(failed);
    assert_eq!((of(&log, day, true), of(&log, 31 * day, true)), (Standing::Failed, Standing::Failed));
    log.note(passed);
    for number in 0..600 {
        let (record, _) = run(Class::Blackhole, "198.51.100.250/32", WORKS);
        log.note(Record { neighbor: format!("n{number}"), at: at(1000 + number), ..record });
    }
    assert_eq!((log.all().count(), log.forgotten), (512, 89));
    assert!(log.last("edge", Class::Blackhole, true).is_none());
}

proptest! {
    #[test]
    fn whatever_happens_what_was_announced_is_withdrawn_and_it_ends(
        inputs in prop::collection::vec((0_u64..20, 0_u8..9), 0..60),
    ) {
        let plan = Plan::new("edge".into(), Class::Blackhole, prefix("198.51.100.250/32"));
        let mut drill = Drill::new(at(0), plan);
        let (mut now, mut announced, mut withdrawn, mut done) = (0, 0, 0, 0);
        let mut count = |drill: &mut Drill| {
            while let Some(output) = drill.poll_output() {
                match output {
                    Output::Announce(_) => announced += 1,
                    Output::Withdraw(_) => withdrawn += 1,
                    Output::Done(_) => done += 1,
                }
            }
            (announced, withdrawn, done)
        };
        for (later, what) in inputs {
            now += later;
            drill.handle(at(now), match what {
                0 => Input::Announced,
                1 => Input::Withdrawn,
                2 => Input::Refused(String::new()),
                3 | 4 => Input::Probe(Arrived::Nowhere),
                5 => Input::Stopped(String::new()),
                _ => Input::Probe(Arrived::Home),
            });
            count(&mut drill);
        }
        while let Some(until) = drill.poll_timeout() {
            drill.handle_timeout(until);
        }
        let (announced, withdrawn, done) = count(&mut drill);
        prop_assert_eq!((announced, done), (withdrawn, 1));
        prop_assert!(announced <= 1);
    }
}
