//! `[privacy]`: how long what is kept of others, by class.

use base::Span;
use serde::Deserialize;
use toml::Spanned;

use super::check::Problems;
use super::values::Wait;

const DAY: Span = Span::from_secs(86_400);
/// Less would let evidence go before anybody saw it, and a key before the day that it is for is over.
const LEAST: Span = DAY;
/// How long a key is kept where the file does not say, unless all that it opens goes before.
const KEYS: Span = DAY.times(30);
/// No retention is longer; who keeps something for good holds it.
const MOST: Span = DAY.times(3_653);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    attacks: Spanned<Wait>,
    samples: Spanned<Wait>,
    evidence: Spanned<Wait>,
    journal: Spanned<Wait>,
    keys: Option<Spanned<Wait>>,
    purpose: Option<Spanned<String>>,
    legal_basis: Option<Spanned<String>>,
}

impl Default for Section {
    fn default() -> Self {
        let days = |n| Spanned::new(0..0, Wait(DAY.times(n)));
        Self {
            attacks: days(90),
            samples: days(7),
            evidence: days(30),
            journal: days(365),
            keys: None,
            purpose: None,
            legal_basis: None,
        }
    }
}

/// How long what is kept of others, and what may be kept of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy {
    /// Attacks and their rules, from their last change on; in them others have pseudonyms.
    pub attacks: Span,
    /// Flow samples; in them others have pseudonyms.
    pub samples: Span,
    /// Evidence, and disclosures once nothing more becomes of them; in the clear.
    pub evidence: Span,
    /// Journals of mitigations, and what entries of the ledger commit to; in the clear.
    pub journal: Span,
    /// The key of a day's pseudonyms, from the day's end on: how long they can be revealed.
    pub keys: Span,
    /// For what, and by which right, payload of attack packets is kept; `None`: none is.
    pub payload: Option<Named>,
}

/// What allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// For what.
    pub purpose: String,
    /// By which right.
    pub legal_basis: String,
}

pub(super) fn checked(problems: &mut Problems<'_>, section: Section) -> Privacy {
    let Section { attacks, samples, evidence, journal, keys, purpose, legal_basis } = section;
    let mut span = |name: &str, wait: &Spanned<Wait>| {
        let span = wait.get_ref().0;
        if span < LEAST || span > MOST {
            problems.at(
                wait.span().start,
                format!("{name} must be {LEAST} to {MOST}; `spillway evidence hold` keeps for longer"),
            );
        }
        span
    };
    let [attacks, samples, evidence, journal] = [
        span("attacks", &attacks),
        span("samples", &samples),
        span("evidence", &evidence),
        span("journal", &journal),
    ];
    let longest = attacks.max(samples);
    let opens = keys.as_ref().map_or_else(|| KEYS.min(longest), |keys| span("keys", keys));
    if let Some(keys) = keys.filter(|_| opens > longest) {
        let message = format!(
            "keys that live for {opens} open nothing after {longest}, when the last pseudonym is gone; write at most \"{longest}\", or keep `attacks` longer"
        );
        problems.at(keys.span().start, message);
    }
    let payload = match (purpose, legal_basis) {
        (None, None) => None,
        (Some(purpose), Some(basis)) => {
            for one in [&purpose, &basis] {
                if one.get_ref().trim().is_empty() {
                    problems.at(one.span().start, "is empty; name it, or leave both keys out".to_owned());
                }
            }
            Some(Named { purpose: purpose.into_inner(), legal_basis: basis.into_inner() })
        }
        (Some(one), None) | (None, Some(one)) => {
            let message = "payload is kept only where both `purpose` and `legal_basis` are named; add the other, or leave both out";
            problems.at(one.span().start, message.to_owned());
            None
        }
    };
    Privacy { attacks, samples, evidence, journal, keys: opens, payload }
}
