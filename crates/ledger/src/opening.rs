//! Checking a file against a proof: the file is the entry itself, or what the entry commits to.
//!
//! In the second case the proof's `extra` line holds what opens the entry. Nobody vouches for that line, and nobody needs to: the
//! entry has to lead to the signed root, and the salt and the file together to the entry's commitment. It says only what the file
//! does not:
//!
//! | octets | what |
//! |---|---|
//! | 1 | 1, the version |
//! | 32 | the salt |
//! | the rest | `compact`: the entry without its `schema` and without what the salt and the file come to, and beside it the `record` of one that is sealed |
//!
//! Proofs of before, whose line is JSON, are read as ever.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::canonical::{self, NotCanonical};
use crate::commitment::{SALT_LEN, Salt};
use crate::compact::{pack, unpack};
use crate::disclosure::Record;
use crate::entry::{Entry, SCHEMA, What};
use crate::hash::Hash;
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
        let extra = match self.compact()? {
            Some(octets) => octets,
            None => canonical::octets(self)?,
        };
        Ok(Proof { extra: Some(extra), ..proof })
    }

    /// In few octets; `None`: it cannot be said so.
    fn compact(&self) -> Result<Option<Vec<u8>>, NotCanonical> {
        let Some(salt) = Salt::from_hex(&self.salt) else { return Ok(None) };
        let mut said = json!({"time": self.entry.time, "what": self.entry.what});
        if let (Some(record), Some(said)) = (&self.record, said.as_object_mut()) {
            said.insert("record".to_owned(), serde_json::to_value(record)?);
        }
        for (parent, name) in PAYLOADS.iter().chain([&SEALED]) {
            let parent = said.pointer_mut(parent).and_then(Value::as_object_mut);
            parent.into_iter().for_each(|parent| drop(parent.remove(*name)));
        }
        let text = String::from_utf8(canonical::octets(&said)?).unwrap_or_default();
        Ok(pack(&text).map(|packed| [&[COMPACT][..], &salt.octets(), &packed].concat()))
    }

    /// Of an `extra` line, for this file.
    fn read(extra: &[u8], file: &[u8]) -> Option<Self> {
        let Some((&COMPACT, rest)) = extra.split_first() else { return canonical::read(extra).ok() };
        let (salt, packed) = rest.split_first_chunk::<SALT_LEN>()?;
        let salt = Salt::new(*salt);
        let said = unpack(packed)?;
        let mut said: Map<String, Value> = serde_json::from_str(&said).ok()?;
        let record = said.remove("record");
        said.insert("schema".to_owned(), json!(SCHEMA));
        let mut document = json!({"entry": said, "salt": salt.reveal()});
        if let (Some(record), Some(document)) = (record, document.as_object_mut()) {
            document.insert("record".to_owned(), record);
        }
        let mut put = |under: &str, (parent, name): (&str, &str), hash: Hash| {
            let parent = document.pointer_mut(&format!("{under}{parent}")).and_then(Value::as_object_mut);
            if let Some(parent) = parent.filter(|parent| !parent.contains_key(name)) {
                parent.insert(name.to_owned(), json!(hash));
            }
        };
        for &(parent, name) in PAYLOADS {
            let under = if parent == RECORD { "" } else { "/entry" };
            put(under, (parent, name), salt.commit(file));
        }
        let record: Option<Record> =
            document.get("record").map(|record| serde_json::from_value(record.clone())).transpose().ok()?;
        if let Some(record) = record {
            let hash = salt.commit(&canonical::octets(&record).ok()?);
            let parent = document.pointer_mut("/entry/what/sealed").and_then(Value::as_object_mut)?;
            parent.insert(SEALED.1.to_owned(), json!(hash));
        }
        serde_json::from_value(document).ok()
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

/// Version of the form in few octets; JSON begins with a brace.
const COMPACT: u8 = 1;
const RECORD: &str = "/record";
/// Where stands what the salt and the file come to.
const PAYLOADS: &[(&str, &str)] = &[
    ("/what/decision", "commitment"),
    ("/what/disclosure", "payload"),
    ("/what/unsealed/record", "payload"),
    (RECORD, "payload"),
];
/// Where stands what the salt and the record come to.
const SEALED: (&str, &str) = ("/what/sealed", "commitment");

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
        let opening = proof.extra.as_deref().and_then(|extra| Opening::read(extra, file));
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
