//! What somebody writes to begin a disclosure.

use std::collections::{BTreeMap, BTreeSet};

use ::ledger::Hash;
use ::ledger::disclosure::{
    Consent, DataClass, Draft, Extent, LegalBasis, Pap, Profile, Purpose, RecipientClass, Tlp,
};
use base::{Span, Timestamp};
use serde::Deserialize;

/// A file to begin with.
pub const EXAMPLE: &str = r#"# A disclosure. `spillway disclosure new THIS --payload FILE` begins it; nothing leaves before it is approved and in the ledger.
recipient = "abuse@hoster.example"
recipient_source = "RDAP abuse role, looked up today"  # how the address was found and checked
recipient_class = "hoster"     # hoster, isp, cert, law-enforcement, coalition, customer, public
purpose = "abuse-report"       # abuse-report, warning, investigation, notification, customer-report, research
jurisdiction = "DE"            # two capital letters, or EU
tlp = "green"                  # clear, green, amber, amber+strict, red
pap = "green"                  # clear, green, amber, red
consent = "not-needed"         # given, not-needed, refused, forbidden
#customer = "example"          # whom it is about
data = ["source-addresses"]    # aggregates, source-addresses, target-addresses, headers, payload, fingerprints, customer-data
profile = "recipients-sources" # aggregates-only, recipients-sources, target-hidden, target-shown, as-ordered
extent = "minimised"           # under an order also complete-bag, named-data
#bag = "…"                     # the seal of the bag that it is from; `--bag` finds it out
#files = ["data/sources.csv"]  # of named-data: the files of the bag that the order names, and no others
retention_days = 30            # how long the recipient may keep it
expires_days = 7               # after this it is not sent any more
ticket = "T-17"
#embargo_until = "2026-12-31T00:00:00Z"  # an order forbids to speak of it until then
#customer_may_know = true      # under an embargo: whether the customer sees that there is something

[basis]
kind = "legitimate-interest"
# kind = "legal-obligation"     statute = "…"
# kind = "production-order"     instrument = "eu-2023-1543" or "national"   reference = "…"   emergency = false
# kind = "preservation-order"   instrument = …                             reference = "…"
# kind = "notification"         article = "nis2-art23" or "nis2-art30"
# kind = "contract"             reference = "…"
# kind = "consent"              reference = "…"

[counts]                       # what can be counted in it; stands in the ledger
#sources = 12
"#;

/// That file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    recipient: String,
    recipient_source: String,
    recipient_class: RecipientClass,
    purpose: Purpose,
    basis: LegalBasis,
    jurisdiction: String,
    tlp: Tlp,
    pap: Pap,
    consent: Consent,
    customer: Option<String>,
    data: BTreeSet<DataClass>,
    profile: Profile,
    /// How much of what there is.
    pub extent: Extent,
    bag: Option<Hash>,
    /// Files of the bag that an order names.
    #[serde(default)]
    pub files: Vec<String>,
    retention_days: u32,
    expires_days: u32,
    ticket: String,
    embargo_until: Option<Timestamp>,
    #[serde(default = "yes")]
    customer_may_know: bool,
    /// What can be counted in it.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
}

fn yes() -> bool {
    true
}

impl Request {
    /// As a draft of this person; `bag` is the seal of the bag that it is from, and what was packed from there.
    ///
    /// # Errors
    /// The file names another bag.
    pub fn draft(
        &self,
        id: String,
        author: String,
        now: Timestamp,
        bag: Option<(Hash, Option<Hash>)>,
    ) -> anyhow::Result<Draft> {
        if let (Some(named), Some((found, _))) = (self.bag, bag)
            && named != found
        {
            anyhow::bail!("bag: the file names {named}, and the seal of this bag is {found}");
        }
        Ok(Draft {
            id,
            author,
            created: now,
            recipient: self.recipient.clone(),
            recipient_source: self.recipient_source.clone(),
            recipient_class: self.recipient_class,
            purpose: self.purpose,
            basis: self.basis.clone(),
            jurisdiction: self.jurisdiction.clone(),
            tlp: self.tlp,
            pap: self.pap,
            consent: self.consent,
            customer: self.customer.clone(),
            data: self.data.clone(),
            profile: self.profile,
            extent: self.extent,
            bag: bag.map(|(seal, _)| seal).or(self.bag),
            archive: bag.and_then(|(_, archive)| archive),
            retention_days: self.retention_days,
            expires: now.plus(Span::from_secs(u64::from(self.expires_days) * 86_400)),
            ticket: self.ticket.clone(),
            embargo_until: self.embargo_until,
            customer_may_know: self.customer_may_know,
        })
    }
}
