//! Rates per source and per destination, on the packets' own clock.

use base::Timestamp;
use rules::limit::{Fate, Limiter};
use rules::{RuleSet, parse};

use crate::make::{Packet, parsed, udp};

/// Packets that pass of one each millisecond for so many seconds, from the addresses that `of` gives to each.
fn passed(rule: &str, seconds: u64, of: impl Fn(u64) -> (String, String)) -> u64 {
    let set = RuleSet::new(parse::rules(rule).unwrap());
    let mut limiter = Limiter::new(&set);
    let pass = |ms: &u64| {
        let (src, dst) = of(*ms);
        let bytes = Packet { src: src.parse().unwrap(), dst: dst.parse().unwrap(), ..udp() }.bytes();
        limiter.judge(&set, Timestamp::from_millis(*ms), &parsed(&bytes)).fate == Fate::Passed
    };
    let passed = (0..seconds * 1000).filter(pass).count();
    assert_eq!(limiter.uncounted(), 0);
    u64::try_from(passed).unwrap()
}

/// The same but for the ends of the burst and of the time.
fn near(got: u64, wanted: u64) {
    assert!(got.abs_diff(wanted) * 50 <= wanted, "{got} where about {wanted} were expected");
}

#[test]
fn a_rate_per_source_or_destination_holds_for_each_by_itself() {
    let to = |n: u64| format!("198.51.100.{n}");
    let from = |n: u64| format!("192.0.2.{n}");
    let source = "r proto udp -> rate 100pps per source\n";
    // A burst of a tenth of the rate, then the rate.
    let each = 209;
    near(passed(source, 2, |_| (from(1), to(1))), each);
    near(passed(source, 2, |ms| (from(ms % 4), to(1))), 4 * each);
    near(passed(source, 2, |ms| (from(1), to(ms % 4))), each);
    near(passed(source, 2, |ms| (from(ms % 200), to(1))), 2000);
    let destination = "r proto udp -> rate 100pps per destination\n";
    near(passed(destination, 2, |ms| (from(ms % 4), to(1))), each);
    near(passed(destination, 2, |ms| (from(1), to(ms % 4))), 4 * each);
    let octets = "r proto udp -> rate 102400bps per source\n";
    near(passed(octets, 2, |ms| (from(ms % 2), to(1))), 2 * each);
}

#[test]
fn an_ipv6_source_is_its_network_of_three_sizes() {
    let rule = "r proto udp -> rate 50pps per source\n";
    let to = || "2001:db8:ffff::1".to_string();
    let each = 105;
    near(passed(rule, 2, |ms| (format!("2001:db8:1:1::{:x}", ms + 1), to())), each);
    near(passed(rule, 2, |ms| (format!("2001:db8:1:1{:02x}::1", ms % 256), to())), 4 * each);
    near(passed(rule, 2, |ms| (format!("2001:db8:1:{:x}::1", (ms % 256) << 8 | ms >> 8), to())), 16 * each);
    // Sites do not share.
    near(passed(rule, 2, |ms| (format!("2001:db8:{:x}::1", ms % 1000), to())), 2000);
}
