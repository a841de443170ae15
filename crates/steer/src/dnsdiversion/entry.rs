//! What the journal keeps of diversions.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::Address;

/// A diversion as it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its number.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// The name.
    pub name: String,
    /// What was there, and comes back.
    pub was: Vec<Address>,
    /// What takes its place.
    pub to: Vec<Address>,
    /// Its end.
    pub until: Timestamp,
    /// Who wanted it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// How a diversion ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// What was there is back.
    Restored,
    /// It did not come about; why.
    LeftOut(String),
    /// Somebody else changed the records, which were left alone; what is there.
    Foreign(String),
}

impl End {
    /// One word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::LeftOut(_) => "left-out",
            Self::Foreign(_) => "changed-by-others",
        }
    }

    /// As people say it.
    pub fn explain(&self) -> String {
        match self {
            Self::Restored => "what was there is back".to_owned(),
            Self::LeftOut(why) => format!("not diverted: {why}"),
            Self::Foreign(now) => format!(
                "somebody else changed the records meanwhile: {now}; they are left alone, so see to them by hand"
            ),
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// It is about to be sent.
    Started(Started),
    /// It goes on.
    Renewed {
        /// Which.
        id: u64,
        /// When.
        at: Timestamp,
        /// Its new end.
        until: Timestamp,
        /// Who wanted it.
        actor: String,
        /// Why.
        reason: String,
    },
    /// What was there is put back from now on.
    Restoring {
        /// Which.
        id: u64,
        /// When.
        at: Timestamp,
        /// Who wanted it.
        actor: String,
        /// Why.
        reason: String,
    },
    /// It is over.
    Ended {
        /// Which.
        id: u64,
        /// When.
        at: Timestamp,
        /// How.
        how: End,
    },
}

impl Entry {
    /// Number of the diversion.
    pub const fn id(&self) -> u64 {
        match self {
            Self::Started(one) => one.id,
            Self::Renewed { id, .. } | Self::Restoring { id, .. } | Self::Ended { id, .. } => *id,
        }
    }
}

/// Diversions that are not over, with whether they are on their way back; and the next free number.
pub(super) fn open(entries: &[Entry]) -> (Vec<(Started, bool)>, u64) {
    let mut all: BTreeMap<u64, (Started, bool)> = BTreeMap::new();
    let mut next = 1;
    for entry in entries {
        next = next.max(entry.id().saturating_add(1));
        match entry {
            Entry::Started(one) => drop(all.insert(one.id, (one.clone(), false))),
            Entry::Renewed { id, until, .. } => {
                if let Some((one, _)) = all.get_mut(id) {
                    one.until = *until;
                }
            }
            Entry::Restoring { id, .. } => {
                if let Some((_, restoring)) = all.get_mut(id) {
                    *restoring = true;
                }
            }
            Entry::Ended { id, .. } => drop(all.remove(id)),
        }
    }
    (all.into_values().collect(), next)
}
