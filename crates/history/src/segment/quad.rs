//! Addresses out of texts: a full scan has millions, nearly all of them dotted quads.

use std::net::IpAddr;

use arrow_array::{Array as _, StringArray};
use base::prefix::wide;

/// Octets that are looked at in one go.
const WORD: usize = 16;
/// A byte in each of them.
const EACH: u128 = 0x0101_0101_0101_0101_0101_0101_0101_0101;
/// The highest bit of each byte, and all others.
const HIGH: u128 = 0x80 * EACH;
const LOW: u128 = !HIGH;

/// All of them, as [`wide`] has them; `None`: one is no address.
pub(super) fn addresses(texts: &StringArray) -> Option<Vec<u128>> {
    let (data, offsets) = (texts.value_data(), texts.value_offsets());
    let plain = texts.null_count() == 0;
    let mut addresses = Vec::with_capacity(texts.len());
    for (place, ends) in offsets.windows(2).enumerate() {
        let quad = match ends {
            [from, to] if plain => usize::try_from(*from).ok().and_then(|from| {
                let length = u32::try_from(to - offsets.get(place)?).ok()?;
                quad(data.get(from..)?.first_chunk()?, length)
            }),
            _ => None,
        };
        let slow = || {
            let text = if texts.is_null(place) { "::" } else { texts.value(place) };
            text.parse::<IpAddr>().ok().map(wide)
        };
        addresses.push(quad.or_else(slow)?);
    }
    Some(addresses)
}

/// A dotted quad as the standard library reads it, in the first `length` octets of a text; `None` where it is none. Lengths of its numbers
/// differ from one to the next, so it has no branches that depend on them: all octets are looked at together.
fn quad(text: &[u8; WORD], length: u32) -> Option<u128> {
    if !(7..=15).contains(&length) {
        return None;
    }
    let word = u128::from_le_bytes(*text);
    let within = (1u128 << (8 * length)) - 1;
    // The highest bit of each byte that is not a dot, and of each that is not a digit.
    let other = word ^ (0x2e * EACH);
    let dots = !(((other & LOW) + LOW) | other) & HIGH & within;
    let digits = word ^ (0x30 * EACH);
    let strange = (((digits & LOW) + 0x76 * EACH) | digits) & HIGH & within;
    if dots != strange || dots.count_ones() != 3 {
        return None;
    }
    let first = dots.trailing_zeros() / 8;
    let rest = dots & (dots - 1);
    let second = rest.trailing_zeros() / 8;
    let third = (127 - dots.leading_zeros()) / 8;
    let (mut address, mut wrong) = (0u32, false);
    for (from, to) in [(0, first), (first + 1, second), (second + 1, third), (third + 1, length)] {
        let count = to - from;
        if !(1..=3).contains(&count) {
            return None;
        }
        // Hundreds, tens and ones, from the lowest byte on.
        let written = u32::try_from((digits >> (8 * from)) & 0xff_ffff).unwrap_or(0);
        let number = (written << (8 * (3 - count))) & 0xff_ffff;
        let value = (number & 0xff) * 100 + ((number >> 8) & 0xff) * 10 + (number >> 16);
        wrong |= value > 255 || (count > 1 && written & 0xff == 0);
        address = address << 8 | (value & 0xff);
    }
    (!wrong).then_some(0xffff_0000_0000 | u128::from(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<u128> {
        let mut octets = [b'7'; WORD];
        octets.iter_mut().zip(text.bytes()).for_each(|(slot, octet)| *slot = octet);
        quad(&octets, u32::try_from(text.len()).unwrap())
    }

    #[test]
    fn a_dotted_quad_is_read_as_the_standard_library_reads_it() {
        let odd = [
            "0.0.0.0",
            "198.51.100.7",
            "255.255.255.255",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..2.3",
            "1.2.3.",
            "",
            ".1.2.3",
            "..1.2.3",
            "1.2.3..",
            "1.2.3.0",
            "1000.2.3.4",
            "1.2.3.4 ",
            "00.0.0.0",
            "1.2.3.256",
            "1.2.3.025",
            "1.2.3.:",
            "1.2.3./",
            "1.2.3.\u{ae}",
            "999.999.999.999",
            "2001:db8::7",
            "1234567",
        ];
        let octets = [0u8, 1, 9, 10, 25, 99, 100, 199, 200, 249, 250, 255];
        let mut texts: Vec<String> = odd.map(str::to_owned).to_vec();
        for a in octets {
            for b in octets {
                texts.extend(octets.map(|c| format!("{a}.{b}.{c}.{}", a ^ c)));
            }
        }
        for text in texts {
            let known = text.parse().ok().map(|v4: std::net::Ipv4Addr| wide(v4.into()));
            assert_eq!(read(&text), known, "{text}");
        }
    }

    #[test]
    fn addresses_of_both_families_are_read_and_others_refused() {
        let texts = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "198.51.100.250", "192.0.2.9"];
        let read = addresses(&StringArray::from_iter_values(texts)).unwrap();
        let known: Vec<u128> = texts.iter().map(|text| wide(text.parse().unwrap())).collect();
        assert_eq!(read, known);
        assert_eq!(addresses(&StringArray::from_iter_values(["192.0.2.1", "here"])), None);
        assert_eq!(
            addresses(&StringArray::from(vec![None, Some("192.0.2.1")])).map(|all| all.len()),
            Some(2)
        );
    }
}
