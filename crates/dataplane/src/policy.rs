//! What an interface shall do with packets.

use std::collections::BTreeSet;

use base::Prefix;
use rules::{Action, Rule, RuleSet};

use crate::error::Error;
use crate::protection::Protection;
use crate::scope::{Allow, Block};

/// What finds the rule that decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The tree, and tables where the kernel does not take it.
    #[default]
    Auto,
    /// A program emitted from the rules.
    Tree,
    /// A fixed program that reads the rules from maps: several times slower, and never refused for its size.
    Maps,
}

impl Engine {
    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tree => "tree",
            Self::Maps => "maps",
        }
    }
}

/// Rules and lists that are put in force together. Allowed beats blocked, blocked beats rules.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The rules.
    pub rules: RuleSet,
    /// Sources that always pass, without a ceiling.
    pub allow: Vec<Prefix>,
    /// Sources that are dropped.
    pub block: Vec<Prefix>,
    /// Sources that pass to some destinations only, or up to a ceiling.
    pub allow_within: Vec<Allow>,
    /// Sources that are dropped on their way to some destinations only.
    pub block_within: Vec<Block>,
    /// Destinations to which all this applies; `None`: all.
    pub protect: Option<Vec<Prefix>>,
    /// Ports of this host at which it is administered: connections to them that are established when this is attached are not
    /// cut. Nor is the one over which `attach` is called.
    pub management: Vec<u16>,
    /// Everything is counted, and passes.
    pub dry: bool,
    /// Ids of rules that nobody made by hand: they act only while [`crate::Plane::beat`] is heard.
    pub automatic: BTreeSet<String>,
    /// Some packets are told to whoever opens a [`crate::Listener`].
    pub telemetry: bool,
    /// How sources are challenged, by rules that ask for it.
    pub protection: Protection,
    /// Names this policy: the SHA-256 of what it was read from.
    pub digest: [u8; 32],
    /// What finds the rule that decides.
    pub engine: Engine,
}

impl Policy {
    /// Refuses what the programs cannot do, rather than doing something else.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.rules.rules().iter().try_for_each(check)
    }

    /// Whether SYNs are to be answered.
    pub(crate) fn challenges(&self) -> bool {
        self.rules.rules().iter().any(|rule| rule.action == Action::Challenge)
    }
}

/// Refuses a rule that the programs cannot do.
pub(crate) fn check(rule: &Rule) -> Result<(), Error> {
    let action = match (rule.action, rule.sample) {
        (Action::Redirect(_), _) => "redirect",
        (Action::Tunnel(..), _) => "tunnel",
        (_, Some(_)) => "sample",
        _ => return Ok(()),
    };
    Err(Error::Action { rule: rule.id.clone(), action })
}
