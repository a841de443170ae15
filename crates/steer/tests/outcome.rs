//! Whether the service lives.

use base::{Span, Timestamp};
use proptest::prelude::*;
use steer::outcome::{Against, Guard, Health, Outcome, judge};

const SPOOFED: Against = Against { completes: false, growth: 1.0 };
const BOTS: Against = Against { completes: true, growth: 1.0 };

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn health(change: impl Fn(&mut Health)) -> Health {
    let mut health = Health { span: Span::from_secs(30), ..Health::default() };
    change(&mut health);
    health
}

fn tcp(syn: u64, syn_ack: u64, data: u64) -> Health {
    health(|h| (h.syn, h.syn_ack, h.data) = (syn, syn_ack, data))
}

#[track_caller]
fn is(before: &Health, after: &Health, against: Against, outcome: Outcome, word: &str) {
    let judgement = judge(before, after, against);
    assert_eq!(judgement.outcome, outcome, "{}", judgement.reason);
    assert!(judgement.reason.contains(word), "{}", judgement.reason);
}

#[test]
fn a_server_that_answers_again_does_better() {
    let flooded = tcp(3_000_000, 100_000, 300);
    is(
        &flooded,
        &tcp(3100, 3000, 2900),
        SPOOFED,
        Outcome::Better,
        "with data a second: 10.00 before, 96.67 now",
    );
    // Whether bots or honest clients send data is not told; their share of what is accepted is.
    is(&flooded, &tcp(3100, 3000, 2900), BOTS, Outcome::Better, "of those accepted");
}

#[test]
fn a_filter_that_cuts_honest_clients_does_worse_though_the_flood_is_gone() {
    // All SYN that are left are answered, and next to nobody gets through.
    is(&tcp(3_000_000, 100_000, 3000), &tcp(200, 200, 150), SPOOFED, Outcome::Worse, "with data a second");
    // It drops what follows the handshake.
    is(&tcp(3000, 3000, 2900), &tcp(3000, 3000, 300), BOTS, Outcome::Worse, "of those accepted");
    let dns = |requests, answers| health(|h| (h.requests, h.answers) = (requests, answers));
    is(
        &dns(10_000, 9900),
        &dns(10_000, 5000),
        BOTS,
        Outcome::Worse,
        "answers of requests: 0.99 before, 0.50 now",
    );
    let peers = |known| health(|h| h.known_served = Some(known));
    is(&peers(900), &peers(300), BOTS, Outcome::Worse, "known peers");
}

#[test]
fn the_operators_own_probe_decides_first() {
    let probed = |ok, failed, data| health(|h| (h.probe_ok, h.probe_failed, h.data) = (ok, failed, data));
    is(&probed(3, 0, 3000), &probed(0, 3, 3000), SPOOFED, Outcome::Worse, "the probe: 1.00 before, 0.00 now");
    is(&probed(0, 3, 3000), &probed(3, 0, 300), SPOOFED, Outcome::Better, "the probe");
    // Where it says nothing new, the others do.
    is(&probed(3, 0, 3000), &probed(3, 0, 300), SPOOFED, Outcome::Worse, "with data");
    is(&probed(3, 0, 3000), &probed(2, 1, 3000), SPOOFED, Outcome::Same, "");
}

#[test]
fn an_attack_that_grew_may_be_the_reason_itself() {
    let grown = Against { growth: 4.0, ..SPOOFED };
    is(&tcp(3000, 3000, 2900), &tcp(900_000, 9000, 300), grown, Outcome::Unknown, "grown 4.0-fold");
    is(&tcp(300_000, 3000, 300), &tcp(3000, 3000, 2900), grown, Outcome::Better, "");
}

#[test]
fn few_counts_say_nothing() {
    is(&tcp(5, 5, 5), &tcp(5, 5, 0), SPOOFED, Outcome::Unknown, "too little");
    is(&Health::default(), &Health::default(), SPOOFED, Outcome::Unknown, "too little");
}

#[test]
fn what_makes_it_worse_twice_is_withdrawn_with_the_reason() {
    let (good, bad) = (tcp(3000, 3000, 2900), tcp(3000, 3000, 100));
    let mut guard = Guard::new(at(0), good, Span::from_secs(10));
    // What was counted before it acted says nothing.
    assert_eq!(guard.handle(at(35), &bad, SPOOFED), None);
    assert!(guard.last().is_none());
    assert_eq!(guard.handle(at(70), &bad, SPOOFED), None);
    assert_eq!(guard.handle(at(100), &good, SPOOFED), None);
    assert_eq!(guard.handle(at(130), &bad, SPOOFED), None);
    // Nothing counted, nothing learned.
    assert_eq!(guard.handle(at(160), &tcp(0, 0, 0), BOTS), None);
    let reason = guard.handle(at(190), &bad, SPOOFED).unwrap();
    assert!(reason.contains("worse") && reason.contains("96.67 before, 3.33 now"), "{reason}");
    assert_eq!(guard.last().unwrap().outcome, Outcome::Worse);
}

proptest! {
    #[test]
    fn the_same_service_is_hardly_ever_called_worse(
        syn in 100_u64..100_000, share in 0.3_f64..1.0, noise in -0.05_f64..0.05,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
        let of = |noise: f64| (syn as f64 * share * (1.0 + noise)).min(syn as f64) as u64;
        let judgement = judge(&tcp(syn, syn, of(0.0)), &tcp(syn, syn, of(noise)), SPOOFED);
        prop_assert!(matches!(judgement.outcome, Outcome::Same | Outcome::Unknown), "{}", judgement.reason);
    }

    #[test]
    fn better_one_way_is_worse_the_other_way(
        a in (0_u64..10_000, 0_u64..10_000, 0_u64..10_000), b in (0_u64..10_000, 0_u64..10_000, 0_u64..10_000),
    ) {
        let (a, b) = (tcp(a.0, a.1, a.2), tcp(b.0, b.1, b.2));
        let (there, back) = (judge(&a, &b, SPOOFED).outcome, judge(&b, &a, SPOOFED).outcome);
        prop_assert_eq!(there == Outcome::Better, back == Outcome::Worse);
        prop_assert_eq!(there == Outcome::Worse, back == Outcome::Better);
    }
}
