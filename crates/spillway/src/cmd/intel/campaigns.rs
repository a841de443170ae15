//! `spillway intel campaigns`: attacks that one hand seems to have made.

use std::io::Write;

use serde_json::{Value, json};

use super::Found;
use crate::cli::Context;
use crate::client::Reach;
use crate::cmd::policy::{items, word};

/// Attacks that one hand seems to have made, the newest campaign first, and why they belong together
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of attacks that go on, the last that did, and those whose folder is kept. `spillway campaign compare` holds one against another,
or against what others tell of theirs.

Examples:
  spillway intel campaigns
  spillway intel botnet -o csv")]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
}

/// Columns of a table.
const COLUMNS: [&str; 6] = ["campaign", "id", "target", "started_at", "vectors", "score"];

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let document = args.reach.api()?.json("/api/v1/intelligence")?;
    let rows = items(&document, "campaigns").flat_map(|campaign| {
        items(campaign, "attacks").map(|attack| {
            let mut row = json!({"campaign": campaign.get("number")});
            if let (Some(row), Some(attack)) = (row.as_object_mut(), attack.as_object()) {
                row.extend(attack.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            row
        })
    });
    Found { rows: rows.collect(), document, text }.show(&COLUMNS, context)
}

fn text(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    if items(document, "campaigns").next().is_none() {
        return writeln!(
            out,
            "no attack is followed, and no folder of one is kept (`[evidence] record = true`)"
        );
    }
    for campaign in items(document, "campaigns") {
        writeln!(out, "campaign {}", word(campaign, "number"))?;
        for attack in items(campaign, "attacks") {
            let score = attack.get("score").and_then(Value::as_f64).unwrap_or(0.0);
            writeln!(
                out,
                "  {} on {} from {}, {}: {score:.2}",
                word(attack, "id"),
                word(attack, "target"),
                word(attack, "started_at"),
                word(attack, "vectors")
            )?;
            let because: Vec<String> = items(attack, "because").map(|alike| word(alike, "what")).collect();
            if !because.is_empty() {
                writeln!(out, "    {}", because.join("; "))?;
            }
        }
    }
    Ok(())
}
