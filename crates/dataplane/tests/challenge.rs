//! Challenges: answers as they go out, caps, and what sources prove with.

use dataplane::{Challenge, Clock, Engine, Plane, Policy, Proof, Protection, Stray};
use proptest::prelude::Rng;
use rules::{RuleSet, parse};

use crate::agreement::{plane_with, runner};
use crate::segment::{ACK, LINUX, RST, SYN, Segment};

const DROP: u32 = 1;
const PASS: u32 = 2;
const TX: u32 = 3;
const SECOND: u64 = 1_000_000_000;

fn install(plane: &Plane, protection: Protection) {
    let rules = RuleSet::new(parse::rules("c proto tcp dst-port 443 -> challenge\n").unwrap());
    plane.install(&Policy { rules, protection, ..Policy::default() }).unwrap();
    plane.set_clock(1000 * SECOND).unwrap();
}

fn with(challenge: Challenge) -> Protection {
    Protection { challenge, ..Protection::default() }
}

fn left(plane: &Plane, place: &str) -> u64 {
    plane.leaves().unwrap().into_iter().find(|tally| tally.place == place).unwrap().packets
}

fn judge(plane: &Plane, segment: &Segment) -> u32 {
    plane.answer(&segment.frame()).unwrap().0
}

#[test]
fn an_answer_is_whole_and_never_longer_than_what_caused_it() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let shapes: [&[u8]; 9] = [
        &[],
        &LINUX,
        // Windows: MSS, scale, SACK; without timestamps.
        &[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2],
        // macOS: MSS, scale, timestamps, SACK.
        &[2, 4, 5, 180, 1, 3, 3, 6, 1, 1, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 4, 2, 0, 0],
        &[2, 4, 5, 180],
        // Timestamps alone, timestamps with scale: no room for an MSS.
        &[1, 1, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0],
        &[3, 3, 7, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0],
        // Options that lie, and as many as fit.
        &[2, 40, 0, 0],
        &[1; 40],
    ];
    for challenge in [Challenge::Gateway, Challenge::Reset] {
        install(&plane, with(challenge));
        for six in [false, true] {
            for tags in 0..=2 {
                for options in shapes {
                    let syn = Segment { options: options.to_vec(), tags, ..Segment::syn(six) };
                    for padded in [false, true] {
                        let mut frame = syn.frame();
                        if padded {
                            frame.resize(frame.len().max(60), 0);
                        }
                        let (action, out) = plane.answer(&frame).unwrap();
                        assert_eq!(action, TX, "{challenge:?}, {syn:?}");
                        assert!(
                            out.len() <= frame.len().max(60),
                            "{} for {}: {syn:?}",
                            out.len(),
                            frame.len()
                        );
                        let answer = syn.answered(&out);
                        assert_eq!(answer.flags, SYN | ACK);
                        if challenge == Challenge::Reset {
                            assert_ne!(answer.ack, syn.sequence + 1, "it has to be wrong");
                        } else {
                            assert_eq!(answer.ack, syn.sequence + 1);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_answer_says_what_the_client_offered() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, with(Challenge::Gateway));
    for (six, mss) in [(false, [5, 180]), (true, [5, 160])] {
        let syn = Segment { options: LINUX.to_vec(), ..Segment::syn(six) };
        let answer = syn.answered(&plane.answer(&syn.frame()).unwrap().1);
        let stamp = u32::from_be_bytes(answer.options[8..12].try_into().unwrap());
        assert_eq!(answer.options[..8], [2, 4, mss[0], mss[1], 4, 2, 8, 10]);
        assert_eq!(
            answer.options[12..],
            [0, 1, 2, 3, 1, 3, 3, 7],
            "its timestamp comes back; the gateway's scale"
        );
        // nf_synproxy_core.c: scale in four bits, SACK above them; the rest is milliseconds.
        assert_eq!(stamp & 0x3f, 0x17);
        assert!((999_900..=1_000_000).contains(&stamp), "{stamp}");
        let bare = Segment { options: vec![2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2], ..syn };
        let answer = bare.answered(&plane.answer(&bare.frame()).unwrap().1);
        assert_eq!(answer.options, [2, 4, mss[0], mss[1]], "without timestamps there is no room for more");
    }
}

#[test]
fn a_reset_with_the_right_number_proves_its_source_and_no_other_does() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, with(Challenge::Reset));
    let mut random = runner(41);
    for six in [false, true] {
        let syn = Segment { options: LINUX.to_vec(), ..Segment::syn(six) };
        let (action, out) = plane.answer(&syn.frame()).unwrap();
        assert_eq!(action, TX);
        let number = syn.answered(&out).ack;
        for _ in 0..500 {
            let guess = Segment { sequence: random.rng().next_u32(), flags: RST, ..syn.clone() };
            assert_eq!(judge(&plane, &guess), PASS, "no rule drops it");
        }
        assert!(plane.proven().unwrap().iter().all(|proven| proven.source != syn.src), "nobody guesses it");
        let elsewhere = Segment { sequence: number, flags: RST, ports: (40_001, 443), ..syn.clone() };
        assert_eq!(judge(&plane, &elsewhere), PASS, "the number holds for one connection");
        assert_eq!(judge(&plane, &Segment { sequence: number, flags: RST, ..syn.clone() }), DROP);
        let proven = plane.proven().unwrap();
        let found = proven.iter().find(|proven| proven.source == syn.src).unwrap();
        assert_eq!((found.how, found.when), (Proof::Reset, 1000 * SECOND));
        assert_eq!(judge(&plane, &syn), PASS, "it is let in");
        plane.set_clock(1601 * SECOND).unwrap();
        assert_eq!(judge(&plane, &syn), TX, "proofs do not hold for ever");
        plane.set_clock(1000 * SECOND).unwrap();
    }
    assert_eq!((left(&plane, "echoed"), left(&plane, "proven")), (2, 2));
    let proofs = plane.proofs().unwrap();
    assert_eq!(proofs, [(Proof::Cookie, 0), (Proof::Reset, 2), (Proof::Repeat, 0), (Proof::Told, 0)]);
}

#[test]
fn a_number_holds_over_one_turn_of_the_secret_and_not_over_two() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let turn = 1u64 << 36;
    for (turns, action) in [(1, DROP), (2, PASS)] {
        install(&plane, with(Challenge::Reset));
        plane.set_clock(20 * turn).unwrap();
        let syn = Segment::syn(false);
        let number = syn.answered(&plane.answer(&syn.frame()).unwrap().1).ack;
        plane.set_clock((20 + turns) * turn).unwrap();
        assert_eq!(judge(&plane, &Segment { sequence: number, flags: RST, ..syn }), action, "{turns}");
    }
}

#[test]
fn the_first_syn_is_dropped_and_its_repetition_in_time_passes() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let begin = 1000 * SECOND;
    for six in [false, true] {
        for (port, after, other, action) in [
            (1u16, 300, false, DROP),
            (2, 700, false, DROP),
            (3, 1000, false, PASS),
            (4, 1210, false, PASS),
            (5, 3000, false, PASS),
            (6, 3500, false, DROP),
            (7, 1000, true, DROP),
        ] {
            install(&plane, with(Challenge::First));
            // Another source each time: who is proven is let in.
            let src = if six { format!("2001:db8::{port}") } else { format!("198.51.100.{port}") };
            let syn = Segment { src: src.parse().unwrap(), ..Segment::syn(six) };
            for early in [0, 50, 100, 150] {
                plane.set_clock(begin + early * 1_000_000).unwrap();
                let syn = Segment { ports: (port + u16::try_from(early).unwrap() * 7, 443), ..syn.clone() };
                assert_eq!(judge(&plane, &syn), DROP, "the first");
                plane.set_clock(begin + (early + after) * 1_000_000).unwrap();
                let again = Segment { sequence: syn.sequence + u32::from(other), ..syn };
                assert_eq!(judge(&plane, &again), action, "after {after} ms, another number: {other}");
                if action == PASS {
                    break;
                }
            }
            let proven = plane.proven().unwrap().iter().any(|proven| proven.source == syn.src);
            assert_eq!(proven, action == PASS);
        }
    }
}

#[test]
fn an_honest_syn_comes_through_a_flood_of_first_ones() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, with(Challenge::First));
    let mut random = runner(42);
    let begin = 1000 * SECOND;
    let honest: Vec<Segment> = (1u8..=100)
        .map(|n| {
            let sequence = random.rng().next_u32();
            Segment { src: std::net::IpAddr::from([192, 0, 2, n]), sequence, ..Segment::syn(false) }
        })
        .collect();
    for syn in &honest {
        assert_eq!(judge(&plane, syn), DROP);
    }
    let mut looked_repeated = 0;
    let flood = 60_000u64;
    for n in 0..flood {
        plane.set_clock(begin + n * 1_000_000_000 / flood).unwrap();
        let mut syn = Segment { sequence: random.rng().next_u32(), ..Segment::syn(false) };
        syn.src = std::net::IpAddr::from(random.rng().next_u32().to_be_bytes());
        looked_repeated += u64::from(judge(&plane, &syn) == PASS);
    }
    plane.set_clock(begin + SECOND).unwrap();
    for syn in &honest {
        assert_eq!(judge(&plane, syn), PASS, "a flood cannot push it out");
    }
    println!("{looked_repeated} of {flood} first SYNs in a second looked repeated");
    assert!(looked_repeated * 1000 < flood, "{looked_repeated}");
}

#[test]
fn answers_are_capped_by_claimed_network_and_by_box() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let sends = |at: u64, protection: Protection, count: u16, spread: bool| {
        install(&plane, protection);
        plane.set_clock(at * SECOND).unwrap();
        let before = left(&plane, "capped");
        let mut answered = 0;
        for six in [false, true] {
            for n in 0..count {
                let [high, low] = n.to_be_bytes();
                let mut syn = Segment { sequence: u32::from(n), ..Segment::syn(six) };
                syn.src = match (six, spread) {
                    (false, true) => std::net::IpAddr::from([10, high, low, 1]),
                    (false, false) => std::net::IpAddr::from([192, 0, 2, low]),
                    (true, true) => std::net::IpAddr::from([0x2001, 0xdb8, n, 0, 0, 0, 0, 1]),
                    (true, false) => std::net::IpAddr::from([0x2001, 0xdb8, 5, 0, 0, 0, 0, n]),
                };
                answered += u64::from(judge(&plane, &syn) == TX);
            }
        }
        assert_eq!(answered + left(&plane, "capped") - before, 2 * u64::from(count), "none is lost");
        answered
    };
    // The kernel may move the test between processors, each of which has its share.
    let net = Protection { answers_net_max: 200, ..with(Challenge::Gateway) };
    assert_eq!(sends(2000, net, 400, true), 800, "networks do not take each other's");
    let answered = sends(2010, net, 400, false);
    assert!((2..=400).contains(&answered), "{answered}");
    let whole = Protection { answers_max: 300, ..with(Challenge::Gateway) };
    let answered = sends(2020, whole, 400, true);
    assert!((1..=300).contains(&answered), "{answered}");
}

#[test]
fn a_destination_is_challenged_above_what_it_usually_gets() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, Protection { challenge_above: 100, ..with(Challenge::Gateway) });
    let mut answered = 0;
    for n in 0..400 {
        answered += u32::from(judge(&plane, &Segment { sequence: n, ..Segment::syn(false) }) == TX);
    }
    assert!((300..400).contains(&answered), "{answered}");
    let other = Segment { dst: "203.0.113.8".parse().unwrap(), ..Segment::syn(false) };
    assert_eq!(judge(&plane, &other), PASS, "its neighbour is not attacked");
    plane.set_clock(1002 * SECOND).unwrap();
    assert_eq!(judge(&plane, &Segment::syn(false)), PASS, "nor it any more");
    assert_eq!(left(&plane, "quiet"), u64::from(400 - answered) + 2);
}

#[test]
fn a_rule_says_above_which_rate_its_destinations_are_challenged() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let text = "a @1 dst 203.0.113.7/32 proto tcp -> challenge above 100pps\n\
                b @2 dst 203.0.113.8/32 proto tcp -> challenge above 200pps\n\
                c @3 dst 203.0.113.9/32 proto tcp -> challenge\n";
    let rules = RuleSet::new(parse::rules(text).unwrap());
    for engine in [Engine::Tree, Engine::Maps] {
        // The rule's number goes before the policy's, which holds where a rule has none.
        let protection = Protection { challenge_above: 300, ..with(Challenge::Gateway) };
        plane.install(&Policy { rules: rules.clone(), protection, engine, ..Policy::default() }).unwrap();
        plane.set_clock(if engine == Engine::Tree { 1000 } else { 2000 } * SECOND).unwrap();
        for (dst, above) in [("203.0.113.7", 100), ("203.0.113.8", 200), ("203.0.113.9", 300)] {
            let syn = Segment { dst: dst.parse().unwrap(), ..Segment::syn(false) };
            let unasked =
                (0..500).filter(|n| judge(&plane, &Segment { sequence: *n, ..syn.clone() }) == PASS);
            // Each processor has its share; the test runs on one of them, or on several.
            let unasked = unasked.count();
            assert!((1..=above).contains(&unasked), "{unasked} of {above} to {dst}");
        }
    }
}

#[test]
fn strays_are_counted_first_and_limited_where_that_is_asked_for() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    let stray = |n: u32| Segment { flags: ACK, sequence: n, ack: n, ..Segment::syn(n.is_multiple_of(2)) };
    install(&plane, with(Challenge::Reset));
    assert!((0..50).all(|n| judge(&plane, &stray(n)) == PASS));
    assert_eq!((left(&plane, "stray"), left(&plane, "unchallenged")), (0, 50));
    install(&plane, Protection { stray: Stray::Count, ..with(Challenge::Reset) });
    assert!((0..50).all(|n| judge(&plane, &stray(n)) == PASS));
    assert_eq!((left(&plane, "stray"), left(&plane, "stray-dropped")), (50, 0));
    install(&plane, Protection { stray: Stray::Limit(40), ..with(Challenge::Reset) });
    let passed = (0..400).filter(|n| judge(&plane, &stray(*n)) == PASS).count();
    assert!((2..=80).contains(&passed), "{passed} to two destinations");
    assert_eq!(left(&plane, "stray-dropped"), 400 - u64::try_from(passed).unwrap());
    // Who has proven itself is no stray.
    let syn = Segment::syn(false);
    let number = syn.answered(&plane.answer(&syn.frame()).unwrap().1).ack;
    assert_eq!(judge(&plane, &Segment { sequence: number, flags: RST, ..syn }), DROP);
    assert!((0..100).all(|n| judge(&plane, &stray(2 * n + 1)) == PASS));
}
