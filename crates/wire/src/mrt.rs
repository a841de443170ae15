//! MRT: dumps of routing tables, `TABLE_DUMP_V2` (RFC 6396 §4.3, with additional paths of RFC 8050).

use base::Prefix;

use crate::bgp::attribute::{PathAttribute, kind};
use crate::bgp::cone::Hop;
use crate::bgp::nlri::Prefixes;
use crate::reader::{Fault, Reader};

const TABLE_DUMP_V2: u16 = 13;
/// Entries of one prefix that are read; a route server has some hundreds.
const ENTRIES_MAX: u16 = 4096;

/// A prefix and who announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub prefix: Prefix,
    /// Last number of the path of the first entry that has a single one.
    pub origin: Option<u32>,
}

/// Where a dump is damaged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset of the record.
    pub at: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A dump, record by record. After damage there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Dump<'a> {
    reader: Reader<'a>,
    /// Entries of the route that came last.
    entries: Entries<'a>,
    /// Records of other kinds: peers, updates, multicast.
    pub others: u64,
}

impl<'a> Dump<'a> {
    /// Of these octets.
    pub const fn new(octets: &'a [u8]) -> Self {
        let entries = Entries { reader: Reader::new(&[]), left: 0, paths: false };
        Self { reader: Reader::new(octets), entries, others: 0 }
    }

    /// The paths of the route that came last, of all its entries; one that cannot be read is left out.
    pub fn paths(&self) -> impl Iterator<Item = Path<'a>> + use<'a> {
        let mut entries = self.entries;
        let attributes = core::iter::from_fn(move || entries.take().ok().flatten());
        attributes.filter_map(|mut attributes| path(&mut attributes).ok().flatten())
    }

    fn take(&mut self) -> Result<Option<Route>, Fault> {
        self.reader.skip("Timestamp", 4)?;
        let (of, subtype) = (self.reader.u16("Type")?, self.reader.u16("Subtype")?);
        let length = usize::try_from(self.reader.u32("Length")?).unwrap_or(usize::MAX);
        let mut body = self.reader.sub("MRT record", length)?;
        // RIB_IPV4_UNICAST, RIB_IPV6_UNICAST, and both with additional paths.
        let (v6, paths) = match (of, subtype) {
            (TABLE_DUMP_V2, 2) => (false, false),
            (TABLE_DUMP_V2, 4) => (true, false),
            (TABLE_DUMP_V2, 8) => (false, true),
            (TABLE_DUMP_V2, 10) => (true, true),
            _ => {
                self.others += 1;
                return Ok(None);
            }
        };
        body.skip("Sequence Number", 4)?;
        let bits = body.rest().first().copied().unwrap_or(0);
        let octets = body.bytes("Prefix", 1 + usize::from(bits.div_ceil(8)))?;
        let Some(prefix) = Prefixes::new(octets, v6).next() else { return Ok(None) };
        let prefix = prefix?;
        let left = body.u16("Entry Count")?.min(ENTRIES_MAX);
        let mut entries = Entries { reader: body, left, paths };
        self.entries = entries;
        let mut origin = None;
        while let Some(mut attributes) = entries.take()? {
            while origin.is_none()
                && let Some(Path(octets)) = path(&mut attributes)?
            {
                origin = last(octets)?;
            }
        }
        Ok(Some(Route { prefix, origin }))
    }
}

/// What stands behind a prefix: one entry for each peer that told it.
#[derive(Clone, Copy, Debug)]
struct Entries<'a> {
    reader: Reader<'a>,
    left: u16,
    /// Whether each has an identifier of its path.
    paths: bool,
}

impl<'a> Entries<'a> {
    /// The attributes of the next one.
    fn take(&mut self) -> Result<Option<Reader<'a>>, Fault> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.reader.skip("Peer Index and Originated Time", if self.paths { 10 } else { 6 })?;
        let length = usize::from(self.reader.u16("Attribute Length")?);
        self.reader.sub("BGP Attributes", length).map(Some)
    }
}

/// The next path among attributes.
fn path<'a>(attributes: &mut Reader<'a>) -> Result<Option<Path<'a>>, Fault> {
    while !attributes.is_empty() {
        let attribute = PathAttribute::read(attributes)?;
        if attribute.kind == kind::AS_PATH {
            return Ok(Some(Path(attribute.value)));
        }
    }
    Ok(None)
}

/// The way to a route, nearest network first, in numbers of four octets.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a>(&'a [u8]);

impl<'a> Path<'a> {
    /// Its numbers; where it cannot be read on, it ends.
    pub fn hops(self) -> impl Iterator<Item = Hop> + Clone + use<'a> {
        let (mut reader, mut left, mut set, mut segment) = (Reader::new(self.0), 0, false, 0);
        core::iter::from_fn(move || {
            while left == 0 {
                set = matches!(reader.u8("Path Segment Type").ok()?, 1 | 4);
                left = reader.u8("Path Segment Length").ok()?;
                segment += 1;
            }
            left -= 1;
            Some(Hop { asn: reader.u32("AS Number").ok()?, segment, set })
        })
    }
}

/// The last number of a path of four-octet numbers; `None` for an empty path and behind a set of several.
fn last(path: &[u8]) -> Result<Option<u32>, Fault> {
    let mut reader = Reader::new(path);
    let mut last = None;
    while !reader.is_empty() {
        let kind = reader.u8("Path Segment Type")?;
        let count = reader.u8("Path Segment Length")?;
        let single = matches!(kind, 2 | 3) || count == 1;
        for _ in 0..count {
            let asn = reader.u32("AS Number")?;
            last = single.then_some(asn);
        }
    }
    Ok(last)
}

impl Iterator for Dump<'_> {
    type Item = Result<Route, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.reader.is_empty() {
            let at = self.reader.position();
            match self.take() {
                Ok(None) => {}
                Ok(Some(route)) => return Some(Ok(route)),
                Err(fault) => {
                    self.reader = Reader::new(&[]);
                    return Some(Err(Damage { at, fault }));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn record(subtype: u16, body: &[u8]) -> Vec<u8> {
        let mut out = vec![0x65, 0, 0, 0, 0, 13];
        out.extend(subtype.to_be_bytes());
        out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    }

    fn rib(prefix: &[u8], paths: &[&[u8]], more: bool) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 1];
        body.extend(prefix);
        body.extend(u16::try_from(paths.len()).unwrap().to_be_bytes());
        for path in paths {
            body.extend([0, 0, 0x65, 0, 0, 0]);
            if more {
                body.extend([0, 0, 0, 7]);
            }
            let attributes = [&[0x40, 1, 1, 0, 0x40, 2, u8::try_from(path.len()).unwrap()], *path].concat();
            body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
            body.extend(attributes);
        }
        body
    }

    const PATH: &[u8] = &[2, 2, 0, 0, 0x0d, 0x1c, 0, 1, 0x11, 0x70];

    #[test]
    fn routes_of_both_families_are_read_with_their_origin() {
        let set = &[2, 1, 0, 0, 0x0d, 0x1c, 1, 2, 0, 0, 0, 1, 0, 0, 0, 2][..];
        let dump = [
            record(1, &[1, 1, 1, 1, 0, 0, 0, 0]),
            record(2, &rib(&[24, 198, 51, 100], &[PATH], false)),
            record(8, &rib(&[8, 11], &[&[], PATH], true)),
            record(4, &rib(&[32, 0x20, 0x01, 0x0d, 0xb8], &[set], false)),
        ]
        .concat();
        let mut read = Dump::new(&dump);
        let routes: Vec<Route> = read.by_ref().map(Result::unwrap).collect();
        let route = |prefix: &str, origin| Route { prefix: prefix.parse().unwrap(), origin };
        assert_eq!(
            routes,
            [
                route("198.51.100.0/24", Some(70_000)),
                route("11.0.0.0/8", Some(70_000)),
                route("2001:db8::/32", None)
            ]
        );
        assert_eq!(read.others, 1);
    }

    #[test]
    fn all_paths_of_a_route_are_shown_and_one_that_cannot_be_read_is_left_out() {
        let set = &[2, 1, 0, 0, 0, 9, 1, 2, 0, 0, 0, 1, 0, 0, 0, 2][..];
        let cut = &[2, 9, 0, 0, 0, 1][..];
        let dump = record(2, &rib(&[24, 198, 51, 100], &[PATH, set, cut, &[]], false));
        let mut read = Dump::new(&dump);
        assert_eq!(read.paths().count(), 0);
        assert!(read.next().unwrap().is_ok());
        let hops =
            |path: Path<'_>| path.hops().map(|hop| (hop.asn, hop.segment, hop.set)).collect::<Vec<_>>();
        let paths: Vec<_> = read.paths().map(hops).collect();
        assert_eq!(paths[0], [(0xd1c, 1, false), (70_000, 1, false)]);
        assert_eq!(paths[1], [(9, 1, false), (1, 2, true), (2, 2, true)]);
        assert_eq!(paths[2..], [vec![(1, 1, false)], vec![]]);
        let mut damaged = record(2, &rib(&[8, 11], &[PATH, PATH], false));
        // The second entry's attributes begin with a length that is too long.
        let at = damaged.len() - PATH.len() - 5;
        damaged[at] = 200;
        let mut read = Dump::new(&damaged);
        assert_eq!(read.next().unwrap().unwrap().origin, Some(70_000));
        assert_eq!(read.paths().count(), 1);
    }

    #[test]
    fn damage_is_told_with_its_place_and_ends_the_dump() {
        let first = record(2, &rib(&[24, 198, 51, 100], &[PATH], false));
        let mut dump = [first.clone(), record(2, &rib(&[33, 1, 2, 3, 4, 5], &[PATH], false))].concat();
        dump.extend(&first);
        let read: Vec<_> = Dump::new(&dump).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].unwrap_err().at, first.len());
        for cut in 1..first.len() {
            let read: Vec<_> = Dump::new(&first[..cut]).collect();
            assert!(matches!(read.as_slice(), [Err(Damage { at: 0, .. })]), "{cut}: {read:?}");
        }
    }
}
