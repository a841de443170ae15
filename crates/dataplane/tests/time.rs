//! Rates and leases, with a clock that the test sets.

use base::{Span, Timestamp};
use dataplane::{Clock, Plane, Policy};
use proptest::strategy::{Strategy, ValueTree};
use rules::limit::{Fate, Limiter};
use rules::{Action, Rule, RuleSet, parse};

use crate::agreement::{frame, plane_with, runner};
use crate::make::{self, Packet, udp};

const DROP: u32 = 1;

fn rule(text: &str) -> Rule {
    parse::rules(text).unwrap().remove(0)
}

fn install(plane: &Plane, rules: Vec<Rule>) -> Policy {
    let policy = Policy { rules: RuleSet::new(rules), ..Policy::default() };
    plane.install(&policy).unwrap();
    policy
}

#[test]
fn a_rate_admits_what_the_reference_admits() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let mut runner = runner(31);
    let (mut dropped, mut passed, mut apart) = (0u64, 0u64, 0u64);
    for action in [
        Action::RatePackets(1.0),
        Action::RatePackets(7.0),
        Action::RatePackets(1000.0),
        Action::RatePackets(250_000.0),
        Action::RatePackets(0.0),
        Action::RateBits(0.0),
        Action::RateBits(8_000.0),
        Action::RateBits(1e6),
        Action::RateBits(4e9),
    ] {
        let policy = install(&plane, vec![Rule { action, ..rule("r proto udp -> drop\n") }]);
        let mut reference = Limiter::new(&policy.rules);
        // Gaps about the time that the rate gives to one packet.
        let typical = match action {
            Action::RatePackets(rate) if rate > 0.0 => 1e9 / rate,
            Action::RateBits(rate) if rate > 0.0 => 1e9 / rate * 8.0 * 600.0,
            _ => 1e6,
        };
        let mut now = 1_000_000_000u64;
        for _ in 0..600 {
            let (times, size) = ((0.0f64..2.0), 0usize..1200).new_tree(&mut runner).unwrap().current();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, small")]
            let gap = (typical * times) as u64;
            now += gap;
            plane.set_clock(now).unwrap();
            let packet = Packet { payload: vec![0; size], ..udp() };
            let bytes = packet.bytes();
            let wanted =
                reference.judge(&policy.rules, Timestamp::from_nanos(now), &make::parsed(&bytes)).fate;
            let got = plane.trace(&frame(&bytes)).unwrap().0;
            if (got == DROP) == (wanted == Fate::Dropped) {
                dropped += u64::from(got == DROP);
                passed += u64::from(got != DROP);
            } else {
                apart += 1;
            }
        }
    }
    println!("{dropped} dropped, {passed} passed, {apart} told otherwise");
    assert!(dropped > 500 && passed > 500);
    // Integers here, floating point there: at the very edge they may differ, and then go on alike.
    assert!(apart * 200 < dropped + passed, "{apart} of {}", dropped + passed);
}

#[test]
fn a_lease_ends_in_the_kernel() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    plane.set_clock(5_000_000_000).unwrap();
    let leased = rule("r proto udp -> drop for 10s\n");
    assert_eq!(leased.lease, Some(Span::from_secs(10)));
    install(&plane, vec![leased, rule("s @9 proto udp -> pass\n")]);
    let frame = frame(&udp().bytes());
    for (now, dropped) in
        [(5_000_000_000, true), (14_999_999_999, true), (15_000_000_000, false), (u64::MAX, false)]
    {
        plane.set_clock(now).unwrap();
        assert_eq!(plane.trace(&frame).unwrap().0 == DROP, dropped, "at {now}");
    }
    let lapsed = plane.leaves().unwrap().into_iter().find(|tally| tally.place == "lapsed").unwrap();
    assert_eq!(lapsed.packets, 2);
}
