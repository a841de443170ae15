//! What is written together.

use base::Timestamp;

/// One attack in its latest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttackRow {
    /// The attack's id.
    pub id: String,
    /// `active` or `over`.
    pub state: String,
    /// `attack` or `suspicious`.
    pub severity: String,
    /// Smallest cover of what is attacked.
    pub target: String,
    /// `in` or `out`.
    pub direction: String,
    /// First packet.
    pub started_at: Timestamp,
    /// End, when it is over.
    pub ended_at: Option<Timestamp>,
    /// When this state was reached.
    pub updated_at: Timestamp,
    /// The whole document as JSON.
    pub document: String,
    /// Its rules; they replace all that were stored for this attack, but for those that are known to have dropped packets.
    pub rules: Vec<RuleRow>,
}

/// One rule of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// The rule's id, unique within its attack.
    pub id: String,
    /// `suggested`, `expired`, …
    pub state: String,
    /// The rule's text.
    pub text: String,
    /// End of its lease.
    pub expires_at: Option<Timestamp>,
    /// The whole document as JSON.
    pub document: String,
}

/// State of a core, opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose: `core`, `templates/0`, …
    pub name: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Version of the build that took it.
    pub build: String,
    /// The state.
    pub body: Vec<u8>,
}

/// A call of an outside enforcer that has not been undone yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// What was banned.
    pub target: String,
    /// `in` or `out`.
    pub direction: String,
    /// For which attack.
    pub attack: String,
    /// Since when.
    pub since: Timestamp,
    /// End of the lease.
    pub until: Timestamp,
    /// The attack as JSON, for the call that undoes it.
    pub document: String,
}

/// Rows that are committed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Attacks, each in its latest state.
    pub attacks: Vec<AttackRow>,
    /// Snapshots; each replaces the one of its name.
    pub snapshots: Vec<Snapshot>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.attacks.is_empty() && self.snapshots.is_empty()
    }
}
