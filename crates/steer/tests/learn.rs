//! What routes teach of addresses.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use proptest::prelude::*;
use steer::learn::{FEEDS_MAX, Origin, Routes};
use wire::Fault;
use wire::bgp::attribute::Segment;

use wire::bgp::{Attributes, Family, Handling, Update};

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

#[test]
fn the_longest_prefix_says_whose_an_address_is_in_both_families() {
    let mut routes = Routes::new(100, (1, 1));
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
fn only_who_told_a_whole_table_knows_what_is_unrouted() {
    for (family, some, nowhere, default) in [
        (Family::IPV4, ["198.51.100.0/24", "203.0.113.0/24"], "240.1.2.3", "0.0.0.0/0"),
        (Family::IPV6, ["2001:db8::/32", "2001:db9::/32"], "fd00::1", "::/0"),
    ] {
        let mut routes = Routes::new(4, (2, 2));
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
    let mut routes = Routes::new(100, (10, 10));
    for number in 0..=255 {
        let flood = format!("10.{number}.0.0/16");
        assert!(routes.update(1, &announced(&[&flood], &[65_001])));
    }
    routes.update(1, &end_of_rib(Family::IPV4));
    assert_eq!((routes.len(), routes.left_out), (100, 156));
    assert_eq!(routes.origin(addr("240.1.2.3")), Origin::Unknown);
    for feed in 2..=100 {
        let room = usize::from(feed) <= FEEDS_MAX;
        assert_eq!(routes.update(feed, &end_of_rib(Family::IPV4)), room);
    }
    routes.forget(1);
    assert!(routes.is_empty());
}

proptest! {
    #[test]
    fn any_sequence_of_updates_ends_as_a_plain_list_would(
        steps in prop::collection::vec((0_u16..3, 0_u8..4, 0_u8..4, any::<bool>(), 1_u32..9), 0..60),
    ) {
        let mut routes = Routes::new(1000, (0, 0));
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
