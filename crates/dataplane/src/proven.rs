//! Sources that are known to be real: `bpf/proven.h`.

use std::net::IpAddr;

use base::prefix::wide;

use crate::abi::{put, word};
use crate::error::Error;
use crate::plane::Plane;

/// `PROOF_TOLD`.
const TOLD: u64 = 1;

/// An address as the programs' tables have it: upper half, lower half, family.
pub(crate) fn address(address: IpAddr) -> [u64; 3] {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    match address {
        IpAddr::V4(address) => [0, u64::from(address.to_bits()), 4],
        IpAddr::V6(_) => [half(wide(address) >> 64), half(wide(address)), 6],
    }
}

/// Its octets as a key.
pub(crate) fn key(of: IpAddr) -> Vec<u8> {
    address(of).into_iter().flat_map(u64::to_ne_bytes).collect()
}

/// `proven_place`.
fn place(high: u64, low: u64) -> u64 {
    (high.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ low.wrapping_mul(0xbf58_476d_1ce4_e5b9)) >> 46
}

impl Plane {
    /// Notes that a source is real: rates per source count it exactly from now on, whatever is spoofed beside it. Who was
    /// not seen for longest is forgotten when there are more than 65,536.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn prove(&self, source: IpAddr) -> Result<(), Error> {
        let [high, low, _] = address(source);
        let mut proof = [0; 16];
        put(&mut proof, 0, &sys::clock::monotonic().to_ne_bytes());
        put(&mut proof, 8, &TOLD.to_ne_bytes());
        let proven = self.maps.get("proven")?;
        proven.set(&key(source), &proof).map_err(Error::system("noting a proven source"))?;
        // The second word is ours alone.
        let place = place(high, low);
        let index = u32::try_from(place >> 6).unwrap_or(0);
        let mut bits = self.maps.read("proven_bits", index)?;
        let set = word(&bits, 8) | 1 << (place & 63);
        put(&mut bits, 8, &set.to_ne_bytes());
        self.maps.write("proven_bits", index, &bits)
    }
}
