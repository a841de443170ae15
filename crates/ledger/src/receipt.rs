//! That something stands in the ledger, as a value: without one nothing leaves.

use crate::hash::Hash;
use crate::policy::{Policy, Unbelieved};
use crate::proof::Proof;
use crate::tree;

/// A verified proof that an entry stands in a ledger. [`Policy::receipt`] is the only way to one: it has no other
/// constructor and cannot be read from a file.
///
/// ```compile_fail
/// let receipt: ledger::Receipt = serde_json::from_str("{}").unwrap();
/// ```
/// ```compile_fail
/// let receipt = ledger::Receipt::default();
/// ```
/// ```compile_fail
/// let receipt = ledger::Receipt { entry: vec![], index: 0, size: 1, origin: String::new(), root: ledger::Hash::empty(), proof: String::new() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    entry: Vec<u8>,
    index: u64,
    size: u64,
    origin: String,
    root: Hash,
    proof: String,
}

impl Receipt {
    /// The entry, octet for octet.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Where it stands, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many entries the log had when it signed.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Which log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The root that the log signed.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The proof, as a `.tlog-proof` file.
    pub fn proof_text(&self) -> &str {
        &self.proof
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// The log's head is not believed.
    #[error("the proof's checkpoint: {0}")]
    Checkpoint(#[from] Unbelieved),
    /// The hashes do not lead from the entry to the root.
    #[error(
        "the file is not entry {index} of {origin}: the file or the proof was changed, or they do not belong together"
    )]
    Elsewhere {
        /// Where it should stand.
        index: u64,
        /// In which log.
        origin: String,
    },
}

impl Policy {
    /// Verifies that an entry stands in a log of this policy.
    ///
    /// # Errors
    /// It does not, as far as this proof goes.
    pub fn receipt(&self, entry: &[u8], proof: &Proof) -> Result<Receipt, Unproven> {
        let checkpoint = self.believe(&proof.checkpoint)?;
        let leaf = Hash::leaf(entry);
        if !tree::is_included(leaf, proof.index, checkpoint.size, &proof.hashes, checkpoint.root) {
            return Err(Unproven::Elsewhere { index: proof.index, origin: checkpoint.origin });
        }
        Ok(Receipt {
            entry: entry.to_vec(),
            index: proof.index,
            size: checkpoint.size,
            origin: checkpoint.origin,
            root: checkpoint.root,
            proof: proof.to_string(),
        })
    }
}
