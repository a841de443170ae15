//! What stands in the ledger. An entry can never be deleted, so it holds no name, no address and no free text: kinds, counts, hashes.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::{self, NotCanonical};
use crate::commitment::{CustomerTag, Salt};
use crate::disclosure::Record;
use crate::hash::Hash;
use crate::tile::ENTRY_MAX;

/// Version of the form of entries.
pub(crate) const SCHEMA: &str = "spillway.ledger/1";
/// Names in a table of counts.
const COUNTS_MAX: usize = 64;
/// Octets of such a name.
const COUNT_NAME_MAX: usize = 48;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    schema: String,
    /// When it was written.
    pub time: Timestamp,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// Something was decided.
    Decision(Decision),
    /// Something is about to leave.
    Disclosure(Record),
    /// Something is about to leave, and may not be spoken of yet: nothing but that and when.
    Sealed(Sealed),
    /// What a sealed entry said; possible when its embargo is over.
    Unsealed(Unsealed),
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Of what kind.
    pub act: Act,
    /// Who took it.
    pub by: By,
    /// Whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerTag>,
    /// To the whole decision, which is kept elsewhere.
    pub commitment: Hash,
    /// What can be counted in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

/// Kinds of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A rule was put in force.
    Mitigation,
    /// A rule is in force no longer.
    MitigationEnd,
    /// A route was announced.
    Announcement,
    /// A route was withdrawn.
    Withdrawal,
    /// Somebody agreed to what somebody asked for.
    Approval,
    /// A pseudonym was turned back into an address.
    Depseudonymisation,
    /// The configuration changed.
    Configuration,
    /// An entry's salt was destroyed.
    Erasure,
    /// What was kept goes, for its retention is over: evidence, disclosures, keys of pseudonyms.
    Deletion,
    /// Decisions could not be written down; how many is counted in it.
    Gap,
    /// A person asked for something through the API; whether it was done is counted in it.
    Operation,
    /// A bag of evidence was sealed; its tag manifest is committed to.
    Sealing,
    /// Somebody of the house took a copy of a bag for its own keeping: nothing was disclosed by that.
    Copy,
}

impl Act {
    /// As entries have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mitigation => "mitigation",
            Self::MitigationEnd => "mitigation-end",
            Self::Announcement => "announcement",
            Self::Withdrawal => "withdrawal",
            Self::Approval => "approval",
            Self::Depseudonymisation => "depseudonymisation",
            Self::Configuration => "configuration",
            Self::Erasure => "erasure",
            Self::Deletion => "deletion",
            Self::Gap => "gap",
            Self::Operation => "operation",
            Self::Sealing => "sealing",
            Self::Copy => "copy",
        }
    }
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The product, as it is configured.
    Product,
    /// A person at the controls.
    Person,
}

/// A disclosure under an embargo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// To the record.
    pub commitment: Hash,
    /// Whom it concerns, where he may know that there was something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerTag>,
}

/// A sealed disclosure, opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsealed {
    /// Of the sealed entry.
    pub index: u64,
    /// In hexadecimal digits.
    pub salt: String,
    /// What was committed to.
    pub record: Record,
}

/// Why something cannot be an entry.
#[derive(Debug, thiserror::Error)]
pub enum NoEntry {
    /// Its form.
    #[error("not an entry: {0}")]
    Form(#[from] NotCanonical),
    /// Its schema.
    #[error("an entry of the schema `{0}`, which is not known here; a newer version may read it")]
    Schema(String),
    /// Its content.
    #[error("not an entry: {0}")]
    Content(&'static str),
}

impl Entry {
    /// Of this time.
    pub fn new(time: Timestamp, what: What) -> Self {
        Self { schema: SCHEMA.to_owned(), time, what }
    }

    /// The octets that go into the log.
    ///
    /// # Errors
    /// It says more than an entry may.
    pub fn octets(&self) -> Result<Vec<u8>, NoEntry> {
        self.check()?;
        let octets = canonical::octets(self)?;
        if octets.len() > ENTRY_MAX { Err(NoEntry::Content("too long")) } else { Ok(octets) }
    }

    /// Reads such octets.
    ///
    /// # Errors
    /// They are no entry.
    pub fn parse(octets: &[u8]) -> Result<Self, NoEntry> {
        if octets.len() > ENTRY_MAX {
            return Err(NoEntry::Content("too long"));
        }
        let entry: Self = canonical::read(octets)?;
        if entry.schema != SCHEMA {
            return Err(NoEntry::Schema(entry.schema));
        }
        entry.check()?;
        Ok(entry)
    }

    fn check(&self) -> Result<(), NoEntry> {
        let (counts, record) = match &self.what {
            What::Decision(decision) => (&decision.counts, None),
            What::Disclosure(record) => (&record.counts, Some(record)),
            What::Unsealed(Unsealed { salt, record, .. }) if Salt::from_hex(salt).is_some() => {
                (&record.counts, Some(record))
            }
            What::Unsealed(_) => return Err(NoEntry::Content("a salt is 64 hexadecimal digits")),
            What::Sealed(_) => return Ok(()),
        };
        if record.is_some_and(|record| !record.is_terse()) {
            return Err(NoEntry::Content("a basis is a word, a jurisdiction two capital letters"));
        }
        if counts.len() > COUNTS_MAX {
            return Err(NoEntry::Content("too many counts"));
        }
        // a word, so that no address or name of a person finds its way in
        let is_word = |name: &str| {
            name.len() <= COUNT_NAME_MAX
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'-')
        };
        if counts.keys().all(|name| is_word(name)) {
            Ok(())
        } else {
            Err(NoEntry::Content("the name of a count is a word of lower-case letters and hyphens"))
        }
    }
}

impl Unsealed {
    /// Whether this is what that entry hid.
    pub fn opens(&self, sealed: &Sealed) -> bool {
        let record = canonical::octets(&self.record).ok();
        let committed = Salt::from_hex(&self.salt).zip(record).map(|(salt, record)| salt.commit(&record));
        committed == Some(sealed.commitment)
    }
}
