//! Sources that have proven to be where they say they are: evidence, and who is let in.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::abi::{number, word};
use crate::error::Error;
use crate::plane::Plane;

/// Octets of `struct source`.
pub(crate) const KEY: usize = 20;
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
}

impl Proof {
    /// All kinds, in the order of the kernel programs.
    pub const ALL: [Self; 3] = [Self::Cookie, Self::Reset, Self::Repeat];

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Reset => "reset",
            Self::Repeat => "repeat",
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

impl Plane {
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
    pub fn proofs(&self) -> Result<[(Proof, u64); 3], Error> {
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
    let words = [0, 4, 8, 12].map(|at| number(key, at));
    let [_, _, _, low] = words;
    let source = match number(key, 16) {
        4 => IpAddr::V4(Ipv4Addr::from(low)),
        6 => IpAddr::V6(Ipv6Addr::from(words.iter().fold(0u128, |sum, word| sum << 32 | u128::from(*word)))),
        _ => return None,
    };
    let how = Proof::ALL.get(usize::try_from(number(value, 8)).ok()?).copied()?;
    Some(Proven { source, how, when: word(value, 0) })
}
