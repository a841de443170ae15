//! What is encoded in a text: base64 and base64url (RFC 4648 §4, §5), with or without padding.

use ::ledger::text::from_base64;

/// Characters of a word that may be base64 of something that names somebody: `1.2.3.4` without padding has ten.
const ENCODED_MIN: usize = 10;

/// The two alphabets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Standard,
    Url,
}

/// What is encoded in a text, in one word or over lines as mails have it, with the line where it begins.
pub(super) fn encoded(text: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut found = by(text, Alphabet::Standard);
    // What has no mark of the other alphabet was read already.
    if text.iter().any(|octet| matches!(octet, b'-' | b'_')) {
        let both = |one: &(usize, Vec<u8>)| !found.contains(one);
        let more: Vec<_> = by(text, Alphabet::Url).into_iter().filter(both).collect();
        found.extend(more);
    }
    found
}

fn by(text: &[u8], alphabet: Alphabet) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut close = |open: &mut Option<(usize, String)>| {
        if let Some((line, octets)) = open.take().and_then(|(line, text)| Some((line, alphabet.read(&text)?)))
        {
            found.push((line, octets));
        }
    };
    for (at, line) in text.split(|octet| *octet == b'\n').enumerate() {
        let line = line.trim_ascii();
        let whole = line.len() >= 4 && line.iter().all(|octet| alphabet.has(*octet));
        if !whole {
            close(&mut open);
        }
        let words = line.split(|octet| !alphabet.has(*octet)).map(value);
        for word in words.filter(|word| whole || word.len() >= ENCODED_MIN) {
            let word = String::from_utf8_lossy(word);
            match &mut open {
                Some((_, text)) if whole => text.push_str(&word),
                _ => {
                    open = Some((at + 1, word.into_owned()));
                    if !whole {
                        close(&mut open);
                    }
                }
            }
        }
    }
    close(&mut open);
    found
}

/// Of `key=VALUE==`, `VALUE==`.
fn value(word: &[u8]) -> &[u8] {
    let digits = word.iter().rposition(|octet| *octet != b'=').map_or(0, |last| last + 1);
    let begin = word.iter().take(digits).rposition(|octet| *octet == b'=').map_or(0, |sign| sign + 1);
    word.get(begin..).unwrap_or_default()
}

impl Alphabet {
    const fn has(self, octet: u8) -> bool {
        octet.is_ascii_alphanumeric()
            || match self {
                Self::Standard => matches!(octet, b'+' | b'/' | b'='),
                Self::Url => matches!(octet, b'-' | b'_' | b'='),
            }
    }

    fn read(self, text: &str) -> Option<Vec<u8>> {
        let bare = text.trim_end_matches('=');
        let mut text = match self {
            Self::Standard => bare.to_owned(),
            Self::Url => bare.replace('-', "+").replace('_', "/"),
        };
        // Whatever padding it came with, there is one spelling that is read.
        let missing = text.len().next_multiple_of(4) - text.len();
        text.push_str("===".get(..missing)?);
        from_base64(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(octets: &[u8]) -> String {
        ::ledger::text::base64(octets).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
    }

    #[test]
    fn both_alphabets_are_read_padded_or_not() {
        let secret = b"\xfb\xff\xfe 203.0.113.9";
        let (plain, url) = (::ledger::text::base64(secret), url(secret));
        assert!(plain.contains('+') && plain.contains('/') && url.contains('-') && url.contains('_'));
        for (text, line) in [
            (plain.clone(), 1),
            (format!("\n{{\"a\":\"{url}\"}}"), 2),
            (format!("see https://example.net/?q={url}&x=1"), 1),
            (format!("a: {url}.{url}.x"), 1),
            (format!("x={plain}"), 1),
            (plain.trim_end_matches('=').to_owned(), 1),
            (format!("{url}=="), 1),
        ] {
            assert!(encoded(text.as_bytes()).contains(&(line, secret.to_vec())), "{text}");
        }
        let (front, back) = url.split_at(8);
        assert!(encoded(format!("{front}\n{back}\n").as_bytes()).contains(&(1, secret.to_vec())));
        let short = ::ledger::text::base64(b"1.2.3.4");
        assert!(
            encoded(format!("\"{}\"", short.trim_end_matches('=')).as_bytes())
                .contains(&(1, b"1.2.3.4".to_vec()))
        );
    }

    #[test]
    fn whatever_is_encoded_in_base64url_comes_back() {
        let mut state = 1_u32;
        for len in 8..200 {
            let octets: Vec<u8> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    state.to_be_bytes()[0]
                })
                .collect();
            let text = format!("token \"{}\"", url(&octets));
            assert!(encoded(text.as_bytes()).iter().any(|(_, found)| *found == octets), "{text}");
        }
    }
}
