//! The dead-man switch and leases that are renewed, with a clock that the test sets; packets that are told.

use std::collections::BTreeSet;

use base::Span;
use dataplane::{Clock, Listener, Policy};
use rules::{Rule, RuleSet, parse};

use crate::agreement::{frame, plane_with};
use crate::make::udp;

const DROP: u32 = 1;
const SECOND: u64 = 1_000_000_000;

fn rules(text: &str) -> Vec<Rule> {
    parse::rules(text).unwrap()
}

#[test]
fn automatic_rules_act_only_while_somebody_lives() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let set = RuleSet::new(rules("auto @1 proto udp -> drop\nhand @2 proto tcp -> drop\n"));
    let automatic = BTreeSet::from(["auto".to_owned()]);
    let frame = frame(&udp().bytes());
    plane.set_clock(100 * SECOND).unwrap();
    for (ids, by_hand) in [(automatic, false), (BTreeSet::new(), true)] {
        plane.install(&Policy { rules: set.clone(), automatic: ids, ..Policy::default() }).unwrap();
        plane.beat(Some(Span::from_secs(60))).unwrap();
        for (now, beaten) in [(100, true), (160, true), (161, false), (5000, false), (99, true)] {
            plane.set_clock(now * SECOND).unwrap();
            let dropped = plane.trace(&frame).unwrap().0 == DROP;
            assert_eq!(dropped, beaten || by_hand, "at {now} s, made by hand: {by_hand}");
        }
        let counts = plane.counts().unwrap();
        assert_eq!((counts[0].packets, counts[0].dropped), (5, 5), "what would have been dropped is counted");
        plane.set_clock(5000 * SECOND).unwrap();
        plane.beat(Some(Span::from_secs(60))).unwrap();
        assert_eq!(plane.trace(&frame).unwrap().0, DROP, "a beat, and they act again");
        plane.set_clock(100 * SECOND).unwrap();
        plane.beat(None).unwrap();
        plane.set_clock(9000 * SECOND).unwrap();
        assert_eq!(plane.trace(&frame).unwrap().0, DROP, "who wants no switch has none");
    }
}

#[test]
fn a_renewed_lease_goes_on_and_nothing_is_counted_anew() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    plane.set_clock(10 * SECOND).unwrap();
    let set = RuleSet::new(rules("a proto udp -> drop for 10s\nb proto tcp -> drop for 10s\n"));
    plane.install(&Policy { rules: set, ..Policy::default() }).unwrap();
    let frame = frame(&udp().bytes());
    plane.set_clock(19 * SECOND).unwrap();
    assert_eq!(plane.trace(&frame).unwrap().0, DROP);
    assert_eq!(plane.renew(&[("a", Span::from_secs(30)), ("gone", Span::from_secs(30))]).unwrap(), 1);
    plane.set_clock(48 * SECOND).unwrap();
    assert_eq!(plane.trace(&frame).unwrap().0, DROP);
    plane.set_clock(49 * SECOND).unwrap();
    assert_ne!(plane.trace(&frame).unwrap().0, DROP, "it ends all the same");
    let counts = plane.counts().unwrap();
    let a = counts.iter().find(|counts| counts.id == "a").unwrap();
    assert_eq!((a.packets, a.dropped), (2, 2));
}

#[test]
fn packets_are_told_with_the_rate_at_which_they_were_chosen() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let frame = frame(&udp().bytes());
    plane.install(&Policy::default()).unwrap();
    let mut listener = Listener::open(&plane).unwrap();
    plane.test_run(&frame, 1000).unwrap();
    assert_eq!(listener.turn(&plane, |_| {}).unwrap(), 0, "nobody asked for it");
    plane.install(&Policy { telemetry: true, ..Policy::default() }).unwrap();
    plane.test_run(&frame, 10).unwrap();
    let mut told = 0;
    let count = listener.turn(&plane, |one| {
        assert_eq!((one.rate, one.length as usize), (1, frame.len()));
        assert_eq!(one.frame, &frame[..frame.len().min(128)]);
        told += 1;
    });
    assert_eq!((count.unwrap(), told), (10, 10), "few packets are all told");
    // A flood is told at ever larger steps; what is told stands for all of it.
    let (mut all, mut events, sent) = (0.0, 0, 2_000_000);
    for _ in 0..20 {
        plane.test_run(&frame, sent / 20).unwrap();
        events += listener.turn(&plane, |one| all += f64::from(one.rate)).unwrap();
    }
    println!("{events} told of {sent}, standing for {all}; 1 in {} by now", listener.rate());
    assert!(events < 20_000, "{events}");
    assert!((all / f64::from(sent) - 1.0).abs() < 0.15, "{all} for {sent}");
    let (told, lost) = plane.told().unwrap();
    assert_eq!((told, lost), (events + 10, 0));
    // Who is not heard is counted: the ring fills, and the packets pass all the same.
    let before = plane.leaves().unwrap().iter().map(|tally| tally.packets).sum::<u64>();
    for _ in 0..200 {
        plane.test_run(&frame, 50_000).unwrap();
        let _ = Listener::open(&plane).unwrap();
    }
    let after = plane.leaves().unwrap().iter().map(|tally| tally.packets).sum::<u64>();
    assert_eq!(after - before, 200 * 50_000);
    assert!(plane.told().unwrap().1 > 0, "{:?}", plane.told());
}
