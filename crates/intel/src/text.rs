//! Octets as text.

use core::fmt::Write as _;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding (RFC 4648 §4).
pub(crate) fn base64(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let word = group.iter().fold(0_u32, |word, octet| word << 8 | u32::from(*octet));
        let word = word << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place) & 63) as usize;
            let written = place <= group.len();
            text.push(ALPHABET.get(digit).filter(|_| written).map_or('=', |octet| char::from(*octet)));
        }
    }
    text
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // A string takes whatever is written to it.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (octets, text) in cases {
            assert_eq!(base64(octets.as_bytes()), text);
        }
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
