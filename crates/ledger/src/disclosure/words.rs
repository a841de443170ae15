//! The words a disclosure is described with. They are enumerations, for they stand in the ledger, where no free text may.

use base::Span;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As it is written.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|one| one.word() == text);
                found.copied().ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|one| one.word()).collect();
                    format!("`{text}` is none of: {}", words.join(", "))
                })
            }
        }
    };
}

words! {
    /// What the recipient is.
    RecipientClass {
        /// Runs the machine that a source is.
        Hoster = "hoster",
        /// Connects a source.
        Isp = "isp",
        /// A computer emergency response team.
        Cert = "cert",
        /// Law enforcement.
        LawEnforcement = "law-enforcement",
        /// Members of an anti-DDoS coalition.
        Coalition = "coalition",
        /// The customer whom it is about.
        Customer = "customer",
        /// Everybody.
        Public = "public",
    }
}

words! {
    /// What the recipient shall do with it.
    Purpose {
        /// Stop an abuse at its source.
        AbuseReport = "abuse-report",
        /// Warn others.
        Warning = "warning",
        /// Find who did it.
        Investigation = "investigation",
        /// Follow a notification duty.
        Notification = "notification",
        /// Tell a customer what was done for him.
        CustomerReport = "customer-report",
        /// Study attacks.
        Research = "research",
    }
}

words! {
    /// Traffic Light Protocol 2.0 (FIRST, 2022).
    Tlp {
        /// No limit.
        Clear = "clear",
        /// Within the community.
        Green = "green",
        /// Within the organisation and its clients.
        Amber = "amber",
        /// Within the organisation.
        AmberStrict = "amber+strict",
        /// For the eyes of those who receive it.
        Red = "red",
    }
}

words! {
    /// Permissible Actions Protocol.
    Pap {
        /// Anything.
        Clear = "clear",
        /// Active measures.
        Green = "green",
        /// Passive look-ups.
        Amber = "amber",
        /// Nothing that leaves the own machines.
        Red = "red",
    }
}

words! {
    /// What the customer under attack says to it.
    Consent {
        /// Agreed.
        Given = "given",
        /// Was not asked, for it is not needed.
        NotNeeded = "not-needed",
        /// Did not agree.
        Refused = "refused",
        /// May not be asked.
        Forbidden = "forbidden",
    }
}

words! {
    /// Kinds of data in it.
    DataClass {
        /// Sums without addresses.
        Aggregates = "aggregates",
        /// Addresses of sources.
        SourceAddresses = "source-addresses",
        /// The address under attack.
        TargetAddresses = "target-addresses",
        /// Headers of packets.
        Headers = "headers",
        /// Content of packets.
        Payload = "payload",
        /// Shapes of packets and fingerprints of tools.
        Fingerprints = "fingerprints",
        /// A customer's name or contract.
        CustomerData = "customer-data",
    }
}

words! {
    /// How little is left in it.
    Profile {
        /// No addresses at all.
        AggregatesOnly = "aggregates-only",
        /// Only verified sources that are the recipient's own.
        RecipientsSources = "recipients-sources",
        /// Verified sources; the target's address is hidden.
        TargetHidden = "target-hidden",
        /// Verified sources and the target.
        TargetShown = "target-shown",
        /// Nothing was taken out: an order has it so.
        AsOrdered = "as-ordered",
    }
}

words! {
    /// How much of what there is.
    Extent {
        /// A minimised derivative.
        Minimised = "minimised",
        /// The complete sealed bag.
        CompleteBag = "complete-bag",
        /// Exactly the data that an order names.
        NamedData = "named-data",
    }
}

words! {
    /// What an order rests on.
    Instrument {
        /// Regulation (EU) 2023/1543, in force since 18 August 2026.
        Eu20231543 = "eu-2023-1543",
        /// National law.
        National = "national",
    }
}

words! {
    /// Articles of the NIS 2 directive.
    Article {
        /// Reporting obligations.
        Nis2Art23 = "nis2-art23",
        /// Voluntary notification.
        Nis2Art30 = "nis2-art30",
    }
}

/// Why it may leave. The product checks that a basis is named, and what follows from it; whether it holds is for a lawyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LegalBasis {
    /// GDPR Article 6(1)(f) with recital 49: network security.
    LegitimateInterest,
    /// GDPR Article 6(1)(c).
    LegalObligation {
        /// Which law.
        statute: String,
    },
    /// An order to hand data over.
    ProductionOrder {
        /// What it rests on.
        instrument: Instrument,
        /// Its file number.
        reference: String,
        /// Whether it is one of an emergency.
        emergency: bool,
    },
    /// An order to keep data.
    PreservationOrder {
        /// What it rests on.
        instrument: Instrument,
        /// Its file number.
        reference: String,
    },
    /// A notification under NIS 2.
    Notification {
        /// Which article.
        article: Article,
    },
    /// A contract with the customer.
    Contract {
        /// Which one.
        reference: String,
    },
    /// The customer's consent.
    Consent {
        /// Where it is written down.
        reference: String,
    },
}

impl LegalBasis {
    /// As the ledger has it: without references.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::LegitimateInterest => "gdpr-6-1-f",
            Self::LegalObligation { .. } => "gdpr-6-1-c",
            Self::ProductionOrder { instrument: Instrument::Eu20231543, .. } => {
                "production-order-eu-2023-1543"
            }
            Self::ProductionOrder { .. } => "production-order-national",
            Self::PreservationOrder { instrument: Instrument::Eu20231543, .. } => {
                "preservation-order-eu-2023-1543"
            }
            Self::PreservationOrder { .. } => "preservation-order-national",
            Self::Notification { article } => article.word(),
            Self::Contract { .. } => "contract",
            Self::Consent { .. } => "consent",
        }
    }

    /// Whether an authority ordered it.
    pub const fn is_order(&self) -> bool {
        matches!(self, Self::ProductionOrder { .. } | Self::PreservationOrder { .. })
    }

    /// How long after it arrived an order has to be followed: Regulation (EU) 2023/1543, Articles 10 and 11; national ones say so
    /// themselves.
    pub const fn time_limit(&self) -> Option<Span> {
        const HOUR: u64 = 3600;
        match self {
            Self::ProductionOrder { instrument: Instrument::Eu20231543, emergency, .. } => {
                Some(Span::from_secs(if *emergency { 8 * HOUR } else { 10 * 24 * HOUR }))
            }
            Self::PreservationOrder { instrument: Instrument::Eu20231543, .. } => {
                Some(Span::from_secs(60 * 24 * HOUR))
            }
            _ => None,
        }
    }

    /// The reference it needs, where it needs one.
    pub(crate) fn reference(&self) -> Option<&str> {
        match self {
            Self::LegalObligation { statute: reference }
            | Self::ProductionOrder { reference, .. }
            | Self::PreservationOrder { reference, .. }
            | Self::Contract { reference }
            | Self::Consent { reference } => Some(reference),
            Self::LegitimateInterest | Self::Notification { .. } => None,
        }
    }
}
