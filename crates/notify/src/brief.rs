//! What is told of an attack, in fields that keep their meaning as long as the schema keeps its number.

use base::{Prefix, Timestamp};
use serde::{Deserialize, Serialize};

/// How sure we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look, nothing acts.
    Suspicious,
    /// An attack.
    Attack,
}

impl Severity {
    /// `suspicious` or `attack`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspicious => "suspicious",
            Self::Attack => "attack",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An attack was found, or what looked suspicious turned out to be one.
    AttackStarted,
    /// Its rules or its targets changed.
    AttackChanged,
    /// It goes on: a reminder.
    AttackOngoing,
    /// It is over.
    AttackEnded,
    /// Something that protection stands on is amiss.
    TroubleStarted,
    /// It is well again.
    TroubleEnded,
    /// A configuration was taken.
    ConfigurationTaken,
    /// One was refused; the old one stays in force.
    ConfigurationRefused,
    /// Somebody tries the channel; nothing happened.
    Test,
}

impl EventKind {
    /// Its name in documents and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttackStarted => "attack_started",
            Self::AttackChanged => "attack_changed",
            Self::AttackOngoing => "attack_ongoing",
            Self::AttackEnded => "attack_ended",
            Self::TroubleStarted => "trouble_started",
            Self::TroubleEnded => "trouble_ended",
            Self::ConfigurationTaken => "configuration_taken",
            Self::ConfigurationRefused => "configuration_refused",
            Self::Test => "test",
        }
    }

    /// What is kept longest when the outbox is full: the highest.
    pub const fn rank(self) -> u8 {
        match self {
            Self::AttackStarted => 2,
            Self::AttackEnded
            | Self::TroubleStarted
            | Self::TroubleEnded
            | Self::ConfigurationTaken
            | Self::ConfigurationRefused
            | Self::Test => 1,
            Self::AttackChanged | Self::AttackOngoing => 0,
        }
    }
}

/// One kind of traffic in an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// Fixed name, like `dns-amplification`.
    pub name: String,
    /// Of the attack's packets, 0 to 1.
    pub share: f64,
    /// Source port, where one port dominates.
    pub src_port: Option<u16>,
    /// Destination port, where one port dominates.
    pub dst_port: Option<u16>,
}

/// Who sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// Distinct addresses.
    pub count: u64,
    /// `spoofed`, `reflectors`, `real`, `mixed` or `unknown`.
    pub nature: String,
    /// How sure of that, 0 to 1.
    pub confidence: f64,
}

/// One rule derived for an attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Stable id.
    pub id: String,
    /// What it does.
    pub action: String,
    /// In the rule language.
    pub text: String,
}

/// An attack in brief.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// Its id, as everywhere else.
    pub id: String,
    /// Whether it is over.
    pub over: bool,
    /// How sure we are.
    pub severity: Severity,
    /// The smallest prefix that covers all targets.
    pub target: Prefix,
    /// The prefixes under attack, the first 32 of them.
    pub targets: Vec<Prefix>,
    /// Prefixes under attack.
    pub targets_count: u64,
    /// `in` or `out`.
    pub direction: String,
    /// The leading vector's name, or `unknown`.
    pub class: String,
    /// What it consists of, the largest first.
    pub vectors: Vec<Vector>,
    /// Names of the customers whom it hits.
    pub customers: Vec<String>,
    /// First packet.
    pub started_at: Timestamp,
    /// End of the tick that decided.
    pub detected_at: Timestamp,
    /// Last packet, once it is over.
    pub ended_at: Option<Timestamp>,
    /// Packets in the busiest second.
    pub peak_pps: u64,
    /// Layer-3 bits in the busiest second.
    pub peak_bps: u64,
    /// Packets so far.
    pub packets: u64,
    /// Layer-3 octets so far.
    pub bytes: u64,
    /// Who sends it.
    pub sources: Sources,
    /// What would stop it, the first 16.
    pub rules: Vec<Rule>,
    /// `observe`, `suggest` or `enforce`.
    pub mode: String,
    /// Told by exporters whose numbers are doubtful.
    pub doubtful: bool,
    /// Why we say so, the first 8 terms.
    pub explain: Vec<String>,
}

/// Prefixes that a brief lists.
pub(crate) const TARGETS_MAX: usize = 32;
/// Rules that a brief lists.
pub(crate) const RULES_MAX: usize = 16;
/// Terms that a brief lists.
pub(crate) const EXPLAIN_MAX: usize = 8;

impl Brief {
    /// Within its caps.
    pub fn capped(mut self) -> Self {
        self.targets.truncate(TARGETS_MAX);
        self.rules.truncate(RULES_MAX);
        self.explain.truncate(EXPLAIN_MAX);
        self
    }

    /// Whether a change is worth telling.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.targets != other.targets
            || self.targets_count != other.targets_count
            || self.rules.iter().map(|rule| &rule.id).ne(other.rules.iter().map(|rule| &rule.id))
            || self.class != other.class
            || self.severity != other.severity
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When it was known.
    pub at: Timestamp,
    /// The attack as of then; `null` where it is about none.
    pub attack: Option<Brief>,
    /// What is, or was, amiss; not there where it is about something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// What else is to be said.
    pub note: Option<String>,
}

/// Something that protection stands on and that is amiss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The same for the start and the end of it, and for the next time that it happens.
    pub id: String,
    /// `exporter`, `bgp_session`, `absorber`, `disk`, `ledger`, `evidence` or `store`.
    pub what: String,
    /// Which one, by its name or address; empty where there is but one.
    pub subject: String,
    /// What is amiss, in a sentence.
    pub text: String,
    /// Since when that is known.
    pub since: Timestamp,
}
