//! Announced is not effective, and not seen is not ineffective.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use base::units::PacketRate;
use base::{Span, Timestamp};
use proptest::prelude::*;
use steer::effect::{Fate, Judgement, Place, Seen, Verdict, Watch};

const WINDOW: Span = Span::from_secs(30);
const SETTLE: Span = Span::from_secs(10);
const PATIENCE: Span = Span::from_secs(60);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

/// What a place shows of the attack each second: packets before, packets and what becomes of them since; one of `sampling`.
struct Shows {
    by: &'static str,
    place: Place,
    before: u64,
    after: Vec<(u64, Fate)>,
    sampling: u64,
}

impl Shows {
    fn new(by: &'static str, place: Place, before: u64, after: u64) -> Self {
        Self::fates(by, place, before, &[(after, Fate::Unknown)])
    }

    fn fates(by: &'static str, place: Place, before: u64, after: &[(u64, Fate)]) -> Self {
        Self { by, place, before, after: after.to_vec(), sampling: 1000 }
    }
}

/// A minute of attack, the announcement, and another one.
fn watched(all: &[Shows]) -> Watch {
    let mut watch = Watch::new(WINDOW, SETTLE);
    let told = |packets: u64, fate, sampling: u64| Seen {
        packets,
        sampled: match (fate, sampling) {
            (Fate::Notified, _) => packets,
            (_, 1) => u64::MAX,
            _ => packets / sampling,
        },
        fate,
    };
    for second in 0..60 {
        for shows in all {
            watch.see(at(second), shows.by, shows.place, told(shows.before, Fate::Unknown, shows.sampling));
        }
    }
    watch.announced(at(60));
    for second in 60..120 {
        for shows in all {
            for (packets, fate) in &shows.after {
                watch.see(at(second), shows.by, shows.place, told(*packets, *fate, shows.sampling));
            }
        }
    }
    watch
}

fn judged(all: &[Shows], expected: f64, now: u64) -> Judgement {
    watched(all).judge(at(now), expected, PATIENCE).unwrap()
}

#[track_caller]
fn is(all: &[Shows], verdict: Verdict, word: &str) {
    let judgement = judged(all, 1.0, 200);
    assert_eq!(judgement.verdict, verdict, "{}", judgement.reason);
    assert!(judgement.reason.contains(word), "{}", judgement.reason);
}

#[test]
fn what_is_gone_behind_it_was_stopped() {
    let attack = 100_000;
    let behind = |after| Shows { sampling: 1000, ..Shows::new("router 2", Place::Behind, attack, after) };
    let now = |all: &[Shows]| judged(all, 1.0, 120).verdict;
    assert_eq!(now(&[behind(0)]), Verdict::Effective);
    assert_eq!(now(&[behind(100_000)]), Verdict::Ineffective);
    assert_eq!(now(&[behind(50_000)]), Verdict::Partly);
    // Half of it is all that was expected of these rules.
    assert_eq!(judged(&[behind(50_000)], 0.5, 120).verdict, Verdict::Effective);
}

#[test]
fn a_router_that_filters_and_exports_the_drops_is_not_called_ineffective() {
    let at_router = |after: &[(u64, Fate)]| [Shows::fates("router 1", Place::At, 100_000, after)];
    // As much is exported as before, and nothing says what became of it.
    let silent = judged(&at_router(&[(100_000, Fate::Unknown)]), 1.0, 100);
    assert_eq!(silent.verdict, Verdict::Pending);
    let late = watched(&at_router(&[(100_000, Fate::Unknown)])).judge(at(131), 1.0, PATIENCE).unwrap();
    assert_eq!(late.verdict, Verdict::NotMeasurable, "{}", late.reason);
    assert!(late.reason.contains("may export them all the same"), "{}", late.reason);
    // Flows say so: by forwardingStatus, by an output interface of 0, or by a next hop of 0.
    let status = Fate::told(Some(0b1000_0001), Some(7), None, false);
    let no_output = Fate::told(None, Some(0), None, true);
    let no_hop = Fate::told(None, None, Some("::".parse().unwrap()), true);
    for fate in [status, no_output, no_hop] {
        assert_eq!(judged(&at_router(&[(100_000, fate)]), 1.0, 120).verdict, Verdict::Effective, "{fate:?}");
    }
    let passes = [(100_000, Fate::told(Some(0b0100_0000), Some(7), None, false))];
    assert_eq!(judged(&at_router(&passes), 1.0, 120).verdict, Verdict::Ineffective);
    let half = [(50_000, Fate::Forwarded), (50_000, Fate::Dropped)];
    assert_eq!(judged(&at_router(&half), 1.0, 120).verdict, Verdict::Partly);
    // One that no longer exports what it drops shows it by that.
    assert_eq!(judged(&at_router(&[(0, Fate::Unknown)]), 1.0, 120).verdict, Verdict::Effective);
}

#[test]
fn what_a_router_tells_to_have_dropped_one_by_one_can_prove_that_it_drops_and_never_that_it_does_not() {
    let at_router = |before, after: &[(u64, Fate)]| {
        let told = |(packets, fate): &(u64, Fate)| match fate {
            Fate::Notified => Shows::fates("router 1", Place::At, 0, &[(*packets, *fate)]),
            _ => Shows::fates("router 1", Place::At, before, &[(*packets, *fate)]),
        };
        judged(&after.iter().map(told).collect::<Vec<_>>(), 1.0, 120)
    };
    // It was filtered before anything was sampled of it, and since then nothing else is told.
    let filtered = at_router(0, &[(0, Fate::Forwarded), (50, Fate::Notified)]);
    assert_eq!(filtered.verdict, Verdict::Effective, "{}", filtered.reason);
    // A tenth is let through: how much of the rest is told is not known.
    let some = at_router(100_000, &[(10_000, Fate::Forwarded), (50, Fate::Notified)]);
    assert_eq!(some.verdict, Verdict::Effective, "by what is gone since: {}", some.reason);
    let none = at_router(100_000, &[(100_000, Fate::Forwarded), (50, Fate::Notified)]);
    assert_eq!(none.verdict, Verdict::Pending, "{}", none.reason);
    // What is told of drops is no sample of what goes on.
    assert_eq!(at_router(0, &[(50, Fate::Notified)]).verdict, Verdict::Effective);
}

#[test]
fn what_was_seen_to_be_effective_stays_so_when_the_attack_goes_and_not_when_it_comes_through_again() {
    let told = [(50, Fate::Notified)];
    let mut watch = watched(&[Shows::fates("router 1", Place::At, 0, &told)]);
    assert_eq!(watch.judge(at(120), 1.0, PATIENCE).unwrap().verdict, Verdict::Effective);
    let (mut gone, mut back) = (watch.clone(), watch);
    for second in 120..300 {
        gone.heard(at(second), "router 1", Place::At);
        let seen = Seen { packets: 100_000, sampled: 100, fate: Fate::Unknown };
        back.see(at(second), "router 1", Place::At, seen);
    }
    let gone = gone.judge(at(300), 1.0, PATIENCE).unwrap();
    assert_eq!(gone.verdict, Verdict::Effective);
    assert!(gone.reason.ends_with("nothing of it was seen"), "{}", gone.reason);
    assert_eq!(back.judge(at(300), 1.0, PATIENCE).unwrap().verdict, Verdict::NotMeasurable);
    // It came through, and went: it is not known to be effective any more.
    (300..500).for_each(|second| back.heard(at(second), "router 1", Place::At));
    assert_eq!(back.judge(at(500), 1.0, PATIENCE).unwrap().verdict, Verdict::NotMeasurable);
}

#[test]
fn a_fate_is_what_a_device_says_and_nothing_more() {
    for (status, output, hop, names, fate) in [
        (Some(0x40), None, None, false, Fate::Forwarded),
        (Some(0x80), Some(3), None, false, Fate::Dropped),
        (Some(0xc0), None, None, false, Fate::Unknown),
        (Some(0), Some(3), None, false, Fate::Forwarded),
        (None, Some(3), None, false, Fate::Forwarded),
        // 0 is also what a device writes that never names outputs.
        (None, Some(0), None, false, Fate::Unknown),
        (None, Some(0), None, true, Fate::Dropped),
        (None, None, Some("192.0.2.1"), false, Fate::Forwarded),
        (None, None, Some("0.0.0.0"), false, Fate::Unknown),
        (None, None, Some("0.0.0.0"), true, Fate::Dropped),
        (None, None, None, true, Fate::Unknown),
    ] {
        let hop = hop.map(|text| text.parse().unwrap());
        assert_eq!(Fate::told(status, output, hop, names), fate, "{status:?} {output:?} {hop:?} {names}");
    }
}

#[test]
fn where_nobody_looks_behind_it_nothing_is_said() {
    is(&[Shows::new("router 1", Place::Before, 100_000, 100_000)], Verdict::NotMeasurable, "nobody looks");
    is(&[], Verdict::NotMeasurable, "");
}

#[test]
fn an_attack_that_paused_by_itself_proves_nothing() {
    let all = |before_after| {
        [
            Shows::new("border", Place::Before, 100_000, before_after),
            Shows::new("router 2", Place::Behind, 100_000, 0),
        ]
    };
    let paused = judged(&all(10_000), 1.0, 120);
    assert_eq!(paused.verdict, Verdict::NotMeasurable);
    assert!(paused.reason.contains("by itself"), "{}", paused.reason);
    assert_eq!(judged(&all(100_000), 1.0, 120).verdict, Verdict::Effective);
    // One that grew fivefold while as much as before comes through is stopped for four fifths.
    let grown = [
        Shows::new("border", Place::Before, 100_000, 500_000),
        Shows::new("router 2", Place::Behind, 100_000, 100_000),
    ];
    let (least, most) = judged(&grown, 1.0, 120).stopped.unwrap();
    assert!((0.75..0.8).contains(&least) && (0.8..0.85).contains(&most), "{least} {most}");
}

#[test]
fn who_is_not_heard_is_no_witness_of_quiet() {
    // A full uplink: the exporter behind says nothing any more.
    let mut watch = watched(&[Shows::fates("router 2", Place::Behind, 100_000, &[])]);
    let judgement = watch.judge(at(200), 1.0, PATIENCE).unwrap();
    assert_eq!(judgement.verdict, Verdict::NotMeasurable);
    assert!(judgement.reason.contains("router 2 (behind the measure) is not heard"), "{}", judgement.reason);
    // Heard with nothing to tell, it is.
    let mut watch = watched(&[Shows::fates("router 2", Place::Behind, 100_000, &[])]);
    for second in 70..120 {
        watch.heard(at(second), "router 2", Place::Behind);
    }
    assert_eq!(watch.judge(at(120), 1.0, PATIENCE).unwrap().verdict, Verdict::Effective);
}

#[test]
fn the_counters_of_a_port_show_it_unless_the_attack_drowns_in_other_traffic() {
    let port = |before, after| Shows { sampling: 1, ..Shows::new("port 7", Place::Port, before, after) };
    let with_usual = |all: &[Shows]| {
        let mut watch = watched(all);
        watch.usual("port 7", Place::Port, PacketRate(20_000.0));
        watch.judge(at(120), 1.0, PATIENCE).unwrap()
    };
    assert_eq!(with_usual(&[port(120_000, 21_000)]).verdict, Verdict::Effective);
    assert_eq!(with_usual(&[port(120_000, 118_000)]).verdict, Verdict::Ineffective);
    let drowned = with_usual(&[port(25_000, 20_000)]);
    assert!(drowned.stopped.is_none() && drowned.reason.contains("small beside"), "{}", drowned.reason);
}

#[test]
fn few_samples_say_little() {
    // One packet in a thousand of 100 a second: three in each window.
    let few = [Shows { sampling: 1000, ..Shows::new("router 2", Place::Behind, 100, 0) }];
    let judgement = judged(&few, 1.0, 120);
    assert_eq!((judgement.verdict, judgement.stopped), (Verdict::Pending, None), "{}", judgement.reason);
}

#[test]
fn it_waits_until_it_can_show() {
    let judgement = judged(&[Shows::new("router 2", Place::Behind, 100_000, 100_000)], 1.0, 65);
    assert_eq!(judgement.verdict, Verdict::Pending, "{}", judgement.reason);
}

#[test]
fn no_more_look_than_there_is_room_for() {
    let mut watch = Watch::new(WINDOW, SETTLE);
    for number in 0..100 {
        watch.heard(at(0), &format!("exporter {number}"), Place::Behind);
    }
    assert_eq!(watch.left_out, 36);
    watch.heard(at(1), "exporter 0", Place::Behind);
    assert_eq!(watch.left_out, 36);
}

proptest! {
    #[test]
    fn the_share_that_is_stopped_lies_between_its_bounds(
        attack in 50_000_u64..1_000_000, stopped in 0.0_f64..=1.0, sampling in prop::sample::select(vec![100_u64, 1000]),
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
        let left = (attack as f64 * (1.0 - stopped)) as u64;
        let judgement = judged(&[Shows { sampling, ..Shows::new("r", Place::Behind, attack, left) }], 1.0, 120);
        if let Some((least, most)) = judgement.stopped {
            // What is told each second is whole samples: up to one of them is missing.
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let grain = 0.001 + sampling as f64 / attack as f64;
            prop_assert!(least <= stopped + grain && stopped <= most + grain, "{least} {stopped} {most}");
        }
        let effective = judgement.verdict == Verdict::Effective;
        prop_assert!(!effective || stopped > 0.75, "{}", judgement.reason);
        prop_assert!(judgement.verdict != Verdict::Ineffective || stopped < 0.25, "{}", judgement.reason);
    }
}
