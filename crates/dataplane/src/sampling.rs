//! Samples: packets as they leave, one in so many, within a budget for each class.
//!
//! Who samples grants credit again and again. Whoever is killed grants no more, and sampling ends by itself.

use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::path::PathBuf;

use aya::maps::{Map, MapData, RingBuf};
use base::Span;

use crate::abi::{self, LEAVES, RULES_MAX, SET, SETS, number, put, word};
use crate::error::Error;
use crate::lock;
use crate::plane::Plane;

/// One packet in so many.
pub type Rate = NonZeroU32;

/// Octets of `struct sample` without its frame.
const FRAME_AT: usize = 40;
const CLASSES: usize = 2;
/// Octets of `struct grant`.
const GRANT: usize = 16;
/// Words of `meters` for each class.
const METERS_OF_CLASS: u32 = 4;
/// Words of `meters`.
const METERS: u32 = 10;
/// The samples of so many grants may come at once.
const BURST: u64 = 2;

/// The two kinds of sample, each with a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Packets that ended here: their first 128 octets.
    Dropped,
    /// Packets that went on: their headers, nothing of what they carry.
    Passed,
}

impl Class {
    /// Both.
    pub const ALL: [Self; CLASSES] = [Self::Dropped, Self::Passed];

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Passed => "passed",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Dropped => 0,
            Self::Passed => 1,
        }
    }
}

/// A packet that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When: nanoseconds of `CLOCK_MONOTONIC`.
    pub at: u64,
    /// Whether it ended here.
    pub class: Class,
    /// Where it left: `dropped`, `blocked`, ….
    pub place: &'static str,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// The first octets of the digest of the set that was in force.
    pub digest: [u8; 8],
    /// It stands for so many packets.
    pub rate: u32,
    /// Octets of the frame.
    pub length: u32,
    /// The index of the interface on which it came.
    pub interface: u32,
    /// The first of them.
    pub octets: Vec<u8>,
}

/// What sampling came to, since the programs were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Packets of which one in so many is chosen.
    pub offered: u64,
    /// Samples taken.
    pub taken: u64,
    /// Chosen, but the budget was spent.
    pub over: u64,
    /// Chosen, but nobody had read those before.
    pub lost: u64,
}

/// What came through tunnels, since the programs were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tunnelled {
    /// Packets whose outer headers were taken off.
    pub decapsulated: u64,
    /// Packets in a tunnel that was none of ours, left as they were.
    pub foreign: u64,
}

/// Reads samples while it lives.
pub struct Sampler<'p> {
    plane: &'p Plane,
    /// Of the pins; a plane without has no other writers.
    folder: Option<PathBuf>,
    ring: RingBuf<MapData>,
    /// Samples a second for each class; 0: none.
    budget: [u32; CLASSES],
    rule: Option<String>,
    rates: [u32; CLASSES],
    /// Packets that could have been sampled, as of the last grant.
    seen: Option<[u64; CLASSES]>,
    asked: bool,
    _reader: Option<lock::Lock>,
}

impl Plane {
    /// What sampling came to, for each class.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn meters(&self) -> Result<[Meter; CLASSES], Error> {
        let mut words = (0..METERS_OF_CLASS * 2).map(|key| self.meter(key));
        let mut next = || words.next().unwrap_or(Ok(0));
        let mut one = || -> Result<Meter, Error> {
            Ok(Meter { offered: next()?, taken: next()?, over: next()?, lost: next()? })
        };
        Ok([one()?, one()?])
    }

    /// What came through tunnels.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn tunnelled(&self) -> Result<Tunnelled, Error> {
        Ok(Tunnelled { decapsulated: self.meter(METERS - 2)?, foreign: self.meter(METERS - 1)? })
    }

    fn meter(&self, key: u32) -> Result<u64, Error> {
        Ok(self.maps.read("meters", key)?.chunks(8).map(|one| word(one, 0)).sum())
    }

    /// Begins to sample: so many packets a second of each class at most, of all or of one rule. The plane is nobody
    /// else's.
    ///
    /// # Errors
    /// When there is no such rule, or a map cannot be opened.
    pub fn sampler(&self, budget: [u32; 2], rule: Option<&str>) -> Result<Sampler<'_>, Error> {
        Sampler::new(self, None, budget, rule)
    }
}

impl Sampler<'_> {
    /// The time by the clock of the samples.
    pub fn now() -> u64 {
        sys::clock::monotonic()
    }
}

impl<'p> Sampler<'p> {
    pub(crate) fn new(
        plane: &'p Plane,
        folder: Option<PathBuf>,
        budget: [u32; CLASSES],
        rule: Option<&str>,
    ) -> Result<Self, Error> {
        let reader = folder.as_ref().map(|folder| {
            let mut reader = folder.clone();
            reader.push("reader");
            std::fs::create_dir_all(&reader).map_err(Error::system("making a folder among the pins"))?;
            lock::hold_now(&reader)?.ok_or(Error::Captured)
        });
        let fd = plane.maps.get("samples")?.as_fd().try_clone_to_owned();
        let fd = fd.map_err(Error::system("copying a descriptor"))?;
        let fixed = |error: &dyn core::fmt::Display| Error::Fixed(error.to_string());
        let data = MapData::from_fd(fd).map_err(|error| fixed(&error))?;
        let mut sampler = Self {
            plane,
            folder,
            ring: RingBuf::try_from(Map::RingBuf(data)).map_err(|error| fixed(&error))?,
            budget,
            rule: rule.map(str::to_owned),
            rates: [0; CLASSES],
            seen: None,
            asked: false,
            _reader: reader.transpose()?,
        };
        if let Some(rule) = rule {
            sampler.place_of(rule)?.ok_or_else(|| Error::NoRule(rule.to_owned()))?;
        }
        // What another reader left.
        while sampler.ring.next().is_some() {}
        sampler.seen = Some(sampler.leaving()?);
        Ok(sampler)
    }

    /// Grants the budget of the time that has passed since the last grant, and fits the rates to what was seen since then.
    /// To be called some times a second.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn grant(&mut self, passed: Span) -> Result<[u32; 2], Error> {
        let first = !self.asked;
        let seen = if first { self.leaving()? } else { self.plane.meters()?.map(|meter| meter.offered) };
        let before = self.seen.unwrap_or(seen);
        let nanos = u128::from(passed.nanos().max(1));
        for class in Class::ALL.map(Class::index) {
            let (Some(budget), Some(rate)) = (self.budget.get(class), self.rates.get_mut(class)) else {
                continue;
            };
            let more = seen.get(class).unwrap_or(&0).saturating_sub(*before.get(class).unwrap_or(&0));
            let wanted = match u128::from(*budget) {
                0 => 0,
                budget => (u128::from(more) * 1_000_000_000).div_ceil(nanos * budget).max(1),
            };
            let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
            // Up at once, down by halves: a flood that pauses does not find the door open.
            *rate = wanted.max(*rate / 2);
            let credit = u128::from(*budget) * nanos / 1_000_000_000 * u128::from(BURST);
            let credit = i64::try_from(credit.max(1)).unwrap_or(i64::MAX);
            let mut grant = [0; GRANT];
            put(&mut grant, 0, &rate.to_ne_bytes());
            put(&mut grant, 8, &(if *budget == 0 { 0 } else { credit }).to_ne_bytes());
            self.plane.maps.write("grants", u32::try_from(class).unwrap_or(0), &grant)?;
        }
        self.asked = self.ask(true)?;
        let now = if first { self.plane.meters()?.map(|meter| meter.offered) } else { seen };
        self.seen = Some(now);
        Ok(self.rates)
    }

    /// The next sample, if one has come.
    pub fn take(&mut self) -> Option<Sample> {
        let octets = self.ring.next()?.to_vec();
        let class = if octets.get(35) == Some(&0) { Class::Dropped } else { Class::Passed };
        let place = octets.get(34).and_then(|place| LEAVES.get(usize::from(*place)));
        let digest: [u8; 8] = octets.get(8..16).and_then(|d| d.try_into().ok()).unwrap_or_default();
        let end = FRAME_AT + usize::from(u16::from_ne_bytes([*octets.get(32)?, *octets.get(33)?]));
        Some(Sample {
            at: word(&octets, 0),
            class,
            place: place.copied().unwrap_or("?"),
            rule: self.name_of(number(&octets, 16), digest),
            digest,
            length: number(&octets, 20),
            rate: number(&octets, 24),
            interface: number(&octets, 28),
            octets: octets.get(FRAME_AT..end)?.to_vec(),
        })
    }

    /// The id of the rule at a place, while the set is there that had it.
    fn name_of(&self, place: u32, digest: [u8; 8]) -> Option<String> {
        if place >= SETS * RULES_MAX {
            return None;
        }
        let unknown = || Some(format!("no. {} of a set that is gone", place % RULES_MAX + 1));
        let Ok(config) = self.plane.maps.read("config", 0) else { return unknown() };
        let at = abi::SETS_AT + usize::try_from(place / RULES_MAX).unwrap_or(0) * SET + SET - 32;
        if config.get(at..at + 8) != Some(&digest) {
            return unknown();
        }
        let name = self.plane.maps.read("names", place).ok()?;
        let name = name.split(|octet| *octet == 0).next().unwrap_or(&[]);
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Packets that left, by class: before anything is sampled.
    fn leaving(&self) -> Result<[u64; CLASSES], Error> {
        let mut out = [0; CLASSES];
        for tally in self.plane.leaves()? {
            let class = if tally.is_drop() { Class::Dropped } else { Class::Passed };
            if let Some(sum) = out.get_mut(class.index()) {
                *sum += tally.packets;
            }
        }
        Ok(out)
    }

    /// The place of a rule in the set in force.
    fn place_of(&self, id: &str) -> Result<Option<u32>, Error> {
        let active = number(&self.plane.maps.read("config", 0)?, 0) % SETS;
        let found = self.plane.counts()?.iter().position(|counts| counts.id == id);
        Ok(found.and_then(|place| u32::try_from(place).ok()).map(|place| active * RULES_MAX + place))
    }

    /// Makes the set in force, or the one rule, ask for samples, or no longer. While somebody else changes the interface it
    /// does nothing; whether it did.
    fn ask(&self, wanted: bool) -> Result<bool, Error> {
        let lock = self.folder.as_ref().map(|folder| lock::hold_now(folder)).transpose()?;
        if matches!(lock, Some(None)) {
            return Ok(false);
        }
        let set = |flags: u32, bit: u32| if wanted { flags | bit } else { flags & !bit };
        if let Some(rule) = &self.rule {
            let Some(place) = self.place_of(rule)? else { return Ok(false) };
            let mut value = self.plane.maps.read("rules", place)?;
            let old = number(&value, abi::RULE_FLAGS_AT);
            // A rule that has a rate of its own asks anyway.
            let own = number(&value, abi::RULE_SAMPLE_AT) > 0;
            let new = set(old, abi::RULE_SAMPLE);
            if !own && new != old {
                put(&mut value, abi::RULE_FLAGS_AT, &new.to_ne_bytes());
                self.plane.maps.write("rules", place, &value)?;
            }
            return Ok(true);
        }
        let mut config = self.plane.maps.read("config", 0)?;
        let active = number(&config, 0) % SETS;
        let mut changed = false;
        for index in (0..SETS).filter(|index| !wanted || *index == active) {
            let at = abi::SETS_AT + usize::try_from(index).unwrap_or(0) * SET;
            let (old, new) = (number(&config, at), set(number(&config, at), abi::SET_SAMPLE));
            put(&mut config, at, &new.to_ne_bytes());
            changed |= old != new;
        }
        if changed {
            self.plane.maps.write("config", 0, &config)?;
        }
        Ok(true)
    }
}

impl core::fmt::Debug for Sampler<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sampler")
            .field("budget", &self.budget)
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}

impl Drop for Sampler<'_> {
    fn drop(&mut self) {
        for class in 0..2u32 {
            let _ = self.plane.maps.write("grants", class, &[0; GRANT]);
        }
        let _ = self.ask(false);
    }
}
