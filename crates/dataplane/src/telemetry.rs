//! What the programs tell of packets that arrive: fronts of frames, each with the rate at which it was chosen.
//!
//! The rate follows the traffic in two steps: within a turn the programs double it by themselves for each so many packets
//! told, so that a flood cannot fill the ring before anybody looks; from turn to turn it is set here.

use std::os::fd::AsFd;

use aya::maps::{Map, MapData, RingBuf};

use crate::abi::{number, put, word};
use crate::error::Error;
use crate::plane::Plane;

/// Octets of `struct told` before the frame.
const FRAME_AT: usize = 16;
/// Octets of `struct dial`.
const DIAL: usize = 16;
/// Octets of `struct teller`.
const TELLER: usize = 24;
/// Packets told by one processor in one turn before the rate doubles, as a power of two.
const BUDGET_BITS: u32 = 6;
/// `RATE_BITS_MAX`.
const RATE_BITS_MAX: u32 = 19;
/// Packets told in a turn beyond which the next has half the rate; below the second number a calm turn.
const WANTED: (u64, u64) = (128, 24);
/// The rate goes up again after so many calm turns.
const CALM: u32 = 50;
/// Packets taken from the ring in one turn at most: what it holds. Who writes faster than we read waits for the next.
const TURN_MAX: u64 = 8192;

/// A packet that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// N: it stands for so many.
    pub rate: u32,
    /// Octets of the frame.
    pub length: u32,
    /// Its front.
    pub frame: &'a [u8],
}

/// Hears what a data plane tells, where its policy says `telemetry`.
pub struct Listener {
    ring: RingBuf<MapData>,
    bits: u32,
    turn: u32,
    calm: u32,
}

impl core::fmt::Debug for Listener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listener").field("rate", &self.rate()).finish_non_exhaustive()
    }
}

impl Listener {
    /// Opens the ring. There should be one listener: two would get half of the packets each.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(plane: &Plane) -> Result<Self, Error> {
        let fixed = |error: &dyn core::fmt::Display| Error::Fixed(error.to_string());
        let fd = plane.maps.get("telemetry")?.as_fd().try_clone_to_owned();
        let data = MapData::from_fd(fd.map_err(Error::system("copying a descriptor"))?);
        let ring = RingBuf::try_from(Map::RingBuf(data.map_err(|e| fixed(&e))?)).map_err(|e| fixed(&e))?;
        let mut listener = Self { ring, bits: 0, turn: number(&plane.maps.read("dial", 0)?, 8), calm: 0 };
        listener.next(plane)?;
        Ok(listener)
    }

    /// Shows what was told since the last turn, and begins the next one; how many there were.
    ///
    /// # Errors
    /// When the dial cannot be written.
    pub fn turn(&mut self, plane: &Plane, mut each: impl FnMut(Told<'_>)) -> Result<u64, Error> {
        let mut count = 0;
        while count < TURN_MAX
            && let Some(item) = self.ring.next()
        {
            count += 1;
            let front = usize::try_from(number(&item, 8)).unwrap_or(0);
            if let Some(frame) = item.get(FRAME_AT..FRAME_AT + front) {
                each(Told { rate: number(&item, 0).max(1), length: number(&item, 4), frame });
            }
        }
        self.adapt(count);
        self.next(plane)?;
        Ok(count)
    }

    /// N of 1 in N at the beginning of this turn.
    pub const fn rate(&self) -> u32 {
        1 << self.bits
    }

    fn adapt(&mut self, count: u64) {
        if count > WANTED.0 {
            self.bits = (self.bits + 1).min(RATE_BITS_MAX);
            self.calm = 0;
        } else if count < WANTED.1 {
            self.calm += 1;
            if self.calm >= CALM {
                self.bits = self.bits.saturating_sub(1);
                self.calm = 0;
            }
        } else {
            self.calm = 0;
        }
    }

    fn next(&mut self, plane: &Plane) -> Result<(), Error> {
        self.turn = self.turn.wrapping_add(1);
        let mut dial = [0; DIAL];
        for (at, word) in [(0, self.bits), (4, BUDGET_BITS), (8, self.turn)] {
            put(&mut dial, at, &word.to_ne_bytes());
        }
        plane.maps.write("dial", 0, &dial)
    }
}

impl Plane {
    /// Packets told to listeners so far, and those that were lost because nobody read them in time.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn told(&self) -> Result<(u64, u64), Error> {
        let value = self.maps.read("tellers", 0)?;
        let sum = |at: usize| value.chunks(TELLER).map(|one| word(one, at)).sum();
        Ok((sum(8), sum(16)))
    }
}
