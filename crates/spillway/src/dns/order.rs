//! What can be asked of the desk, and what it answers: the same words on the control socket and in `-o json`.

use serde::{Deserialize, Serialize};
use steer::dnsdiversion::Address;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// How all names are.
    Status,
    /// What was done, newest first.
    History {
        /// Lines at most.
        limit: u32,
    },
    /// Exchange a name's addresses for the absorber's.
    Divert {
        /// The name.
        name: String,
        /// Seconds.
        hold: u64,
        /// Why.
        reason: String,
    },
    /// Put back what was there.
    Restore {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// A diversion that holds or is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverted {
    /// Its number.
    pub id: u64,
    /// When it began.
    pub since: String,
    /// When it ends by itself.
    pub until: String,
    /// Who wanted it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What was there, and comes back.
    pub was: Vec<Address>,
    /// When resolvers that respect TTLs have all let go of the old addresses.
    pub moved_by: Option<String>,
}

/// The last one that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub id: u64,
    /// When it ended.
    pub at: String,
    /// `restored`, `left-out` or `changed-by-others`.
    pub how: String,
    /// In a sentence.
    pub explanation: String,
    /// When resolvers that respect TTLs have all let go of the absorber's addresses.
    pub back_by: Option<String>,
}

/// A name that may be diverted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The name.
    pub name: String,
    /// The section of the configuration.
    pub section: String,
    /// The zone.
    pub zone: String,
    /// The server.
    pub server: String,
    /// `idle`, `looking`, `diverting`, `diverted`, `restoring`; `not-configured`: diverted, but in no section any more.
    pub state: String,
    /// What the server has, as it was seen last.
    pub addresses: Vec<Address>,
    /// When that was.
    pub seen_at: Option<String>,
    /// Seconds for which resolvers remember that there is nothing of a family.
    pub negative_ttl: Option<u32>,
    /// What takes its place.
    pub to: Vec<Address>,
    /// What is wrong, with its remedy.
    pub trouble: Option<String>,
    /// What TTLs and addresses mean for it.
    pub advice: Vec<String>,
    /// What holds or is on its way.
    pub diversion: Option<Diverted>,
    /// The last one that is over.
    pub last: Option<Past>,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: String,
    /// Number of the diversion.
    pub id: Option<u64>,
    /// `started`, `renewed`, `restoring`, `ended`, `refused`.
    pub event: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What.
    pub what: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// All names.
    Names(Vec<Name>),
    /// One.
    One(Box<Name>),
    /// What was done.
    History(Vec<Line>),
}
