//! Who is protected, and how much each is worth.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    /// As it is called.
    pub(super) name: &'static str,
    /// What it is worth.
    pub(super) value: u8,
    /// Its number: a part of its addresses.
    pub(super) number: u8,
    /// The absorber that takes its traffic.
    pub(super) absorber: u8,
}

/// All of them.
pub(super) const VICTIMS: [Victim; 3] = [
    Victim { name: "bank", value: 10, number: 1, absorber: 1 },
    Victim { name: "shop", value: 5, number: 2, absorber: 2 },
    Victim { name: "game", value: 1, number: 3, absorber: 2 },
];

impl Victim {
    /// Its networks: a part of what RFC 2544 sets apart, and documentation addresses.
    pub(super) fn prefixes(self) -> [Prefix; 2] {
        let [v4, v6] = self.addresses();
        [Prefix::of(v4, 24), Prefix::of(v6, 48)]
    }

    /// Its server.
    pub(super) const fn addresses(self) -> [IpAddr; 2] {
        [
            IpAddr::V4(Ipv4Addr::new(198, 18, self.number, 10)),
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, self.number as u16, 0, 0, 0, 0, 10)),
        ]
    }
}
