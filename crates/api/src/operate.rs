//! What the daemon does when it is asked to. The API is thin: it checks who asks and how, writes down that they did, and hands
//! the order on in the words that the control socket knows.

use base::{Prefix, Timestamp};
use serde_json::Value;

use crate::doctor::Finding;

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

    /// Disclosures, by name: what each is, to whom, and how far it has come.
    ///
    /// # Errors
    /// Their files are damaged.
    fn disclosures(&self) -> Result<Vec<Value>, String>;
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
