//! What is learned from routers.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use proptest::prelude::*;
use steer::learn::{Feed, Routes};
use wire::bgp::attribute::Segment;
use wire::bgp::{Attributes, Family, Handling, Update};
use wire::reader::Fault;

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn a(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const FAULT: Fault = Fault::Version { found: 0 };

fn update(announced: &[&str], path: Vec<Segment>, handling: Handling) -> Update {
    Update {
        announced: announced.iter().map(|text| p(text)).collect(),
        attributes: Attributes { as_path: Some(path), ..Attributes::default() },
        handling,
        ..Update::default()
    }
}

#[test]
fn the_longest_prefix_says_who_originates_an_address() {
    let mut routes = Routes::new(100, (2, 2));
    let path = |asn| vec![Segment::sequence(vec![64_500, asn])];
    routes.take(Feed(1), &update(&["198.51.0.0/16", "2001:db8::/32"], path(64_501), Handling::Fine));
    routes.take(Feed(1), &update(&["198.51.100.0/24"], path(64_502), Handling::Fine));
    routes.take(Feed(2), &update(&["198.51.100.0/24"], path(64_503), Handling::Fine));
    assert_eq!(routes.origin(a("198.51.100.7")), Some((p("198.51.100.0/24"), vec![64_502, 64_503])));
    assert_eq!(routes.origin(a("198.51.7.7")), Some((p("198.51.0.0/16"), vec![64_501])));
    assert_eq!(routes.origin(a("2001:db8::7")), Some((p("2001:db8::/32"), vec![64_501])));
    assert_eq!(routes.origin(a("203.0.113.7")), None);
    // A set hides who did; the prefix is known all the same.
    let set = vec![Segment { kind: 1, asns: vec![1, 2] }];
    routes.take(Feed(1), &update(&["203.0.113.0/24"], set, Handling::Fine));
    assert_eq!(routes.origin(a("203.0.113.7")), Some((p("203.0.113.0/24"), vec![])));
    // The session ends: what the other told stays.
    routes.forget(Feed(1));
    assert_eq!(routes.origin(a("198.51.100.7")), Some((p("198.51.100.0/24"), vec![64_503])));
    assert_eq!((routes.len(), routes.feeds()), (1, 1));
}

#[test]
fn only_who_knows_all_can_say_that_space_is_unrouted() {
    let mut routes = Routes::new(100, (2, 2));
    routes.announce(Feed(1), p("0.0.0.0/0"), Some(1));
    routes.announce(Feed(1), p("198.51.100.0/24"), Some(1));
    assert_eq!(routes.is_routed(a("203.0.113.7")), None, "two routes, one of which is the default");
    assert_eq!(routes.is_routed(a("198.51.100.7")), Some(true));
    routes.announce(Feed(1), p("198.51.0.0/16"), Some(1));
    assert_eq!(routes.is_routed(a("203.0.113.7")), Some(false));
    assert_eq!(routes.is_routed(a("2001:db8::1")), None, "it told no IPv6");
    assert_eq!(routes.defaults(), 1);
    routes.withdraw(Feed(1), &p("198.51.0.0/16"));
    assert_eq!(routes.is_routed(a("203.0.113.7")), None);
}

#[test]
fn what_finds_no_room_is_counted_and_nothing_is_called_unrouted_any_more() {
    let mut routes = Routes::new(2, (2, 2));
    for text in ["198.51.100.0/24", "198.51.101.0/24", "198.51.102.0/24"] {
        routes.announce(Feed(1), p(text), Some(1));
    }
    assert_eq!((routes.len(), routes.left_out()), (2, 1));
    assert_eq!(routes.is_routed(a("198.51.102.7")), None);
}

#[test]
fn broken_updates_withdraw_as_rfc_7606_says() {
    let mut routes = Routes::new(9, (2, 2));
    let path = || vec![Segment::sequence(vec![64_500])];
    routes.take(Feed(1), &update(&["198.51.100.0/24", "2001:db8::/32"], path(), Handling::Fine));
    let broken = Handling::TreatAsWithdraw(FAULT);
    routes.take(Feed(1), &update(&["198.51.100.0/24"], path(), broken));
    assert_eq!(routes.len(), 1);
    let family = Handling::DisableFamily(Family::IPV6, FAULT);
    routes.take(Feed(1), &update(&["2001:db8::/32", "198.51.100.0/24"], path(), family));
    assert_eq!(routes.origin(a("198.51.100.7")).unwrap().1, [64_500], "the other family is not touched");
    assert_eq!(routes.len(), 1);
}

proptest! {
    /// Whatever feeds say in whatever order, the table is what a plain map of their words is.
    #[test]
    fn the_table_is_what_a_plain_map_is(
        words in proptest::collection::vec((0u32..3, 0u8..5, 0u32..8, any::<bool>()), 0..200),
    ) {
        let mut routes = Routes::new(1000, (1, 1));
        let mut plain: BTreeMap<(u32, Prefix), u32> = BTreeMap::new();
        for (feed, kind, place, v6) in words {
            let bits = u8::try_from(8 + place).unwrap();
            let prefix = if v6 { Prefix::of(a("2001:db8::"), bits) } else { Prefix::of(a("10.0.0.0"), bits) };
            match kind {
                0 => {
                    routes.forget(Feed(feed));
                    plain.retain(|(teller, _), _| *teller != feed);
                }
                1 => {
                    routes.withdraw(Feed(feed), &prefix);
                    plain.remove(&(feed, prefix));
                }
                _ => {
                    routes.announce(Feed(feed), prefix, Some(place));
                    plain.insert((feed, prefix), place);
                }
            }
        }
        for addr in [a("10.0.0.1"), a("10.255.0.1"), a("2001:db8::1")] {
            let longest = plain.keys().filter(|(_, p)| p.contains(addr)).map(|(_, p)| *p).max_by_key(Prefix::bits);
            let wanted = longest.map(|prefix| {
                let mut origins: Vec<u32> =
                    plain.iter().filter(|((_, p), _)| *p == prefix).map(|(_, origin)| *origin).collect();
                origins.sort_unstable();
                origins.dedup();
                (prefix, origins)
            });
            prop_assert_eq!(routes.origin(addr), wanted);
        }
        let prefixes: std::collections::BTreeSet<Prefix> = plain.keys().map(|(_, p)| *p).collect();
        prop_assert_eq!(routes.len(), prefixes.len());
    }
}
