//! What may never be announced, whoever asks.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::{Ipv4Addr, Ipv6Addr};

use base::{Prefix, Span, Timestamp};
use proptest::prelude::*;
use rules::parse;
use steer::rails::{Class, Lifeline, Limits, Load, Rails, Refusal};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn lifelines() -> Vec<Lifeline> {
    let lifeline = |text: &str, what: &str| {
        let matches = parse::rules(text).unwrap().remove(0).matches;
        Lifeline { matches, what: what.into() }
    };
    vec![
        lifeline("r dst 198.51.100.1/32 proto tcp port 179 -> pass\n", "BGP with the router"),
        lifeline("r dst 198.51.100.53/32 proto udp src-port 53 -> pass\n", "DNS answers to our resolver"),
    ]
}

fn rails() -> Rails {
    Rails::new(
        vec![prefix("198.51.100.0/22"), prefix("2001:db8::/32")],
        vec![prefix("198.51.100.0/24")],
        vec![
            (prefix("198.51.101.1/32"), "the router's address".into()),
            (prefix("2001:db8:0:1::/64"), "management".into()),
        ],
        lifelines(),
        Limits { routes: 3, rules: 2, per_minute: 100, ..Limits::default() },
    )
}

#[test]
fn only_what_is_ours_and_long_enough_is_blackholed() {
    let rails = rails();
    let blackhole = |text: &str| rails.prefix(prefix(text), Class::Blackhole);
    assert_eq!(blackhole("198.51.100.7/32").unwrap().prefix(), prefix("198.51.100.7/32"));
    assert!(blackhole("2001:db8::7/128").is_ok());
    assert_eq!(blackhole("203.0.113.7/32"), Err(Refusal::NotOurs(prefix("203.0.113.7/32"))));
    for short in ["0.0.0.0/0", "::/0", "198.51.100.0/24", "198.51.100.0/31", "2001:db8::/64"] {
        assert!(matches!(blackhole(short), Err(Refusal::Length { .. })), "{short}");
    }
}

#[test]
fn shorter_blackholes_can_be_configured_but_never_below_25_and_64() {
    let limits = Limits { blackhole: (8, 0), ..Limits::default() };
    let rails =
        Rails::new(vec![prefix("198.51.100.0/22"), prefix("2001:db8::/32")], vec![], vec![], vec![], limits);
    for (text, fine) in [
        ("198.51.100.0/25", true),
        ("198.51.100.0/24", false),
        ("2001:db8::/64", true),
        ("2001:db8::/63", false),
    ] {
        assert_eq!(rails.prefix(prefix(text), Class::Blackhole).is_ok(), fine, "{text}");
    }
}

#[test]
fn what_must_never_go_beats_everybody() {
    let rails = rails();
    for (text, class) in [("198.51.101.1/32", Class::Blackhole), ("2001:db8:0:1::5/128", Class::Blackhole)] {
        assert!(matches!(rails.prefix(prefix(text), class), Err(Refusal::Never { .. })), "{text}");
    }
    // A diversion that holds one of them would lead it away too.
    let wide = Rails::new(
        vec![prefix("198.51.100.0/22")],
        vec![prefix("198.51.101.0/24")],
        vec![(prefix("198.51.101.1/32"), "the tunnel's end".into())],
        vec![],
        Limits::default(),
    );
    let refused = wide.prefix(prefix("198.51.101.0/24"), Class::Diversion).unwrap_err();
    assert_eq!(refused.to_string(), "198.51.101.0/24 touches the tunnel's end, which is never announced");
}

#[test]
fn a_diversion_is_exactly_what_was_provisioned() {
    let rails = rails();
    assert!(rails.prefix(prefix("198.51.100.0/24"), Class::Diversion).is_ok());
    for text in ["198.51.100.0/25", "198.51.101.0/24"] {
        let wanted = Err(Refusal::NotProvisioned(prefix(text)));
        assert_eq!(rails.prefix(prefix(text), Class::Diversion), wanted);
    }
}

#[test]
fn a_rule_needs_a_destination_of_ours_and_cuts_no_lifeline() {
    let rails = rails();
    let check = |text: &str| rails.rule(&parse::rules(text).unwrap().remove(0));
    assert!(check("r dst 198.51.100.7/32 proto udp src-port 123 -> drop\n").is_ok());
    assert!(matches!(check("r proto udp src-port 123 -> drop\n"), Err(Refusal::NoDestination(_))));
    assert!(matches!(check("r dst 203.0.113.0/24 -> drop\n"), Err(Refusal::NotOurs(_))));
    assert!(matches!(check("r dst 0.0.0.0/0 -> drop\n"), Err(Refusal::Length { .. })));
    // All of the router's traffic, and all of TCP to its network, hold BGP; a reflection against the resolver does not
    // hold its answers.
    for cut in [
        "r dst 198.51.100.1/32 -> drop\n",
        "r dst 198.51.100.0/24 proto tcp -> rate 1000pps\n",
        "r dst 198.51.100.53/32 proto udp -> drop\n",
    ] {
        assert!(matches!(check(cut), Err(Refusal::Lifeline { .. })), "{cut}");
    }
    assert!(check("r dst 198.51.100.53/32 proto udp src-port 123 -> drop\n").is_ok());
    assert!(check("r dst 198.51.100.1/32 proto udp -> drop\n").is_ok());
}

#[test]
fn caps_hold_in_number_and_per_minute() {
    let mut rails = rails();
    let one = rails.prefix(prefix("198.51.100.7/32"), Class::Blackhole).unwrap();
    let now = Timestamp::from_secs(1_000_000);
    let full = Load { routes: 3, ..Load::default() };
    assert_eq!(rails.count(now, &one, &full), Err(Refusal::TooMany { what: "prefixes", most: 3 }));
    for _ in 0..100 {
        rails.count(now, &one, &Load::default()).unwrap();
    }
    assert_eq!(
        rails.count(now.plus(Span::from_secs(59)), &one, &Load::default()),
        Err(Refusal::TooFast(100))
    );
    assert_eq!(rails.count(now.plus(Span::from_secs(60)), &one, &Load::default()), Ok(()));
}

#[test]
fn no_more_of_our_own_space_is_blackholed_than_the_share() {
    let mut rails = Rails::new(vec![prefix("198.51.100.0/22")], vec![], vec![], vec![], Limits::default());
    let now = Timestamp::from_secs(1);
    // 1 % of 1024 addresses are ten.
    let mut load = Load::default();
    for host in 0..12u8 {
        let one =
            rails.prefix(Prefix::host(Ipv4Addr::new(198, 51, 100, host).into()), Class::Blackhole).unwrap();
        let counted = rails.count(now, &one, &load);
        assert_eq!(counted.is_ok(), host < 10, "{host}");
        load.blackholed.push(one.prefix());
    }
    // A customer with one address has to be able to give it up.
    let mut tiny = Rails::new(vec![prefix("203.0.113.0/29")], vec![], vec![], vec![], Limits::default());
    let one = tiny.prefix(prefix("203.0.113.1/32"), Class::Blackhole).unwrap();
    assert!(tiny.count(now, &one, &Load::default()).is_ok());
    let load = Load { blackholed: vec![one.prefix()], ..Load::default() };
    let two = tiny.prefix(prefix("203.0.113.2/32"), Class::Blackhole).unwrap();
    assert!(matches!(tiny.count(now, &two, &load), Err(Refusal::TooMuch { .. })));
}

proptest! {
    /// Whatever is asked: nothing that is admitted is short, foreign or on the list.
    #[test]
    fn nothing_admitted_is_short_foreign_or_forbidden(bits: u128, len in 0u8..=128, v6: bool, class in 0usize..3) {
        let rails = rails();
        let asked = match v6 {
            // Half of them close to what is ours.
            true if bits % 2 == 0 => Prefix::of(Ipv6Addr::from_bits(0x2001_0db8 << 96 | bits >> 33).into(), len),
            true => Prefix::of(Ipv6Addr::from_bits(bits).into(), len),
            false => {
                let bits = u32::try_from(bits & 0xffff_ffff).unwrap();
                let near = if bits.is_multiple_of(2) { 0xc633_6400 | bits >> 20 } else { bits };
                Prefix::of(Ipv4Addr::from_bits(near).into(), len % 33)
            }
        };
        if let Ok(admitted) = rails.prefix(asked, Class::ALL[class]) {
            let prefix = admitted.prefix();
            let least = if prefix.is_ipv4() { 19 } else { 32 };
            prop_assert!(prefix.bits() >= least);
            prop_assert!(["198.51.100.0/22", "2001:db8::/32"].iter().any(|own| self::prefix(own).covers(&prefix)));
            if admitted.class() != Class::Flowspec {
                for never in ["198.51.101.1/32", "2001:db8:0:1::/64"].map(self::prefix) {
                    prop_assert!(!never.covers(&prefix) && !prefix.covers(&never));
                }
            }
        }
    }
}
