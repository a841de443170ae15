//! One data plane: the fixed programs, the maps between them, and the sets of rules that take turns.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::programs::Xdp;
use rules::RuleSet;
use rules::compile::bpf;
use sys::bpf::{Map, Run};

use crate::abi::{
    self, CONFIG, COUNTER, LEAVES, RULES_MAX, SET, SETS, SLOT_VERDICT, TALLY, number, put, word,
};
use crate::error::Error;
use crate::object::object;

/// No program has been here.
const UNREAD: u32 = bpf::record::NO_RULE - 1;

/// The programs and maps of one interface, or of none.
#[derive(Debug)]
pub struct Plane {
    entry: OwnedFd,
    scratch: Map,
    config: Map,
    programs: Map,
    rules: Map,
    counters: Map,
    leaves: Map,
}

/// What came of installing a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Instructions of the program.
    pub instructions: usize,
    /// Instructions that the kernel's verifier walked.
    pub verified: u32,
    /// Octets of machine code.
    pub machine_code: u32,
}

/// What a rule has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets it decided, also below a rate.
    pub packets: u64,
    /// Their layer-3 octets.
    pub bytes: u64,
    /// Packets of these that were dropped.
    pub dropped: u64,
}

/// Packets that left at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Which: `unmatched`, `dropped`, ….
    pub place: &'static str,
    /// Packets.
    pub packets: u64,
    /// Layer-3 octets; of frames that are not IP, octets of the frame.
    pub bytes: u64,
}

impl Plane {
    /// Loads the fixed programs and makes their maps.
    ///
    /// # Errors
    /// When this was built without them, or the kernel refuses one.
    pub fn load() -> Result<Self, Error> {
        let fixed = |error: &dyn core::fmt::Display| Error::Fixed(error.to_string());
        let mut object = aya::EbpfLoader::new().load(object()?).map_err(|e| fixed(&e))?;
        let map = |name: &str| -> Result<Map, Error> {
            let missing = || Error::Fixed(format!("there is no map {name}"));
            let map = object.map(name).ok_or_else(missing)?;
            let data = descriptor(map).ok_or_else(missing)?;
            let fd = data.try_clone_to_owned().map_err(Error::system("copying a descriptor"))?;
            Map::of(fd).map_err(Error::system("asking for a map's sizes"))
        };
        let (scratch, config, programs) = (map("scratch")?, map("config")?, map("programs")?);
        let (rules, counters, leaves) = (map("rules")?, map("counters")?, map("leaves")?);
        let mut load = |name: &str| -> Result<OwnedFd, Error> {
            let program =
                object.program_mut(name).ok_or_else(|| Error::Fixed(format!("no program {name}")))?;
            let program: &mut Xdp = program.try_into().map_err(|e| fixed(&e))?;
            program.load().map_err(|e| fixed(&e))?;
            let fd = program.fd().map_err(|e| fixed(&e))?;
            fd.as_fd().try_clone_to_owned().map_err(Error::system("copying a descriptor"))
        };
        let (entry, verdict) = (load("entry")?, load("verdict")?);
        let plane = Self { entry, scratch, config, programs, rules, counters, leaves };
        plane.put_program(SLOT_VERDICT, verdict.as_fd())?;
        Ok(plane)
    }

    /// Puts rules in force: the new set is written beside the old one, then one word turns over.
    ///
    /// # Errors
    /// When the kernel does not take them; then the old set stays.
    pub fn install(&self, set: &RuleSet) -> Result<Installed, Error> {
        let all = set.rules();
        let most = usize::try_from(RULES_MAX).unwrap_or(usize::MAX);
        if all.len() > most {
            return Err(Error::TooMany { rules: all.len(), most });
        }
        let mut config = self.read_config()?;
        let next = (number(&config, 0) + 1) % SETS;
        let base = next * RULES_MAX;
        let program = bpf::program(
            all,
            bpf::Setting {
                record: self.scratch.as_fd().as_raw_fd(),
                programs: self.programs.as_fd().as_raw_fd(),
                next: i32::try_from(SLOT_VERDICT).unwrap_or(0),
                base,
                long_jumps: true,
            },
        )?;
        let octets: Vec<[u8; 8]> = program.iter().map(|instruction| instruction.octets()).collect();
        let refused =
            |r: sys::bpf::Refused| Error::Refused { instructions: program.len(), cause: r.cause, log: r.log };
        let loaded = sys::bpf::load_xdp(&octets, "rules").map_err(refused)?;
        let info = sys::bpf::info(loaded.as_fd()).map_err(Error::system("asking for a program"))?;
        let zero = vec![0; self.counters.value_size()];
        for (place, rule) in (base..).zip(all) {
            let key = place.to_ne_bytes();
            self.rules.set(&key, &abi::rule(rule)).map_err(Error::system("writing a rule"))?;
            self.counters.set(&key, &zero).map_err(Error::system("clearing a counter"))?;
        }
        self.put_program(next, loaded.as_fd())?;
        let payload = all.iter().any(|rule| rule.matches.payload.is_some());
        let flags = abi::SET_RULES | if payload { abi::SET_PAYLOAD } else { 0 };
        let at = 8 + usize::try_from(next).unwrap_or(0) * SET;
        put(&mut config, at, &flags.to_ne_bytes());
        put(&mut config, at + 4, &u32::try_from(all.len()).unwrap_or(0).to_ne_bytes());
        self.write_config(&config)?;
        put(&mut config, 0, &next.to_ne_bytes());
        self.write_config(&config)?;
        Ok(Installed { instructions: program.len(), verified: info.verified, machine_code: info.jited })
    }

    /// What the first `rules` rules of the set in force have decided, in deciding order.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn counts(&self, rules: usize) -> Result<Vec<Counts>, Error> {
        let active = number(&self.read_config()?, 0) % SETS;
        (active * RULES_MAX..).take(rules).map(|place| self.count(place)).collect()
    }

    fn count(&self, place: u32) -> Result<Counts, Error> {
        let value = read(&self.counters, place, "reading a counter")?;
        let sum = |at: usize| value.chunks(COUNTER).map(|one| word(one, at)).sum();
        Ok(Counts { packets: sum(0), bytes: sum(8), dropped: sum(16) })
    }

    /// Where packets left.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn leaves(&self) -> Result<Vec<Tally>, Error> {
        let tallies = (0u32..).zip(LEAVES).map(|(key, place)| {
            let value = read(&self.leaves, key, "reading a counter")?;
            let sum = |at: usize| value.chunks(TALLY).map(|one| word(one, at)).sum();
            Ok(Tally { place, packets: sum(0), bytes: sum(8) })
        });
        tallies.collect()
    }

    /// Runs the programs on a frame, so many times, without an interface.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn test_run(&self, frame: &[u8], repeat: u32) -> io::Result<Run> {
        sys::bpf::test_run(self.entry.as_fd(), frame, repeat)
    }

    /// Runs the programs on a frame and tells which rule of the set in force decided, by its place in deciding order.
    /// For tests and questions; packets that arrive meanwhile can disturb the answer.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn trace(&self, frame: &[u8]) -> Result<(u32, Option<usize>), Error> {
        let zero = 0u32.to_ne_bytes();
        let size = bpf::record::SIZE;
        let at = usize::try_from(bpf::record::RULE.offset).unwrap_or(0);
        let mut unread = vec![0; self.scratch.value_size()];
        for one in unread.chunks_mut(size) {
            put(one, at, &UNREAD.to_ne_bytes());
        }
        self.scratch.set(&zero, &unread).map_err(Error::system("writing a packet's record"))?;
        let run = self.test_run(frame, 1).map_err(Error::system("a test run"))?;
        let records = read(&self.scratch, 0, "reading a packet's record")?;
        let found = records.chunks(size).map(|one| number(one, at)).find(|rule| *rule != UNREAD);
        let rule = found.filter(|rule| *rule != bpf::record::NO_RULE).map(|rule| rule % RULES_MAX);
        Ok((run.returned, rule.and_then(|rule| usize::try_from(rule).ok())))
    }

    fn put_program(&self, slot: u32, program: BorrowedFd<'_>) -> Result<(), Error> {
        let value = program.as_raw_fd().to_ne_bytes();
        self.programs.set(&slot.to_ne_bytes(), &value).map_err(Error::system("filling a slot for a program"))
    }

    fn read_config(&self) -> Result<Vec<u8>, Error> {
        let config = read(&self.config, 0, "reading the configuration")?;
        debug_assert_eq!(config.len(), CONFIG);
        Ok(config)
    }

    fn write_config(&self, config: &[u8]) -> Result<(), Error> {
        self.config.set(&0u32.to_ne_bytes(), config).map_err(Error::system("writing the configuration"))
    }
}

fn read(map: &Map, key: u32, what: &'static str) -> Result<Vec<u8>, Error> {
    let value = map.get(&key.to_ne_bytes()).map_err(Error::system(what))?;
    value.ok_or_else(|| Error::system(what)(io::ErrorKind::NotFound.into()))
}

fn descriptor(map: &aya::maps::Map) -> Option<BorrowedFd<'_>> {
    use aya::maps::Map as Kind;
    let (Kind::Array(data) | Kind::PerCpuArray(data) | Kind::ProgramArray(data) | Kind::HashMap(data)) = map
    else {
        return None;
    };
    Some(data.fd().as_fd())
}
