//! A kernel that does not take one of the fixed programs.

use dataplane::{Buffers, Clock, Plane, Policy};
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane};
use crate::make::udp;
use crate::segment::Segment;

const DROP: u32 = 1;
const PASS: u32 = 2;

fn policy(text: &str) -> Policy {
    Policy { rules: RuleSet::new(parse::rules(text).unwrap()), ..Policy::default() }
}

#[test]
fn without_a_program_the_rules_that_need_it_are_refused_and_the_others_filter() {
    let Some(whole) = plane() else { return };
    assert_eq!(whole.lacking(), [], "this kernel takes all of them");
    let ask = policy("c proto tcp -> challenge\n");
    let lead = policy("l proto tcp -> redirect 192.0.2.1\n");
    let plain = policy("d proto icmp -> drop\n");
    for (without, refused, taken, buffers) in [
        (&["challenge"][..], &ask, &lead, Buffers::One),
        (&["proof"], &ask, &lead, Buffers::One),
        (&["challenge_udp"], &ask, &lead, Buffers::Several),
        (&["lead"], &lead, &ask, Buffers::One),
        (&["lead", "challenge", "proof", "challenge_udp"], &ask, &plain, Buffers::Several),
    ] {
        let plane = Plane::load_but(Clock::Kernel, buffers, without).unwrap();
        let named: Vec<&str> = plane.lacking().iter().map(|lacking| lacking.program).collect();
        assert_eq!(named.len(), without.len());
        assert!(without.iter().all(|name| named.contains(name)), "{named:?}");
        plane.install(&policy("d proto udp -> drop\n")).unwrap();
        let why = plane.install(refused).unwrap_err().to_string();
        let id = &refused.rules.rules()[0].id;
        assert!(why.contains(&format!("rule {id}: Linux ")) && why.contains("left out"), "{why}");
        let why = plane.add(&refused.rules.rules()[0]).unwrap_err().to_string();
        assert!(why.contains("does not take the program"), "{why}");
        assert_eq!(plane.trace(&frame(&udp().bytes())).unwrap(), (DROP, Some(0)), "what was in force stays");
        assert_eq!(plane.trace(&Segment::syn(false).frame()).unwrap(), (PASS, None));
        plane.install(taken).unwrap();
    }
}
