//! Where the ledger's files are.

use std::path::{Path, PathBuf};

/// A ledger's folder, and where its head is remembered besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    root: PathBuf,
    remembered: Vec<PathBuf>,
    origin: String,
}

impl Place {
    /// In this state folder; `elsewhere` is a file on another disk that remembers the head, too.
    pub fn new(state_dir: &Path, origin: Option<String>, elsewhere: Option<PathBuf>) -> Self {
        let beside = state_dir.join("ledger.head");
        Self {
            root: state_dir.join("ledger"),
            remembered: std::iter::once(beside).chain(elsewhere).collect(),
            origin: origin.unwrap_or_else(default_origin),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log itself, as it may be shown to anybody.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The last head.
    pub fn checkpoint(&self) -> PathBuf {
        self.log().join("checkpoint")
    }

    /// For those who verify.
    pub fn policy(&self) -> PathBuf {
        self.root.join("policy")
    }

    /// What the log is called, where it is not begun yet.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn key(&self) -> PathBuf {
        self.root.join("key")
    }

    /// Customers' keys are derived from this.
    pub(super) fn tags(&self) -> PathBuf {
        self.root.join("tags")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    pub(super) fn remembered(&self) -> &[PathBuf] {
        &self.remembered
    }
}

/// By the machine's name; who shows the log to others sets `ledger.origin`.
fn default_origin() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    format!("{}/spillway", if name.is_empty() { "localhost" } else { &name })
}
