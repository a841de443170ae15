//! What an interface shall do with packets.

use base::Prefix;
use rules::{Action, Rule, RuleSet};

use crate::error::Error;

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
    /// Destinations to which all this applies; `None`: all.
    pub protect: Option<Vec<Prefix>>,
    /// Everything is counted, and passes.
    pub dry: bool,
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
    match rule.action {
        Action::Redirect(_) => Err(Error::Action { rule: rule.id.clone(), action: "redirect" }),
        _ => Ok(()),
    }
}
