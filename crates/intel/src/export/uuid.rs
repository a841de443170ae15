//! Names of things: UUIDs made from what they name, so that the same thing has the same name everywhere.

use core::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Uuid([u8; 16]);

/// Names of observables (STIX 2.1 §2.9).
pub(crate) const STIX: Uuid =
    Uuid([0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7]);

impl Uuid {
    /// Version 5 (RFC 9562 §5.5): of a name in a namespace.
    pub(crate) fn of(namespace: Self, name: &str) -> Self {
        let mut text = namespace.0.to_vec();
        text.extend_from_slice(name.as_bytes());
        Self::marked(0x50, sha1(&text))
    }

    /// Of something that this program says. It has the form of version 4, which STIX and XARF ask for, but its 122 bits are
    /// those of a SHA-256.
    pub(crate) fn ours(about: &str) -> Self {
        Self::marked(0x40, Sha256::digest(format!("spillway {about}")).into_iter())
    }

    fn marked(number: u8, octets: impl Iterator<Item = u8>) -> Self {
        let mut id = [0; 16];
        for (octet, hashed) in id.iter_mut().zip(octets) {
            *octet = hashed;
        }
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut id;
        *version = *version & 0x0f | number;
        *variant = *variant & 0x3f | 0x80;
        Self(id)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = ledger::text::hex(&self.0);
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
        for part in [part(0, 8), "-", part(8, 12), "-", part(12, 16), "-", part(16, 20), "-", part(20, 32)] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// SHA-1 (FIPS 180-4 §6.1). Version 5 asks for it; nothing here rests on its strength.
fn sha1(text: &[u8]) -> impl Iterator<Item = u8> + use<> {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize((text.len() + 9).next_multiple_of(64) - 8, 0);
    padded.extend_from_slice(&(text.len() as u64 * 8).to_be_bytes());
    let (words, _) = padded.as_chunks::<4>();
    for block in words.chunks(16) {
        let mut schedule: Vec<u32> = Vec::with_capacity(80);
        schedule.extend(block.iter().map(|word| u32::from_be_bytes(*word)));
        for at in 16..80 {
            let word =
                [3, 8, 14, 16].iter().fold(0, |word, back| word ^ schedule.get(at - back).unwrap_or(&0));
            schedule.push(word.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (round, word) in schedule.iter().enumerate() {
            let (mixed, constant) = match round / 20 {
                0 => (b & c | !b & d, 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, word) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(word);
        }
    }
    state.into_iter().flat_map(u32::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_rfcs() {
        // RFC 9562, appendix A.4
        let dns = Uuid([
            0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
        ]);
        assert_eq!(Uuid::of(dns, "www.example.com").to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
        // FIPS 180-4's examples: one block and two
        let hex = |text: &str| ledger::text::hex(&sha1(text.as_bytes()).collect::<Vec<_>>());
        assert_eq!(hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    }
}
