//! Routes of the Internet from a dump: which network announces an address, and whether anybody does.

use std::net::IpAddr;

use base::Prefix;
use base::prefix::PrefixTable;
use wire::bgp::cone::Cones;
use wire::mrt::Dump;

use super::mmdb::{Corrupt, corrupt};

/// Routes of one table at most; the Internet has some 1.2 million (IPv4 and IPv6 together, 2026).
const ROUTES_MAX: usize = 8_000_000;
/// A table with so many routes is that of the whole Internet, so that what it does not have is not routed.
const WHOLE_V4: usize = 700_000;
const WHOLE_V6: usize = 120_000;

/// Routes with who announces them.
#[derive(Clone, Debug, Default)]
pub struct Rib {
    table: PrefixTable<(Prefix, Option<u32>)>,
    v4: usize,
    v6: usize,
    cones: Cones,
}

impl Rib {
    /// From a dump in MRT form, not compressed, whose paths are looked at for whoever is behind these neighbours alone.
    ///
    /// # Errors
    /// The first octet that cannot be read, or too many routes.
    pub fn read(octets: &[u8], neighbours: impl IntoIterator<Item = u32>) -> Result<Self, Corrupt> {
        if octets.starts_with(&[0x1f, 0x8b]) || octets.starts_with(b"BZh") {
            return Err(corrupt(0, "compressed data (unpack it with gunzip or bunzip2)"));
        }
        let mut routes: Vec<(Prefix, Option<u32>)> = Vec::new();
        let mut dump = Dump::new(octets);
        let mut cones = Cones::of(neighbours);
        while let Some(route) = dump.next() {
            let route = route.map_err(|damage| corrupt(damage.at, damage.fault.to_string()))?;
            if routes.len() >= ROUTES_MAX {
                return Err(corrupt(octets.len(), format!("more than {ROUTES_MAX} routes")));
            }
            routes.push((route.prefix, route.origin));
            if !cones.is_empty() {
                dump.paths().for_each(|path| cones.look(route.prefix, route.origin, path.hops()));
            }
        }
        if routes.is_empty() {
            let what =
                format!("no routes in {} records: a table dump (TABLE_DUMP_V2) is needed", dump.others);
            return Err(corrupt(octets.len(), what));
        }
        Ok(Self { cones, ..Self::of(routes) })
    }

    /// Of routes from anywhere; of equal prefixes the first that names its origin wins.
    pub fn of(mut routes: Vec<(Prefix, Option<u32>)>) -> Self {
        routes.sort_by_key(|(prefix, origin)| (*prefix, origin.is_none()));
        routes.dedup_by_key(|(prefix, _)| *prefix);
        // A default route says nothing of who is there.
        routes.retain(|(prefix, _)| prefix.bits() > 0);
        let v4 = routes.iter().filter(|(prefix, _)| prefix.is_ipv4()).count();
        let v6 = routes.len() - v4;
        Self {
            table: PrefixTable::new(routes.into_iter().map(|route| (route.0, route))),
            v4,
            v6,
            cones: Cones::default(),
        }
    }

    /// The longest announced prefix that covers an address, and who announces it.
    pub fn route(&self, address: IpAddr) -> Option<(Prefix, Option<u32>)> {
        self.table.longest(address).copied()
    }

    /// Whether some path names a neighbour that was asked for.
    pub fn names(&self, neighbour: u32) -> bool {
        self.cones.names(neighbour)
    }

    /// Whether a route of this dump or another may be behind a neighbour; see [`Cones::admits`].
    pub fn admits(&self, neighbour: u32, route: (Prefix, Option<u32>)) -> Option<bool> {
        self.cones.admits(neighbour, route)
    }

    /// Whether it has the whole Internet's routes of a family.
    pub const fn is_whole(&self, v4: bool) -> bool {
        if v4 { self.v4 >= WHOLE_V4 } else { self.v6 >= WHOLE_V6 }
    }

    /// Number of routes.
    pub const fn len(&self) -> usize {
        self.v4 + self.v6
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
