//! What is kept of the address of somebody else.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Day, Prefix, Timestamp};

use crate::config::Addresses;
use crate::privacy;

/// Of a v4 address, so many bits.
const IPV4_BITS: u8 = 24;
/// Of a v6 address: what is given to one site.
const IPV6_BITS: u8 = 48;

/// What stands in a segment in place of an address that is not ours.
pub(super) trait AtRest: Send {
    /// Of this address, seen at this time.
    fn at_rest(&self, address: IpAddr, at: Timestamp) -> IpAddr;
}

/// The address as it was seen.
struct Whole;

impl AtRest for Whole {
    fn at_rest(&self, address: IpAddr, _: Timestamp) -> IpAddr {
        address
    }
}

/// A pseudonym under the key of the day.
struct Pseudonym(Arc<privacy::AtRest>);

impl AtRest for Pseudonym {
    fn at_rest(&self, address: IpAddr, at: Timestamp) -> IpAddr {
        self.0.at_rest(address, Day::of(at))
    }
}

/// Its network alone.
struct Network;

impl AtRest for Network {
    fn at_rest(&self, address: IpAddr, _: Timestamp) -> IpAddr {
        Prefix::of(address, if address.is_ipv4() { IPV4_BITS } else { IPV6_BITS }).addr()
    }
}

/// What the operator wants kept.
pub(super) fn of(addresses: Addresses, keys: &Arc<privacy::AtRest>) -> Box<dyn AtRest> {
    match addresses {
        Addresses::Pseudonym => Box::new(Pseudonym(Arc::clone(keys))),
        Addresses::Network => Box::new(Network),
        Addresses::Full => Box::new(Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_names_no_host() {
        let kept = |address: &str| Network.at_rest(address.parse().unwrap(), Timestamp::ZERO).to_string();
        assert_eq!(kept("203.0.113.77"), "203.0.113.0");
        assert_eq!(kept("2001:db8:1:2:3::4"), "2001:db8:1::");
        let address = "203.0.113.77".parse().unwrap();
        assert_eq!(Whole.at_rest(address, Timestamp::ZERO), address);
    }
}
