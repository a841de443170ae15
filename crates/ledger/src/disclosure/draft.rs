//! What has to be known before anything may leave.

use std::collections::BTreeSet;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::{Consent, DataClass, Extent, LegalBasis, Pap, Profile, Purpose, RecipientClass, Tlp};

/// Octets of a free text in a draft.
const TEXT_MAX: usize = 1_000;

/// All that describes a disclosure. It stays with its operator: the ledger gets a [`super::Record`] of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Its name among the operator's.
    pub id: String,
    /// Who made it.
    pub author: String,
    /// When.
    pub created: Timestamp,
    /// Where it goes: a mail address, a folder, an authority.
    pub recipient: String,
    /// How that address was found and checked.
    pub recipient_source: String,
    /// What the recipient is.
    pub recipient_class: RecipientClass,
    /// What for.
    pub purpose: Purpose,
    /// Why it may leave.
    pub basis: LegalBasis,
    /// Whose law, as ISO 3166-1 has it: two capital letters, or `EU`.
    pub jurisdiction: String,
    /// To whom the recipient may pass it on.
    pub tlp: Tlp,
    /// What the recipient may do.
    pub pap: Pap,
    /// What the customer says to it.
    pub consent: Consent,
    /// The customer whom it concerns.
    pub customer: Option<String>,
    /// What is in it.
    pub data: BTreeSet<DataClass>,
    /// How it is minimised.
    pub profile: Profile,
    /// How much of what there is.
    pub extent: Extent,
    /// The seal of the bag that it is from: SHA-256 of its tag manifest, in hexadecimal digits.
    pub bag: Option<crate::Hash>,
    /// SHA-256 of what was packed from that bag for an order: nothing else leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<crate::Hash>,
    /// How many days the recipient may keep it.
    pub retention_days: u32,
    /// After this it is not sent any more.
    pub expires: Timestamp,
    /// Where the case is handled.
    pub ticket: String,
    /// Until then nobody may be told.
    pub embargo_until: Option<Timestamp>,
    /// Under an embargo: whether the customer may see that there is something.
    pub customer_may_know: bool,
}

/// What a draft lacks, or what contradicts itself in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct Incomplete {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Draft {
    /// Whether it says all that is needed, without contradiction.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Incomplete> {
        let wrong = |field, what| Err(Incomplete { field, what });
        let texts = [
            ("id", &self.id),
            ("author", &self.author),
            ("recipient", &self.recipient),
            ("recipient_source", &self.recipient_source),
            ("ticket", &self.ticket),
        ];
        for (field, text) in texts {
            if text.trim().is_empty() || text.len() > TEXT_MAX || text.chars().any(char::is_control) {
                return wrong(field, "is needed, as one line");
            }
        }
        if self.basis.reference().is_some_and(|reference| reference.trim().is_empty()) {
            return wrong("basis", "needs its statute or reference");
        }
        if self.jurisdiction.len() != 2 || !self.jurisdiction.bytes().all(|octet| octet.is_ascii_uppercase())
        {
            return wrong("jurisdiction", "is two capital letters, like DE or EU");
        }
        if self.data.is_empty() {
            return wrong("data", "name what is in it");
        }
        if self.retention_days == 0 {
            return wrong("retention_days", "say how long the recipient may keep it");
        }
        if self.expires <= self.created {
            return wrong("expires", "is over before it begins");
        }
        let is_order = self.basis.is_order();
        if !is_order && self.extent != Extent::Minimised {
            return wrong(
                "extent",
                "only a production or preservation order gets more than a minimised derivative",
            );
        }
        if (self.extent == Extent::Minimised) == (self.profile == Profile::AsOrdered) {
            return wrong("profile", "`as-ordered` belongs to what an order names, and to nothing else");
        }
        if self.extent == Extent::CompleteBag && (self.bag.is_none() || self.archive.is_none()) {
            return wrong("bag", "name the sealed bag: it is packed from there, as one file");
        }
        if self.archive.is_some() && (self.bag.is_none() || self.extent == Extent::Minimised) {
            return wrong("archive", "what is packed from a bag names it, and is what an order asks for");
        }
        if self.extent == Extent::Minimised && is_order && self.bag.is_none() {
            return wrong("bag", "a minimised derivative for an order names the bag it is from");
        }
        if is_order && self.recipient_class != RecipientClass::LawEnforcement {
            return wrong("recipient_class", "an order is followed towards the authority that gave it");
        }
        if self.recipient_class == RecipientClass::Public && self.tlp != Tlp::Clear {
            return wrong("tlp", "what everybody gets is TLP:CLEAR");
        }
        if self.profile == Profile::AggregatesOnly
            && self.data.iter().any(|class| *class != DataClass::Aggregates)
        {
            return wrong("data", "the profile `aggregates-only` leaves aggregates only");
        }
        if self.profile != Profile::TargetShown
            && self.profile != Profile::AsOrdered
            && self.data.contains(&DataClass::TargetAddresses)
        {
            return wrong("data", "this profile takes the target's addresses out");
        }
        let bound = is_order || matches!(self.basis, LegalBasis::LegalObligation { .. });
        let about_customer = [DataClass::TargetAddresses, DataClass::CustomerData]
            .iter()
            .any(|class| self.data.contains(class));
        match self.consent {
            Consent::Refused if !bound => {
                wrong("consent", "the customer refused: only a law or an order goes before that")
            }
            Consent::Forbidden if !is_order => wrong("consent", "only an order can forbid to ask"),
            Consent::NotNeeded if about_customer && !bound => {
                wrong("consent", "what is about the customer needs his consent, or a law")
            }
            _ if self.embargo_until.is_some() && !is_order => {
                wrong("embargo_until", "only an order can forbid to speak of it")
            }
            _ if !self.customer_may_know && self.embargo_until.is_none() => {
                wrong("customer_may_know", "without an embargo nothing is hidden from the customer")
            }
            _ => Ok(()),
        }
    }

    /// Whether two persons have to agree.
    pub fn needs_four_eyes(&self) -> bool {
        self.basis.is_order()
            || self.recipient_class == RecipientClass::LawEnforcement
            || matches!(self.tlp, Tlp::Amber | Tlp::AmberStrict | Tlp::Red)
    }
}
