//! What an interface shall do with packets.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

use base::Prefix;
use rules::{Action, Rule, RuleSet};

use crate::abi;
use crate::decap::Decap;
use crate::error::Error;
use crate::protection::Protection;
use crate::returning::Returning;
use crate::scope::{Allow, Block};

/// What finds the rule that decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Entries of one list at most: a table takes up to 100 octets of the kernel's memory for each.
pub(crate) const LIST_MAX: usize = 1 << 22;

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
    /// Ids of rules that count what they would drop, and drop nothing.
    pub rehearsed: BTreeSet<String>,
    /// Some packets are told to whoever opens a [`crate::Listener`].
    pub telemetry: bool,
    /// How sources are challenged, by rules that ask for it.
    pub protection: Protection,
    /// Names this policy: the SHA-256 of what it was read from.
    pub digest: [u8; 32],
    /// What finds the rule that decides.
    pub engine: Engine,
    /// Tunnels that end here.
    pub decap: Option<Decap>,
    /// Who gets back what passes.
    pub returning: Option<Returning>,
}

impl Policy {
    /// Refuses what the programs cannot do, rather than doing something else.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let protect = self.protect.as_deref().unwrap_or_default();
        for (what, list) in [
            ("allowed sources", &*self.allow),
            ("blocked sources", &*self.block),
            ("protected destinations", protect),
        ] {
            if list.len() > LIST_MAX {
                return Err(Error::List { what, entries: list.len(), most: LIST_MAX });
            }
        }
        self.decap.as_ref().map_or(Ok(()), Decap::check)?;
        self.returning.as_ref().map_or(Ok(()), Returning::check)
    }

    /// What the policy says of one of its rules: flags of `struct rule`.
    pub(crate) fn flags_of(&self, rule: &Rule) -> u32 {
        let flag = |set: &BTreeSet<String>, flag: u32| if set.contains(&rule.id) { flag } else { 0 };
        flag(&self.automatic, abi::RULE_AUTOMATIC) | flag(&self.rehearsed, abi::RULE_DRY)
    }

    /// Whether SYNs are to be answered: a rule that is only rehearsed answers none.
    pub(crate) fn challenges(&self) -> bool {
        let acts = |rule: &Rule| !self.rehearsed.contains(&rule.id);
        self.rules.rules().iter().any(|rule| matches!(rule.action, Action::Challenge(_)) && acts(rule))
    }

    /// The rules that lead packets elsewhere, and where.
    pub(crate) fn leads(&self) -> impl Iterator<Item = (&Rule, IpAddr)> {
        self.rules.rules().iter().filter_map(|rule| leads(rule).map(|to| (rule, to)))
    }
}

/// Where a rule leads packets, if it does: the next hop, or the far end of a tunnel.
pub(crate) const fn leads(rule: &Rule) -> Option<IpAddr> {
    match rule.action {
        Action::Redirect(to) | Action::Tunnel(_, to) => Some(to),
        _ => None,
    }
}
