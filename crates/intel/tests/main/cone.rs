//! B3: sources that came in by a neighbour who has no such network behind it, as the paths of a dump tell.

use std::net::IpAddr;
use std::sync::Arc;

use intel::dossier::Dossier;
use intel::enrich::list::Kind;
use intel::enrich::{Enrich as _, Files, List, Rib};
use intel::{Class, Reason};
use sim::dump::{record, sequence, set};
use wire::bgp::attribute::Segment;
use wire::packet::flags;

use crate::learned::{Stage, beside_shape, of};
use crate::mixture::target;

/// The neighbour of the stage's ways in.
const CUSTOMER: u32 = 64_500;
/// Where only what is behind it may come in, and where anybody may.
const CUSTOMERS: u32 = 7;
const TRANSIT: u32 = 9;

/// A dump with one entry for each of these paths.
fn dump(routes: &[(&str, Vec<Vec<Segment>>)]) -> Vec<u8> {
    routes.iter().flat_map(|(prefix, paths)| record(prefix.parse().unwrap(), paths)).collect()
}

/// The customer has a customer of its own, which prepends; that has one behind a set; a stranger is reached another way, and one
/// network is announced by a stranger and behind the customer at once.
fn known(neighbours: &[u32]) -> Files {
    let customer = vec![sequence(&[CUSTOMER])];
    let prepended = vec![sequence(&[64_499, CUSTOMER, CUSTOMER, 64_501, 64_501, 64_501])];
    let behind_set = vec![sequence(&[CUSTOMER, 64_501]), set(&[64_502, 64_503])];
    let alone = vec![sequence(&[64_499, 64_502])];
    let stranger = vec![sequence(&[64_499, 64_600])];
    let shared = vec![stranger.clone(), vec![sequence(&[CUSTOMER, 64_501])]];
    let rib = dump(&[
        ("20.0.0.0/16", vec![customer.clone()]),
        ("20.1.0.0/16", vec![prepended]),
        ("20.2.0.0/16", vec![alone]),
        ("20.3.0.0/16", vec![behind_set]),
        ("20.4.0.0/16", shared),
        ("30.0.0.0/8", vec![stranger.clone()]),
        ("2600::/32", vec![customer]),
        ("2601::/32", vec![stranger]),
    ]);
    let routes = vec![Rib::read(&rib, neighbours.iter().copied()).unwrap().into()];
    Files { routes, ..Files::default() }
}

fn source(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn has_b3(dossier: &Dossier, source: IpAddr) -> bool {
    of(dossier, source).reasons.contains(&Reason::B3)
}

/// A flood that comes in by a customer: forged addresses of others, and machines of its cone that come again and again.
#[test]
fn forged_sources_of_a_customers_interface_are_told_and_those_of_its_cone_are_not() {
    for cone in [true, false] {
        let mut stage = Stage::new("tcp-syn-flood");
        stage.cone = cone;
        let (mut forged, mut real) = (Vec::new(), Vec::new());
        for n in 0..40u8 {
            let low = n.wrapping_mul(37);
            forged.push(IpAddr::from([30, n, low, 1]));
            forged.push(source(&format!("2601:0:{n:x}::{low:x}")));
            real.push(IpAddr::from([20, n % 5, n, low]));
            real.push(source(&format!("2600:0:{n:x}::{low:x}")));
        }
        for round in 0..12 {
            real.iter().for_each(|one| stage.syn(*one, 57, Some(CUSTOMERS)));
            let some = forged.iter().filter(|_| round == 0);
            some.for_each(|one| stage.syn(*one, 57, Some(CUSTOMERS)));
        }
        let dossier = stage.conclude(&known(&[CUSTOMER]));
        for one in &forged {
            assert_eq!(has_b3(&dossier, *one), cone, "{one}");
            assert!(!cone || of(&dossier, *one).class == Class::Spoofed, "{:?}", of(&dossier, *one));
        }
        for one in &real {
            assert!(!has_b3(&dossier, *one) && of(&dossier, *one).class != Class::Spoofed, "{one}");
        }
        let way = &dossier.incident.ingress[0];
        let told = u64::try_from(forged.len()).unwrap();
        assert_eq!((way.packets, way.forged), (12 * 80 + told, if cone { told } else { 0 }));
    }
}

#[test]
fn who_came_another_way_in_or_whose_network_nobody_knows_is_not_astray() {
    let mut stage = Stage::new("tcp-syn-flood");
    stage.cone = true;
    stage.open = Some(TRANSIT);
    let (away, nobodys) = (source("30.0.0.1"), source("40.0.0.1"));
    stage.syn(away, 57, Some(TRANSIT));
    stage.syn(nobodys, 57, Some(CUSTOMERS));
    // Mostly by transit, evenly, and mostly by the customer.
    let (most, half, few) = (source("30.0.0.2"), source("30.0.0.3"), source("30.0.0.4"));
    for (one, transit) in [(most, 6), (half, 4), (few, 1)] {
        for n in 0..8 {
            stage.syn(one, 57, Some(if n < transit { TRANSIT } else { CUSTOMERS }));
        }
    }
    let own = source("30.0.0.5");
    stage.syn(own, 57, Some(CUSTOMERS));
    let mut files = known(&[CUSTOMER]);
    files.own.push(base::Prefix::host(own));
    let dossier = stage.conclude(&files);
    let told = [away, nobodys, most, half, few, own].map(|one| has_b3(&dossier, one));
    assert_eq!(told, [false, false, false, false, true, false]);
    assert_eq!((files.behind(CUSTOMER, own), files.behind(CUSTOMER, nobodys)), (None, None));
}

#[test]
fn a_dump_that_does_not_name_the_neighbour_says_nothing() {
    let mut stage = Stage::new("tcp-syn-flood");
    stage.cone = true;
    let stranger = source("30.0.0.1");
    stage.syn(stranger, 57, Some(CUSTOMERS));
    let silent = dump(&[("30.0.0.0/8", vec![vec![sequence(&[64_499, 64_600])]])]);
    let silent = Files { routes: vec![Rib::read(&silent, [CUSTOMER]).unwrap().into()], ..Files::default() };
    assert_eq!(silent.behind(CUSTOMER, stranger), None);
    assert!(!has_b3(&stage.conclude(&silent), stranger));
    // Nor one whose paths were not looked at for it; of two, one is enough, to accuse and to clear.
    assert!(!has_b3(&stage.conclude(&known(&[])), stranger));
    let mut both = known(&[CUSTOMER]);
    both.routes.extend(silent.routes);
    assert!(has_b3(&stage.conclude(&both), stranger));
    let clears = dump(&[("30.0.0.0/8", vec![vec![sequence(&[CUSTOMER, 64_600])]])]);
    both.routes.push(Rib::read(&clears, [CUSTOMER]).unwrap().into());
    assert!(!has_b3(&stage.conclude(&both), stranger));
}

#[test]
fn a_handshake_beats_it_and_nothing_else_that_would_name_a_source_does() {
    let (proven, listed, answers) = (source("30.0.0.1"), source("30.0.0.2"), source("30.0.0.3"));
    let mut stage = Stage::new("tcp-synack-reflection");
    stage.cone = true;
    for _ in 0..400 {
        stage.syn(proven, 57, Some(CUSTOMERS));
        stage.syn(listed, 57, Some(CUSTOMERS));
    }
    let answer = flags::SYN | flags::ACK;
    stage.tcp((answers, target(true)), answer, (7, 8), &[], 57, Some(0), Some(CUSTOMERS));
    stage.observer.prove(proven);
    let mut files = known(&[CUSTOMER]);
    for kind in [Kind::Bot, Kind::Reflector] {
        files.lists.0.push(Arc::new(List::read("others", kind, "30.0.0.0/24\n").unwrap()));
    }
    let dossier = stage.conclude(&files);
    let found = of(&dossier, proven);
    assert!(matches!(found.class, Class::Real | Class::Bot) && found.reasons.contains(&Reason::H1));
    assert!(!has_b3(&dossier, proven), "{found:?}");
    let found = of(&dossier, listed);
    assert!(found.verified().is_none() && beside_shape(found) == [Reason::B3, Reason::D2], "{found:?}");
    let found = of(&dossier, answers);
    assert!(found.class == Class::Unknown && found.verified().is_none(), "{found:?}");
    assert!(has_b3(&dossier, answers) && found.reasons.contains(&Reason::P1));
    // Where anybody may come in, an answer is one.
    stage.cone = false;
    assert_eq!(of(&stage.conclude(&files), answers).class, Class::Reflector);
}
