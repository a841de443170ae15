//! How disclosures look.

use std::io::Write as _;
use std::path::PathBuf;

use ::ledger::Hash;
use base::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::cli::Context;
use crate::disclosure::{Case, Compared};
use crate::output::{self, Format};

/// One of them, with what follows from its files.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    pub(super) id: &'a str,
    pub(super) step: &'static str,
    pub(super) payload: PathBuf,
    pub(super) payload_sha256: Hash,
    /// What it needs before it may leave.
    pub(super) missing: Option<String>,
    /// When an order has to be followed.
    pub(super) due: Option<Timestamp>,
    #[serde(flatten)]
    pub(super) case: &'a Case,
}

/// Prints one.
pub(super) fn one(shown: &Shown<'_>, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, shown)?,
        Format::Jsonl => output::line(&mut out, shown)?,
        Format::Text => {
            let case = shown.case;
            let draft = &case.draft;
            let (tlp, pap) = (draft.tlp.word().to_uppercase(), draft.pap.word().to_uppercase());
            let by: Vec<&str> = case.approvals.iter().map(|one| one.by.as_str()).collect();
            let holds: Vec<&str> = draft.data.iter().map(|one| one.word()).collect();
            let class = draft.recipient_class.word();
            let purpose = draft.purpose.word();
            let basis = draft.basis.word();
            let file = shown.payload.display();
            let lines = [
                ("to", Some(format!("{} ({class}; {})", draft.recipient, draft.recipient_source))),
                ("for", Some(format!("{purpose}, {basis} ({})", draft.jurisdiction))),
                ("marked", Some(format!("TLP:{tlp} PAP:{pap}"))),
                ("holds", Some(holds.join(", "))),
                ("minimised", Some(format!("{} ({})", draft.profile.word(), draft.extent.word()))),
                ("bag", draft.bag.map(|seal| format!("seal {seal}"))),
                ("payload", Some(format!("{file} sha256 {}", shown.payload_sha256))),
                ("compared", case.compared.as_ref().map(compared)),
                ("drafted", Some(draft.author.clone())),
                ("approved", Some(if by.is_empty() { "by nobody".to_owned() } else { by.join(", ") })),
                ("expires", Some(draft.expires.to_string())),
                ("due", shown.due.map(|due| due.to_string())),
                ("missing", shown.missing.clone()),
                ("ledger", case.ledgered.map(|index| format!("entry {index}"))),
            ];
            writeln!(out, "{}  {}", shown.id, shown.step)?;
            for (name, text) in lines {
                if let Some(text) = text {
                    writeln!(out, "  {name:<10} {text}")?;
                }
            }
        }
    }
    Ok(out.flush()?)
}

/// With what the payload was compared.
fn compared(with: &Compared) -> String {
    let Compared { attacks, names, told, .. } = with;
    if *attacks == 0 {
        return format!(
            "with nothing: no attack is kept here, name one with --attack; it names {names} addresses"
        );
    }
    format!(
        "names {names} addresses, {told} of them verified sources, and nobody who must not leave ({attacks} attacks looked at)"
    )
}

/// Prints all.
pub(super) fn all(shown: &[Shown<'_>], context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"items": shown}))?,
        Format::Jsonl => shown.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text => {
            for one in shown {
                writeln!(out, "{:<24} {:<13} {}", one.id, one.step, one.case.draft.recipient)?;
            }
        }
    }
    Ok(out.flush()?)
}
