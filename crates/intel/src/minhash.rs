//! How alike two sets of addresses are, without the addresses: b-bit minwise hashing (Li and König 2010).
//!
//! Of 256 keyed hashes of all members the smallest are kept, and of those only eight bits. Who has a digest cannot find
//! members in it: each value stands for one of 2²⁴ of the hashes' 2³². Two digests agree in a place about as often as their
//! sets share members; the estimate's standard error is 3 % at a similarity of one half.

use std::net::IpAddr;

use base::hash::Mixer;
use base::prefix::wide;
use serde::{Deserialize, Serialize};

/// Hash functions.
const PLACES: usize = 256;

/// A set that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinHash {
    /// Members.
    pub count: u64,
    /// Eight bits of the smallest hash by function, in hex.
    digest: String,
}

impl MinHash {
    /// Of a set; whoever wants to compare uses the same key.
    pub fn of(members: impl Iterator<Item = IpAddr>, key: u64) -> Self {
        let mut least = [u64::MAX; PLACES];
        let mut count = 0;
        for member in members {
            count += 1;
            let member = Mixer::new(key).with_wide(wide(member)).finish();
            // One mixing of the address, then a cheap and different permutation for each place.
            for (slot, place) in least.iter_mut().zip(0u64..) {
                let odd = Mixer::new(place).finish() | 1;
                let hash = (member ^ odd.rotate_left(32)).wrapping_mul(odd);
                *slot = (*slot).min(hash ^ hash >> 32);
            }
        }
        let digest = least.iter().map(|hash| format!("{:02x}", hash & 0xff)).collect();
        Self { count, digest }
    }

    /// Members that both have, of all that one of them has, about; `None` for a digest of another form.
    #[expect(clippy::cast_precision_loss, reason = "a share of 256")]
    pub fn alike(&self, other: &Self) -> Option<f64> {
        if self.digest.len() != 2 * PLACES || other.digest.len() != 2 * PLACES {
            return None;
        }
        let (a, b) = (self.digest.as_bytes().chunks(2), other.digest.as_bytes().chunks(2));
        let same = a.zip(b).filter(|(a, b)| a == b).count() as f64 / PLACES as f64;
        // Of places that differ, one of 256 agrees by chance.
        Some(((same - 1.0 / 256.0) / (1.0 - 1.0 / 256.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(range: std::ops::Range<u32>) -> MinHash {
        MinHash::of(range.map(|n| IpAddr::from((0x2d00_0000 + n * 77).to_be_bytes())), 5)
    }

    #[test]
    fn similarity_is_estimated_within_its_error() {
        for (shared, of) in [(0, 2000), (200, 1800), (1000, 1000), (500, 1500)] {
            // `shared` in both, and so many more in each of them that they are `shared` of all.
            let (a, b) = (set(0..shared + of), set(of..2 * of + shared));
            let truth = f64::from(shared) / f64::from(2 * of + shared);
            let told = a.alike(&b).unwrap();
            assert!((told - truth).abs() < 0.1, "{told} for {truth}");
        }
        assert_eq!(set(0..500).alike(&set(0..500)), Some(1.0));
    }

    #[test]
    fn another_form_cannot_be_compared() {
        let odd: MinHash = serde_json::from_str(r#"{"count":1,"digest":"00"}"#).unwrap();
        assert_eq!(odd.alike(&set(0..5)), None);
    }
}
