//! What of a disclosure stands in the ledger.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::words::{Consent, DataClass, Extent, Pap, Profile, Purpose, RecipientClass, Tlp};
use crate::canonical::{self, NotCanonical};
use crate::commitment::{CustomerTag, Salt};
use crate::entry::{Sealed, What};
use crate::hash::Hash;

/// The disclosure without names, addresses and references; two commitments stand for those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What the recipient is.
    pub recipient_class: RecipientClass,
    /// What for.
    pub purpose: Purpose,
    /// Why it may leave, as [`super::LegalBasis::word`] has it.
    pub basis: String,
    /// Whose law.
    pub jurisdiction: String,
    /// To whom it may be passed on.
    pub tlp: Tlp,
    /// What may be done with it.
    pub pap: Pap,
    /// What the customer says.
    pub consent: Consent,
    /// Whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerTag>,
    /// What is in it.
    pub data: BTreeSet<DataClass>,
    /// How it is minimised.
    pub profile: Profile,
    /// How much of what there is.
    pub extent: Extent,
    /// The seal of the bag that it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bag: Option<Hash>,
    /// How long the recipient may keep it, in days.
    pub retention_days: u32,
    /// After this it is not sent any more.
    pub expires: Timestamp,
    /// Persons who agreed; 0 where a policy did.
    pub approvals: u32,
    /// What can be counted in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
    /// To what is sent, octet for octet.
    pub payload: Hash,
    /// To the draft.
    pub draft: Hash,
    /// Until then it stays sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embargo_until: Option<Timestamp>,
}

impl Record {
    /// Of this draft and what it lets out.
    ///
    /// # Errors
    /// The draft has no canonical form.
    pub(super) fn new(
        draft: &Draft,
        payload: &[u8],
        counts: &BTreeMap<String, u64>,
        approvals: u32,
        salt: Salt,
        customer: Option<CustomerTag>,
    ) -> Result<Self, NotCanonical> {
        Ok(Self {
            recipient_class: draft.recipient_class,
            purpose: draft.purpose,
            basis: draft.basis.word().to_owned(),
            jurisdiction: draft.jurisdiction.clone(),
            tlp: draft.tlp,
            pap: draft.pap,
            consent: draft.consent,
            customer,
            data: draft.data.clone(),
            profile: draft.profile,
            extent: draft.extent,
            bag: draft.bag,
            retention_days: draft.retention_days,
            expires: draft.expires,
            approvals,
            counts: counts.clone(),
            payload: salt.commit(payload),
            draft: salt.commit(&canonical::octets(draft)?),
            embargo_until: draft.embargo_until,
        })
    }

    /// Whether its texts are words: names and addresses have no place in them.
    pub(crate) fn is_terse(&self) -> bool {
        let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        self.basis.len() <= 40
            && self.basis.bytes().all(plain)
            && self.jurisdiction.len() == 2
            && self.jurisdiction.bytes().all(|octet| octet.is_ascii_uppercase())
    }

    /// As it goes into the ledger: open, or sealed where there is an embargo.
    ///
    /// # Errors
    /// It has no canonical form.
    pub(super) fn entry(self, salt: Salt, customer_may_know: bool) -> Result<What, NotCanonical> {
        if self.embargo_until.is_none() {
            return Ok(What::Disclosure(self));
        }
        let commitment = salt.commit(&canonical::octets(&self)?);
        Ok(What::Sealed(Sealed { commitment, customer: self.customer.filter(|_| customer_may_know) }))
    }
}
