//! JSON of entries in few octets: words that entries are made of are an octet each, hashes are their 32 octets.
//!
//! | octet | stands for |
//! |---|---|
//! | 0x00 to 0x7f | itself |
//! | 0x80 + n | word n of [`WORDS`] |
//! | 0xff, and 32 more | a text of 64 lower-case hexadecimal digits, with its quotes |
//!
//! The words are a part of the form of proofs: they never change, and new ones come behind the last.

use crate::text::{from_hex, hex};

/// At most 127 of them.
const WORDS: &[&str] = &[
    "{\"time\":\"20",
    "\",\"what\":{\"",
    ".000000000Z",
    "T00:00:00.000000000Z",
    "{\"record\":{\"",
    "\"approvals\":",
    ",\"basis\":\"",
    "\",\"consent\":\"",
    "\",\"counts\":{\"",
    ",\"counts\":{\"",
    ",\"customer\":",
    ",\"data\":[\"",
    "\"],\"draft\":",
    ",\"embargo_until\":\"",
    ",\"expires\":\"20",
    "\",\"extent\":\"",
    "\",\"jurisdiction\":\"",
    "\",\"pap\":\"",
    "\",\"profile\":\"",
    "\",\"purpose\":\"",
    "\",\"recipient_class\":\"",
    "\",\"retention_days\":",
    ",\"tlp\":\"",
    "decision\":{\"act\":\"",
    "disclosure\":{",
    "sealed\":{",
    "unsealed\":{\"index\":",
    ",\"record\":{",
    "\",\"by\":\"product\"",
    "\",\"by\":\"person\"",
    "mitigation",
    "-end",
    "announcement",
    "withdrawal",
    "approval",
    "depseudonymisation",
    "configuration",
    "erasure",
    "deletion",
    "gap",
    "operation",
    "sealing",
    "abuse-report",
    "aggregates",
    "-only",
    "amber",
    "+strict",
    "as-ordered",
    "cert",
    "clear",
    "coalition",
    "complete-bag",
    "customer-data",
    "customer-report",
    "customer",
    "fingerprints",
    "forbidden",
    "given",
    "green",
    "headers",
    "hoster",
    "investigation",
    "isp",
    "law-enforcement",
    "minimised",
    "named-data",
    "national",
    "not-needed",
    "notification",
    "payload",
    "public",
    "recipients-sources",
    "refused",
    "research",
    "source-addresses",
    "target-addresses",
    "target-hidden",
    "target-shown",
    "warning",
    "gdpr-6-1-f",
    "gdpr-6-1-c",
    "production-order-eu-2023-1543",
    "preservation-order-eu-2023-1543",
    "production-order-national",
    "preservation-order-national",
    "contract",
    "sources",
    "packets",
    "rules",
    "files",
    "octets",
    "\",\"",
    "\":\"",
    "\":",
    ",\"",
    "}}}",
    "}}",
];

const HASH: u8 = 0xff;
const DIGITS: usize = 64;

/// JSON of an entry in few octets; `None`: it holds more than ASCII.
pub(crate) fn pack(json: &str) -> Option<Vec<u8>> {
    let mut packed = Vec::new();
    let mut rest = json;
    while let Some(first) = rest.bytes().next() {
        if let Some((hash, behind)) = hash(rest) {
            packed.push(HASH);
            packed.extend(hash);
            rest = behind;
            continue;
        }
        let words = (0x80_u8..HASH).zip(WORDS).filter(|(_, word)| rest.starts_with(*word));
        match words.max_by_key(|(_, word)| word.len()) {
            Some((octet, word)) => {
                packed.push(octet);
                rest = rest.get(word.len()..)?;
            }
            None if first.is_ascii() => {
                packed.push(first);
                rest = rest.get(1..)?;
            }
            None => return None,
        }
    }
    Some(packed)
}

/// The other way round; `None`: these are no such octets.
pub(crate) fn unpack(packed: &[u8]) -> Option<String> {
    let mut json = String::new();
    let mut rest = packed;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match *first {
            HASH => {
                let (hash, behind) = rest.split_at_checked(DIGITS / 2)?;
                json.push('"');
                json.push_str(&hex(hash));
                json.push('"');
                rest = behind;
            }
            plain if plain.is_ascii() => json.push(char::from(plain)),
            word => json.push_str(WORDS.get(usize::from(word - 0x80))?),
        }
    }
    Some(json)
}

/// A hash with its quotes at the front of a text, and what is behind it.
fn hash(text: &str) -> Option<(Vec<u8>, &str)> {
    let (digits, behind) = text.strip_prefix('"')?.split_at_checked(DIGITS)?;
    Some((from_hex(digits)?, behind.strip_prefix('"')?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_read_again(parts in proptest::collection::vec(
            prop_oneof![
                "[ -~]{0,6}",
                (0..WORDS.len()).prop_map(|place| WORDS[place].to_owned()),
                any::<[u8; 32]>().prop_map(|hash| format!("\"{}\"", hex(&hash))),
            ], 0..20)) {
            let json = parts.concat();
            prop_assert_eq!(unpack(&pack(&json).unwrap()), Some(json));
        }

        #[test]
        fn no_octets_do_harm(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&octets);
        }
    }

    #[test]
    fn the_words_fit_and_none_stands_twice() {
        assert!(WORDS.len() <= 127);
        for (at, word) in WORDS.iter().enumerate() {
            assert!(word.is_ascii() && word.len() > 1 && !WORDS[..at].contains(word), "{word}");
        }
        // A part of the form of proofs: whoever changes a word makes proofs of before unreadable.
        let frozen = crate::hash::Hash::of(WORDS.join("\n").as_bytes()).to_string();
        assert_eq!(frozen, "50b1aeeff12f3824dc74bdb2e75b857ac829ddbc958c254bb034f24f61ecfbd9");
    }
}
