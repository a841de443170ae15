//! What an interface shall do with packets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use rules::{Action, Rule, RuleSet};

use crate::decap::Decap;
use crate::error::Error;
use crate::lead::Tunnel;
use crate::sampling::Rate;

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
    /// Destinations to which all this applies; `None`: all.
    pub protect: Option<Vec<Prefix>>,
    /// Everything is counted, and passes.
    pub dry: bool,
    /// Names this policy: the SHA-256 of what it was read from.
    pub digest: [u8; 32],
    /// By the ids of rules: of the packets that they decide, one in so many is sampled.
    pub samples: BTreeMap<String, Rate>,
    /// By the ids of rules that redirect: the tunnel through which they do.
    pub tunnels: BTreeMap<String, Tunnel>,
    /// Tunnels that end here.
    pub decap: Option<Decap>,
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
        self.decap.as_ref().map_or(Ok(()), Decap::check)
    }

    /// Whether SYNs are to be answered.
    pub(crate) fn challenges(&self) -> bool {
        self.rules.rules().iter().any(|rule| rule.action == Action::Challenge)
    }

    /// One packet in so many that this rule decides is sampled.
    pub(crate) fn sample_of(&self, rule: &str) -> Option<Rate> {
        self.samples.get(rule).copied()
    }

    /// The rules that lead packets elsewhere, by their places in deciding order.
    pub(crate) fn leads(&self) -> impl Iterator<Item = (u32, &Rule, IpAddr)> {
        (0u32..).zip(self.rules.rules()).filter_map(|(place, rule)| match rule.action {
            Action::Redirect(to) => Some((place, rule, to)),
            _ => None,
        })
    }
}
