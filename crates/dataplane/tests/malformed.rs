//! Frames that are cut, tagged or that lie: never aborted, and what can be read is read as `wire` reads it.

use dataplane::{Engine, Plane, Policy};
use proptest::strategy::{Strategy, ValueTree};
use rules::{Action, Per, Rule, RuleSet, parse};
use wire::packet::{Link, parse as parse_frame};

use crate::agreement::{frame, plane, runner};
use crate::make;

/// `XDP_DROP` and `XDP_PASS`.
const DROP: u32 = 1;
const PASS: u32 = 2;

/// The tree, and the tables.
fn both() -> Option<[Plane; 2]> {
    Some([plane()?, plane()?])
}

fn install(both: &[Plane; 2], rules: Vec<Rule>) -> Policy {
    let policy = Policy { rules: RuleSet::new(rules), ..Policy::default() };
    for (plane, engine) in both.iter().zip([Engine::Tree, Engine::Maps]) {
        plane.install(&Policy { engine, ..policy.clone() }).unwrap();
    }
    policy
}

/// What the reference says of a frame: nothing of one that is not IP or whose IP header is not all there.
fn expected(policy: &Policy, frame: &[u8]) -> Option<usize> {
    let parsed = parse_frame(Link::Ethernet, frame, u32::try_from(frame.len()).unwrap()).ok()?;
    policy.rules.decide_index(&parsed)
}

fn check(both: &[Plane; 2], policy: &Policy, frame: &[u8], what: &str) {
    let wanted = expected(policy, frame);
    let dropped = wanted.is_some_and(|i| policy.rules.rules()[i].action == Action::Drop);
    for plane in both {
        let (returned, rule) = plane.trace(frame).unwrap();
        assert_eq!(rule, wanted, "{what}: {frame:02x?}");
        assert_eq!(returned, if dropped { DROP } else { PASS }, "{what}: {frame:02x?}");
    }
}

#[test]
fn a_cut_at_each_octet_is_read_as_far_as_it_goes() {
    let Some(both) = both() else { return };
    let mut runner = runner(11);
    let mut pairs = 0;
    for _ in 0..12 {
        let rules = make::rule_set(40).new_tree(&mut runner).unwrap().current();
        let drops = rules
            .into_iter()
            .map(|rule| Rule { action: Action::Drop, per: Per::Rule, sample: None, ..rule })
            .collect();
        let policy = install(&both, drops);
        for _ in 0..12 {
            let packet = make::a_packet().new_tree(&mut runner).unwrap().current();
            let whole = frame(&packet.bytes());
            for cut in 14..=whole.len().min(160) {
                check(&both, &policy, &whole[..cut], "cut");
                pairs += 1;
            }
        }
    }
    println!("{pairs} pairs");
}

#[test]
fn tags_headers_and_lengths_that_lie_are_read_as_the_reference_reads_them() {
    let Some(both) = both() else { return };
    let mut runner = runner(12);
    let rules = "a proto udp dst-port 53 -> drop\nb proto tcp tcp-flags syn/syn+ack -> drop\n\
                 c fragment is -> drop\nd proto icmp icmp-type 8 -> drop\ne length <=60 -> drop\n\
                 f proto 47 -> drop\ng payload 0:00 -> drop\nh payload 70:46 -> drop\n";
    let policy = install(&both, parse::rules(rules).unwrap());
    let random = |runner: &mut proptest::test_runner::TestRunner, max: u16| {
        (0..max).new_tree(runner).unwrap().current()
    };
    for _ in 0..3000 {
        let packet = make::a_packet().new_tree(&mut runner).unwrap().current();
        let plain = frame(&packet.bytes());
        for tags in 0..=2usize {
            let kinds = [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00], [0x92, 0x00]];
            let mut tagged = plain[..12].to_vec();
            for _ in 0..tags {
                tagged.extend(kinds[usize::from(random(&mut runner, 4))]);
                tagged.extend([0, 7]);
            }
            tagged.extend(&plain[12..]);
            check(&both, &policy, &tagged, "tagged");
            // One octet of the first headers is another.
            let at = 12 + usize::from(random(&mut runner, 64)) % (tagged.len() - 12);
            tagged[at] = u8::try_from(random(&mut runner, 256)).unwrap();
            // The kernel looks behind two tags and no other encapsulation: what it does not read passes.
            let kind = tagged.get(12 + 4 * tags..14 + 4 * tags).map(|k| u16::from_be_bytes([k[0], k[1]]));
            if at >= 14 + 4 * tags || matches!(kind, Some(0x0800 | 0x86dd)) {
                check(&both, &policy, &tagged, "changed");
            } else {
                for plane in &both {
                    assert_ne!(plane.trace(&tagged).unwrap().0, 0, "aborted: {tagged:02x?}");
                }
            }
        }
    }
}

#[test]
fn what_stands_behind_more_tags_than_two_or_chains_without_end_passes() {
    let Some(both) = both() else { return };
    let policy = install(&both, parse::rules("all -> drop\n").unwrap());
    let ip = make::udp().bytes();
    let tagged = |tags: usize| {
        let tags = std::iter::repeat_n([0x81, 0x00, 0, 7], tags).flatten();
        [[0u8; 12].to_vec(), tags.collect(), vec![0x08, 0x00], ip.clone()].concat()
    };
    for tags in 0..=2 {
        check(&both, &policy, &tagged(tags), "tags");
    }
    assert_eq!(both[0].trace(&tagged(3)).unwrap(), (PASS, None));
    // Twelve headers are walked; where one is left over, it is the protocol.
    for headers in 0..=14usize {
        let mut b = vec![0x60, 0, 0, 0];
        b.extend(u16::try_from(headers * 8 + 8).unwrap().to_be_bytes());
        b.extend([if headers == 0 { 17 } else { 60 }, 9]);
        b.extend([0x20; 32]);
        for left in (0..headers).rev() {
            b.extend([if left == 0 { 17 } else { 60 }, 0, 1, 4, 0, 0, 0, 0]);
        }
        b.extend([0, 53, 0, 80, 0, 8, 0, 0]);
        check(&both, &policy, &frame(&b), "chain");
    }
}
