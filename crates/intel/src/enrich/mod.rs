//! Where an address is and who announces it, as far as files or sessions told. Absence is absence: nothing is guessed.

mod data;
pub mod list;
pub mod mmdb;
mod position;
pub mod rib;
pub mod table;

use std::net::IpAddr;
use std::sync::Arc;

use base::Prefix;
use wire::bgp::cone::either;

pub use list::{List, Listed, Lists};
pub use mmdb::{Corrupt, Mmdb};
pub use position::Position;
pub use rib::Rib;
pub use table::{Misread, Table};

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
    /// Where that is, or the middle of whatever is known.
    pub position: Option<Position>,
}

/// Somebody who knows places.
pub trait Enrich {
    /// Of this address.
    fn place(&self, address: IpAddr) -> Place;

    /// Whether the whole Internet's routes are known, so that an address without a route has none.
    fn knows_all_routes(&self, _v4: bool) -> bool {
        false
    }
    /// Whether its network is behind a neighbour, by the paths of routes. `None`: no path names the neighbour, nobody says who announces
    /// the address, or it is one of our own.
    fn behind(&self, _neighbour: u32, _address: IpAddr) -> Option<bool> {
        None
    }
    /// How many hops its network is away in peace.
    fn hops(&self, _address: IpAddr) -> Option<u8> {
        None
    }
    /// Whether it came again and again in peace.
    fn knew(&self, _address: IpAddr) -> bool {
        false
    }
    /// What lists of others say of it.
    fn listed(&self, _address: IpAddr) -> Listed {
        Listed::default()
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
    pub databases: Vec<Arc<Mmdb>>,
    /// Routes; what they say of a network comes before what a database says.
    pub routes: Vec<Arc<Rib>>,
    /// Tables of one's own; what they say comes before what databases say.
    pub tables: Vec<Arc<Table>>,
    /// Lists of others.
    pub lists: Lists,
    /// Own networks: of them nobody is asked whose they are.
    pub own: Vec<Prefix>,
}

impl Files {
    /// Whether an address is of our own networks.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own.iter().any(|own| own.contains(address))
    }

    /// Whether some path that was looked at names a neighbour.
    pub fn names(&self, neighbour: u32) -> bool {
        self.routes.iter().any(|rib| rib.names(neighbour))
    }

    /// What each dump says of an address: the longest route that covers it, and who announces that.
    pub fn told(&self, address: IpAddr) -> impl Iterator<Item = (Prefix, Option<u32>)> {
        self.routes.iter().filter_map(move |rib| rib.route(address))
    }

    /// Whether one of these routes may be behind a neighbour, by the paths of any dump; as [`Enrich::behind`] says.
    pub fn admits(&self, neighbour: u32, told: &[(Prefix, Option<u32>)]) -> Option<bool> {
        let each = self.routes.iter().flat_map(|rib| told.iter().map(|route| rib.admits(neighbour, *route)));
        each.fold(None, either)
    }

    /// Where own networks are: a table's networks inside each, else what is known of its first address. Those whose position
    /// nobody knows are left out.
    pub fn sites(&self, networks: &[Prefix]) -> Vec<(Prefix, Place)> {
        let mut found = Vec::new();
        for network in networks {
            let inside = self.tables.iter().flat_map(|table| table.within(*network));
            let before = found.len();
            found.extend(inside.map(|(prefix, place)| (prefix, place.clone())));
            if found.len() == before {
                let table = self.tables.iter().find_map(|table| table.place(network.addr()));
                let place = table.cloned().unwrap_or_else(|| self.place(network.addr()));
                found.push((*network, place));
            }
        }
        found.retain(|(_, place)| place.position.is_some());
        found
    }
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
        let tables = self.tables.iter().filter_map(|table| table.place(address).cloned());
        for told in tables.chain(self.databases.iter().map(|database| database.place(address))) {
            place.asn = place.asn.or(told.asn);
            // A country, its city and where it is come from one file: two may not mean the same place.
            let knows_less = |place: &Place| place.city.is_none() && place.position.is_none();
            if place.country.is_none() || (place.country == told.country && knows_less(&place)) {
                place.country = place.country.or(told.country);
                place.city = place.city.or(told.city);
                place.position = place.position.or(told.position);
            }
        }
        place
    }

    fn knows_all_routes(&self, v4: bool) -> bool {
        self.routes.iter().any(|rib| rib.is_whole(v4))
    }

    fn behind(&self, neighbour: u32, address: IpAddr) -> Option<bool> {
        let told: Vec<_> = self.told(address).collect();
        if self.is_own(address) { None } else { self.admits(neighbour, &told) }
    }

    fn listed(&self, address: IpAddr) -> Listed {
        self.lists.of(address)
    }
}
