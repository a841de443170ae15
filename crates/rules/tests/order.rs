//! Which rule goes first.

use core::cmp::Ordering;

use proptest::prelude::*;
use rules::{EvalCounts, Match, RuleSet, order, parse};

use crate::make::{self, parsed, udp};

fn before(a: &str, b: &str) {
    let [x, y]: [Match; 2] = [a, b].map(|text| text.parse().unwrap());
    assert_eq!(order::flowspec(&x, &y), Ordering::Less, "{a} before {b}");
    assert_eq!(order::flowspec(&y, &x), Ordering::Greater, "{b} behind {a}");
}

/// RFC 8955 §5.1.
#[test]
fn the_first_difference_decides() {
    before("dst 10.0.0.0/24", "dst 10.0.0.0/8");
    before("dst 10.1.0.0/16", "dst 10.0.0.0/8 proto udp");
    before("dst 10.0.0.0/16", "dst 10.1.0.0/16 proto udp");
    before("dst 10.0.0.0/8", "dst 11.0.0.0/32");
    before("dst 10.0.0.0/8", "src 10.0.0.0/32");
    before("dst 10.0.0.0/8 proto udp", "dst 10.0.0.0/8");
    before("proto tcp", "proto udp");
    before("proto udp", "port 5");
    before("dst-port 80", "src-port 80");
    before("src-port 53", "src-port 123");
    before("src-port 80,81", "src-port 443");
    before("length 468", "dscp 1");
    before("fragment is", "ttl 1");
    before("ttl 1", "window 1");
    before("window 1", "payload 0:00");
    before("payload 0:00", "");
    before("dst 2001:db8::/64", "dst 2001:db8::/32");
}

#[test]
fn precedence_comes_before_all_and_the_id_last() {
    let text = "b @2 dst 198.51.100.7/32 -> drop\na @2 dst 198.51.100.7/32 -> drop\nc @1 proto udp -> pass\n\
                d @2 dst 198.51.100.7/32 src-port 1024 -> drop\ne @0 proto tcp -> drop";
    let set = RuleSet::new(parse::rules(text).unwrap());
    let ids: Vec<&str> = set.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["e", "c", "d", "a", "b"]);
    let bytes = udp().bytes();
    assert_eq!(set.decide(&parsed(&bytes)).map(|rule| rule.id.as_str()), Some("c"));

    let mut counts = EvalCounts::new(&set);
    counts.add(&set, &parsed(&bytes));
    counts.add_unreadable(46);
    let json = serde_json::to_value(&counts).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"rules": [
            {"id": "b", "matched_packets": 1, "matched_bytes": 128, "decided_packets": 0},
            {"id": "a", "matched_packets": 1, "matched_bytes": 128, "decided_packets": 0},
            {"id": "c", "matched_packets": 1, "matched_bytes": 128, "decided_packets": 1},
            {"id": "d", "matched_packets": 1, "matched_bytes": 128, "decided_packets": 0},
            {"id": "e", "matched_packets": 0, "matched_bytes": 0, "decided_packets": 0}],
            "packets": 2, "bytes": 174, "unmatched_packets": 1})
    );
}

proptest! {
    #[test]
    fn it_is_an_order(a in make::a_match(), b in make::a_match(), c in make::a_match()) {
        prop_assert_eq!(order::flowspec(&a, &b), order::flowspec(&b, &a).reverse());
        prop_assert_eq!(order::flowspec(&a, &a), Ordering::Equal);
        if order::flowspec(&a, &b).is_le() && order::flowspec(&b, &c).is_le() {
            prop_assert!(order::flowspec(&a, &c).is_le());
        }
    }
}
