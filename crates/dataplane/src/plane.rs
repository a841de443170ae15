//! One data plane: the fixed programs, the maps between them, and the sets of rules and lists that take turns.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::programs::Xdp;
use rules::Rule;

use crate::abi::{self, LISTS, RULES_MAX, SET, SETS, SLOT_BEHIND, SLOT_VERDICT, number, put};
use crate::engine::{self, Bank};
use crate::error::Error;
use crate::fixed::{FIXED, Program};
use crate::gateway::Plan;
use crate::host::Host;
use crate::increments::Sets;
use crate::limits;
use crate::lists::{List, Tables};
use crate::maps::Maps;
use crate::object::{Buffers, object};
use crate::optional::Lacking;
use crate::policy::{Engine, Policy};
use crate::protection;
use crate::way::{Installed, Way};

/// The programs and maps of one interface, or of none.
#[derive(Debug)]
pub struct Plane {
    pub(crate) entry: OwnedFd,
    /// Those behind it, by [`FIXED`].
    pub(crate) fixed: [OwnedFd; FIXED.len()],
    pub(crate) maps: Maps,
    pub(crate) clock: Clock,
    pub(crate) programs: Vec<Program>,
    /// Those that the kernel did not take.
    pub(crate) lacking: Vec<Lacking>,
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

/// The object with its maps, and no program loaded yet.
fn opened(clock: Clock, buffers: Buffers) -> Result<aya::Ebpf, Error> {
    let set = u32::from(clock == Clock::Set);
    let (key, tick) = (limits::random_key()?, sys::clock::tick());
    let mut loader = aya::EbpfLoader::new();
    let loaded = loader
        .override_global("test_clock", &set, true)
        .override_global("hash_key", key.as_slice(), true)
        .override_global("tick_ns", &tick, true)
        .load(object(buffers)?);
    loaded.map_err(|error| Error::Fixed(error.to_string()))
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
        Self::load_but(clock, buffers, &[])
    }

    /// Likewise, as on a kernel that does not take these programs.
    ///
    /// # Errors
    /// Likewise; `entry` and those that do what rules say are taken everywhere, or there is no plane.
    pub fn load_but(clock: Clock, buffers: Buffers, without: &[&str]) -> Result<Self, Error> {
        let fixed = |error: &dyn core::fmt::Display| Error::Fixed(error.to_string());
        let mut object = opened(clock, buffers)?;
        let maps = Maps::of(&object)?;
        let mut programs = Vec::new();
        let mut load = |name: &'static str| -> Result<OwnedFd, Error> {
            if without.contains(&name) {
                return Err(Error::Fixed(format!("{name}: left out")));
            }
            let program =
                object.program_mut(name).ok_or_else(|| Error::Fixed(format!("no program {name}")))?;
            let program: &mut Xdp = program.try_into().map_err(|e| fixed(&e))?;
            program.load().map_err(|error| refused(name, &error))?;
            let fd = program.fd().map_err(|e| fixed(&e))?;
            let info = sys::bpf::info(fd.as_fd()).map_err(Error::system("asking for a program"))?;
            programs.push(Program { name, instructions: info.translated / 8, verified: info.verified });
            fd.as_fd().try_clone_to_owned().map_err(Error::system("copying a descriptor"))
        };
        let [verdict, engine, increment] = FIXED;
        let entry = load("entry")?;
        let fixed = [load(verdict)?, load(engine)?, load(increment)?];
        let plane = Self::with(entry, fixed, maps, clock);
        let lacking = plane.put_optional(&mut load)?;
        let plane = Self { programs, lacking, ..plane };
        for slot in [SLOT_VERDICT].into_iter().chain((0..SETS).map(|set| SLOT_BEHIND + set)) {
            plane.put_program(slot, plane.fixed(verdict)?)?;
        }
        let secret = sys::random::octets::<16>().map_err(Error::system("asking for random numbers"))?;
        plane.maps.write("secret", 0, &secret)?;
        plane.put_program(abi::SLOT_ENTRY, plane.entry.as_fd())?;
        let mut config = plane.maps.read("config", 0)?;
        put(&mut config, 4, &abi::NO_SET.to_ne_bytes());
        put(&mut config, abi::BUFFERS_AT, &u32::from(buffers == Buffers::Several).to_ne_bytes());
        plane.maps.write("config", 0, &config)?;
        Ok(plane)
    }

    /// The tag of `entry` as this build has it: that program alone is loaded, and gone again.
    pub(crate) fn entry_tag(buffers: Buffers) -> Result<[u8; 8], Error> {
        let fixed = |error: &dyn core::fmt::Display| Error::Fixed(error.to_string());
        let mut object = opened(Clock::Kernel, buffers)?;
        let program =
            object.program_mut("entry").ok_or_else(|| Error::Fixed("no program entry".to_owned()))?;
        let program: &mut Xdp = program.try_into().map_err(|e| fixed(&e))?;
        program.load().map_err(|error| refused("entry", &error))?;
        let fd = program.fd().map_err(|e| fixed(&e))?;
        Ok(sys::bpf::info(fd.as_fd()).map_err(Error::system("asking for a program"))?.tag)
    }

    /// Puts a policy in force: the new set is written beside the old one, then one word turns over.
    ///
    /// # Errors
    /// When the kernel does not take it; then the old set stays.
    pub fn install(&self, policy: &Policy) -> Result<Installed, Error> {
        self.install_as(policy, Plan { protection: policy.protection, gateway: false, cuts: false })
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
        self.check_programs(all)?;
        self.check_returning(policy)?;
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
        let processors = self.processors()?;
        self.maps.write("protections", next, &plan.protection.octets(processors, plan.gateway))?;
        self.write_targets(policy.rules.rules(), next * RULES_MAX)?;
        self.write_peers(policy, next)?;
        self.write_returning(policy, next, active, plan.cuts)?;
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

    /// Processors that count for themselves.
    pub(crate) fn processors(&self) -> Result<u32, Error> {
        Ok(u32::try_from(self.maps.get("cells")?.value_size() / 8).unwrap_or(u32::MAX))
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
        let (now, processors) = (self.now()?, self.processors()?);
        let octets = |rule: &Rule| {
            let mut octets = abi::rule(rule, now, processors);
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
        if policy.returning.is_some() {
            flags |= abi::SET_RETURN;
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

    /// The index of the set in force.
    pub(crate) fn active(&self) -> Result<u32, Error> {
        Ok(number(&self.maps.read("config", 0)?, 0) % SETS)
    }

    /// The entry program.
    pub fn entry(&self) -> BorrowedFd<'_> {
        self.entry.as_fd()
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
