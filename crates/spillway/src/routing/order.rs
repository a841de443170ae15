//! What can be asked of the desk, and what it answers: the same words on the control socket and in `-o json`.

use serde::{Deserialize, Serialize};
use steer::book::Actor;
use steer::rails::Class;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person, by name.
    Person(String),
    /// The engine, by itself: it agrees to nothing, and what it alone wanted ends with it.
    Engine,
}

impl Caller {
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Person(name) => Actor::Person(name.clone()),
            Self::Engine => Actor::Engine,
        }
    }
}

/// What is to be announced, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `blackhole`, `diversion` or `flowspec`.
    pub class: String,
    /// A prefix, or a rule.
    pub what: String,
    /// At these neighbours; empty: at all that carry the class and speak the family.
    pub peers: Vec<String>,
    /// Seconds; `None`: the rule's own, else the configured lease.
    pub hold: Option<u64>,
    /// Why.
    pub reason: String,
    /// Nothing is done: only what would be.
    pub dry_run: bool,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// How the sessions are.
    Peers,
    /// What is proposed and what holds.
    List,
    /// What was done, newest first: of one mitigation or of all.
    History {
        /// Number of the mitigation.
        id: Option<u64>,
        /// Lines at most.
        limit: u32,
    },
    /// Announce.
    Announce(Request),
    /// End it.
    Withdraw {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Agree to it.
    Approve {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Do not agree: the proposal is gone.
    Reject {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// It shall go on for so long from now.
    Renew {
        /// Number of the mitigation.
        id: u64,
        /// Seconds; `None`: the configured lease.
        hold: Option<u64>,
        /// Why.
        reason: String,
    },
    /// All is well with it: it does not revert.
    Confirm {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Let the routes of a mitigation out of quarantine at a neighbour.
    Release {
        /// Number of the mitigation.
        id: u64,
        /// The neighbour; `None`: all.
        peer: Option<String>,
        /// Why.
        reason: String,
    },
    /// Withdraw everything, and begin nothing.
    Panic {
        /// Why.
        reason: String,
    },
    /// Things may begin again.
    Resume {
        /// Why.
        reason: String,
    },
}

/// A neighbour's session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Its AS.
    pub asn: u32,
    /// `established`, or where the session stands.
    pub state: String,
    /// Sessions that came up since the start.
    pub ups: u64,
    /// Why the last one ended.
    pub last_down: Option<String>,
    /// What it is told.
    pub carries: Vec<String>,
    /// Families that are offered.
    pub families: Vec<String>,
    /// What is known of its kind.
    pub profile: String,
    /// Routes that it shall have.
    pub wanted: usize,
    /// Routes that it has by our knowledge.
    pub held: usize,
    /// Of these, sent too recently to be sure that it lives with them.
    pub unproven: usize,
    /// Routes that it did not survive.
    pub quarantined: usize,
}

/// A mitigation at one neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The neighbour.
    pub peer: String,
    /// `announced`, `waiting` (for the session, or its turn), `quarantined` or `refused`.
    pub state: String,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// A mitigation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mitigation {
    /// Its number; `None`: it was only asked what would be.
    pub id: Option<u64>,
    /// `blackhole`, `diversion` or `flowspec`.
    pub class: String,
    /// A prefix, or a rule.
    pub what: String,
    /// `proposed`, `starting` or `active`.
    pub state: String,
    /// What it does to traffic.
    pub effect: String,
    /// Where.
    pub peers: Vec<At>,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub asked_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ends by itself; of a proposal, when it is forgotten.
    pub until: String,
    /// Who agreed.
    pub approved_by: Vec<String>,
    /// How many have to.
    pub approvals_needed: u8,
    /// When it reverts unless a person confirms it.
    #[serde(default)]
    pub confirm_by: Option<String>,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub number: u64,
    /// When.
    pub at: String,
    /// Number of the mitigation.
    pub mitigation: Option<u64>,
    /// What happened.
    pub event: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// To what.
    pub what: String,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Sessions.
    Peers(Vec<Peer>),
    /// Mitigations, and whether announcements are frozen.
    List {
        /// Since the panic button.
        frozen: bool,
        /// By number.
        mitigations: Vec<Mitigation>,
    },
    /// One mitigation.
    One(Box<Mitigation>),
    /// What was done.
    History(Vec<Past>),
    /// It is done; so many mitigations were concerned.
    Done(usize),
}

/// The class of this name.
pub(super) fn class(name: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.as_str() == name)
}
