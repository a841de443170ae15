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
#bag = "…"                     # SHA-256 of the sealed bag that it is from
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
    extent: Extent,
    bag: Option<Hash>,
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
    /// As a draft of this person.
    pub fn draft(&self, id: String, author: String, now: Timestamp) -> Draft {
        Draft {
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
            bag: self.bag,
            retention_days: self.retention_days,
            expires: now.plus(Span::from_secs(u64::from(self.expires_days) * 86_400)),
            ticket: self.ticket.clone(),
            embargo_until: self.embargo_until,
            customer_may_know: self.customer_may_know,
        }
    }
}
