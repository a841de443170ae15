use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use base::Prefix;
use proptest::prelude::*;

use super::attribute::{Segment, community};
use super::*;
use crate::reader::Fault;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn nlri(prefix: &Prefix) -> Vec<u8> {
    let mut out = Vec::new();
    nlri::write(&mut out, prefix);
    out
}

fn attributes() -> Attributes {
    Attributes {
        origin: Some(0),
        as_path: Some(vec![Segment::sequence(vec![65010, 4_200_000_001])]),
        communities: vec![community::BLACKHOLE, community::NO_EXPORT],
        extended: vec![[0x80, 6, 0, 0, 0, 0, 0, 0]],
        ..Attributes::default()
    }
}

fn body(message: &[u8]) -> &[u8] {
    let frame = frame(message).unwrap().unwrap();
    assert_eq!((frame.kind, frame.length), (Kind::Update, message.len()));
    frame.body
}

fn read(message: &[u8]) -> Update {
    Update::read(body(message), true).unwrap()
}

/// An UPDATE with these attributes as octets, and 192.0.2.0/24.
fn with(list: &[u8]) -> Update {
    let length = u16::try_from(list.len()).unwrap().to_be_bytes();
    Update::read(&[&[0, 0], &length[..], list, &[24, 192, 0, 2]].concat(), true).unwrap()
}

const GOOD: [u8; 20] = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xf2, 0x40, 3, 4, 192, 0, 2, 1];

#[test]
fn a_stream_is_cut_into_messages() {
    let stream = [keepalive(), end_of(Family::IPV6)].concat();
    let first = frame(&stream).unwrap().unwrap();
    assert_eq!((first.kind, first.length), (Kind::Keepalive, HEADER));
    assert_eq!(frame(&stream[HEADER..]).unwrap().unwrap().kind, Kind::Update);
    assert_eq!(frame(&stream[..HEADER - 1]), Ok(None));
    assert_eq!(frame(&[0xff; 3]), Ok(None));
}

fn end_of(family: Family) -> Vec<u8> {
    update::end_of_rib(family)
}

#[test]
fn a_header_that_cannot_be_ends_the_session_with_its_reason() {
    assert_eq!(frame(&[0]), Err(Notification::new(1, 1)));
    let with = |length: u16, kind: u8| [&[0xff; 16][..], &length.to_be_bytes(), &[kind]].concat();
    assert_eq!(frame(&with(18, 4)), Err(Notification::with(1, 2, &[0, 18])));
    assert_eq!(frame(&with(4097, 2)), Err(Notification::with(1, 2, &[0x10, 1])));
    assert_eq!(frame(&with(20, 4)), Err(Notification::with(1, 2, &[0, 20])));
    assert_eq!(frame(&with(19, 9)), Err(Notification::with(1, 3, &[9])));
}

#[test]
fn an_open_comes_back_as_it_was() {
    let open = Open {
        asn: 4_200_000_001,
        hold_time: 90,
        id: Ipv4Addr::new(192, 0, 2, 1),
        capabilities: vec![
            Capability::Multiprotocol(Family::IPV4),
            Capability::Multiprotocol(Family::FLOWSPEC6),
            Capability::RouteRefresh,
            Capability::FourOctetAs(4_200_000_001),
            Capability::Role(3),
            Capability::GracefulRestart(GracefulRestart {
                restarting: true,
                notification: true,
                time: 120,
                families: vec![(Family::IPV4, true), (Family::FLOWSPEC4, false)],
            }),
            Capability::Other(200, vec![1, 2, 3]),
        ],
    };
    let message = open.write();
    let frame = frame(&message).unwrap().unwrap();
    assert_eq!(frame.kind, Kind::Open);
    assert_eq!(Open::read(frame.body), Ok(open.clone()));
    assert_eq!(open.families(), [Family::IPV4, Family::FLOWSPEC6]);
    // RFC 6793: the two octets say AS_TRANS.
    assert_eq!(frame.body.get(1..3), Some(&23456u16.to_be_bytes()[..]));
}

#[test]
fn an_open_with_long_parameters_is_read() {
    // RFC 9072: 255, 255, and lengths of two octets.
    let body = [4, 0xfd, 0xf2, 0, 90, 192, 0, 2, 1, 255, 255, 0, 5, 2, 0, 2, 2, 0];
    assert_eq!(Open::read(&body).unwrap().capabilities, [Capability::RouteRefresh]);
}

#[test]
fn an_open_that_cannot_be_is_refused_with_its_reason() {
    let refused = |body: &[u8]| Open::read(body).unwrap_err();
    let good = [4, 0xfd, 0xf2, 0, 90, 192, 0, 2, 1, 0];
    let but = |at: usize, octets: &[u8]| {
        let mut body = good;
        body[at..at + octets.len()].copy_from_slice(octets);
        body
    };
    assert!(Open::read(&good).is_ok());
    assert_eq!(refused(&but(0, &[3])), Notification::with(2, 1, &[0, 4]));
    assert_eq!(refused(&but(1, &[0, 0])), Notification::new(2, 2));
    assert_eq!(refused(&but(3, &[0, 2])), Notification::new(2, 6));
    assert_eq!(refused(&but(5, &[0; 4])), Notification::new(2, 3));
    assert_eq!(refused(&but(9, &[7])), Notification::new(2, 0));
    assert_eq!(refused(&[&good[..9], &[2, 1, 0]].concat()), Notification::new(2, 4));
}

#[test]
fn shutdown_texts_are_shown_in_one_clean_line() {
    let sent = Notification::shutdown("maintenance,\nback at 3");
    let read = Notification::read(&sent.write()[HEADER..]).unwrap();
    assert_eq!(read, sent);
    assert_eq!(read.text().as_deref(), Some("maintenance, back at 3"));
    // A length that lies, and one that is not text.
    assert_eq!(Notification::with(6, 2, &[9, b'a']).text(), None);
    assert_eq!(Notification::with(6, 4, &[2, 0xff, b'a']).text().as_deref(), Some("\u{fffd}a"));
    assert_eq!(Notification::shutdown(&"ä".repeat(200)).data.len(), 255);
}

#[test]
fn routes_are_announced_and_withdrawn_as_they_are_read() {
    for (family, next_hop, routes) in [
        (Family::IPV4, "192.0.2.1", ["198.51.100.7/32", "203.0.113.0/24"]),
        (Family::IPV6, "2001:db8::1", ["2001:db8:1::7/128", "2001:db8:2::/48"]),
    ] {
        let routes = routes.map(prefix);
        let octets: Vec<Vec<u8>> = routes.iter().map(nlri).collect();
        let next_hop: IpAddr = next_hop.parse().unwrap();
        let (messages, left) = update::announce(family, Some(next_hop), &attributes(), &octets, true);
        assert_eq!((messages.len(), left), (1, vec![]));
        let update = read(&messages[0]);
        assert_eq!(update.announced, routes);
        assert_eq!(update.attributes.communities, attributes().communities);
        assert_eq!(update.attributes.origin_as(), Some(4_200_000_001));
        assert_eq!(update.handling, Handling::Fine);
        let (messages, _) = update::withdraw(family, &octets);
        let update = read(&messages[0]);
        assert_eq!((update.withdrawn.as_slice(), update.end_of_rib), (&routes[..], None));
        assert_eq!(read(&end_of(family)).end_of_rib, Some(family));
    }
}

#[test]
fn many_routes_take_as_many_messages_as_it_needs_and_one_too_long_is_named() {
    let mut routes = vec![vec![24, 192, 0, 2]; 5000];
    routes[7] = vec![0; MESSAGE_MAX];
    let (messages, left) = update::announce(Family::FLOWSPEC4, None, &attributes(), &routes, true);
    assert_eq!(left, [7]);
    assert!(messages.iter().all(|message| message.len() <= MESSAGE_MAX));
    let total: usize = messages.iter().map(|message| read(message).other).sum();
    assert_eq!(total, 4999 * 4);
    assert!(messages.len() <= 6, "{}", messages.len());
}

#[test]
fn flowspec_goes_out_without_a_next_hop() {
    let (messages, _) = update::announce(Family::FLOWSPEC4, None, &attributes(), &[vec![3, 1, 8, 10]], true);
    // Flags, type, length, AFI, SAFI, no next hop, reserved, NLRI: the first attribute.
    assert_eq!(body(&messages[0]).get(4..16), Some(&[0x80, 14, 9, 0, 1, 133, 0, 0, 3, 1, 8, 10][..]));
    let flows = |ended| Flows { family: Family::FLOWSPEC4, ended, octets: vec![3, 1, 8, 10] };
    assert_eq!(read(&messages[0]).flowspec, [flows(false)]);
    let (messages, _) = update::withdraw(Family::FLOWSPEC4, &[vec![3, 1, 8, 10]]);
    assert_eq!(read(&messages[0]).flowspec, [flows(true)]);
    assert!(read(&end_of(Family::FLOWSPEC4)).flowspec.is_empty());
}

#[test]
fn a_wrong_attribute_withdraws_its_routes_and_not_the_session() {
    assert_eq!(with(&GOOD).handling, Handling::Fine);
    let but = |at: usize, octet: u8| {
        let mut list = GOOD;
        list[at] = octet;
        with(&list).handling
    };
    let withdraws = |handling: Handling| matches!(handling, Handling::TreatAsWithdraw(_));
    // ORIGIN 3; a set of kind 9; flags that contradict; an AS_PATH whose count lies.
    for (at, octet) in [(3, 3), (7, 9), (0, 0x80), (8, 2)] {
        assert!(withdraws(but(at, octet)), "octet {at}");
    }
    // What is missing.
    assert!(withdraws(with(&GOOD[..13]).handling));
    assert!(withdraws(with(&[]).handling));
    // A last attribute that is cut.
    assert!(withdraws(with(&GOOD[..18]).handling));
    // COMMUNITIES of three octets.
    assert!(withdraws(with(&[&GOOD[..], &[0xc0, 8, 3, 1, 2, 3]].concat()).handling));
    // A well-known attribute that nobody knows.
    assert!(withdraws(with(&[&GOOD[..], &[0x40, 99, 0]].concat()).handling));
    // One that comes twice is left out; an optional one that nobody knows is fine.
    assert_eq!(with(&[&GOOD[..], &[0x40, 1, 1, 2]].concat()).handling, Handling::AttributeDiscard(1));
    assert_eq!(with(&[&GOOD[..], &[0xc0, 99, 1, 7]].concat()).handling, Handling::Fine);
}

#[test]
fn routes_that_cannot_be_found_end_the_session_or_their_family() {
    // IPv4: a length of 33.
    let bad = Update::read(&[0, 0, 0, 0, 33, 1, 2, 3, 4, 5], true).unwrap_err();
    assert_eq!(bad, Notification::new(3, 10));
    // Lengths beyond the message.
    assert_eq!(Update::read(&[0, 9, 0, 0], true).unwrap_err(), Notification::new(3, 1));
    assert_eq!(Update::read(&[0, 0, 0, 9], true).unwrap_err(), Notification::new(3, 1));
    // MP_REACH_NLRI twice.
    let twice = [&[0u8, 0, 0, 16][..], &[0x80, 14, 5, 0, 2, 1, 0, 0].repeat(2)].concat();
    assert_eq!(Update::read(&twice, true).unwrap_err(), Notification::new(3, 1));
    // IPv6: a length of 129 in MP_REACH_NLRI.
    let reach = [0x80, 14, 7, 0, 2, 1, 0, 0, 129, 1];
    let update = Update::read(&[&[0, 0, 0, 10], &reach[..]].concat(), true).unwrap();
    let fault = Fault::Length { what: "Length", found: 129 };
    assert_eq!(update.handling, Handling::DisableFamily(Family::IPV6, fault));
}

proptest! {
    #[test]
    fn noise_is_read_or_refused(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = frame(&noise);
        let _ = Open::read(&noise);
        let _ = Notification::read(&noise).map(|n| n.text());
        for four in [false, true] {
            let _ = Update::read(&noise, four);
        }
    }

    #[test]
    fn damaged_updates_are_read_or_refused(at in 0usize..60, octet in any::<u8>(), cut in 0usize..60) {
        let routes = [nlri(&prefix("2001:db8::/32"))];
        let (messages, _) = update::announce(
            Family::IPV6, Some("2001:db8::1".parse().unwrap()), &attributes(), &routes, true);
        let mut body = body(&messages[0]).to_vec();
        let last = body.len() - 1;
        body[at.min(last)] = octet;
        body.truncate(body.len() - cut.min(last));
        let _ = Update::read(&body, true);
    }

    #[test]
    fn paths_come_back_in_both_widths(asns in proptest::collection::vec(1u32..65_000, 1..600)) {
        for four in [false, true] {
            let path = vec![Segment::sequence(asns.clone())];
            let sent = Attributes { as_path: Some(path), ..attributes() };
            let hop: IpAddr = "192.0.2.1".parse().unwrap();
            let (messages, _) = update::announce(
                Family::IPV4, Some(hop), &sent, &[nlri(&prefix("192.0.2.0/24"))], four);
            let update = Update::read(body(&messages[0]), four).unwrap();
            let back: Vec<u32> = update.attributes.as_path.unwrap().into_iter().flat_map(|s| s.asns).collect();
            prop_assert_eq!(&back, &asns);
        }
    }
}
