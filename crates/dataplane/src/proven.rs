//! Sources that have proven to be where they say they are (`bpf/proven.h`): evidence, and who is let in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::prefix::wide;

use crate::abi::{number, put, word};
use crate::error::Error;
use crate::plane::Plane;

/// Octets of `struct address`.
pub(crate) const KEY: usize = 24;
/// Octets of `struct proof`.
pub(crate) const VALUE: usize = 16;

/// How a source has proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// It brought a SYN cookie back.
    Cookie,
    /// It reset an answer with a wrong number, and knew that number.
    Reset,
    /// It sent the same SYN again when TCP does: somebody who spoofs can do that too.
    Repeat,
    /// Somebody who knows it said so.
    Told,
}

impl Proof {
    /// All kinds, in the order of the kernel programs.
    pub const ALL: [Self; 4] = [Self::Cookie, Self::Reset, Self::Repeat, Self::Told];

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Reset => "reset",
            Self::Repeat => "repeat",
            Self::Told => "told",
        }
    }
}

/// A source that has proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proven {
    /// Its address.
    pub source: IpAddr,
    /// How.
    pub how: Proof,
    /// When, or when it was last seen (to a minute): nanoseconds of the programs' clock.
    pub when: u64,
}

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
        let how = Proof::ALL.iter().position(|proof| *proof == Proof::Told);
        let mut proof = [0; VALUE];
        put(&mut proof, 0, &sys::clock::monotonic().to_ne_bytes());
        put(&mut proof, 8, &how.and_then(|how| u32::try_from(how).ok()).unwrap_or(0).to_ne_bytes());
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

    /// The sources that have proven themselves and are remembered, in the order of their addresses.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn proven(&self) -> Result<Vec<Proven>, Error> {
        let entries = self.maps.get("proven")?.entries().map_err(Error::system("reading proven sources"))?;
        let mut all: Vec<Proven> = entries.iter().filter_map(|(key, value)| read(key, value)).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// How many proofs there were of each kind since the programs were loaded; a source may prove itself again.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn proofs(&self) -> Result<[(Proof, u64); 4], Error> {
        let mut out = Proof::ALL.map(|proof| (proof, 0));
        for (key, (_, total)) in (0u32..).zip(&mut out) {
            *total = self.maps.read("proofs", key)?.chunks(8).map(|one| word(one, 0)).sum();
        }
        Ok(out)
    }
}

fn read(key: &[u8], value: &[u8]) -> Option<Proven> {
    if key.len() != KEY || value.len() != VALUE {
        return None;
    }
    let source = match word(key, 16) {
        4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(word(key, 8)).ok()?)),
        6 => IpAddr::V6(Ipv6Addr::from(u128::from(word(key, 0)) << 64 | u128::from(word(key, 8)))),
        _ => return None,
    };
    let how = Proof::ALL.get(usize::try_from(number(value, 8)).ok()?).copied()?;
    Some(Proven { source, how, when: word(value, 0) })
}
