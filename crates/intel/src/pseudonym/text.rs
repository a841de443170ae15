//! Addresses and prefixes in any text: found wherever they stand, and replaced.
//!
//! It would rather take something for an address that is none than leave one in: a version number of four parts is replaced, too.

use std::net::{IpAddr, Ipv6Addr};

use base::Prefix;

/// The text with each address and each prefix replaced by what `replace` makes of it.
pub fn replaced(text: &str, mut replace: impl FnMut(Prefix) -> Prefix) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_of_address) {
        let (before, from) = rest.split_at(at);
        let before_that = before.chars().next_back().or_else(|| out.chars().next_back());
        out.push_str(before);
        let end = from.find(|c| !is_of_address(c)).unwrap_or(from.len());
        let (run, behind) = from.split_at(end);
        let in_word = before_that.is_some_and(|c| c.is_alphanumeric());
        rest = match found(run, in_word) {
            Some((lead, address, tail)) => {
                out.push_str(lead);
                // Only what ends the run can be followed by a length.
                let (prefix, taken) = if tail.is_empty() { with_length(address, behind) } else { (None, 0) };
                match prefix {
                    Some(prefix) => out.push_str(&replace(prefix).to_string()),
                    None => out.push_str(&replace(Prefix::host(address)).addr().to_string()),
                }
                let skipped = run.len() - tail.len() + taken;
                from.get(skipped..).unwrap_or_default()
            }
            None => {
                out.push_str(run);
                behind
            }
        };
    }
    out.push_str(rest);
    out
}

const fn is_of_address(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, ':' | '.')
}

/// The first address in a run of digits, dots and colons: what stands before it, and behind it. `in_word`: the run begins within a
/// word, so its first letters are that word's.
fn found(run: &str, in_word: bool) -> Option<(&str, IpAddr, &str)> {
    let starts = run.char_indices().map(|(at, _)| at).filter(|at| {
        let before = run.get(..*at).and_then(|front| front.chars().next_back());
        match before {
            None => !in_word || run.starts_with(|c: char| c == ':' || c.is_ascii_digit()),
            // A word's last letters may be followed by an IPv4 address, like `v1.2.3.4` is.
            Some(c) => {
                c == ':'
                    || c == '.'
                    || c.is_ascii_alphabetic()
                        && run.get(*at..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
            }
        }
    });
    starts.filter_map(|at| Some((run.get(..at)?, run.get(at..)?))).find_map(|(lead, from)| {
        let (address, tail) = longest(from)?;
        Some((lead, address, tail))
    })
}

/// The longest address that a text begins with. What follows a shorter one is no digit of it.
fn longest(text: &str) -> Option<(IpAddr, &str)> {
    /// `::ffff:255.255.255.255` written out.
    const LONGEST: usize = 45;
    let ends = (2..=text.len().min(LONGEST)).rev();
    ends.filter(|end| text.get(*end..).is_some_and(|tail| !tail.starts_with(|c: char| c.is_ascii_hexdigit())))
        .find_map(|end| {
            let (front, tail) = text.split_at_checked(end)?;
            let address: IpAddr = front.parse().ok()?;
            // Two colons alone separate words.
            (address != IpAddr::V6(Ipv6Addr::UNSPECIFIED)).then_some((address, tail))
        })
}

/// A length behind an address, and its octets with the stroke. An address with bits behind that length stays a host.
fn with_length(address: IpAddr, behind: &str) -> (Option<Prefix>, usize) {
    let Some(digits) = behind.strip_prefix('/') else { return (None, 0) };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let bits = digits.get(..end).and_then(|digits| digits.parse::<u8>().ok());
    let prefix = bits.filter(|bits| *bits <= if address.is_ipv4() { 32 } else { 128 });
    match prefix.map(|bits| Prefix::of(address, bits)) {
        Some(prefix) if prefix.addr() == address => (Some(prefix), end + 1),
        _ => (None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Replaces by a mark.
    fn marked(text: &str) -> (String, Vec<String>) {
        let mut seen = Vec::new();
        let out = replaced(text, |prefix| {
            seen.push(prefix.to_string());
            let mark = if prefix.is_ipv4() { "9.9.9.9" } else { "9::9" };
            if prefix.is_host() {
                Prefix::host(mark.parse().unwrap())
            } else {
                Prefix::of(mark.parse().unwrap(), prefix.bits())
            }
        });
        (out, seen)
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("from 192.0.2.1.", "from 9.9.9.9."),
            ("192.0.2.1", "9.9.9.9"),
            ("src 192.0.2.0/24 dst 198.51.100.0/24 -> drop", "src 9.9.9.0/24 dst 9.9.9.0/24 -> drop"),
            ("host in a net: 192.0.2.1/24!", "host in a net: 9.9.9.9/24!"),
            ("192.0.2.1:53,192.0.2.2", "9.9.9.9:53,9.9.9.9"),
            ("src:192.0.2.1", "src:9.9.9.9"),
            ("abc:192.0.2.1", "abc:9.9.9.9"),
            ("src=192.0.2.1;", "src=9.9.9.9;"),
            ("[2001:db8::1]:443", "[9::9]:443"),
            ("2001:db8::1: refused", "9::9: refused"),
            ("2001:db8::1.", "9::9."),
            ("2001:db8::/32,", "9::/32,"),
            ("src:2001:db8::1", "src:9::9"),
            ("::ffff:192.0.2.1", "9::9"),
            ("peer192.0.2.1", "peer9.9.9.9"),
            ("a192.0.2.1", "a9.9.9.9"),
            ("http://192.0.2.1/x", "http://9.9.9.9/x"),
            ("192.0.2.1-192.0.2.9", "9.9.9.9-9.9.9.9"),
            ("\"192.0.2.1\"", "\"9.9.9.9\""),
        ] {
            assert_eq!(marked(text).0, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in [
            "",
            "2026-11-26T16:17:31.000000000Z",
            "12:30:59",
            "1.5 Mpps, 0.25 s",
            "steer::planner, a::b and ::",
            "payload 0:0a0b0c0d/ffff00ff",
            "port 53: 1.2.3",
            "deadbeef cafe 3f9a0c41d2e85b76",
            "ä: 300.1.2.3 → …",
        ] {
            let kept = marked(text);
            // `a::b` is an address by its form.
            if text.contains("a::b") {
                assert_eq!(kept.1, ["a::b/128"]);
            } else {
                assert_eq!(kept.0, text, "{:?}", kept.1);
            }
        }
    }

    proptest! {
        #[test]
        fn no_address_survives_in_any_company(v4 in any::<u32>(), v6 in any::<u128>(), before in "[a-z ,;=(\\[]{0,3}", behind in "[g-z ,;)\\]-]{0,3}") {
            for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
                let text = format!("{before}{address}{behind}");
                // Letters that are digits, right before an address of IPv6, are part of it.
                let glued = address.is_ipv6() && before.ends_with(|c: char| c.is_ascii_alphanumeric());
                prop_assume!(!glued);
                let found = marked(&text);
                prop_assert_eq!(&found.1, &[Prefix::host(address).to_string()], "{}", text);
            }
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,40}") {
            marked(&text);
        }
    }
}
