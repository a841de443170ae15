//! From the rules of a policy to what finds the one that decides: a tree, or tables where the kernel does not take that.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;

use rules::compile::bpf;
use rules::compile::bpf::tables::{Asked, Tables};

use crate::abi::{RULES_MAX, SLOT_BEHIND};
use crate::engine::{self, Bank};
use crate::error::Error;
use crate::object::Buffers;
use crate::plane::Plane;
use crate::policy::{Engine, Policy};

/// What came of installing a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What finds the rule that decides: the tree, or tables in maps.
    pub engine: Engine,
    /// Why it is not the tree, where that was tried.
    pub no_tree: Option<String>,
    /// Instructions of the program.
    pub instructions: usize,
    /// Instructions that the kernel's verifier walked.
    pub verified: u32,
    /// Octets of machine code.
    pub machine_code: u32,
}

/// What finds the rule that decides, ready to be put in its place.
pub(crate) enum Way {
    Tree(OwnedFd),
    Maps(Tables),
}

impl Plane {
    /// The rules of a policy, ready for this set: as a program, or as tables.
    pub(crate) fn way(&self, policy: &Policy, set: u32) -> Result<(Way, Installed), Error> {
        let mut no_tree = None;
        if policy.engine != Engine::Maps {
            match self.program(policy, set) {
                Ok((program, installed)) => return Ok((Way::Tree(program), installed)),
                Err(error @ (Error::Compile(_) | Error::Refused { .. })) if policy.engine == Engine::Auto => {
                    no_tree = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let asked: Vec<Asked<'_>> = (0u32..)
            .zip(policy.rules.rules())
            .map(|(place, rule)| Asked {
                matches: &rule.matches,
                order: engine::order(place),
                slot: set * RULES_MAX + place,
            })
            .collect();
        let tables = match (Bank::Whole(set).tables(&asked), no_tree.take()) {
            (Ok(tables), why) => {
                no_tree = why;
                tables
            }
            (Err(tables), Some(tree)) => return Err(Error::Neither { tree: Box::new(tree), tables }),
            (Err(tables), None) => return Err(tables.into()),
        };
        let info = sys::bpf::info(self.fixed("engine")?).map_err(Error::system("asking for a program"))?;
        let installed = Installed {
            engine: Engine::Maps,
            no_tree: no_tree.map(|error| error.to_string()),
            instructions: usize::try_from(info.translated / 8).unwrap_or(0),
            verified: info.verified,
            machine_code: info.jited,
        };
        Ok((Way::Maps(tables), installed))
    }

    /// Loads the rules of a policy as a program for this set.
    fn program(&self, policy: &Policy, set: u32) -> Result<(OwnedFd, Installed), Error> {
        let setting = bpf::Setting {
            record: self.maps.get("scratch")?.as_fd().as_raw_fd(),
            programs: self.maps.get("programs")?.as_fd().as_raw_fd(),
            next: i32::try_from(SLOT_BEHIND + set).unwrap_or(0),
            base: set * RULES_MAX,
            long_jumps: self.long_jumps,
        };
        let program = bpf::program(policy.rules.rules(), setting)?;
        let octets: Vec<[u8; 8]> = program.iter().map(|instruction| instruction.octets()).collect();
        // Programs call only such as take frames as they do.
        let several = self.buffers()? == Buffers::Several;
        let loaded = sys::bpf::load_xdp_for(&octets, "rules", several).map_err(|refused| Error::Refused {
            instructions: program.len(),
            cause: refused.cause,
            log: refused.log,
        })?;
        let info = sys::bpf::info(loaded.as_fd()).map_err(Error::system("asking for a program"))?;
        let installed = Installed {
            engine: Engine::Tree,
            no_tree: None,
            instructions: program.len(),
            verified: info.verified,
            machine_code: info.jited,
        };
        Ok((loaded, installed))
    }
}

/// Whether the kernel knows `gotol`: asked once, by a program that has such a jump.
pub(crate) fn has_long_jumps() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        // Over one instruction that is also reached otherwise: a jump of no distance is taken out before it is looked at,
        // and so is one that is never reached. What decides is the interface, which the verifier does not know.
        let probe = [
            [0x61, 0x12, 12, 0, 0, 0, 0, 0],
            [0xb7, 0, 0, 0, 2, 0, 0, 0],
            [0x55, 2, 1, 0, 0, 0, 0, 0],
            [0x06, 0, 0, 0, 1, 0, 0, 0],
            [0xb7, 0, 0, 0, 2, 0, 0, 0],
            [0x95, 0, 0, 0, 0, 0, 0, 0],
        ];
        sys::bpf::load_xdp(&probe, "gotol").is_ok()
    })
}
