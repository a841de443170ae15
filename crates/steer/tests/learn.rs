//! What routes teach of addresses.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use proptest::prelude::*;
use steer::learn::{FEEDS_MAX, Origin, Routes, Station};
use wire::Fault;
use wire::bgp::attribute::Segment;

use wire::bgp::{Attributes, Family, Handling, Update, update};
use wire::emit::Writer;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn announced(prefixes: &[&str], asns: &[u32]) -> Update {
    let as_path = Some(vec![Segment::sequence(asns.to_vec())]);
    Update {
        announced: prefixes.iter().map(|text| prefix(text)).collect(),
        attributes: Attributes { as_path, ..Attributes::default() },
        ..Update::default()
    }
}

fn withdrawn(prefixes: &[&str]) -> Update {
    Update { withdrawn: prefixes.iter().map(|text| prefix(text)).collect(), ..Update::default() }
}

fn end_of_rib(family: Family) -> Update {
    Update { end_of_rib: Some(family), ..Update::default() }
}

/// Routes with feeds 0 to 3 open.
fn opened(most: usize, whole_min: (usize, usize)) -> Routes {
    let mut routes = Routes::new(most, whole_min);
    assert_eq!([0, 1, 2, 3].map(|_| routes.open()), [0, 1, 2, 3].map(Some));
    routes
}

#[test]
fn the_longest_prefix_says_whose_an_address_is_in_both_families() {
    let mut routes = opened(100, (1, 1));
    for (whole, part, other, host) in [
        ("198.51.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "198.51.100.7"),
        ("2001:db8::/32", "2001:db8:1::/48", "2001:db9::/32", "2001:db8:1::7"),
    ] {
        routes.update(1, &announced(&[whole, other], &[65_001, 65_010]));
        assert_eq!(routes.origin(addr(host)), Origin::Routed(prefix(whole), vec![65_010]));
        routes.update(1, &announced(&[part], &[65_001, 65_020]));
        // Another feed hears of a second origin.
        routes.update(2, &announced(&[part], &[65_002, 65_030]));
        assert_eq!(routes.origin(addr(host)), Origin::Routed(prefix(part), vec![65_020, 65_030]));
        routes.update(1, &withdrawn(&[part]));
        assert_eq!(routes.origin(addr(host)), Origin::Routed(prefix(part), vec![65_030]));
        routes.update(2, &withdrawn(&[part]));
        assert_eq!(routes.origin(addr(host)), Origin::Routed(prefix(whole), vec![65_010]));
        // A route whose attributes are damaged is none.
        let handling = Handling::TreatAsWithdraw(Fault::Value { what: "ORIGIN", found: 9 });
        routes.update(1, &Update { handling, ..announced(&[whole], &[65_001]) });
        assert_ne!(routes.origin(addr(host)), Origin::Routed(prefix(whole), vec![65_010]));
    }
    assert_eq!((routes.damaged, routes.len()), (2, 2));
}

#[test]
fn paths_tell_who_is_behind_a_neighbour_once_all_of_them_are_told() {
    let mut routes = Routes::new(3, (1, 1));
    let before = routes.open().unwrap();
    routes.look_for([65_010]);
    let (whole, part) = (routes.open().unwrap(), routes.open().unwrap());
    let ours = (prefix("198.51.0.0/16"), Some(65_011));
    let theirs = (prefix("203.0.113.0/24"), Some(65_012));
    let admits = |routes: &Routes| [ours, theirs].map(|route| routes.admits(65_010, &[route]));
    for feed in [before, whole] {
        routes.update(feed, &announced(&["198.51.0.0/16"], &[65_001, 65_010, 65_011]));
        routes.update(feed, &announced(&["203.0.113.0/24"], &[65_001, 65_012]));
    }
    // Nothing is kept of what was told before somebody asked; who has not told all accuses nobody.
    assert_eq!(admits(&routes), [Some(true), None]);
    routes.update(before, &end_of_rib(Family::IPV4));
    routes.update(whole, &end_of_rib(Family::IPV6));
    assert_eq!(admits(&routes), [Some(true), None]);
    routes.update(whole, &end_of_rib(Family::IPV4));
    assert_eq!(admits(&routes), [Some(true), Some(false)]);
    // Another whose paths name the neighbour has more to tell.
    routes.update(part, &announced(&["192.0.2.0/24"], &[65_010]));
    assert_eq!(admits(&routes), [Some(true), None]);
    routes.update(part, &end_of_rib(Family::IPV4));
    assert_eq!(admits(&routes), [Some(true), Some(false)]);
    // What was withdrawn was there: a route that flaps makes nobody forged.
    routes.update(whole, &withdrawn(&["198.51.0.0/16"]));
    assert_eq!(admits(&routes), [Some(true), Some(false)]);
    // One of several who announce it is enough.
    assert_eq!(routes.admits(65_010, &[theirs, ours]), Some(true));
    // A feed of which routes were left out does not know all.
    routes.update(part, &announced(&["192.0.2.0/25", "192.0.2.128/25"], &[65_010, 65_011]));
    assert!(routes.left_out > 0);
    assert_eq!(admits(&routes), [Some(true), None]);
    routes.forget(part);
    assert_eq!(admits(&routes), [Some(true), Some(false)]);
    routes.forget(whole);
    assert_eq!(admits(&routes), [None, None]);
}

#[test]
fn only_who_told_a_whole_table_knows_what_is_unrouted() {
    for (family, some, nowhere, default) in [
        (Family::IPV4, ["198.51.100.0/24", "203.0.113.0/24"], "240.1.2.3", "0.0.0.0/0"),
        (Family::IPV6, ["2001:db8::/32", "2001:db9::/32"], "fd00::1", "::/0"),
    ] {
        let mut routes = opened(4, (2, 2));
        assert_eq!(routes.origin(addr(nowhere)), Origin::Unknown);
        // A few routes are no table, nor is one that is not at its end.
        routes.update(1, &announced(&[some[0], default], &[65_001]));
        assert_eq!(routes.origin(addr(nowhere)), Origin::Unknown);
        routes.update(2, &announced(&some, &[65_001]));
        assert_eq!(routes.origin(addr(nowhere)), Origin::Unknown);
        routes.update(2, &end_of_rib(family));
        assert_eq!(routes.origin(addr(nowhere)), Origin::Unrouted);
        // What one family told says nothing of the other.
        let elsewhere = if family == Family::IPV4 { "fd00::1" } else { "240.1.2.3" };
        assert_eq!(routes.origin(addr(elsewhere)), Origin::Unknown);
        routes.forget(2);
        assert_eq!(routes.origin(addr(nowhere)), Origin::Unknown);
    }
}

#[test]
fn a_feed_that_floods_is_cut_and_no_longer_knows_the_whole() {
    let mut routes = opened(100, (10, 10));
    for number in 0..=255 {
        let flood = format!("10.{number}.0.0/16");
        routes.update(1, &announced(&[&flood], &[65_001]));
    }
    routes.update(1, &end_of_rib(Family::IPV4));
    assert_eq!((routes.len(), routes.left_out), (100, 156));
    assert_eq!(routes.origin(addr("240.1.2.3")), Origin::Unknown);
    assert_eq!((0..100).filter(|_| routes.open().is_some()).count(), FEEDS_MAX - 4);
    // One that nobody opened is not heard.
    routes.update(1000, &end_of_rib(Family::IPV4));
    routes.forget(1);
    assert!(routes.is_empty());
}

/// A message of a router about a peer of this kind and these flags.
fn monitored(kind: u8, flags: u8, address: [u8; 4], update: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.u8(kind).u8(flags).zeros(8).zeros(12).bytes(&address).u32(65_001).zeros(12).bytes(update);
    let mut out = Vec::new();
    Writer::new(&mut out).u8(3).u32(u32::try_from(6 + body.len()).unwrap()).u8(0).bytes(&body);
    out
}

/// An UPDATE of this IPv4 prefix.
fn update_of(text: &str, origin: u32) -> Vec<u8> {
    let mut nlri = Vec::new();
    wire::bgp::nlri::write(&mut nlri, &prefix(text));
    let attributes = Attributes {
        origin: Some(0),
        as_path: Some(vec![Segment::sequence(vec![65_001, origin])]),
        ..Attributes::default()
    };
    let next_hop = Some([192, 0, 2, 1].into());
    let (mut messages, left_out) = update::announce(Family::IPV4, next_hop, &attributes, &[nlri], true);
    assert!(left_out.is_empty());
    messages.remove(0)
}

#[test]
fn a_monitored_router_teaches_what_its_peers_announce_until_they_go() {
    let (mut station, mut routes) = (Station::default(), Routes::new(100, (1, 1)));
    let mut stream = Vec::new();
    Writer::new(&mut stream).u8(3).u32(6 + 4 + 6).u8(4).u16(2).u16(6).bytes(b"ed\nge1");
    let (first, second) = ([198, 51, 100, 1], [198, 51, 100, 2]);
    stream.extend(monitored(0, 0, first, &update_of("203.0.113.0/24", 65_010)));
    stream.extend(monitored(0, 0, second, &update_of("203.0.113.0/24", 65_020)));
    // A VRF's peer, and what is sent to a peer, say nothing of the Internet.
    stream.extend(monitored(1, 0, first, &update_of("10.0.0.0/8", 65_030)));
    stream.extend(monitored(0, 0x10, first, &update_of("100.64.0.0/10", 65_030)));
    // A damaged message costs itself.
    stream.extend(monitored(0, 0, first, &[0xff; 16]));
    stream.extend(monitored(0, 0, first, &update::end_of_rib(Family::IPV4)));
    for octet in &stream {
        station.receive(&[*octet], &mut routes).unwrap();
    }
    let both = Origin::Routed(prefix("203.0.113.0/24"), vec![65_010, 65_020]);
    assert_eq!(routes.origin(addr("203.0.113.7")), both);
    assert_eq!(routes.origin(addr("10.1.1.1")), Origin::Unrouted);
    assert_eq!((station.name(), station.peers()), (Some("edge1"), 2));
    assert_eq!((station.faults, station.passed_over), (1, 2));
    // One goes down, then the stream ends.
    let mut down = monitored(0, 0, first, &[4]);
    down[5] = 2;
    station.receive(&down, &mut routes).unwrap();
    assert_eq!(routes.origin(addr("203.0.113.7")), Origin::Routed(prefix("203.0.113.0/24"), vec![65_020]));
    assert!(station.receive(b"GET / HTTP/1.1", &mut routes).is_err());
    station.closed(&mut routes);
    assert!(routes.is_empty() && routes.origin(addr("10.1.1.1")) == Origin::Unknown);
    // A router with more peers than there is room for.
    let mut crowd = Station::default();
    for number in 0..100 {
        let message = monitored(0, 0, [198, 51, 100, number], &update_of("203.0.113.0/24", 65_010));
        crowd.receive(&message, &mut routes).unwrap();
    }
    assert_eq!((crowd.peers(), crowd.left_out), (32, 68));
}

proptest! {
    #[test]
    fn any_sequence_of_updates_ends_as_a_plain_list_would(
        steps in prop::collection::vec((0_u16..3, 0_u8..4, 0_u8..4, any::<bool>(), 1_u32..9), 0..60),
    ) {
        let mut routes = opened(1000, (0, 0));
        let mut model: BTreeMap<(Prefix, u16), u32> = BTreeMap::new();
        for (feed, part, length, v6, asn) in steps {
            let text = match v6 {
                false => format!("10.{part}.0.0"),
                true => format!("2001:db8:{part}::"),
            };
            let one = Prefix::of(addr(&text), length * 8 + if v6 { 16 } else { 0 });
            match asn {
                1 => {
                    routes.forget(feed);
                    assert_eq!(routes.open(), Some(feed));
                    model.retain(|(_, from), _| *from != feed);
                }
                2 | 3 => {
                    routes.update(feed, &withdrawn(&[&one.to_string()]));
                    model.remove(&(one, feed));
                }
                asn => {
                    routes.update(feed, &announced(&[&one.to_string()], &[asn]));
                    model.insert((one, feed), asn);
                }
            }
        }
        let prefixes: std::collections::BTreeSet<Prefix> = model.keys().map(|(prefix, _)| *prefix).collect();
        prop_assert_eq!(routes.len(), prefixes.len());
        prop_assert!(prefixes.iter().all(|prefix| routes.knows(*prefix)));
        prop_assert!(!routes.knows(Prefix::of(addr("10.0.0.0"), 31)));
        for host in ["10.0.0.1", "10.1.2.3", "10.9.0.1", "2001:db8::1", "2001:db8:3::1", "2002::1"] {
            let host = addr(host);
            let longest = prefixes.iter().filter(|p| p.contains(host) && p.bits() > 0).max_by_key(|p| p.bits());
            match (routes.origin(host), longest) {
                (Origin::Routed(found, origins), Some(longest)) => {
                    let mut wanted: Vec<u32> =
                        model.iter().filter(|((p, _), _)| p == longest).map(|(_, asn)| *asn).collect();
                    wanted.sort_unstable();
                    wanted.dedup();
                    prop_assert_eq!((found, origins), (*longest, wanted));
                }
                (other, longest) => prop_assert!(longest.is_none() && !matches!(other, Origin::Routed(..))),
            }
        }
    }
}
