//! What an interface shall do with packets.

use std::collections::BTreeSet;

use base::Prefix;
use rules::{Action, RuleSet};

use crate::error::Error;

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
    /// Ids of rules that nobody made by hand: they act only while [`crate::Plane::beat`] is heard.
    pub automatic: BTreeSet<String>,
    /// Ids of rules that count what they would drop, and drop nothing.
    pub rehearsed: BTreeSet<String>,
    /// Some packets are told to whoever opens a [`crate::Listener`].
    pub telemetry: bool,
    /// Names this policy: the SHA-256 of what it was read from.
    pub digest: [u8; 32],
}

impl Policy {
    /// Refuses what the programs cannot do, rather than doing something else.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let cannot = self.rules.rules().iter().find_map(|rule| {
            let redirects = matches!(rule.action, Action::Redirect(_));
            redirects.then(|| Error::Action { rule: rule.id.clone(), action: "redirect" })
        });
        cannot.map_or(Ok(()), Err)
    }

    /// Whether SYNs are to be answered.
    pub(crate) fn challenges(&self) -> bool {
        self.rules.rules().iter().any(|rule| rule.action == Action::Challenge)
    }
}
