//! Lists of others: what they make of a source (X1, C1), and what they never do.

use std::net::IpAddr;
use std::sync::Arc;

use intel::enrich::list::Kind;
use intel::enrich::{List, Lists};
use intel::{Class, Finding, Reason, Rules, Verified};
use sim::rng::Rng;
use wire::packet::flags;

use crate::learned::{Learned, Stage, beside_shape, both, of};
use crate::mixture::{Mixture, target};
use crate::mixtures::{Score, dossier_by, recipe};

/// Packets and the milliseconds between them by which a source comes again and again.
const ROUNDS: u32 = 400;

fn lists(all: &[(&str, Kind, &[IpAddr])]) -> Learned {
    let list = |(name, kind, on): &(&str, Kind, &[IpAddr])| {
        let text: String = on.iter().map(|address| format!("{address}\n")).collect();
        Arc::new(List::read(name, *kind, &text).unwrap())
    };
    Learned { lists: Lists(all.iter().map(list).collect()), ..Learned::default() }
}

/// Packets of a UDP flood that prove nothing, from each of these in turn.
fn flood(stage: &mut Stage, sources: &[IpAddr], rounds: u32) {
    for _ in 0..rounds {
        for source in sources {
            stage.udp(*source, target(source.is_ipv4()), (40_000, 4_444), b"flood", Some(0));
        }
    }
}

fn names(found: &Finding) -> Vec<&str> {
    found.lists.iter().map(AsRef::as_ref).collect()
}

#[test]
fn who_is_on_a_list_and_attacks_again_and_again_is_told_with_the_list() {
    let (listed, twin, once) = (both(1), both(2), both(3));
    let mut stage = Stage::new("udp-flood");
    flood(&mut stage, &[listed, twin].concat(), ROUNDS);
    flood(&mut stage, &once, 1);
    let known = lists(&[("sinkhole", Kind::Bot, &[listed, once].concat()), ("partner", Kind::Bot, &listed)]);
    let dossier = stage.conclude(&known);
    for place in 0..2 {
        let found = of(&dossier, listed[place]);
        assert_eq!((found.class, beside_shape(found)), (Class::Bot, vec![Reason::D2, Reason::X1]));
        assert_eq!(names(found), ["partner", "sinkhole"]);
        assert!(matches!(found.verified(), Some(Verified::Bot(_))) && found.confidence > 0.5, "{found:?}");
        let found = of(&dossier, twin[place]);
        assert_eq!((found.class, names(found).len()), (Class::Unknown, 0));
        // Anybody may have written its address into a packet.
        let found = of(&dossier, once[place]);
        assert!(found.class == Class::Unknown && !found.reasons.contains(&Reason::X1), "{found:?}");
        assert_eq!(names(found), ["sinkhole"]);
    }
}

#[test]
fn a_forged_source_is_never_told_of_for_a_list() {
    let (far, nowhere, friend) = (both(1), both(2), both(3));
    let mut stage = Stage::new("udp-flood");
    flood(&mut stage, &[far, nowhere, friend].concat(), ROUNDS);
    let mut known = lists(&[("sinkhole", Kind::Bot, &[far, nowhere, friend].concat())]);
    known.hops.extend(far.map(|source| (source, 20)));
    known.unrouted.extend(nowhere);
    known.known.extend(friend);
    let dossier = stage.conclude(&known);
    for place in 0..2 {
        for source in [far[place], nowhere[place]] {
            let found = of(&dossier, source);
            assert!(found.class != Class::Bot && !found.reasons.contains(&Reason::X1), "{found:?}");
            assert!(found.verified().is_none(), "{found:?}");
        }
        assert_eq!(of(&dossier, nowhere[place]).class, Class::Spoofed);
        assert_eq!(names(of(&dossier, nowhere[place])).len(), 0);
        // Who came in peace is not told of without a handshake.
        let found = of(&dossier, friend[place]);
        assert!(found.reasons.contains(&Reason::R1) && found.verified().is_none(), "{found:?}");
    }
}

#[test]
fn what_was_proven_stays_and_a_list_says_why_a_proven_host_floods() {
    let (honest, bot) = (both(1), both(2));
    let mut stage = Stage::new("tcp-ack-flood");
    for source in [honest, bot].concat() {
        let there = (source, target(source.is_ipv4()));
        stage.tcp(there, flags::SYN, (7, 0), &[], 57, Some(0), None);
        stage.tcp((there.1, there.0), flags::SYN | flags::ACK, (900, 8), &[], 64, None, None);
        stage.tcp(there, flags::ACK, (8, 901), &[], 57, Some(0), None);
    }
    for n in 0..100 {
        for source in bot {
            let there = (source, target(source.is_ipv4()));
            stage.tcp(there, flags::ACK, (n * 7_919_113, n * 104_729), &[], 57, Some(0), None);
        }
    }
    let dossier = stage.conclude(&lists(&[("sinkhole", Kind::Bot, &[honest, bot].concat())]));
    for place in 0..2 {
        let found = of(&dossier, honest[place]);
        assert!(found.class == Class::Legitimate && !found.reasons.contains(&Reason::X1), "{found:?}");
        let found = of(&dossier, bot[place]);
        assert_eq!(found.class, Class::Bot);
        assert!(found.reasons.contains(&Reason::H1) && found.reasons.contains(&Reason::X1), "{found:?}");
    }
}

/// Flow export has no payload, so no answer is seen in it.
#[test]
fn a_listed_reflector_is_one_where_no_payload_tells_and_surer_where_it_does() {
    let (mute, stranger, answering, alone) = (both(1), both(2), both(3), both(4));
    let mut stage = Stage::new("udp-amplification-ntp");
    for _ in 0..ROUNDS {
        for source in [mute, stranger].concat() {
            stage.udp(source, target(source.is_ipv4()), (123, 40_000), &[], Some(0));
        }
    }
    for source in [answering, alone].concat() {
        stage.udp(source, target(source.is_ipv4()), (123, 40_000), b"\xd7\0\x03\x2a\0\x06\0\x48", Some(0));
    }
    let all = [mute, answering].concat();
    let known = lists(&[("open-ntp", Kind::Reflector, &all), ("sinkhole", Kind::Bot, &stranger)]);
    let dossier = stage.conclude(&known);
    for place in 0..2 {
        let found = of(&dossier, mute[place]);
        assert_eq!((found.class, found.reflects.as_deref()), (Class::Reflector, Some("ntp")), "{found:?}");
        assert!(found.reasons.contains(&Reason::X1) && !found.reasons.contains(&Reason::P1), "{found:?}");
        assert!(matches!(found.verified(), Some(Verified::Reflector(_))));
        // Who reflects is no bot, whatever a list of bots says.
        assert_eq!(of(&dossier, stranger[place]).class, Class::Unknown);
        let (listed, unlisted) = (of(&dossier, answering[place]), of(&dossier, alone[place]));
        assert_eq!((listed.class, unlisted.class), (Class::Reflector, Class::Reflector));
        assert!(listed.confidence > unlisted.confidence, "{listed:?} {unlisted:?}");
        assert!(listed.reasons.contains(&Reason::X1) && !unlisted.reasons.contains(&Reason::X1));
    }
}

/// Of flow export, TTLs are mostly not told; that they are all alike, then, is no sign of one sender.
#[test]
fn many_sources_without_a_ttl_are_not_called_forged_for_that() {
    for (ttl, forged) in [(0, false), (57, true)] {
        let mut stage = Stage::new("udp-amplification-ntp");
        stage.ttl = ttl;
        let source = |n: u16| {
            let [high, low] = n.to_be_bytes();
            IpAddr::from([20 + high, low, 7, 9])
        };
        let sources: Vec<IpAddr> = (0..300).map(source).collect();
        for _ in 0..12 {
            for source in &sources {
                stage.udp(*source, target(true), (123, 40_000), &[], Some(0));
            }
        }
        let (listed, others) = sources.split_at(100);
        let dossier = stage.conclude(&lists(&[("open-ntp", Kind::Reflector, listed)]));
        for source in listed {
            let class = if forged { Class::Unknown } else { Class::Reflector };
            assert_eq!(of(&dossier, *source).class, class, "{ttl}: {:?}", of(&dossier, *source));
        }
        for source in others {
            assert_eq!(of(&dossier, *source).class, Class::Unknown, "{ttl}");
        }
    }
}

#[test]
fn a_shared_address_is_said_to_be_one_and_is_no_proof() {
    let (listed, twin) = (both(1), both(2));
    let mut stage = Stage::new("udp-flood");
    flood(&mut stage, &[listed, twin].concat(), ROUNDS);
    let dossier = stage.conclude(&lists(&[("tor-exits", Kind::Shared, &listed)]));
    for place in 0..2 {
        let (found, other) = (of(&dossier, listed[place]), of(&dossier, twin[place]));
        assert!(found.reasons.contains(&Reason::C1) && names(found) == ["tor-exits"], "{found:?}");
        assert_eq!((found.class, found.confidence), (other.class, other.confidence));
        assert!(found.verified().is_none());
    }
}

/// A list of the whole Internet, as an enemy or a mistake might make it.
#[test]
fn lists_of_everybody_name_nobody_who_is_forged_or_honest() {
    let rules = Arc::new(Rules::embedded().unwrap());
    for seed in 0..12 {
        let recipe = recipe(&mut Rng::part(seed, 0x6c69_7374));
        let mixture = Mixture::of(&recipe, seed);
        let everybody: Vec<IpAddr> = mixture.truth.keys().copied().collect();
        let known = lists(&[
            ("bots", Kind::Bot, &everybody),
            ("open", Kind::Reflector, &everybody),
            ("shared", Kind::Shared, &everybody),
        ]);
        let mut score = Score::default();
        // The lists alone are asked: nothing is known of routes.
        score.add(&mixture, &dossier_by(&mixture, true, &rules, &known));
        assert!(score.false_reports.is_empty(), "{seed}: {:#?}", score.false_reports);
        assert!(score.told.iter().any(|((_, class), n)| *class == Class::Reflector && *n > 0));
    }
}

/// Half of what one sends has the form of answers, all of what another one sends; of one the protocol's form is easily chance.
#[test]
fn a_reflector_is_as_sure_as_its_protocols_form_and_the_share_of_it() {
    let (whole, half, qotd) = (both(1), both(2), both(3));
    let mut stage = Stage::new("udp-amplification-ntp");
    let quote: &[u8] = b"Whatever is said in a line, is said by many. ";
    for n in 0..10 {
        for source in [whole, half].concat() {
            let answer: &[u8] = if n % 2 == 1 && half.contains(&source) {
                b"\0junk that is none"
            } else {
                b"\xd7\0\x03\x2a\0\x06\0\x48"
            };
            stage.udp(source, target(source.is_ipv4()), (123, 40_000), answer, Some(0));
        }
        for source in qotd {
            stage.udp(source, target(source.is_ipv4()), (17, 40_000), quote, Some(0));
        }
    }
    let confidence = |name: &str| rules_confidence(name);
    let dossier = stage.conclude(&Learned::default());
    for place in 0..2 {
        let sure = |source: IpAddr| {
            let found = of(&dossier, source);
            assert_eq!(
                (found.class, found.reasons.contains(&Reason::P1)),
                (Class::Reflector, true),
                "{found:?}"
            );
            found.confidence
        };
        assert!((sure(whole[place]) - confidence("ntp")).abs() < 1e-9);
        assert!((sure(half[place]) - confidence("ntp") / 2.0).abs() < 1e-9);
        assert!((sure(qotd[place]) - confidence("qotd")).abs() < 1e-9);
    }
}

fn rules_confidence(name: &str) -> f64 {
    let rules = Rules::embedded().unwrap();
    rules.reflectors.iter().find(|reflector| reflector.name == name).unwrap().confidence
}
