//! How something leaves: draft, minimised, reviewed, ledgered, sent. Each step is a type, so none can be left out.
//!
//! ```text
//! Draft ─ minimise → Minimised ─ review → Reviewed ─ ledgered(Receipt) → Ledgered ─ send → Sent → acknowledged | bounced | withdrawn
//!                                                                                                 └────────────┴──→ expired
//! ```

mod draft;
mod record;
mod review;
mod steps;
mod words;

pub use draft::{Draft, Incomplete};
pub use record::Record;
pub use review::{Approval, Review, ReviewPolicy, account};
pub use steps::{
    Bundle, Disclosure, Drafted, Ledgered, Minimised, Refused, Reviewed, SendError, Sender, Sent, Stage,
};
pub use words::{
    Article, Consent, DataClass, Extent, Instrument, LegalBasis, Pap, Profile, Purpose, RecipientClass, Tlp,
};
