//! Where an address is and who announces it, as far as files or sessions told. Absence is absence: nothing is guessed.

use std::net::IpAddr;

use base::Prefix;

/// What is known of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the network that announces it.
    pub asn: Option<u32>,
    /// The announced prefix that covers it.
    pub prefix: Option<Prefix>,
    /// ISO 3166 two-letter country.
    pub country: Option<String>,
    /// City, in English.
    pub city: Option<String>,
}

/// Somebody who knows places.
pub trait Enrich {
    /// Of this address.
    fn place(&self, address: IpAddr) -> Place;

    /// Whether the whole Internet's routes are known, so that an address without a route has none.
    fn knows_all_routes(&self, _v4: bool) -> bool {
        false
    }
}

/// Knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Enrich for Nothing {
    fn place(&self, _: IpAddr) -> Place {
        Place::default()
    }
}
