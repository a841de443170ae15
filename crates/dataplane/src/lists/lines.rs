//! Many addresses of IPv4 in lines of a cache's size: `bpf/lines.h`.

use sys::bpf::Map;

use crate::error::Error;

/// Slots of a line: 64 octets.
const SLOTS: usize = 16;
/// Addresses from which on lines are worth their memory; half of their slots are free.
pub(super) const FROM: usize = 1024;

/// Lines, a power of two of them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// How many bits number them; 0 for none.
    pub(super) bits: u32,
    slots: Vec<u32>,
    /// Addresses in them.
    pub(super) entries: usize,
}

impl Lines {
    /// For so many addresses.
    pub(super) fn room(addresses: usize) -> Self {
        if addresses < FROM {
            return Self::default();
        }
        let lines = (addresses / (SLOTS / 2)).next_power_of_two();
        Self { bits: lines.trailing_zeros(), slots: vec![0; lines * SLOTS], entries: 0 }
    }

    /// Whether there was room for an address.
    pub(super) fn add(&mut self, addr: u32) -> bool {
        if self.bits == 0 || addr == 0 {
            return false;
        }
        let line = usize::try_from(addr.wrapping_mul(0x9e37_79b1) >> (32 - self.bits)).unwrap_or(0);
        let slots = self.slots.get_mut(line * SLOTS..(line + 1) * SLOTS);
        let Some(slot) = slots.and_then(|slots| slots.iter_mut().find(|slot| **slot == 0)) else {
            return false;
        };
        *slot = addr;
        self.entries += 1;
        true
    }

    /// Writes them into a map of their own, and puts that into its place. `was`: the bits of those that stood there.
    pub(super) fn write(&self, index: u32, was: u32, outer: &Map) -> Result<(), Error> {
        if self.bits == 0 && was == 0 {
            return Ok(());
        }
        // A single line that nobody asks gives the memory of many back.
        let lines = 1u32 << self.bits;
        let table = Map::lines(lines).map_err(Error::system("making a table for a list"))?;
        if self.bits == 0 {
            return outer.set_map(index, &table).map_err(Error::system("placing a list"));
        }
        let keys: Vec<u8> = (0..lines).flat_map(u32::to_ne_bytes).collect();
        let values: Vec<u8> = self.slots.iter().flat_map(|slot| slot.to_ne_bytes()).collect();
        table.set_all(&keys, &values).map_err(Error::system("filling a list"))?;
        outer.set_map(index, &table).map_err(Error::system("placing a list"))
    }
}
