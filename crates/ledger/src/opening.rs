//! Checking a file against a proof: the file is the entry itself, or what the entry commits to.
//!
//! In the second case the proof's `extra` line holds the entry and the salt. Nobody vouches for that line, and nobody needs to:
//! the entry has to lead to the signed root, and the salt and the file together to the entry's commitment.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::{self, NotCanonical};
use crate::commitment::Salt;
use crate::disclosure::Record;
use crate::entry::{Entry, What};
use crate::policy::Policy;
use crate::proof::Proof;
use crate::receipt::{Receipt, Unproven};

/// What opens an entry to somebody who has the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    entry: Entry,
    salt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
}

impl Opening {
    /// Of an entry; a sealed one needs its record.
    pub fn new(entry: Entry, salt: Salt, record: Option<Record>) -> Self {
        Self { entry, salt: salt.reveal(), record }
    }

    /// The proof with this in its `extra` line.
    ///
    /// # Errors
    /// The entry has no canonical form.
    pub fn attach(&self, proof: Proof) -> Result<Proof, NotCanonical> {
        Ok(Proof { extra: Some(canonical::octets(self)?), ..proof })
    }

    /// Whether the entry commits to this file.
    fn fits(&self, file: &[u8]) -> bool {
        let Some(salt) = Salt::from_hex(&self.salt) else { return false };
        let committed = salt.commit(file);
        match (&self.entry.what, &self.record) {
            (What::Decision(decision), None) => decision.commitment == committed,
            (What::Disclosure(record), None) => record.payload == committed,
            (What::Sealed(sealed), Some(record)) => {
                let sealed_record = canonical::octets(record).map(|record| salt.commit(&record));
                record.payload == committed && sealed_record.is_ok_and(|hash| hash == sealed.commitment)
            }
            (What::Unsealed(unsealed), None) => unsealed.record.payload == committed,
            _ => false,
        }
    }
}

/// What a proof proves of a file.
#[derive(Clone, Debug)]
pub struct Verified {
    /// That the entry stands in the log.
    pub receipt: Receipt,
    /// Whether the file is the entry itself, and not what it commits to.
    pub is_entry: bool,
    /// When the entry was written, where it is one that we know.
    pub time: Option<Timestamp>,
}

/// Why a file is not proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// The proof does not lead from the entry to a signed root.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The entry stands there, and commits to something else.
    #[error(
        "entry {0} stands in the log, but commits to another file: this one was changed, or belongs to another proof"
    )]
    OtherFile(u64),
}

impl Policy {
    /// Checks a file against a proof. It needs neither a network nor the log.
    ///
    /// # Errors
    /// It is not proven, and why.
    pub fn verify(&self, proof: &Proof, file: &[u8]) -> Result<Verified, NotVerified> {
        let opening = proof.extra.as_deref().and_then(|extra| canonical::read::<Opening>(extra).ok());
        let Some(opening) = opening else {
            let receipt = self.receipt(file, proof)?;
            let time = Entry::parse(file).ok().map(|entry| entry.time);
            return Ok(Verified { receipt, is_entry: true, time });
        };
        // what cannot be an entry leads to no root
        let entry = opening.entry.octets().unwrap_or_default();
        let receipt = self.receipt(&entry, proof)?;
        if !opening.fits(file) {
            return Err(NotVerified::OtherFile(proof.index));
        }
        Ok(Verified { receipt, is_entry: false, time: Some(opening.entry.time) })
    }
}
