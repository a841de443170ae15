//! Octets as text: base64 and hexadecimal digits. Each value has exactly one spelling that is read.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding (RFC 4648 §4).
pub fn base64(octets: &[u8]) -> String {
    let digit = |word: u32, place: u32| {
        let digit = word >> (18 - 6 * place) & 63;
        usize::try_from(digit).ok().and_then(|digit| ALPHABET.get(digit)).copied().unwrap_or(b'=')
    };
    let mut text = Vec::with_capacity(octets.len().div_ceil(3) * 4);
    let (groups, rest) = octets.as_chunks::<3>();
    for [a, b, c] in groups {
        let word = u32::from_be_bytes([0, *a, *b, *c]);
        text.extend([0, 1, 2, 3].map(|place| digit(word, place)));
    }
    match rest {
        [a] => {
            let word = u32::from_be_bytes([0, *a, 0, 0]);
            text.extend([digit(word, 0), digit(word, 1), b'=', b'=']);
        }
        [a, b] => {
            let word = u32::from_be_bytes([0, *a, *b, 0]);
            text.extend([digit(word, 0), digit(word, 1), digit(word, 2), b'=']);
        }
        _ => {}
    }
    String::from_utf8(text).unwrap_or_default()
}

/// The octets of such a text; `None` where it is another one, or not the only spelling (bits left over).
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    for group in body.as_bytes().chunks(4) {
        let mut word = 0_u32;
        for octet in group {
            word = word << 6 | digit(*octet)?;
        }
        word <<= 6 * (4 - group.len());
        let [_, all @ ..] = word.to_be_bytes();
        let (kept, left) = all.split_at_checked(group.len().checked_sub(1)?)?;
        if left.iter().any(|octet| *octet != 0) || kept.is_empty() {
            return None;
        }
        octets.extend_from_slice(kept);
    }
    Some(octets)
}

fn digit(octet: u8) -> Option<u32> {
    Some(match octet {
        b'A'..=b'Z' => u32::from(octet - b'A'),
        b'a'..=b'z' => u32::from(octet - b'a') + 26,
        b'0'..=b'9' => u32::from(octet - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Lower-case hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        text.push(digit(octet >> 4));
        text.push(digit(octet & 15));
        text
    })
}

/// The octets of lower-case hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |octet: &u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect()
}

/// A number as checkpoints and proofs write it: ASCII digits, no sign, no leading zero.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|octet| octet.is_ascii_digit()));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(octets in proptest::collection::vec(any::<u8>(), 0..70)) {
            prop_assert_eq!(from_base64(&base64(&octets)), Some(octets.clone()));
            prop_assert_eq!(from_hex(&hex(&octets)), Some(octets));
        }

        #[test]
        fn what_is_read_is_written_alike(text in "[A-Za-z0-9+/]{0,12}={0,3}") {
            if let Some(octets) = from_base64(&text) {
                prop_assert_eq!(base64(&octets), text);
            }
        }
    }

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (octets, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(base64(octets.as_bytes()), text);
            assert_eq!(from_base64(text).as_deref(), Some(octets.as_bytes()));
        }
        for wrong in ["Zg=", "Zh==", "Zm9", "Zm9v====", "Zm9v\n", "Zm 9", "=", "====", "A==="] {
            assert_eq!(from_base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1_0"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }
}
