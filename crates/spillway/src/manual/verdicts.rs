//! Verdicts on sources and the codes of their reasons, from the types of the intelligence.

use intel::finding::{Class, Reason};

use super::one_line;

const HEAD: &str = "# Verdicts and reasons\n\n\
    What is said of each source of an attack, in `sources.jsonl`, the API, the pages and exports. An address in a packet is a claim: only \
    who did send, by proof, can be named in a report, and `unknown` is an answer.\n\n\
    ## Verdicts\n\n| verdict | what it means |\n|---|---|\n";
const REASONS: &str = "\n## Reasons\n\n\
    Codes are the same everywhere. One that speaks for something is not always enough for it: several are weighed against each other.\n\n\
    | code | what was seen | speaks for |\n|---|---|---|\n";
const LEAVES: &str = "\n## Who may be reported\n\n\
    Reports name a reflector by P1, a bot or a real sender by H1, H2, P1 or by D2 and F1 together, each of them also by X1; not where B1, B2, B3 \
    or T1 speak against D2 and F1 or a list, and nobody who was here in peace (R1) without H1. Forged, honest and unknown sources are in none; \
    of forged ones the neighbours by which they came in get a report on source address validation instead: \
    [Evidence and disclosure](../how-to/evidence.md), \
    [MISP, IntelMQ and others](../how-to/share.md).\n";

/// The page.
pub(super) fn page() -> String {
    let mut out = HEAD.to_owned();
    for class in Class::ALL {
        out.push_str(&format!("| `{}` | {} |\n", word(&class), one_line(class.says())));
    }
    out.push_str(REASONS);
    for reason in Reason::ALL {
        let (seen, speaks) = (one_line(reason.says()), one_line(reason.speaks_for()));
        out.push_str(&format!("| `{}` | {seen} | {speaks} |\n", word(&reason)));
    }
    out.push_str(LEAVES);
    out
}

/// As it stands in documents.
fn word(of: &impl serde::Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}
