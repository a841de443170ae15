//! How alike two sets of addresses are, without the addresses: b-bit minwise hashing (Li and König 2010).
//!
//! Of 256 keyed hashes of all members the smallest are kept, and of those only eight bits. Two digests agree in a place about
//! as often as their sets share members; the estimate's standard error is 3 % at a similarity of one half.
//!
//! Who knows the key can ask a digest about an address: one that is the smallest in many places agrees in many. In a set of n
//! members each is the smallest in about 256 / n places, and an address that is none agrees in 1 ± 1 by chance, in 13 or more
//! as one of four thousand million does. So a small set could be read back by trying all of IPv4, and has no digest: below
//! [`MEMBERS_MIN`] only the count is told. At that size a member agrees in 3.5 places or so, as some forty million
//! other addresses do; a digest still makes a member somewhat likelier, so it is no proof that an address is absent.

use std::net::IpAddr;

use base::hash::Mixer;
use base::prefix::wide;
use serde::{Deserialize, Serialize};

/// Hash functions.
const PLACES: usize = 256;
/// Members below which there is no digest.
pub const MEMBERS_MIN: u64 = 100;

/// A set that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinHash {
    /// Members.
    pub count: u64,
    /// Eight bits of the smallest hash by function, in hex; empty below [`MEMBERS_MIN`].
    digest: String,
}

impl MinHash {
    /// Of a set, each member once; whoever wants to compare uses the same key.
    pub fn of(members: impl Iterator<Item = IpAddr>, key: u64) -> Self {
        let mut least = [u64::MAX; PLACES];
        let mut count = 0;
        for member in members {
            count += 1;
            for (slot, hash) in least.iter_mut().zip(hashes(member, key)) {
                *slot = (*slot).min(hash);
            }
        }
        if count < MEMBERS_MIN {
            return Self { count, digest: String::new() };
        }
        let digest = least.iter().map(|hash| format!("{:02x}", hash & 0xff)).collect();
        Self { count, digest }
    }

    /// Whether it has a form that this can be.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), &'static str> {
        let digits = self.digest.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'a'..=b'f'));
        match self.digest.len() {
            0 => Ok(()),
            length if length == 2 * PLACES && digits && self.count >= MEMBERS_MIN => Ok(()),
            _ => Err("no digest of this form: 512 hexadecimal digits for 100 members and more, none below"),
        }
    }

    /// Members that both have, of all that one of them has, about; `None` for a digest of another form, and where there is none.
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

/// An address in each place.
fn hashes(member: IpAddr, key: u64) -> impl Iterator<Item = u64> {
    // One mixing of the address, then a cheap and different permutation for each place.
    let member = Mixer::new(key).with_wide(wide(member)).finish();
    (0u64..).map(move |place| {
        let odd = Mixer::new(place).finish() | 1;
        let hash = (member ^ odd.rotate_left(32)).wrapping_mul(odd);
        hash ^ hash >> 32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::from((0x2d00_0000 + n * 77).to_be_bytes())
    }

    fn set(range: std::ops::Range<u32>) -> MinHash {
        MinHash::of(range.map(address), 5)
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
    fn who_knows_the_key_reads_no_members_back() {
        for few in [0, 1, 10, 99] {
            let (few, count) = (set(0..few), few.into());
            assert_eq!(few, MinHash { count, digest: String::new() });
            assert_eq!((few.alike(&few), few.alike(&set(0..500))), (None, None));
        }
        // The smallest set that has a digest, and in how many places an address fits it.
        let told = set(0..100);
        let fits = |n: u32| {
            let places = told.digest.as_bytes().chunks(2);
            let fits = |(place, hash): (&[u8], u64)| place == format!("{:02x}", hash & 0xff).as_bytes();
            places.zip(hashes(address(n), 5)).filter(|one| fits(*one)).count()
        };
        let mut members: Vec<usize> = (0..100).map(fits).collect();
        members.sort_unstable();
        let as_well = (100..30_000).filter(|n| fits(*n) >= members[50]).count();
        println!("members fit in {members:?} places; {as_well} of 29,900 others as well as half of them");
        assert!(as_well > 100, "{as_well}");
    }

    #[test]
    fn another_form_cannot_be_compared() {
        let odd: MinHash = serde_json::from_str(r#"{"count":1,"digest":"00"}"#).unwrap();
        assert_eq!(odd.alike(&set(0..5)), None);
    }
}
