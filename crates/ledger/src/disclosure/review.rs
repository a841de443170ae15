//! Who has to agree: persons, two where four eyes are asked for. Who drafted it may be one of them.
//!
//! A person is the account that an operating system or the API has authenticated: `NAME (ACCOUNT)` in files, or the account alone.
//! What somebody calls himself counts for nothing, so several names behind one account are one person.

use std::collections::BTreeSet;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::words::{Purpose, RecipientClass};
use crate::hash::Hash;

/// Persons that can agree to one disclosure.
const APPROVALS_MAX: usize = 16;

/// One person's word for exactly these octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who: `NAME (ACCOUNT)`, or the account alone.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of what may leave.
    pub payload: Hash,
}

/// What may leave without a person having looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewPolicy {
    /// Abuse reports to the hoster or provider of a source, where no rule asks for four eyes.
    pub automatic_abuse_reports: bool,
}

/// What was reviewed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review(Vec<Approval>);

impl Review {
    /// Weighs approvals of what hashes to `payload`.
    pub(super) fn weigh(
        draft: &Draft,
        payload: Hash,
        approvals: &[Approval],
        policy: ReviewPolicy,
    ) -> Result<Self, &'static str> {
        if approvals.len() > APPROVALS_MAX {
            return Err("more approvals than a disclosure can have");
        }
        if approvals.iter().any(|approval| approval.payload != payload) {
            return Err(
                "what was approved is not what would leave: it was changed since, so it has to be looked at again",
            );
        }
        if approvals.iter().any(|approval| account(&approval.by).is_empty() || approval.at < draft.created) {
            return Err("an approval needs a name, and a time after the draft");
        }
        let persons = accounts(approvals);
        let automatic = policy.automatic_abuse_reports
            && draft.purpose == Purpose::AbuseReport
            && matches!(draft.recipient_class, RecipientClass::Hoster | RecipientClass::Isp);
        if draft.needs_four_eyes() {
            if persons.len() < 2 {
                return Err(
                    "two persons have to agree: it goes to law enforcement or is TLP:AMBER or higher",
                );
            }
        } else if persons.is_empty() && !automatic {
            return Err("a person has to agree");
        }
        Ok(Self(approvals.to_vec()))
    }

    /// The approvals.
    pub fn approvals(&self) -> &[Approval] {
        &self.0
    }

    /// Different persons among them.
    pub(super) fn persons(&self) -> u32 {
        u32::try_from(accounts(&self.0).len()).unwrap_or(u32::MAX)
    }
}

/// Whose word `NAME (ACCOUNT)` is.
pub fn account(by: &str) -> String {
    let by = by.trim();
    let inner = by.strip_suffix(')').and_then(|front| front.rsplit_once('('));
    inner.map_or(by, |(_, account)| account).trim().to_lowercase()
}

fn accounts(approvals: &[Approval]) -> BTreeSet<String> {
    approvals.iter().map(|approval| account(&approval.by)).collect()
}
