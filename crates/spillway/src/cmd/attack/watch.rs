//! `spillway attack watch`: attacks as they open, change and end.

use std::io::Write as _;

use anyhow::Context as _;
use engine::report::Attack;
use serde_json::Value;

use crate::card;
use crate::cli::Context;
use crate::client::Reach;
use crate::client::follow::follow;
use crate::output::{self, Format, Paint};

/// Attacks as they open, change and end, until Ctrl-C; a break of the connection is bridged
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway attack watch
  spillway attack watch -o jsonl | jq -r 'select(.state == \"over\") | .id'
  spillway attack watch --count 1 -o json        # waits for the next change, and ends")]
pub(super) struct Args {
    /// End after so many changes [default: go on]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    reach: Reach,
}

/// Follows the stream of events.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let format = context.format(Format::Jsonl);
    let mut left = args.count;
    follow(&api, "/api/v1/events", |event| {
        if event.kind == "reset" {
            eprintln!("spillway: some changes were missed; `spillway attack list` has what is");
        }
        if event.kind != "attack" {
            return Ok(true);
        }
        let mut out = output::stdout();
        let document: Value = serde_json::from_str(&event.data)
            .context("the daemon's event cannot be read; is it another version?")?;
        match format {
            Format::Json => output::document(&mut out, &document)?,
            Format::Jsonl => output::line(&mut out, &super::row(&document))?,
            Format::Text => {
                let attack: Attack = serde_json::from_value(document)
                    .context("the daemon's event cannot be read; is it another version?")?;
                out.write_all(card::line_of(&attack, Paint::stdout()).as_bytes())?;
            }
        }
        out.flush()?;
        left = left.map(|left| left.saturating_sub(1));
        Ok(left != Some(0))
    })
}
