//! From decisions to the kernel: which rules shall be in force, and who puts them there.

mod challenge;
pub(crate) mod choose;
pub(crate) mod nftables;
pub(crate) mod privileged;
mod protocol;
pub(crate) mod remote;
pub(crate) mod teller;
pub(crate) mod xdp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::rules::{Action, Match, Rule};
use base::Prefix;
use dataplane::Allow;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Engine};

/// The enforcer that the configuration asks for; `None` where there is nothing to filter on.
pub(crate) fn of(config: &Config) -> Option<Box<dyn Enforcer>> {
    let interfaces = &config.dataplane.interfaces;
    if interfaces.is_empty() {
        return None;
    }
    Some(match config.dataplane.engine {
        Engine::Xdp => Box::new(xdp::Xdp::new(interfaces, xdp::Frame::of(config))),
        Engine::Nftables => Box::new(nftables::Nftables::new(config)),
    })
}

/// Addresses of this machine: what it challenges as host.
pub(crate) fn own() -> Vec<IpAddr> {
    sys::net::addresses().unwrap_or_default()
}

/// The never-list as rules before all others: what is on it passes, whatever else is in force.
fn passes(never: &[Prefix]) -> impl Iterator<Item = Rule> {
    never.iter().enumerate().map(|(place, src)| Rule {
        id: format!("never-{place}"),
        precedence: 0,
        matches: Match { src: Some(*src), ..Match::default() },
        action: Action::Pass,
        per: rules::Per::Rule,
        sample: None,
        lease: None,
    })
}

/// Rules that shall be in force, each with what is left of its lease.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// The rules.
    pub(crate) rules: Vec<Rule>,
    /// Rules whose SYNs are challenged by others: in force instead of those where no SYN can be challenged.
    pub(crate) instead: Vec<Rule>,
    /// Ids of those that count what they would drop, and drop nothing.
    pub(crate) dry: BTreeSet<String>,
    /// Ids of those that people made: they act also while nobody gives a sign of life, to the end of their leases.
    pub(crate) by_hand: BTreeSet<String>,
    /// The attacks of those that were derived, by their ids: for the log.
    pub(crate) attacks: BTreeMap<String, String>,
    /// Sources that pass before all rules, within their ceilings.
    pub(crate) allow: Vec<Allow>,
    /// Rules may act by themselves, if not now, then later.
    pub(crate) earnest: bool,
}

impl Wanted {
    /// Whether a rule drops nothing.
    pub(crate) fn is_dry(&self, rule: &Rule) -> bool {
        self.dry.contains(&rule.id)
    }
}

/// Allowed sources without a ceiling as rules before all others, for what knows rules alone.
fn allows(allow: &[Allow]) -> impl Iterator<Item = Rule> {
    allow.iter().filter(|one| one.ceiling.is_none()).enumerate().map(|(place, one)| Rule {
        id: format!("allow-{place}"),
        precedence: 0,
        matches: Match {
            src: Some(one.source),
            dst: one.scope.destination,
            protocol: one.scope.protocol,
            dst_port: one.scope.port.map(|port| ::rules::Numbers::of([port.into()])),
            ..Match::default()
        },
        action: Action::Pass,
        per: ::rules::Per::Rule,
        sample: None,
        lease: None,
    })
}

/// What a rule in the kernel has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Packets that it decided.
    pub(crate) packets: u64,
    /// Packets of these that were dropped, or would have been in a dry run.
    pub(crate) dropped: u64,
    /// Layer-3 octets of those that it decided.
    pub(crate) bytes: u64,
}

/// What an enforcer counted beside its rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Interface, where packets left, how many.
    pub(crate) left: Vec<(String, String, u64)>,
    /// Interface, table, entries and how many there can be.
    pub(crate) tables: Vec<(String, String, u64, u64)>,
}

/// Puts rules in force and takes them back. What it was told last holds until it is told otherwise, until the leases
/// end, or until nobody gave a sign of life for too long: also when whoever told it is gone.
pub(crate) trait Enforcer: Send {
    /// As metrics and documents name it.
    fn name(&self) -> &'static str;

    /// Exactly these rules shall be in force. Called again with the same rules it renews their leases.
    fn apply(&mut self, wanted: &Wanted) -> anyhow::Result<()>;

    /// The rules that the kernel has now, by id, and what they have done since they came there.
    fn actual(&mut self) -> anyhow::Result<BTreeMap<String, Done>>;

    /// Whoever decides lives.
    fn beat(&mut self) -> anyhow::Result<()>;

    /// Packets told as telemetry, and packets lost on that way.
    fn told(&mut self) -> (u64, u64) {
        (0, 0)
    }

    /// What it counted beside its rules.
    fn counted(&mut self) -> Counted {
        Counted::default()
    }

    /// Sources that brought back what nobody can guess: a cookie, or the reset that it asked for. Who only answered a first SYN
    /// twice has shown nothing that a forger could not.
    fn proven(&mut self) -> anyhow::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}
