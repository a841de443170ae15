//! `spillway mode`: how far the running daemon goes.

use std::io::Write;

use base::{Prefix, Span};
use serde_json::Value;

use super::asked::Daemon;
use super::policy::{self, items, word};
use crate::cli::Context;
use crate::config::target::ModeWord;
use crate::policy::Order;

/// How far the running daemon goes: see it, or say it, for all or for a prefix; it holds at once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a mode it prints what holds: for all, and what has a mode of its own. A mode that is said here holds above the file's `mode`,
over restarts too, until its time is over, `--clear` ends it, or the file says another mode and is taken. What has a mode of its own
([target.\"PREFIX\"], [customers.NAME], `--prefix`) keeps it.

Examples:
  spillway mode
  spillway mode suggest --reason 'a week of watching is over'
  spillway mode enforce --for 2h --reason 'attack 3f9a'
  spillway mode enforce --prefix 198.51.100.0/28 --reason 'ticket 12'     # as `spillway target mode`
  spillway mode --clear --reason 'as the file has it'
  spillway panic --reason 'wrong target'                                  # nothing acts, for anybody")]
pub struct Args {
    /// How far
    #[arg(value_enum, requires = "reason", conflicts_with = "clear")]
    mode: Option<Asked>,
    /// Go back to what the configuration says
    #[arg(long, requires = "reason")]
    clear: bool,
    /// For this prefix or address alone
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<Prefix>,
    /// For how long, like 2h [default: until somebody changes it]
    #[arg(long = "for", value_name = "TIME", requires = "mode")]
    hold: Option<Span>,
    /// Why; stands in the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// In whose name, beside the user that the kernel names [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Asked {
    /// Watch and tell
    Observe,
    /// Also show what rules would do
    Suggest,
    /// Also let them act
    Enforce,
}

impl From<Asked> for ModeWord {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Observe => Self::Observe,
            Asked::Suggest => Self::Suggest,
            Asked::Enforce => Self::Enforce,
        }
    }
}

/// How an answer is told.
type Text = fn(&Value, &mut dyn Write) -> std::io::Result<()>;

/// Shows it, or does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Args { mode, clear, prefix, hold, reason, person, daemon } = args;
    let changes = mode.is_some() || clear;
    let (mode, hold) = (mode.map(ModeWord::from), hold.map(Span::secs));
    let reason = reason.unwrap_or_default();
    let (order, text): (Order, Text) = match (changes, prefix) {
        (true, Some(prefix)) => (Order::Mode { prefix, mode, hold, reason }, policy::decision),
        (true, None) => (Order::General { mode, hold, reason }, policy::decision),
        (false, Some(prefix)) => (Order::Show { prefix }, one),
        (false, None) => (Order::Stance, all),
    };
    policy::ask(&daemon, person, order, context, text)
}

/// What holds for a prefix.
fn one(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let mode = document.pointer("/values/mode").unwrap_or(&Value::Null);
    writeln!(
        out,
        "{} is at {} ({}): {}",
        word(document, "prefix"),
        word(mode, "value"),
        policy::origin(mode),
        word(document, "acts")
    )?;
    writeln!(out, "`spillway target show {}` shows all that holds for it", word(document, "prefix"))
}

/// What holds for all.
fn all(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let mode = document.get("mode").unwrap_or(&Value::Null);
    let until = mode.pointer("/from/until").and_then(Value::as_str);
    let until = until.map(|end| format!(", until {end}")).unwrap_or_default();
    writeln!(out, "{} ({}{until}): {}", word(mode, "value"), policy::origin(mode), word(document, "means"))?;
    if let Some(why) = document.get("why").and_then(Value::as_str) {
        writeln!(out, "  {why}")?;
    }
    if items(document, "narrower").next().is_some() {
        writeln!(out, "\nwith a mode of its own:")?;
    }
    for one in items(document, "narrower") {
        writeln!(out, "  {:<28} {:<8} {}", word(one, "prefix"), word(one, "mode"), policy::origin(one))?;
    }
    let next = match word(mode, "value").as_str() {
        "observe" => "to have filters shown before they act: spillway mode suggest --reason TEXT",
        "suggest" => "to let them act: spillway mode enforce --reason TEXT",
        _ => "to let nothing act at once: spillway panic --reason TEXT",
    };
    if document.get("panic").is_some_and(Value::is_null) {
        writeln!(out, "{next}")?;
    }
    Ok(())
}
