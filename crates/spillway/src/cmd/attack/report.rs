//! `spillway attack report`: all that is to be said of one attack, as one document to hand on.

use std::io::Write as _;

use anyhow::Context as _;
use api::Explanation;
use engine::report::Attack;
use serde_json::{Value, json};

use crate::card;
use crate::client::Reach;
use crate::cmd::policy::{items, word};
use crate::output::{self, Paint};

/// One document about an attack: what it was, why it is called one, what was done and not, and what people noted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What names sources one by one is the dossier (`spillway dossier`); what is meant for others outside goes by `spillway disclosure`.

Examples:
  spillway attack report 0123456789abcdef
  spillway attack report 0123456789abcdef --format html > report.html")]
pub(super) struct Args {
    /// Its id
    id: String,
    /// As what
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = As::Text)]
    format: As,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// For a terminal or a mail
    Text,
    /// One document: `attack`, `explanation`, `notes`
    Json,
    /// One page that needs nothing else
    Html,
}

/// Asks and writes.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let attack = api.json(&super::path(&args.id, ""))?;
    let explained = api.json(&super::path(&args.id, "/explanation"))?;
    let notes = api.json(&super::path(&args.id, "/notes"))?;
    let mut out = output::stdout();
    if args.format == As::Json {
        let notes = notes.get("items").cloned().unwrap_or_default();
        output::document(&mut out, &json!({"attack": attack, "explanation": explained, "notes": notes}))?;
        return Ok(out.flush()?);
    }
    let another = "the daemon's answer cannot be read; is it another version?";
    let explanation: Explanation = serde_json::from_value(explained).context(another)?;
    if args.format == As::Html {
        let notes: Vec<Value> = items(&notes, "items").cloned().collect();
        out.write_all(api::report::html(&attack, &explanation, &notes).as_bytes())?;
        return Ok(out.flush()?);
    }
    let attack: Attack = serde_json::from_value(attack).context(another)?;
    let paint = Paint::stdout();
    writeln!(out, "{}", card::attack(&attack, paint))?;
    out.write_all(card::explanation(&explanation, paint).as_bytes())?;
    if items(&notes, "items").next().is_some() {
        writeln!(out, "\nnotes")?;
    }
    for note in items(&notes, "items") {
        writeln!(out, "  {} {}: {}", word(note, "at"), word(note, "actor"), word(note, "text"))?;
    }
    Ok(out.flush()?)
}
