//! What is kept of the address of somebody else.

use std::net::IpAddr;

use base::{Prefix, Timestamp};

use crate::config::Addresses;

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

/// Its network alone.
struct Network;

impl AtRest for Network {
    fn at_rest(&self, address: IpAddr, _: Timestamp) -> IpAddr {
        Prefix::of(address, if address.is_ipv4() { IPV4_BITS } else { IPV6_BITS }).addr()
    }
}

/// What the operator wants kept.
pub(super) fn of(addresses: Addresses) -> Box<dyn AtRest> {
    match addresses {
        Addresses::Network => Box::new(Network),
        Addresses::Full => Box::new(Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_names_no_host() {
        let kept = |address: &str| {
            of(Addresses::Network).at_rest(address.parse().unwrap(), Timestamp::ZERO).to_string()
        };
        assert_eq!(kept("203.0.113.77"), "203.0.113.0");
        assert_eq!(kept("2001:db8:1:2:3::4"), "2001:db8:1::");
        let address = "203.0.113.77".parse().unwrap();
        assert_eq!(of(Addresses::Full).at_rest(address, Timestamp::ZERO), address);
    }
}
