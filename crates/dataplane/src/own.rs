//! The addresses of this host: `bpf/own.h`. As sources they are neither blocked nor limited.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

use crate::abi::word;
use crate::error::Error;
use crate::plane::Plane;
use crate::proven::key;

/// `OWN_MAX`: more addresses than this are not noted.
const OWN_MAX: usize = 1024;

impl Plane {
    /// Notes the addresses of this host in place of those noted before; the next [`Plane::install`] takes them off the list of
    /// blocked sources.
    ///
    /// # Errors
    /// When the map cannot be read or written.
    pub fn set_own(&self, addresses: &[IpAddr]) -> Result<(), Error> {
        let own = self.maps.get("own")?;
        for gone in self.own()?.iter().filter(|known| !addresses.contains(known)) {
            own.remove(&key(*gone)).map_err(Error::system("forgetting an own address"))?;
        }
        for address in addresses.iter().take(OWN_MAX) {
            own.set(&key(*address), &[0; 4]).map_err(Error::system("noting an own address"))?;
        }
        Ok(())
    }

    /// The addresses noted.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn own(&self) -> Result<Vec<IpAddr>, Error> {
        let keys = self.maps.get("own")?.keys(OWN_MAX).map_err(Error::system("reading own addresses"))?;
        Ok(keys.iter().map(|key| address(key)).collect())
    }

    /// Own addresses that a list of blocked sources would take.
    pub(crate) fn exempt<'p>(
        &self,
        block: impl Iterator<Item = &'p Prefix> + Clone,
    ) -> Result<Vec<Prefix>, Error> {
        let own = self.own()?.into_iter();
        let listed = |address: &IpAddr| block.clone().any(|prefix| prefix.contains(*address));
        Ok(own.filter(listed).map(Prefix::host).collect())
    }
}

fn address(key: &[u8]) -> IpAddr {
    let low = word(key, 8);
    if word(key, 16) == 4 {
        Ipv4Addr::from_bits(u32::try_from(low).unwrap_or(0)).into()
    } else {
        Ipv6Addr::from_bits(u128::from(word(key, 0)) << 64 | u128::from(low)).into()
    }
}
