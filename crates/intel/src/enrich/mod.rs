//! Where an address is and who announces it, as far as files or sessions told. Absence is absence: nothing is guessed.

mod data;
pub mod mmdb;
pub mod rib;

use std::net::IpAddr;

use base::Prefix;

pub use mmdb::{Corrupt, Mmdb};
pub use rib::Rib;

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
    /// How many hops its network is away in peace.
    fn hops(&self, _address: IpAddr) -> Option<u8> {
        None
    }
    /// Whether it came again and again in peace.
    fn knew(&self, _address: IpAddr) -> bool {
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

/// What several files know together: of each thing, the first that knows it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// In the order in which they are asked.
    pub databases: Vec<Mmdb>,
    /// Routes; what they say of a network comes before what a database says.
    pub routes: Vec<Rib>,
}

impl Enrich for Files {
    fn place(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        // A country file may name one for addresses that nobody has.
        if crate::special(address) {
            return place;
        }
        if let Some((prefix, asn)) = self.routes.iter().find_map(|rib| rib.route(address)) {
            (place.prefix, place.asn) = (Some(prefix), asn);
        }
        for database in &self.databases {
            let told = database.place(address);
            place.asn = place.asn.or(told.asn);
            place.country = place.country.or(told.country);
            place.city = place.city.or(told.city);
        }
        place
    }

    fn knows_all_routes(&self, v4: bool) -> bool {
        self.routes.iter().any(|rib| rib.is_whole(v4))
    }
}
