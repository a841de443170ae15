//! One data plane: the fixed programs, the maps between them, and the sets of rules and lists that take turns.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::programs::Xdp;
use rules::Rule;
use rules::compile::bpf;
use sys::bpf::Run;

use crate::abi::{
    self, COUNTER, LEAVES, LISTS, RULES_MAX, SET, SETS, SLOT_BEHIND, SLOT_VERDICT, TALLY, number, put, word,
};
use crate::engine::{self, Bank};
use crate::error::Error;
use crate::fixed::{FIXED, Program};
use crate::gateway::Plan;
use crate::host::Host;
use crate::increments::Sets;
use crate::limits;
use crate::lists::{ENTRIES_AT, List, Tables};
use crate::maps::Maps;
use crate::object::{Buffers, object};
use crate::policy::{Engine, Policy};
use crate::protection;
use crate::way::{Installed, Way};

/// No program has been here.
const UNREAD: u32 = bpf::record::NO_RULE - 1;

/// The programs and maps of one interface, or of none.
#[derive(Debug)]
pub struct Plane {
    pub(crate) entry: OwnedFd,
    /// Those behind it, by [`FIXED`].
    pub(crate) fixed: [OwnedFd; FIXED.len()],
    pub(crate) maps: Maps,
    pub(crate) clock: Clock,
    pub(crate) programs: Vec<Program>,
    /// Whether the kernel knows `gotol` (Linux 6.6).
    pub(crate) long_jumps: bool,
    pub(crate) sets: Sets,
}

/// Where the programs take the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The kernel.
    Kernel,
    /// [`Plane::set_clock`]: rates and leases can be replayed.
    Set,
}

/// What a rule has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The rule's id, its first 64 octets.
    pub id: String,
    /// Packets it decided, also below a rate.
    pub packets: u64,
    /// Their layer-3 octets.
    pub bytes: u64,
    /// Packets of these that were dropped, or would have been in a dry run.
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

impl Tally {
    /// Whether packets that left here ended here.
    pub fn is_drop(&self) -> bool {
        matches!(self.place, "dropped" | "blocked")
    }
}

/// The set in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Rules.
    pub rules: u32,
    /// What finds the one that decides.
    pub engine: Engine,
    /// Single rules beside them.
    pub added: usize,
    /// Sets that became no tree since the programs were loaded.
    pub fallbacks: u64,
    /// Entries of the lists of allowed and blocked sources and of protected destinations; `None` for the last: all are.
    pub lists: [Option<u32>; LISTS],
    /// Everything passes.
    pub dry: bool,
    /// Names the policy.
    pub digest: [u8; 32],
    /// Whether there is a whole set before it.
    pub can_roll_back: bool,
    /// Names that.
    pub previous: Option<[u8; 32]>,
}

impl Plane {
    /// Loads the fixed programs and makes their maps.
    ///
    /// # Errors
    /// When this was built without them, or the kernel refuses one.
    pub fn load() -> Result<Self, Error> {
        Self::load_with(Clock::Kernel)
    }

    /// Likewise, with this clock.
    ///
    /// # Errors
    /// Likewise.
    pub fn load_with(clock: Clock) -> Result<Self, Error> {
        Self::load_for(clock, Buffers::One)
    }

    /// Likewise, for frames in so many buffers.
    ///
    /// # Errors
    /// Likewise; kernels before 5.18 know one buffer only.
    pub fn load_for(clock: Clock, buffers: Buffers) -> Result<Self, Error> {
        let fixed = |error: &dyn core::fmt::Display| Error::Fixed(error.to_string());
        let set = u32::from(clock == Clock::Set);
        let (key, tick) = (limits::random_key()?, sys::clock::tick());
        let mut loader = aya::EbpfLoader::new();
        let mut object = loader
            .override_global("test_clock", &set, true)
            .override_global("hash_key", key.as_slice(), true)
            .override_global("tick_ns", &tick, true)
            .load(object(buffers)?)
            .map_err(|e| fixed(&e))?;
        let maps = Maps::of(&object)?;
        let mut programs = Vec::new();
        let mut load = |name: &'static str| -> Result<OwnedFd, Error> {
            let program =
                object.program_mut(name).ok_or_else(|| Error::Fixed(format!("no program {name}")))?;
            let program: &mut Xdp = program.try_into().map_err(|e| fixed(&e))?;
            program.load().map_err(|error| refused(name, &error))?;
            let fd = program.fd().map_err(|e| fixed(&e))?;
            let info = sys::bpf::info(fd.as_fd()).map_err(Error::system("asking for a program"))?;
            programs.push(Program { name, instructions: info.translated / 8, verified: info.verified });
            fd.as_fd().try_clone_to_owned().map_err(Error::system("copying a descriptor"))
        };
        let (entry, challenge) = (load("entry")?, load("challenge")?);
        let (proof, over_udp, lead) = (load("proof")?, load("challenge_udp")?, load("lead")?);
        let [verdict, engine, increment] = FIXED;
        let fixed = [load(verdict)?, load(engine)?, load(increment)?];
        let plane = Self { programs, ..Self::with(entry, fixed, maps, clock) };
        for slot in [SLOT_VERDICT].into_iter().chain((0..SETS).map(|set| SLOT_BEHIND + set)) {
            plane.put_program(slot, plane.fixed(verdict)?)?;
        }
        plane.put_program(abi::SLOT_CHALLENGE, challenge.as_fd())?;
        plane.put_program(abi::SLOT_TCP, proof.as_fd())?;
        plane.put_program(abi::SLOT_UDP, over_udp.as_fd())?;
        let secret = sys::random::octets::<16>().map_err(Error::system("asking for random numbers"))?;
        plane.maps.write("secret", 0, &secret)?;
        plane.put_program(abi::SLOT_TUNNEL, lead.as_fd())?;
        plane.put_program(abi::SLOT_ENTRY, plane.entry.as_fd())?;
        let mut config = plane.maps.read("config", 0)?;
        put(&mut config, 4, &abi::NO_SET.to_ne_bytes());
        put(&mut config, abi::BUFFERS_AT, &u32::from(buffers == Buffers::Several).to_ne_bytes());
        plane.maps.write("config", 0, &config)?;
        Ok(plane)
    }

    /// Puts a policy in force: the new set is written beside the old one, then one word turns over.
    ///
    /// # Errors
    /// When the kernel does not take it; then the old set stays.
    pub fn install(&self, policy: &Policy) -> Result<Installed, Error> {
        self.install_as(policy, Plan { protection: policy.protection, gateway: false })
    }

    /// The set that the next policy will be.
    pub(crate) fn next(&self) -> Result<u32, Error> {
        Ok((number(&self.maps.read("config", 0)?, 0) + 1) % SETS)
    }

    /// Whether a set needs the kernel's SYN proxy.
    pub(crate) fn needs_gateway(&self, set: u32) -> Result<bool, Error> {
        Ok(self.maps.read("protections", set)?.get(protection::GATEWAY_AT).is_some_and(|flag| *flag != 0))
    }

    /// Likewise, challenged as planned.
    pub(crate) fn install_as(&self, policy: &Policy, plan: Plan) -> Result<Installed, Error> {
        policy.check()?;
        let all = policy.rules.rules();
        let most = usize::try_from(RULES_MAX).unwrap_or(usize::MAX);
        if all.len() > most {
            return Err(Error::TooMany { rules: all.len(), most });
        }
        let mut config = self.maps.read("config", 0)?;
        let active = number(&config, 0) % SETS;
        let next = (active + 1) % SETS;
        let (way, installed) = self.way(policy, next)?;
        // From here on the set before this one is no longer whole.
        put(&mut config, 4, &abi::NO_SET.to_ne_bytes());
        self.maps.write("config", 0, &config)?;
        if Bank::in_force(next, &self.maps)?.is_some() {
            self.put_program(SLOT_BEHIND + next, self.fixed("verdict")?)?;
            Bank::put_in_force(next, None, &self.maps)?;
        }
        match &way {
            Way::Tree(program) => self.put_program(next, program.as_fd())?,
            Way::Maps(tables) => {
                Bank::Whole(next).write(tables, &self.maps)?;
                self.put_program(next, self.fixed("engine")?)?;
            }
        }
        if installed.no_tree.is_some() {
            engine::count_fallback(&self.maps)?;
        }
        self.write_rules(policy.rules.rules(), |rule| policy.flags_of(rule), next * RULES_MAX)?;
        self.renew_destinations(policy, next)?;
        let processors = self.maps.get("cells")?.value_size() / 8;
        let processors = u32::try_from(processors).unwrap_or(u32::MAX);
        self.maps.write("protections", next, &plan.protection.octets(processors, plan.gateway))?;
        self.write_targets(policy.rules.rules(), next * RULES_MAX)?;
        self.write_peers(policy, next)?;
        let mut head = self.write_lists(policy, next, &config)?;
        if installed.engine == Engine::Maps {
            let flags = number(&head, 0) | abi::SET_ENGINE;
            put(&mut head, 0, &flags.to_ne_bytes());
        }
        put(&mut config, abi::SETS_AT + usize::try_from(next).unwrap_or(0) * SET, &head);
        self.maps.write("config", 0, &config)?;
        let first = config_empty(&config, active);
        put(&mut config, 0, &next.to_ne_bytes());
        put(&mut config, 4, &if first { abi::NO_SET } else { active }.to_ne_bytes());
        self.maps.write("config", 0, &config)?;
        self.sets.put(next, policy.rules.rules().to_vec());
        Ok(installed)
    }

    /// What answers to SYNs say of this host.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn set_host(&self, host: Host) -> Result<(), Error> {
        let mut config = self.maps.read("config", 0)?;
        put(&mut config, abi::HOST_AT, &host.octets());
        self.maps.write("config", 0, &config)
    }

    /// In how many buffers the programs take a frame.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn buffers(&self) -> Result<Buffers, Error> {
        let several = number(&self.maps.read("config", 0)?, abi::BUFFERS_AT) != 0;
        Ok(if several { Buffers::Several } else { Buffers::One })
    }

    /// Writes what rules do, from this place on. `flags_of`: what the policy says of each.
    pub(crate) fn write_rules(
        &self,
        all: &[Rule],
        flags_of: impl Fn(&Rule) -> u32,
        base: u32,
    ) -> Result<(), Error> {
        let keys: Vec<u8> = (base..).take(all.len()).flat_map(u32::to_ne_bytes).collect();
        let names = all.iter().flat_map(|rule| {
            let mut name = [0; abi::NAME];
            put(&mut name, 0, abi::name(rule));
            name
        });
        let counters = self.maps.get("counters")?;
        let now = self.now()?;
        let octets = |rule: &Rule| {
            let mut octets = abi::rule(rule, now);
            let flags = number(&octets, abi::RULE_FLAGS_AT) | flags_of(rule);
            put(&mut octets, abi::RULE_FLAGS_AT, &flags.to_ne_bytes());
            octets
        };
        let values = [
            ("rules", all.iter().flat_map(octets).collect::<Vec<u8>>()),
            ("names", names.collect()),
            ("counters", vec![0; counters.value_size() * all.len()]),
            ("buckets", vec![0; 8 * all.len()]),
        ];
        for (map, values) in values {
            self.maps.get(map)?.set_all(&keys, &values).map_err(Error::system("writing rules"))?;
        }
        Ok(())
    }

    /// Writes the lists; gives `struct set`.
    fn write_lists(&self, policy: &Policy, set: u32, config: &[u8]) -> Result<[u8; SET], Error> {
        let mut head = [0; SET];
        let was = abi::SETS_AT + usize::try_from(set).unwrap_or(0) * SET + 8;
        let mut flags = abi::asks(policy.rules.rules());
        if policy.dry {
            flags |= abi::SET_DRY;
        }
        if policy.telemetry {
            flags |= abi::SET_TELEMETRY;
        }
        if policy.challenges() {
            flags |= abi::SET_PROOFS;
        }
        if policy.decap.is_some() {
            flags |= abi::SET_DECAP;
        }
        let tables = Tables {
            bits4: self.maps.get("bits4")?,
            bits6: self.maps.get("bits6")?,
            lines4: self.maps.get("lines4")?,
            tables4: self.maps.get("tables4")?,
            tables6: self.maps.get("tables6")?,
        };
        let (scopes, valued) = self.valued(policy)?;
        self.write_scopes(&scopes, set)?;
        let lists = [Some(&policy.allow), Some(&policy.block), policy.protect.as_ref()];
        for (((kind, prefixes), valued), flag) in (0u32..).zip(lists).zip(valued).zip(abi::SET_LISTS) {
            let list = List::of(prefixes.map_or(&[], Vec::as_slice), &valued);
            // No destination protected is something else than all of them.
            if prefixes.is_some_and(|p| !p.is_empty() || !valued.is_empty() || kind == PROTECT) {
                flags |= flag;
            }
            let count = u32::try_from(LISTS).unwrap_or(0);
            let at = usize::try_from(kind).unwrap_or(0) * abi::LIST;
            let was = config.get(was + at..was + at + abi::LIST).unwrap_or(&[]);
            list.write(set * count + kind, was, &tables)?;
            put(&mut head, 8 + at, &list.head());
        }
        let rules = u32::try_from(policy.rules.rules().len()).unwrap_or(u32::MAX);
        put(&mut head, 0, &flags.to_ne_bytes());
        put(&mut head, 4, &rules.to_ne_bytes());
        put(&mut head, SET - 32, &policy.digest);
        Ok(head)
    }

    /// Puts the set before this one in force again; whether there was one.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn roll_back(&self) -> Result<bool, Error> {
        let mut config = self.maps.read("config", 0)?;
        let previous = number(&config, 4);
        if previous >= SETS {
            return Ok(false);
        }
        put(&mut config, 0, &previous.to_ne_bytes());
        put(&mut config, 4, &abi::NO_SET.to_ne_bytes());
        self.maps.write("config", 0, &config)?;
        Ok(true)
    }

    /// What is in force.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn in_force(&self) -> Result<InForce, Error> {
        let config = self.maps.read("config", 0)?;
        let active = number(&config, 0) % SETS;
        let added = Bank::in_force(active, &self.maps)?.map(|bank| bank.slots(&self.maps)).transpose()?;
        let at = abi::SETS_AT + usize::try_from(active).unwrap_or(0) * SET;
        let set = config.get(at..at + SET).unwrap_or(&[]);
        let flags = number(set, 0);
        let entries = |kind: usize| number(set, 8 + kind * abi::LIST + ENTRIES_AT);
        let protects = flags & abi::SET_LISTS[2] != 0;
        let before = usize::try_from(number(&config, 4)).ok().filter(|_| number(&config, 4) < SETS);
        let end = before.map(|set| abi::SETS_AT + (set + 1) * SET);
        let previous = end.and_then(|end| config.get(end - 32..end));
        Ok(InForce {
            rules: number(set, 4),
            engine: if flags & abi::SET_ENGINE == 0 { Engine::Tree } else { Engine::Maps },
            added: added.map_or(0, |slots| slots.len()),
            fallbacks: engine::fallbacks(&self.maps)?,
            lists: [Some(entries(0)), Some(entries(1)), protects.then(|| entries(2))],
            dry: flags & abi::SET_DRY != 0,
            digest: set.get(SET - 32..).and_then(|d| d.try_into().ok()).unwrap_or_default(),
            can_roll_back: number(&config, 4) < SETS,
            previous: previous.and_then(|set| set.try_into().ok()),
        })
    }

    /// What the rules in force have decided, those added included, in deciding order.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn counts(&self) -> Result<Vec<Counts>, Error> {
        let active = self.active()?;
        let added = Bank::in_force(active, &self.maps)?.map(|bank| bank.slots(&self.maps)).transpose()?;
        let own = (0..self.in_force()?.rules).map(|place| (engine::order(place), active * RULES_MAX + place));
        let mut slots: Vec<(u32, u32)> = own.chain(added.unwrap_or_default()).collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, slot)| self.count(slot)).collect()
    }

    /// The index of the set in force.
    pub(crate) fn active(&self) -> Result<u32, Error> {
        Ok(number(&self.maps.read("config", 0)?, 0) % SETS)
    }

    fn count(&self, place: u32) -> Result<Counts, Error> {
        let name = self.maps.read("names", place)?;
        let name = name.split(|octet| *octet == 0).next().unwrap_or(&[]);
        let value = self.maps.read("counters", place)?;
        let sum = |at: usize| value.chunks(COUNTER).map(|one| word(one, at)).sum();
        let id = String::from_utf8_lossy(name).into_owned();
        Ok(Counts { id, packets: sum(0), bytes: sum(8), dropped: sum(16) })
    }

    /// Where packets left.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn leaves(&self) -> Result<Vec<Tally>, Error> {
        let tallies = (0u32..).zip(LEAVES).map(|(key, place)| {
            let value = self.maps.read("leaves", key)?;
            let sum = |at: usize| value.chunks(TALLY).map(|one| word(one, at)).sum();
            Ok(Tally { place, packets: sum(0), bytes: sum(8) })
        });
        tallies.collect()
    }

    /// The entry program.
    pub fn entry(&self) -> BorrowedFd<'_> {
        self.entry.as_fd()
    }

    /// Runs the programs on a frame, so many times, without an interface.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn test_run(&self, frame: &[u8], repeat: u32) -> io::Result<Run> {
        sys::bpf::test_run(self.entry.as_fd(), frame, repeat)
    }

    /// Runs the programs on a frame; what they returned, and the frame as they left it: an answer, where they gave one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn answer(&self, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        sys::bpf::test_run_frame(self.entry.as_fd(), frame)
    }

    /// The id of the rule at a place that [`Self::trace`] has told.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn id_at(&self, place: usize) -> Result<String, Error> {
        let place = u32::try_from(place).unwrap_or(0) % RULES_MAX;
        Ok(self.count(self.active()? * RULES_MAX + place)?.id)
    }

    /// Runs the programs on a frame and tells which rule of the set in force decided, by its place in deciding order; a
    /// rule added later has a place behind them all.
    /// For tests and questions; packets that arrive meanwhile can disturb the answer.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn trace(&self, frame: &[u8]) -> Result<(u32, Option<usize>), Error> {
        let size = bpf::record::SIZE;
        let at = usize::try_from(bpf::record::RULE.offset).unwrap_or(0);
        let mut unread = vec![0; self.maps.get("scratch")?.value_size()];
        for one in unread.chunks_mut(size) {
            put(one, at, &UNREAD.to_ne_bytes());
        }
        self.maps.write("scratch", 0, &unread)?;
        let run = self.test_run(frame, 1).map_err(Error::system("a test run"))?;
        let records = self.maps.read("scratch", 0)?;
        let found = records.chunks(size).map(|one| number(one, at)).find(|rule| *rule != UNREAD);
        let rule = found.filter(|rule| *rule != bpf::record::NO_RULE).map(|rule| rule % RULES_MAX);
        Ok((run.returned, rule.and_then(|rule| usize::try_from(rule).ok())))
    }

    /// Sets the clock of a plane that was loaded with [`Clock::Set`].
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn set_clock(&self, nanoseconds: u64) -> Result<(), Error> {
        self.maps.write("clock", 0, &nanoseconds.to_ne_bytes())
    }

    pub(crate) fn put_program(&self, slot: u32, program: BorrowedFd<'_>) -> Result<(), Error> {
        self.maps.write("programs", slot, &program.as_raw_fd().to_ne_bytes())
    }
}

/// Why a fixed program was refused, without all that the verifier says before.
fn refused(name: &str, error: &aya::programs::ProgramError) -> Error {
    match error {
        aya::programs::ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            Error::Fixed(format!("{name}: {io_error}; {}", crate::error::last(&log)))
        }
        other => Error::Fixed(format!("{name}: {other}")),
    }
}

/// The list of protected destinations among the lists.
const PROTECT: u32 = 2;

/// Whether this set has never been written.
fn config_empty(config: &[u8], set: u32) -> bool {
    let at = abi::SETS_AT + usize::try_from(set).unwrap_or(0) * SET;
    config.get(at..at + SET).is_none_or(|set| set.iter().all(|octet| *octet == 0))
}
