//! `spillway attack note|notes`: what people write to an attack; it stands in the audit trail.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::Context;
use crate::client::Reach;
use crate::cmd::asked;
use crate::cmd::policy::{self, items, word};
use crate::config::Config;
use crate::daemon::control;
use crate::output::{self, Format};
use crate::policy::Order;

/// Write something to an attack; it stays, with who wrote it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id
    id: String,
    /// One line
    text: String,
    /// In whose name, beside the user that the kernel names [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// Looks whether there is such an attack, and writes.
pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Args { id, text, person, reach } = args;
    reach.api()?.json(&super::path(&id, ""))?;
    let config = match Config::load(&reach.config) {
        Ok(config) => config,
        Err(problems) => return crate::cmd::check::complain(&problems),
    };
    let order = Order::Note { attack: id, text };
    let noted = control::decided(&config.state_dir, order, asked::person(person))?;
    policy::show(noted, context, policy::decision)
}

/// Shows them.
pub(super) fn list(notes: &Value, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout_of(&["at", "actor", "text"]);
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, notes)?,
        Format::Jsonl => items(notes, "items").try_for_each(|one| output::line(&mut out, one))?,
        Format::Text => {
            for one in items(notes, "items") {
                writeln!(out, "{} {}: {}", word(one, "at"), word(one, "actor"), word(one, "text"))?;
            }
        }
    }
    Ok(out.flush()?)
}
