//! Addresses in a text, in whatever spelling: what is looked for before a text leaves the house.
//!
//! Found are `203.0.113.9`, `203.0.113.9:80`, `203.0.113.9/32`, `203[.]0[.]113[.]9`, `203-0-113-9.dsl.example`,
//! `9.113.0.203.in-addr.arpa`, IPv6 in every form of RFC 4291 §2.2, and IPv4 inside of that. A network longer than one host's is
//! told as the network it is. Numbers that only look like an address are told, too: whoever asks knows what he looks for.

use core::net::{IpAddr, Ipv4Addr};

use base::Prefix;

/// Calls `each` with the line, from 1, and what is named there.
pub fn mentions(text: &[u8], mut each: impl FnMut(usize, Prefix)) {
    for (at, line) in text.split(|octet| *octet == b'\n').enumerate() {
        let mut tell = |what| each(at + 1, what);
        words(line, &mut tell);
        let bracketed = line.windows(3).any(|three| matches!(three, b"[.]" | b"(.)" | b"[:]"));
        if bracketed {
            words(&plain(line), &mut tell);
        }
    }
}

/// Without the brackets by which people keep programs from making links.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, behind)) = rest.split_first() {
        if let [b'[' | b'(', mark @ (b'.' | b':'), b']' | b')', after @ ..] = rest {
            out.push(*mark);
            rest = after;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}

/// Characters that addresses are written with; a hyphen stands for a point in names of hosts.
const fn is_part(octet: u8) -> bool {
    octet.is_ascii_hexdigit() || matches!(octet, b'.' | b':' | b'-')
}

fn words(line: &[u8], tell: &mut impl FnMut(Prefix)) {
    let mut rest = line;
    while let Some(start) = rest.iter().position(|octet| is_part(*octet)) {
        rest = rest.get(start..).unwrap_or_default();
        let end = rest.iter().position(|octet| !is_part(*octet)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = behind;
        if let (3.., Ok(word)) = (word.len(), core::str::from_utf8(word)) {
            for part in word.split('-') {
                colons(part, behind, tell);
            }
            for part in word.split(['.', ':']) {
                quads(part, '-', behind, tell);
            }
        }
    }
}

/// IPv6, and IPv4 behind or before a colon.
fn colons(word: &str, behind: &[u8], tell: &mut impl FnMut(Prefix)) {
    let trimmed = word.trim_end_matches('.');
    let forms = [trimmed, trimmed.trim_end_matches(':'), trimmed.trim_start_matches(':')];
    if let Some(IpAddr::V6(address)) = forms.iter().find_map(|form| form.parse().ok()) {
        let address = IpAddr::from(address).to_canonical();
        let whole = if address.is_ipv4() { 32 } else { 128 };
        tell(
            length(behind)
                .filter(|_| whole == 128)
                .map_or_else(|| Prefix::host(address), |len| Prefix::of(address, len.min(whole))),
        );
    }
    for piece in word.split(':') {
        quads(piece, '.', behind, tell);
    }
}

/// IPv4 anywhere among pieces, so that `host.203.0.113.9.example` has one.
fn quads(word: &str, between: char, behind: &[u8], tell: &mut impl FnMut(Prefix)) {
    let mut last: [Option<u8>; 4] = [None; 4];
    let pieces = word.trim_end_matches(between).split(between);
    let count = pieces.clone().count();
    for (at, piece) in pieces.enumerate() {
        let number = Some(piece).filter(|piece| (1..=3).contains(&piece.len()));
        let [_, second, third, fourth] = last;
        last = [second, third, fourth, number.and_then(|piece| piece.parse().ok())];
        let [Some(a), Some(b), Some(c), Some(d)] = last else { continue };
        let host = |octets: [u8; 4]| Prefix::host(Ipv4Addr::from(octets).into());
        let whole = at + 1 == count;
        match length(behind).filter(|len| whole && between == '.' && *len < 32) {
            Some(len) => tell(Prefix::of(Ipv4Addr::from([a, b, c, d]).into(), len)),
            None => tell(host([a, b, c, d])),
        }
        if whole && behind.starts_with(b"in-addr") {
            tell(host([d, c, b, a]));
        }
    }
}

/// Of `/24` behind an address.
fn length(behind: &[u8]) -> Option<u8> {
    let digits = behind.strip_prefix(b"/")?;
    let end = digits.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(digits.len());
    core::str::from_utf8(digits.get(..end)?).ok()?.parse().ok().filter(|len| *len <= 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<(usize, String)> {
        let mut all = Vec::new();
        mentions(text.as_bytes(), |line, what| all.push((line, what.to_string())));
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn an_address_is_found_in_each_spelling_with_its_line() {
        for (text, what) in [
            ("a\nb 203.0.113.9.", "203.0.113.9/32"),
            ("\nsrc:203.0.113.9:80", "203.0.113.9/32"),
            ("\nc:203.0.113.9", "203.0.113.9/32"),
            ("\n\"203.0.113.9/32\"", "203.0.113.9/32"),
            ("\n203.0.113.9/24", "203.0.113.0/24"),
            ("\n203[.]0[.]113[.]9", "203.0.113.9/32"),
            ("\nip-203-0-113-9.dsl.example", "203.0.113.9/32"),
            ("\n9.113.0.203.in-addr.arpa", "203.0.113.9/32"),
            ("\n203.0.113.9.dsl.example", "203.0.113.9/32"),
            ("\n[2001:DB8::9]:443", "2001:db8::9/128"),
            ("\n2001:0db8:0:0:0:0:0:9", "2001:db8::9/128"),
            ("\n2001:db8:0:1::/64", "2001:db8:0:1::/64"),
            ("\n::ffff:203.0.113.9", "203.0.113.9/32"),
            ("\n::ffff:cb00:7109", "203.0.113.9/32"),
            ("\n2001:db8:[:]9 2001[:]db8[:][:]9", "2001:db8::9/128"),
        ] {
            assert!(named(text).contains(&(2, what.to_owned())), "{text}: {:?}", named(text));
        }
    }

    #[test]
    fn what_is_none_is_not_told() {
        for text in ["", "...", "1.2.3", "2026-11-27T13:00:00Z", "a.b.c.d", "1203.0.113.9", "203.0.113.256"] {
            assert_eq!(named(text), [], "{text}");
        }
    }
}
