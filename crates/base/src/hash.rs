//! A fixed, keyed 64-bit mix for sketches, samples and lanes.
//!
//! Not the hash of the tables (those are seeded per process, see [`crate::map`]): what is computed here enters results,
//! so it has to be the same on every machine, and its key is an input that a hostile sender does not know.

/// Keyed mixing of words into 64 well-spread bits (the finaliser of SplitMix64 over a multiply-xor chain).
#[derive(Clone, Copy, Debug)]
pub struct Mixer(u64);

impl Mixer {
    /// Starts with a key.
    pub const fn new(key: u64) -> Self {
        Self(key ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Adds one word.
    #[must_use]
    pub const fn with(self, word: u64) -> Self {
        let x = (self.0 ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        Self((x ^ (x >> 32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53).rotate_left(29))
    }

    /// Adds an address or another 128-bit value.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart on purpose")]
    pub const fn with_wide(self, value: u128) -> Self {
        self.with(value as u64).with((value >> 64) as u64)
    }

    /// The result.
    pub const fn finish(self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Both halves of a product in one word.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart on purpose")]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Two addresses and a word under a key, in a few multiplications that do not wait for each other: for every packet.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart on purpose")]
pub const fn pair(key: u64, a: u128, b: u128, word: u64) -> u64 {
    let low = fold(a as u64 ^ key ^ 0x9e37_79b9_7f4a_7c15, b as u64 ^ 0xe703_7ed1_a0b4_28db);
    let high = fold((a >> 64) as u64 ^ 0x8ebc_6af0_9c88_c6e3, (b >> 64) as u64 ^ key ^ 0x5899_65cc_7537_4cc3);
    let rest = fold(word ^ 0x1d8e_4e27_c47d_124f, key | 1);
    fold(low ^ rest.rotate_left(32), high ^ 0xeb44_acca_b455_d165).wrapping_add(low ^ rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_spread_over_all_lanes() {
        let mut lanes = [0u32; 64];
        for word in 0..64_000u64 {
            let lane = Mixer::new(1).with(word).finish() % 64;
            lanes[usize::try_from(lane).unwrap()] += 1;
        }
        assert!(lanes.iter().all(|n| (850..1150).contains(n)), "{lanes:?}");
    }

    #[test]
    fn pairs_spread_over_all_bits() {
        let mut ones = [0u32; 64];
        let mut buckets = [0u32; 256];
        for n in 0..32_768u128 {
            let h = pair(7, 0xffff_c000_0200 + n, 0xffff_c633_6401, 80);
            ones.iter_mut().enumerate().for_each(|(bit, count)| *count += u32::from(h >> bit & 1 == 1));
            buckets[usize::try_from(h >> 56).unwrap()] += 1;
        }
        assert!(ones.iter().all(|n| (15_700..17_100).contains(n)), "{ones:?}");
        assert!(buckets.iter().all(|n| (70..190).contains(n)), "{buckets:?}");
    }

    #[test]
    fn the_key_matters() {
        assert_ne!(pair(1, 7, 8, 9), pair(2, 7, 8, 9));
        assert_ne!(Mixer::new(1).with(7).finish(), Mixer::new(2).with(7).finish());
    }
}
