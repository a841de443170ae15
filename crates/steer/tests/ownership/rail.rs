//! Validity, and the rail that asks for it.

use std::sync::Arc;

use base::Prefix;
use proptest::prelude::*;
use steer::ownership::{Ownership, Validity, Vrps};
use steer::rails::{Class, Limits, Rails, Refusal};
use wire::rtr::Vrp;

use super::{prefix, vrp};

const OURS: u32 = 64_500;

fn vrps(all: impl IntoIterator<Item = Vrp>) -> Vrps {
    let mut vrps = Vrps::default();
    for one in all {
        vrps.insert(one);
    }
    vrps
}

fn told() -> Vrps {
    vrps([
        vrp("198.51.100.0/24", 24, OURS),
        vrp("203.0.113.0/24", 32, OURS),
        vrp("203.0.113.0/24", 24, 64_999),
        vrp("192.0.2.0/24", 24, 64_999),
        vrp("198.18.0.0/15", 32, 0),
        vrp("2001:db8::/32", 48, OURS),
        vrp("2001:db8:1::/48", 128, OURS),
    ])
}

#[test]
fn an_announcement_is_valid_invalid_or_not_found_as_the_rfc_has_it() {
    let vrps = told();
    let too_long = |up_to| Validity::Invalid { up_to: Some(up_to) };
    for (text, validity) in [
        ("198.51.100.0/24", Validity::Valid),
        ("198.51.100.7/32", too_long(24)),
        ("203.0.113.7/32", Validity::Valid),
        ("192.0.2.0/24", Validity::Invalid { up_to: None }),
        // Nobody may, whoever says that he is AS 0.
        ("198.18.7.7/32", Validity::Invalid { up_to: None }),
        ("198.51.0.0/16", Validity::NotFound),
        ("100.64.0.0/24", Validity::NotFound),
        ("2001:db8:2::/48", Validity::Valid),
        ("2001:db8:2::7/128", too_long(48)),
        ("2001:db8:1::7/128", Validity::Valid),
        ("2001:db9::/32", Validity::NotFound),
    ] {
        assert_eq!(vrps.validity(prefix(text), OURS), validity, "{text}");
    }
    assert_eq!(vrps.validity(prefix("198.18.7.7/32"), 0), Validity::Invalid { up_to: None });
}

#[test]
fn what_the_rpki_forbids_is_refused_with_a_remedy() {
    let mut rails = Rails::new(
        ["198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24", "100.64.0.0/24", "2001:db8::/32"]
            .map(prefix)
            .to_vec(),
        vec![prefix("198.51.100.0/24")],
        Vec::new(),
        Vec::new(),
        Limits::default(),
    );
    let ownership = Ownership { vrps: Some(Arc::new(told())), asn: OURS, ..Ownership::default() };
    let refused = |rails: &Rails, text: &str| match rails.prefix(prefix(text), Class::Blackhole) {
        Ok(_) => String::new(),
        Err(refusal @ Refusal::Rpki { .. }) => refusal.to_string(),
        Err(other) => panic!("{other}"),
    };
    // It is optional.
    assert_eq!(refused(&rails, "198.51.100.7/32"), "");
    rails.ask_rpki(Some(ownership.clone()));
    for (text, word) in [
        ("198.51.100.7/32", "raise the ROA's maxLength"),
        ("2001:db8:2::7/128", "raise the ROA's maxLength"),
        ("192.0.2.7/32", "its ROAs name other ASes"),
        ("203.0.113.7/32", ""),
        ("2001:db8:1::7/128", ""),
        ("100.64.0.7/32", ""),
    ] {
        let refusal = refused(&rails, text);
        assert!(refusal.contains(word) && refusal.is_empty() == word.is_empty(), "{text}: {refusal}");
    }
    // The same prefix as a diversion is as long as its ROA.
    assert!(rails.prefix(prefix("198.51.100.0/24"), Class::Diversion).is_ok());
    // Rules follow the route that is there.
    let rule = rules::parse::rules("r dst 198.51.100.7/32 proto udp -> drop for 1m").unwrap().remove(0);
    assert!(rails.rule(&rule).is_ok());
    // Neighbours that do not validate blackholes.
    rails.ask_rpki(Some(Ownership { blackholes_unvalidated: true, ..ownership.clone() }));
    assert_eq!(refused(&rails, "198.51.100.7/32"), "");
    assert!(refused(&rails, "192.0.2.7/32").contains("other ASes"));
    rails.ask_rpki(Some(Ownership { strict: true, ..ownership.clone() }));
    assert!(refused(&rails, "100.64.0.7/32").contains("make a ROA"));
    // A cache that tells nothing is in nobody's way unless the operator is strict.
    rails.ask_rpki(Some(Ownership { vrps: None, ..ownership.clone() }));
    assert_eq!(refused(&rails, "192.0.2.7/32"), "");
    rails.ask_rpki(Some(Ownership { vrps: None, strict: true, ..ownership }));
    assert!(refused(&rails, "203.0.113.7/32").contains("see that it runs"));
}

proptest! {
    #[test]
    fn validity_is_that_of_a_plain_search(
        all in prop::collection::vec((0_u8..4, 8_u8..28, 0_u8..8, 1_u32..4), 0..20),
        (part, length, asn) in (0_u8..4, 8_u8..=32, 1_u32..4),
    ) {
        let list: Vec<Vrp> = all.iter().map(|(part, length, more, asn)| {
            let prefix = Prefix::of([10, *part, 0, 0].into(), *length);
            Vrp { prefix, max_length: (length + more).min(32), asn: *asn }
        }).collect();
        let asked = Prefix::of([10, part, 0, 0].into(), length);
        let covering: Vec<&Vrp> = list.iter().filter(|one| one.prefix.covers(&asked)).collect();
        let valid = covering.iter().any(|one| one.asn == asn && asked.bits() <= one.max_length);
        match vrps(list.iter().copied()).validity(asked, asn) {
            Validity::Valid => prop_assert!(valid),
            Validity::Invalid { .. } => prop_assert!(!valid && !covering.is_empty()),
            Validity::NotFound => prop_assert!(covering.is_empty()),
        }
        // What was put in and taken out again leaves nothing.
        let mut vrps = vrps(list.iter().copied());
        for one in &list {
            vrps.remove(*one);
        }
        prop_assert!(vrps.is_empty() && vrps == Vrps::default());
    }
}
