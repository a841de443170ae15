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
    fn the_key_matters() {
        assert_ne!(Mixer::new(1).with(7).finish(), Mixer::new(2).with(7).finish());
    }
}
