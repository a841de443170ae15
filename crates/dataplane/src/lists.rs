//! Lists of prefixes, as `bpf/lists.h` reads them: a bitmap in front of a table.

mod lines;

use base::Prefix;
use base::prefix::wide;
use sys::bpf::Map;

use crate::abi::{self, number, put};
use crate::error::Error;

use self::lines::Lines;

/// Words of 64 bits of one list.
pub(crate) const WORDS: u32 = 262_144;
/// IPv6: bits of an address of which each listed prefix has at least so many.
const FRONTS: [u8; 2] = [48, 32];

/// Where `struct list` has the number of its entries.
pub(crate) const ENTRIES_AT: usize = 36;

/// Where it has the bits that number its lines.
const LINES_AT: usize = 40;

/// One list, ready for the kernel.
#[derive(Debug)]
pub(crate) struct List {
    bits4: Vec<u64>,
    bits6: Vec<u64>,
    keys4: Vec<u8>,
    keys6: Vec<u8>,
    values4: Vec<u8>,
    values6: Vec<u8>,
    lengths4: u64,
    lengths6: [u64; 3],
    front6: u8,
    lines: Lines,
}

/// The place of an address among the bits of IPv6.
fn place6(high: u64, front: u8) -> u64 {
    (high >> (64 - front)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// The two halves of an address.
fn halves(addr: u128) -> (u64, u64) {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    (half(addr >> 64), half(addr))
}

fn set_bit(bits: &mut [u64], place: u64) {
    if let Some(word) = usize::try_from(place >> 6).ok().and_then(|at| bits.get_mut(at)) {
        *word |= 1 << (place & 63);
    }
}

impl List {
    /// Of entries that hold for all packets of their source, and of entries with a value, which precede.
    pub(crate) fn of(prefixes: &[Prefix], valued: &[(Prefix, u32)]) -> Self {
        let mut sorted = prefixes.to_vec();
        sorted.extend(valued.iter().map(|(prefix, _)| *prefix));
        sorted.sort_unstable();
        sorted.dedup();
        let by_prefix: std::collections::BTreeMap<Prefix, u32> = valued.iter().copied().collect();
        let shortest6 = sorted.iter().filter(|p| !p.is_ipv4()).map(Prefix::bits).min();
        let front6 = FRONTS.into_iter().find(|front| shortest6.is_some_and(|s| s >= *front)).unwrap_or(0);
        let words = usize::try_from(WORDS).unwrap_or(0);
        let of_family = |v4: bool| sorted.iter().any(|p| p.is_ipv4() == v4);
        let room = |wanted: bool| if wanted { vec![0; words] } else { Vec::new() };
        let mut list = Self {
            bits4: room(of_family(true)),
            bits6: room(of_family(false) && front6 > 0),
            keys4: Vec::new(),
            keys6: Vec::new(),
            values4: Vec::new(),
            values6: Vec::new(),
            lengths4: 0,
            lengths6: [0; 3],
            front6,
            lines: Lines::room(sorted.iter().filter(|p| p.is_ipv4() && p.is_host()).count()),
        };
        for prefix in &sorted {
            let value = by_prefix.get(prefix).copied().unwrap_or(0);
            list.add(prefix, value);
        }
        list
    }

    fn add(&mut self, prefix: &Prefix, value: u32) {
        let bits = prefix.bits();
        if prefix.is_ipv4() {
            let addr = u32::try_from(wide(prefix.addr()) & u128::from(u32::MAX)).unwrap_or(0);
            if bits < 32 || value != 0 || !self.lines.add(addr) {
                self.lengths4 |= 1 << bits;
                self.keys4.extend(addr.to_ne_bytes());
                self.keys4.extend(u32::from(bits).to_ne_bytes());
                self.values4.extend(value.to_ne_bytes());
            }
            let first = u64::from(addr >> 8);
            for place in first..first + (1u64 << 24u8.saturating_sub(bits)) {
                set_bit(&mut self.bits4, place);
            }
            return;
        }
        let (high, low) = halves(wide(prefix.addr()));
        if let Some(word) = self.lengths6.get_mut(usize::from(bits >> 6)) {
            *word |= 1 << (bits & 63);
        }
        self.keys6.extend(high.to_ne_bytes());
        self.keys6.extend(low.to_ne_bytes());
        self.keys6.extend(u64::from(bits).to_ne_bytes());
        self.values6.extend(value.to_ne_bytes());
        if self.front6 > 0 {
            set_bit(&mut self.bits6, place6(high, self.front6));
        }
    }

    /// `struct list`.
    pub(crate) fn head(&self) -> [u8; abi::LIST] {
        let mut out = [0; abi::LIST];
        put(&mut out, 0, &self.lengths4.to_ne_bytes());
        for (word, at) in self.lengths6.iter().zip([8, 16, 24]) {
            put(&mut out, at, &word.to_ne_bytes());
        }
        put(&mut out, 32, &u32::from(self.front6).to_ne_bytes());
        put(&mut out, LINES_AT, &self.lines.bits.to_ne_bytes());
        put(&mut out, ENTRIES_AT, &u32::try_from(self.entries()).unwrap_or(u32::MAX).to_ne_bytes());
        out
    }

    fn entries(&self) -> usize {
        self.lines.entries + self.keys4.len() / abi::KEY4 + self.keys6.len() / abi::KEY6
    }

    /// Writes it into its places of the maps; no program looks there meanwhile. `was`: the list that stood there.
    pub(crate) fn write(&self, index: u32, was: &[u8], maps: &Tables<'_>) -> Result<(), Error> {
        for (bits, map) in [(&self.bits4, maps.bits4), (&self.bits6, maps.bits6)] {
            if !bits.is_empty() {
                let keys: Vec<u8> = (index * WORDS..).take(bits.len()).flat_map(u32::to_ne_bytes).collect();
                let values: Vec<u8> = bits.iter().flat_map(|word| word.to_ne_bytes()).collect();
                map.set_all(&keys, &values).map_err(Error::system("writing a list's bits"))?;
            }
        }
        self.lines.write(index, number(was, LINES_AT), maps.lines4)?;
        for (keys, values, size, outer) in [
            (&self.keys4, &self.values4, abi::KEY4, maps.tables4),
            (&self.keys6, &self.values6, abi::KEY6, maps.tables6),
        ] {
            let entries = keys.len() / size;
            // To change an array of maps takes the kernel a dozen milliseconds; nobody looks for an empty list.
            if entries == 0 && number(was, ENTRIES_AT) == 0 {
                continue;
            }
            let room = u32::try_from(entries.max(1)).unwrap_or(u32::MAX);
            let table = Map::hash(u32::try_from(size).unwrap_or(0), 4, room);
            let table = table.map_err(Error::system("making a table for a list"))?;
            table.set_all(keys, values).map_err(Error::system("filling a list"))?;
            outer.set_map(index, &table).map_err(Error::system("placing a list"))?;
        }
        Ok(())
    }
}

/// The maps that hold lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'p> {
    pub(crate) bits4: &'p Map,
    pub(crate) bits6: &'p Map,
    pub(crate) lines4: &'p Map,
    pub(crate) tables4: &'p Map,
    pub(crate) tables6: &'p Map,
}
