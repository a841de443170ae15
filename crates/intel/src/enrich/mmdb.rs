//! MaxMind DB files (MaxMind DB File Format Specification 2.0), whoever made them.
//!
//! A file is checked when it is opened: the tree and all data that it points to. After that a look-up cannot fail.

use std::net::IpAddr;

use super::data::Data;
use super::{Place, Position};

/// Stands in front of the metadata, which is in the last 128 KiB.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";
const METADATA_MAX: usize = 128 << 10;
/// Zeros between tree and data.
const GAP: usize = 16;
/// Networks of a file at most: more than the addresses of all routers' tables together.
const NODES_MAX: usize = 1 << 28;

/// An open file.
#[derive(Clone, Debug)]
pub struct Mmdb {
    octets: Vec<u8>,
    nodes: u32,
    /// Bits of a record: 24, 28 or 32.
    record: u16,
    v6: bool,
    data: usize,
    /// Node at which IPv4 begins in a tree of IPv6.
    v4_root: u32,
    /// As the file calls itself.
    pub kind: String,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at octet {at}; get the file again")]
pub struct Corrupt {
    /// Octet of the file.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

pub(super) fn corrupt(at: usize, what: impl Into<String>) -> Corrupt {
    Corrupt { at, what: what.into() }
}

impl Mmdb {
    /// From the octets of a file.
    pub fn open(octets: Vec<u8>) -> Result<Self, Corrupt> {
        let from = octets.len().saturating_sub(METADATA_MAX);
        let tail = octets.get(from..).unwrap_or_default();
        let Some(mark) = tail.windows(MARK.len()).rposition(|window| window == MARK) else {
            return Err(corrupt(octets.len(), "no metadata: this is no MaxMind DB file, or it is cut"));
        };
        let metadata = from + mark + MARK.len();
        let about = Data::new(octets.get(metadata..).unwrap_or_default(), metadata);
        about.check(0)?;
        let number = |name: &str| -> Result<u32, Corrupt> {
            let number = about.find(0, &[name]).and_then(|at| about.number(at));
            number
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| corrupt(metadata, format!("the metadata has no number {name}")))
        };
        let (nodes, record) = (number("node_count")?, number("record_size")?);
        let (major, version) = (number("binary_format_major_version")?, number("ip_version")?);
        if major != 2 {
            return Err(corrupt(metadata, format!("format {major}, of which only 2 is known")));
        }
        let record = match record {
            24 | 28 | 32 => u16::try_from(record).unwrap_or(24),
            other => return Err(corrupt(metadata, format!("records of {other} bits, not 24, 28 or 32"))),
        };
        let kind = about.find(0, &["database_type"]).and_then(|at| about.text(at)).unwrap_or_default();
        let size = usize::try_from(nodes).unwrap_or(usize::MAX);
        let tree = size.saturating_mul(usize::from(record) / 4);
        let end = from + mark;
        if size > NODES_MAX || tree.saturating_add(GAP) > end {
            return Err(corrupt(end, format!("a tree of {nodes} nodes does not fit the file")));
        }
        if !octets.get(tree..tree + GAP).is_some_and(|gap| gap.iter().all(|octet| *octet == 0)) {
            return Err(corrupt(tree, "the tree does not end where the metadata says"));
        }
        let mut file = Self { nodes, record, v6: version == 6, data: tree + GAP, v4_root: 0, kind, octets };
        let end = end - file.data;
        file.check(end)?;
        file.v4_root = file.find_v4_root();
        Ok(file)
    }

    /// What it says of an address, by the names that known makers give: MaxMind and those who follow it.
    pub fn place(&self, address: IpAddr) -> Place {
        let Some(at) = self.look_up(address) else { return Place::default() };
        let data = self.data(self.octets.len());
        let text = |path: &[&str]| data.find(at, path).and_then(|at| data.text(at)).filter(|t| !t.is_empty());
        let number = |path: &[&str]| data.find(at, path).and_then(|at| data.number(at));
        let real = |path: &[&str]| data.find(at, path).and_then(|at| data.real(at));
        let degrees = |latitude: &[&str], longitude: &[&str]| {
            let told = |path| real(path).or_else(|| text(path)?.parse().ok());
            Position::of(told(latitude)?, told(longitude)?)
        };
        Place {
            asn: number(&["autonomous_system_number"])
                .or_else(|| number(&["asn"]))
                .and_then(|asn| u32::try_from(asn).ok()),
            prefix: None,
            country: text(&["country", "iso_code"])
                .or_else(|| text(&["country_code"]))
                .or_else(|| text(&["country"]))
                .filter(|code| code.len() == 2),
            city: text(&["city", "names", "en"]).or_else(|| text(&["city"])),
            position: degrees(&["location", "latitude"], &["location", "longitude"])
                .or_else(|| degrees(&["latitude"], &["longitude"]))
                .or_else(|| degrees(&["lat"], &["lng"])),
        }
    }

    /// Place of its data, for an address that it knows.
    fn look_up(&self, address: IpAddr) -> Option<usize> {
        let (bits, length, mut node) = match address {
            // A file of IPv4 knows nothing of IPv6; that is no error.
            IpAddr::V6(_) if !self.v6 => return None,
            IpAddr::V6(v6) => (v6.to_bits(), 128, 0),
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32, self.v4_root),
        };
        for bit in 0..length {
            if node >= self.nodes {
                break;
            }
            node = self.child(node, bits >> (127 - bit) & 1 == 1)?;
        }
        let offset = node.checked_sub(self.nodes)?.checked_sub(u32::try_from(GAP).ok()?)?;
        usize::try_from(offset).ok()
    }

    fn find_v4_root(&self) -> u32 {
        if !self.v6 {
            return 0;
        }
        // The first 96 bits of what IPv4 is mapped into are 0.
        (0..96).fold(
            0,
            |node, _| if node < self.nodes { self.child(node, false).unwrap_or(self.nodes) } else { node },
        )
    }

    /// The left or right record of a node.
    fn child(&self, node: u32, right: bool) -> Option<u32> {
        let size = usize::from(self.record) / 4;
        let at = usize::try_from(node).ok()?.checked_mul(size)?;
        let octets = self.octets.get(at..at + size)?;
        let word = |octets: &[u8]| octets.iter().fold(0u32, |word, octet| word << 8 | u32::from(*octet));
        Some(match (octets, right) {
            ([a, b, c, _, _, _], false) => word(&[*a, *b, *c]),
            ([_, _, _, a, b, c], true) => word(&[*a, *b, *c]),
            ([a, b, c, middle, _, _, _], false) => word(&[middle >> 4, *a, *b, *c]),
            ([_, _, _, middle, a, b, c], true) => word(&[middle & 15, *a, *b, *c]),
            ([a @ .., _, _, _, _], false) => word(a),
            ([_, _, _, _, a @ ..], true) => word(a),
            _ => return None,
        })
    }

    /// Each record leads into the tree or to data that can be read.
    fn check(&self, end: usize) -> Result<(), Corrupt> {
        let mut places: Vec<u32> = Vec::new();
        for node in 0..self.nodes {
            let at = usize::try_from(node).unwrap_or(usize::MAX).saturating_mul(usize::from(self.record) / 4);
            for right in [false, true] {
                let to = self.child(node, right).ok_or_else(|| corrupt(at, "the tree is cut"))?;
                let Some(offset) = to.checked_sub(self.nodes).filter(|offset| *offset > 0) else { continue };
                let offset = offset.checked_sub(16).filter(|o| usize::try_from(*o).is_ok_and(|o| o < end));
                let Some(offset) = offset else {
                    return Err(corrupt(at, format!("node {node} leads out of the file")));
                };
                if places.last() != Some(&offset) {
                    places.push(offset);
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        let data = self.data(self.data + end);
        for place in places {
            data.check(usize::try_from(place).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }

    fn data(&self, end: usize) -> Data<'_> {
        Data::new(self.octets.get(self.data..end).unwrap_or_default(), self.data)
    }

    /// Networks that the tree tells apart, about; for people.
    pub const fn nodes(&self) -> u32 {
        self.nodes
    }
}
