//! Fixed programs that only some rules need. A kernel whose verifier does not take one of them filters without it; rules
//! that need it are refused, each with the reason.

use std::os::fd::{AsFd, OwnedFd};

use rules::{Action, Rule};

use crate::abi;
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::{Policy, leads};

/// A fixed program that a kernel may lack.
pub(crate) struct Optional {
    /// As in the object file.
    pub(crate) name: &'static str,
    /// Where the other programs call it.
    slot: u32,
    /// Whether a rule needs it.
    needed_by: fn(&Rule) -> bool,
}

/// All of them.
pub(crate) const OPTIONAL: [Optional; 6] = [
    Optional { name: "challenge", slot: abi::SLOT_CHALLENGE, needed_by: challenges },
    Optional { name: "proof", slot: abi::SLOT_TCP, needed_by: challenges },
    Optional { name: "challenge_udp", slot: abi::SLOT_UDP, needed_by: challenges },
    Optional { name: "lead", slot: abi::SLOT_TUNNEL, needed_by: |rule| leads(rule).is_some() },
    Optional { name: GIVES_BACK, slot: abi::SLOT_RETURN, needed_by: |_| false },
    // Without it nobody is told, and packets that are too big are dropped and counted.
    Optional { name: "tell_sender", slot: abi::SLOT_TELL, needed_by: |_| false },
];

/// What ways back need.
const GIVES_BACK: &str = "give_back";

fn challenges(rule: &Rule) -> bool {
    matches!(rule.action, Action::Challenge(_))
}

/// A fixed program that the kernel did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// As in the object file.
    pub program: &'static str,
    /// What the kernel said.
    pub why: String,
}

impl Plane {
    /// Puts the optional programs in their places; what the kernel did not take.
    pub(crate) fn put_optional(
        &self,
        mut load: impl FnMut(&'static str) -> Result<OwnedFd, Error>,
    ) -> Result<Vec<Lacking>, Error> {
        let mut lacking = Vec::new();
        for Optional { name, slot, .. } in OPTIONAL {
            match load(name) {
                Ok(program) => self.put_program(slot, program.as_fd())?,
                Err(Error::Fixed(why)) => lacking.push(Lacking { program: name, why }),
                Err(error) => return Err(error),
            }
        }
        Ok(lacking)
    }

    /// The fixed programs that the kernel did not take, of a plane that tried them.
    pub fn lacking(&self) -> &[Lacking] {
        &self.lacking
    }

    /// Refuses rules that need a program which is not there.
    pub(crate) fn check_programs(&self, rules: &[Rule]) -> Result<(), Error> {
        for Optional { name, slot, needed_by } in OPTIONAL {
            let Some(rule) = rules.iter().find(|rule| needed_by(rule)) else { continue };
            if self.has_program(slot)? {
                continue;
            }
            return Err(Error::Lacking {
                rule: rule.id.clone(),
                action: rule.action.as_str(),
                program: name,
                kernel: crate::probe::release(),
                why: self.why_lacking(name),
            });
        }
        Ok(())
    }

    /// Refuses ways back where the program for them is not there.
    pub(crate) fn check_returning(&self, policy: &Policy) -> Result<(), Error> {
        if policy.returning.is_none() || self.has_program(abi::SLOT_RETURN)? {
            return Ok(());
        }
        let (program, kernel) = (GIVES_BACK, crate::probe::release());
        Err(Error::LackingReturn { program, kernel, why: self.why_lacking(program) })
    }

    fn has_program(&self, slot: u32) -> Result<bool, Error> {
        let there = self.maps.get("programs")?.get(&slot.to_ne_bytes());
        Ok(there.map_err(Error::system("asking for a program"))?.is_some())
    }

    fn why_lacking(&self, name: &str) -> String {
        let known = self.lacking.iter().find(|lacking| lacking.program == name);
        known.map_or_else(|| "`spillway dataplane probe` says why".into(), |lacking| lacking.why.clone())
    }
}
