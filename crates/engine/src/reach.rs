//! Whither an own host sends, as one prefix.

use base::Prefix;
use base::prefix::{bits_of, narrow};

/// One of so many addresses may lie outside.
const NEARLY_PARTS: usize = 30;

/// The smallest prefix that holds nearly all of these addresses, which are in their order ([`base::prefix::wide`]).
pub(crate) fn nearly_all(mut hosts: Vec<u128>) -> Option<Prefix> {
    let left_out = hosts.len() / NEARLY_PARTS;
    // Of both families, the one with more.
    let v6 = hosts.iter().filter(|host| narrow(**host).is_ipv6()).count();
    let mostly_v6 = v6 * 2 > hosts.len();
    hosts.retain(|host| narrow(*host).is_ipv6() == mostly_v6);
    let mut rest = hosts.as_slice();
    let mut out = 0;
    loop {
        let (first, last) = (rest.first()?, rest.last()?);
        let whole = Prefix::host(narrow(*first)).join(&Prefix::host(narrow(*last)))?;
        let upper = rest.partition_point(|host| {
            let half = Prefix::of(narrow(*host), (whole.bits() + 1).min(bits_of(narrow(*host))));
            half.addr() == whole.addr()
        });
        let (lower, higher) = rest.split_at_checked(upper)?;
        let (larger, smaller) = if lower.len() >= higher.len() { (lower, higher) } else { (higher, lower) };
        if whole.is_host() || out + smaller.len() > left_out {
            return Some(whole);
        }
        out += smaller.len();
        rest = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::prefix::wide;

    #[test]
    fn a_few_strays_do_not_widen_what_is_reached() {
        let of = |texts: &[&str]| {
            let mut hosts: Vec<u128> = texts.iter().map(|text| wide(text.parse().unwrap())).collect();
            hosts.sort_unstable();
            nearly_all(hosts).map(|prefix| prefix.to_string())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["192.0.2.1"; 3]).as_deref(), Some("192.0.2.1/32"));
        assert_eq!(of(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]).as_deref(), Some("192.0.2.0/30"));
        let mut many = ["198.51.100.9"; 60];
        many[7] = "203.0.113.200";
        assert_eq!(of(&many).as_deref(), Some("198.51.100.9/32"));
    }
}
