//! Rates for each source and destination by itself: `bpf/limit.h`.

use std::io::Read;

use rules::Per;
use sys::bpf::Map;

use crate::abi;
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::Policy;

/// A key for the programs' hashes that nobody can guess.
pub(crate) fn random_key() -> Result<[u64; 3], Error> {
    let mut octets = [0; 24];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut octets));
    read.map_err(Error::system("reading /dev/urandom"))?;
    Ok([0, 8, 16].map(|at| abi::word(&octets, at)))
}

impl Plane {
    /// Empty buckets for the destinations of a set whose rules ask for them. No program looks there meanwhile.
    pub(crate) fn renew_destinations(&self, policy: &Policy, set: u32) -> Result<(), Error> {
        if policy.rules.rules().iter().all(|rule| rule.per != Per::Destination) {
            return Ok(());
        }
        let table = Map::hash(abi::LIMIT_KEY, 8, abi::DESTINATIONS_MAX)
            .map_err(Error::system("making a table for destinations"))?;
        let tables = self.maps.get("destinations")?;
        tables.set_map(set, &table).map_err(Error::system("placing a table for destinations"))
    }

    /// Packets under a rate per destination that found no room for a bucket of their destination, and were counted in one
    /// that it shares with others.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn destinations_full(&self) -> Result<u64, Error> {
        Ok(self.maps.read("destinations_full", 0)?.chunks(8).map(|one| abi::word(one, 0)).sum())
    }
}
