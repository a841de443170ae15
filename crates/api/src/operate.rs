//! What the daemon does when it is asked to. The API is thin: it checks who asks and how, writes down that they did, and hands
//! the order on in the words that the control socket knows.

use base::{Prefix, Timestamp};
use serde_json::Value;

use crate::capacity::Bounds;
use crate::disclosures::PayloadShown;
use crate::doctor::Finding;
use crate::evidence::{Evidence, EvidenceShown};
use crate::uploaded::CapturePreview;

/// Whoever carries orders out. Calls may take seconds; they are made beside the server's own thread.
pub trait Operate: Send + Sync + 'static {
    /// Now. Must return at once.
    fn now(&self) -> Timestamp;
    /// The operator's own networks: what of them a customer does not own is another one's. Must return at once.
    fn networks(&self) -> Vec<Prefix>;

    /// Asks the desk for routes, in a person's name.
    ///
    /// # Errors
    /// Why it was not done.
    fn route(&self, who: &str, order: Value) -> Result<Value, String>;

    /// Asks the desk for what holds for whom, in a person's name. What changes something is written down by whoever asks.
    ///
    /// # Errors
    /// Why it was not done.
    fn policy(&self, who: &str, order: Value) -> Result<Value, String>;

    /// Checks the configuration file again and takes it.
    ///
    /// # Errors
    /// What is wrong with it; the old one stays in force.
    fn reload(&self) -> Result<(), String>;

    /// The configuration as it stands in the file, without secrets.
    ///
    /// # Errors
    /// It cannot be read.
    fn configuration(&self) -> Result<String, String>;

    /// The configuration that is in force, without secrets: what stands in the file may be another one by now.
    ///
    /// # Errors
    /// It cannot be said.
    fn in_force(&self) -> Result<String, String>;

    /// What is wrong with such a configuration: place and remedy, a line each.
    fn check(&self, text: &str) -> Vec<String>;

    /// Puts it into the file and takes it; where it is not taken, the old file is put back.
    ///
    /// # Errors
    /// Why it was not taken.
    fn apply(&self, text: &str) -> Result<(), String>;

    /// Makes a backup without keys in a folder of its own.
    ///
    /// # Errors
    /// What could not be read or written.
    fn backup(&self) -> Result<Backup, String>;

    /// Writes into the ledger that something was asked for and what came of it.
    fn note(&self, noted: Noted);

    /// The ledger's head.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    fn head(&self) -> Result<Head, String>;

    /// An entry and the proof that it stands there; `None`: there is no such entry.
    ///
    /// # Errors
    /// The files are damaged.
    fn entry(&self, index: u64) -> Result<Option<Proven>, String>;

    /// What is wrong, and how to mend it.
    fn doctor(&self) -> Vec<Finding>;

    /// Whether there is a world that can be asked: a demonstration's. Must return at once.
    fn has_stage(&self) -> bool {
        false
    }

    /// Asks the demonstration's world for what it can do (`"list"`), or to do it (`{"start": NAME}`); `None`: there is none.
    fn stage(&self, _order: Value) -> Option<Result<Value, String>> {
        None
    }

    /// What rules would have hit in a capture, which is read to its end or to where it is damaged.
    ///
    /// # Errors
    /// It is none.
    fn preview(
        &self,
        rules: &[rules::Rule],
        capture: Box<dyn std::io::Read + Send>,
    ) -> Result<CapturePreview, String>;

    /// Evidence of attacks behind this id, by id, at most so many.
    ///
    /// # Errors
    /// It cannot be read.
    fn evidence(&self, after: Option<&str>, most: usize) -> Result<Vec<Evidence>, String>;

    /// That of one attack, looked into; `None`: there is none.
    ///
    /// # Errors
    /// It cannot be read.
    fn evidence_of(&self, attack: &str) -> Result<Option<EvidenceShown>, String>;

    /// Whether it is as it was sealed, as `spillway evidence verify` says it.
    ///
    /// # Errors
    /// It is not sealed, or cannot be read.
    fn verify_evidence(&self, attack: &str) -> Result<Value, String>;

    /// Holds it beyond its retention for a reason; without one, no longer.
    ///
    /// # Errors
    /// It is not held, or that cannot be written.
    fn hold_evidence(&self, attack: &str, who: &str, reason: Option<&str>) -> Result<(), String>;

    /// Writes into the ledger that a copy of a bag is taken for the house's own keeping, and comes back when it stands there.
    ///
    /// # Errors
    /// It does not: then nothing may go.
    fn note_copy(&self, noted: Noted) -> Result<(), String>;

    /// Writes a sealed bag as a tar archive, with this text beside it.
    ///
    /// # Errors
    /// It is not sealed, cannot be read, or nobody takes it.
    fn pack_evidence(&self, attack: &str, beside: &str, out: &mut dyn std::io::Write) -> Result<(), String>;

    /// Disclosures, by name: what each is, to whom, and how far it has come.
    ///
    /// # Errors
    /// Their files are damaged.
    fn disclosures(&self) -> Result<Vec<Value>, String>;

    /// What would leave, looked into; `None`: there is no disclosure of this name.
    ///
    /// # Errors
    /// Its files are damaged, or gone.
    fn disclosure_payload(&self, id: &str) -> Result<Option<PayloadShown>, String>;

    /// Somebody agrees to a disclosure of exactly these octets; how it stands then. `None`: there is none of this name.
    ///
    /// # Errors
    /// It is something else by now, or stands in the ledger already.
    fn approve_disclosure(&self, id: &str, who: &str, sha256: &str) -> Result<Option<Value>, String>;

    /// Disclosures that left the house and concern a customer, who may know of them now.
    ///
    /// # Errors
    /// Their files are damaged.
    fn disclosed(&self) -> Result<Vec<Disclosed>, String>;

    /// Bounds that the configuration sets. Must return at once.
    fn bounds(&self) -> Bounds;

    /// Channels by which attacks are told, in the order of the configuration.
    ///
    /// # Errors
    /// What waits cannot be read.
    fn channels(&self) -> Result<Vec<Channel>, String>;

    /// Sends a message that is marked as a test, now.
    ///
    /// # Errors
    /// There is no such channel, or it cannot be tried.
    fn try_channel(&self, name: &str) -> Result<Tried, String>;
}

/// A channel by which attacks are told.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Channel {
    /// Its section of the configuration.
    pub name: String,
    /// `webhook`, `email`, `slack`, `telegram`, `syslog` or `exec`.
    pub kind: String,
    /// Where it leads, without what is secret.
    pub to: String,
    /// The channel that takes over where this one fails.
    pub fallback: Option<String>,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were given up.
    pub dead: u64,
    /// What the other side said of the message that waits, or of the last one that was given up.
    pub last_failure: Option<String>,
}

/// What came of a test.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Tried {
    /// Which channel.
    pub channel: String,
    /// The message's id, as the other side saw it.
    pub id: String,
    /// Whether the other side took it.
    pub arrived: bool,
    /// What it answered.
    pub answer: String,
}

/// Something that left the house and concerns a customer.
#[derive(Clone, Debug)]
pub struct Disclosed {
    /// The customer's networks.
    pub about: Vec<Prefix>,
    /// What a customer is told of it.
    pub told: Told,
}

/// What a customer is told of a disclosure that concerns it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Told {
    /// When it left, RFC 3339.
    pub sent: String,
    /// What the recipient is.
    pub recipient_class: String,
    /// What for.
    pub purpose: String,
    /// Why it may leave.
    pub basis: String,
    /// Whose law.
    pub jurisdiction: String,
    /// Kinds of data in it.
    pub data: Vec<String>,
    /// How many days the recipient may keep it.
    pub retention_days: u32,
    /// How many persons agreed.
    pub approvals: u64,
    /// Its entry in the ledger.
    pub ledgered: Option<u64>,
    /// How far it has come.
    pub step: String,
}

/// Something for the ledger. Its entry holds a hash of it alone.
#[derive(Clone, Debug)]
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// Whose it is, by this.
    pub about: Option<Prefix>,
    /// All of it.
    pub content: Value,
    /// Whether it was done.
    pub done: bool,
}

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Where it is, on the daemon's machine.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Files in it.
    pub files: u64,
}

/// The ledger's head.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// The signed note.
    pub checkpoint: String,
    /// Keys and quorum, for those who verify.
    pub policy: String,
}

/// An entry with its proof.
#[derive(Clone, Debug)]
pub struct Proven {
    /// As it stands in the log.
    pub entry: String,
    /// For `spillway ledger verify`.
    pub proof: String,
}
