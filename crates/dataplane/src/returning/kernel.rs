//! Ways back as the programs read them: `bpf/paths.h`, mirrored.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;
use base::prefix::wide;

use super::counted::COUNTER;
use super::{Kind, LENGTHS_MAX, PREFIXES_MAX, Return, Returning, Undeclared};
use crate::abi::{self, number, put};
use crate::error::Error;
use crate::lead;
use crate::plane::Plane;
use crate::policy::Policy;

/// `RETURN_PLACES`: a set never takes the place of a prefix that is gone while the set before it may come back.
const PLACES: u32 = 1024;
const _: () = assert!(PLACES as usize == 2 * PREFIXES_MAX, "a place for each prefix of two sets");
/// Octets of `struct return_path`.
const PATH: usize = 96;
/// Octets of `struct return_key`.
const KEY: usize = 24;
/// Octets of `struct returning`.
const HEAD: usize = NEAR_AT + 8 + 2 * FEW * NEAR;
const MASK: usize = 24;
/// Where the few prefixes begin that are compared one by one, with how many there are.
const NEAR_AT: usize = 24 + 2 * LENGTHS_MAX * MASK;
/// `RETURN_FEW`.
const FEW: usize = 8;
/// Octets of `struct return_near`.
const NEAR: usize = 40;
/// `RETURN_DISCARD`.
const DISCARD: u8 = 1;
/// `RETURNING_PASS`.
const PASS: u32 = 1;
/// `RETURNING_CUT`.
const CUT: u32 = 2;

/// Where a prefix stands in the order of prefixes.
type Name = (bool, u128, u8);

fn name(prefix: &Prefix) -> Name {
    (!prefix.is_ipv4(), bits(prefix.addr()), prefix.bits())
}

/// An address as the programs have it: IPv4 in the low 32 bits.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn halves(bits: u128) -> [u64; 2] {
    [bits >> 64, bits & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(0))
}

/// The bits that a prefix fixes, of addresses as [`bits`] has them.
fn mask(six: bool, length: u8) -> u128 {
    let free = if six { 128 } else { 32 } - u32::from(length);
    let all = if six { u128::MAX } else { u128::from(u32::MAX) };
    all & u128::MAX.checked_shl(free).unwrap_or(0)
}

fn key(prefix: &Prefix, set: u32) -> [u8; KEY] {
    let mut out = [0; KEY];
    for (at, half) in [0, 8].into_iter().zip(halves(bits(prefix.addr()))) {
        put(&mut out, at, &half.to_ne_bytes());
    }
    put(&mut out, 16, &u32::from(prefix.bits()).to_ne_bytes());
    put(&mut out, 20, &[if prefix.is_ipv4() { 4 } else { 6 }, u8::try_from(set).unwrap_or(0)]);
    out
}

/// The prefix of a key, and its set.
fn read_key(key: &[u8]) -> Option<(Prefix, u32)> {
    let address = u128::from(abi::word(key, 0)) << 64 | u128::from(abi::word(key, 8));
    let address = match key.get(20)? {
        4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(address).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(address)),
    };
    let length = u8::try_from(number(key, 16)).ok()?;
    Some((Prefix::of(address, length), u32::from(*key.get(21)?)))
}

fn octets_of(address: IpAddr) -> [u8; 16] {
    let mut out = [0; 16];
    match address {
        IpAddr::V4(address) => put(&mut out, 0, &address.octets()),
        IpAddr::V6(address) => out = address.octets(),
    }
    out
}

fn address_of(family: u8, octets: &[u8]) -> Option<IpAddr> {
    if family == 4 {
        return Some(<[u8; 4]>::try_from(octets.get(..4)?).ok()?.into());
    }
    Some(<[u8; 16]>::try_from(octets.get(..16)?).ok()?.into())
}

const fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

/// `struct return_path` of a prefix; without a way back it is discarded.
fn path(prefix: &Prefix, way: Option<&Return>, stamp: u32) -> [u8; PATH] {
    let mut out = [0; PATH];
    put(&mut out, 36, &[family(prefix.addr()), prefix.bits()]);
    put(&mut out, 40, &octets_of(prefix.addr()));
    let Some(way) = way else {
        put(&mut out, 39, &[DISCARD]);
        return out;
    };
    put(&mut out, 0, &lead::tunnel(way.kind, way.local, way.remote));
    if let Some(via) = way.via {
        put(&mut out, 38, &[family(via)]);
        put(&mut out, 56, &octets_of(via));
    }
    for (at, half) in [72, 80].into_iter().zip(halves(wide(way.remote))) {
        put(&mut out, at, &half.to_ne_bytes());
    }
    put(&mut out, 88, &u32::from(way.mtu.unwrap_or(0)).to_ne_bytes());
    put(&mut out, 92, &stamp.to_ne_bytes());
    out
}

/// What [`path`] was made of.
fn read_path(prefix: Prefix, octets: &[u8]) -> Option<Return> {
    if octets.get(39)? & DISCARD != 0 {
        return None;
    }
    let (tunnel, via) = (*octets.first()?, *octets.get(38)?);
    Some(Return {
        prefix,
        kind: if *octets.get(1)? == lead::GRE { Kind::Gre } else { Kind::Ipip },
        local: address_of(tunnel, octets.get(20..36)?)?,
        remote: address_of(tunnel, octets.get(4..20)?)?,
        mtu: u16::try_from(number(octets, 88)).ok().filter(|mtu| *mtu > 0),
        via: if via == 0 { None } else { address_of(via, octets.get(56..72)?) },
    })
}

impl Returning {
    /// `struct returning`, for each of so many processors.
    fn head(&self, placed: &[(Prefix, u32)], processors: u32, cuts: bool) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        let flags = if self.undeclared == Undeclared::Pass { PASS } else { 0 } | if cuts { CUT } else { 0 };
        let (box_max, net_max) =
            (abi::share(self.answers_max, processors), abi::share(self.answers_net_max, processors));
        for (at, word) in [(0, flags), (4, box_max), (8, net_max)] {
            put(&mut out, at, &word.to_ne_bytes());
        }
        for (place, six) in [false, true].into_iter().enumerate() {
            let mut placed: Vec<&(Prefix, u32)> =
                placed.iter().filter(|(prefix, _)| prefix.is_ipv4() != six).collect();
            let lengths: BTreeSet<u8> = placed.iter().map(|(prefix, _)| prefix.bits()).collect();
            put(&mut out, 16 + place * 4, &u32::try_from(lengths.len()).unwrap_or(0).to_ne_bytes());
            // The longest first.
            for (turn, length) in lengths.into_iter().rev().take(LENGTHS_MAX).enumerate() {
                let at = 24 + (place * LENGTHS_MAX + turn) * MASK;
                let [high, low] = halves(mask(six, length));
                for (behind, word) in [(0, high), (8, low), (16, u64::from(length))] {
                    put(&mut out, at + behind, &word.to_ne_bytes());
                }
            }
            if placed.len() > FEW {
                continue;
            }
            placed.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.bits()));
            put(&mut out, NEAR_AT + place * 4, &u32::try_from(placed.len()).unwrap_or(0).to_ne_bytes());
            for (turn, (prefix, where_it_is)) in placed.into_iter().enumerate() {
                let at = NEAR_AT + 8 + (place * FEW + turn) * NEAR;
                let words =
                    [halves(bits(prefix.addr())), halves(mask(six, prefix.bits()))].into_iter().flatten();
                for (behind, word) in (0..).step_by(8).zip(words) {
                    put(&mut out, at + behind, &word.to_ne_bytes());
                }
                put(&mut out, at + 32, &where_it_is.to_ne_bytes());
            }
        }
        out
    }
}

impl Plane {
    /// The places of the declared prefixes of a set, in the order of prefixes.
    pub(super) fn places(&self, set: u32) -> Result<Vec<(Prefix, u32)>, Error> {
        let entries = self.maps.get("return_index")?.entries();
        let entries = entries.map_err(Error::system("reading declared prefixes"))?;
        let mut all: Vec<(Prefix, u32)> = entries
            .iter()
            .filter_map(|(key, value)| {
                let (prefix, of) = read_key(key)?;
                (of == set).then(|| (prefix, number(value, 0)))
            })
            .collect();
        all.sort_by_key(|(prefix, _)| name(prefix));
        Ok(all)
    }

    /// Writes who gets back what passes while a set is in force. Prefixes that are declared in the set in force, too, keep their place, and
    /// with it their counters.
    pub(crate) fn write_returning(
        &self,
        policy: &Policy,
        set: u32,
        active: u32,
        cuts: bool,
    ) -> Result<(), Error> {
        let index = self.maps.get("return_index")?;
        for (prefix, _) in self.places(set)? {
            index.remove(&key(&prefix, set)).map_err(Error::system("removing a declared prefix"))?;
        }
        let Some(returning) = &policy.returning else { return Ok(()) };
        let kept: BTreeMap<Name, u32> =
            self.places(active)?.iter().map(|(prefix, place)| (name(prefix), *place)).collect();
        let taken: BTreeSet<u32> = kept.values().copied().collect();
        let mut free = (0..PLACES).filter(|place| !taken.contains(place));
        let zeroes = vec![0; self.maps.get("return_counters")?.value_size()];
        #[expect(clippy::cast_possible_truncation, reason = "tells sets apart, no more")]
        let stamp = sys::clock::monotonic() as u32 | 1;
        let ways = returning.ways.iter().map(|way| (way.prefix, Some(way)));
        let mut placed = Vec::new();
        for (prefix, way) in ways.chain(returning.discard.iter().map(|prefix| (*prefix, None))) {
            let place = match kept.get(&name(&prefix)) {
                Some(place) => *place,
                None => {
                    let most = Error::Declared { given: returning.prefixes().count(), most: PREFIXES_MAX };
                    let place = free.next().ok_or(most)?;
                    debug_assert_eq!(zeroes.len() % COUNTER, 0);
                    self.maps.write("return_counters", place, &zeroes)?;
                    place
                }
            };
            self.maps.write("return_paths", set * PLACES + place, &path(&prefix, way, stamp))?;
            index
                .set(&key(&prefix, set), &place.to_ne_bytes())
                .map_err(Error::system("writing a declared prefix"))?;
            placed.push((prefix, place));
        }
        self.maps.write("returning", set, &returning.head(&placed, self.processors()?, cuts))
    }

    /// Who gets back what passes, as the kernel has it; `None` where nothing is declared. Caps are not read back: each processor has a
    /// share of them.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn returning(&self) -> Result<Option<Returning>, Error> {
        let set = self.active()?;
        let places = self.places(set)?;
        if places.is_empty() {
            return Ok(None);
        }
        let flags = number(&self.maps.read("returning", set)?, 0);
        let undeclared = if flags & PASS == 0 { Undeclared::Drop } else { Undeclared::Pass };
        let mut all = Returning { undeclared, ..Returning::default() };
        for (prefix, place) in places {
            let octets = self.maps.read("return_paths", set * PLACES + place)?;
            match read_path(prefix, &octets) {
                Some(way) => all.ways.push(way),
                None => all.discard.push(prefix),
            }
        }
        Ok(Some(all))
    }
}
