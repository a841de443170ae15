//! `spillway config show|check|diff|reload|schema`: the configuration, before it is taken.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::{check, control as control_order};
use crate::cli::Context;
use crate::config::diff::{Change, changes, makes_a_difference};
use crate::config::{Config, DEFAULT_PATH, Key, effective};
use crate::daemon::control;
use crate::error::Different;
use crate::output::{self, Format, Paint};

/// Look at the configuration: what holds, whether it is right, what a reload would change, its schema for editors
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway config show                           # what holds, key by key, and what of it is a default
  spillway config show --running -o csv          # likewise in the running daemon, whose file may have changed since
  spillway config check                          # as `spillway check`
  spillway config diff                           # what `spillway control reload` would change in the running daemon
  spillway config diff new.toml                  # and what this file would
  spillway config reload --reason 'ticket 12'     # and have it taken
  spillway config schema > spillway.schema.json  # JSON Schema 2020-12; in the file: #:schema ./spillway.schema.json

Exit codes of `diff`: 0 the same, 1 failed, 3 different.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Check(check::Args),
    Diff(Diff),
    Reload(Reload),
    Schema(Schema),
}

/// The configuration as it holds, key by key, with where each comes from: the file or a default; secrets are not shown
///
/// As text it is a configuration itself. What people said while the daemon runs is above it: `spillway mode`, `target show`.
#[derive(Debug, clap::Args)]
struct Show {
    /// What the daemon took last, and not what stands in its file now
    #[arg(long)]
    running: bool,
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

/// What a file would change in the running daemon, key by key; secrets are not shown
#[derive(Debug, clap::Args)]
struct Diff {
    /// The file to compare with what is in force [default: the daemon's own, as it is now]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The configuration of the daemon: says where it is
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

/// Have the daemon check its file and take it, as `spillway control reload` and SIGHUP do; what is wrong with it is said, and the old one stays
#[derive(Debug, clap::Args)]
struct Reload {
    #[command(flatten)]
    asked: control_order::Asked,
}

/// Print the JSON Schema of the configuration
#[derive(Debug, clap::Args)]
struct Schema {}

/// Checks, compares or prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Show(args) => show(&args, context),
        Command::Check(args) => check::run(args, context),
        Command::Diff(args) => diff(&args, context),
        Command::Reload(Reload { asked }) => control_order::give(control::Order::Reload, asked),
        Command::Schema(Schema {}) => {
            let schema = crate::config::schema().map_err(anyhow::Error::msg)?;
            let mut out = output::stdout();
            output::document(&mut out, &schema)?;
            Ok(out.flush()?)
        }
    }
}

fn show(args: &Show, context: &Context) -> anyhow::Result<()> {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return check::complain(&problems),
    };
    let text = if args.running { control::running(&config.state_dir)? } else { config.written.0.to_string() };
    let keys = effective(&text).map_err(anyhow::Error::msg)?;
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &json!({"items": keys}))?,
        Format::Jsonl => keys.iter().try_for_each(|key| output::line(&mut out, key))?,
        Format::Text => {
            for Key { key, value, from } in &keys {
                let note = if *from == "default" { "  # default" } else { "" };
                writeln!(out, "{key} = {value}{note}")?;
            }
        }
    }
    Ok(out.flush()?)
}

fn diff(args: &Diff, context: &Context) -> anyhow::Result<()> {
    let own = match Config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return check::complain(&problems),
    };
    let new = match &args.file {
        Some(file) => match Config::load(file) {
            Ok(config) => config,
            Err(problems) => return check::complain(&problems),
        },
        None => own.clone(),
    };
    let running = control::running(&own.state_dir)?;
    let mut found = changes(&running, &new.written.0);
    let makes_one = makes_a_difference(&own.path, &running, &new.written.0);
    found.retain(makes_one);
    // an older daemon has no mode above its file's
    let stance = control::decided(&own.state_dir, crate::policy::Order::Stance, None).unwrap_or_default();
    let why = stance.get("why").and_then(serde_json::Value::as_str);
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Json => {
            let above = why.map(|why| json!({"mode": stance.pointer("/mode/value"), "why": why}));
            output::document(&mut out, &json!({"changes": found, "above_the_file": above}))?;
        }
        Format::Jsonl => found.iter().try_for_each(|change| output::line(&mut out, change))?,
        Format::Text => {
            let paint = Paint::stdout();
            for Change { key, from, to, restart } in &found {
                if let Some(from) = from {
                    writeln!(out, "{}", paint.red(format!("- {key} = {from}")))?;
                }
                if let Some(to) = to {
                    writeln!(out, "{}", paint.green(format!("+ {key} = {to}")))?;
                }
                if *restart {
                    writeln!(out, "  `{key}` needs a restart: a reload refuses it")?;
                }
            }
            if let Some(why) = why {
                let mode = stance.pointer("/mode/value").and_then(serde_json::Value::as_str).unwrap_or("?");
                writeln!(out, "the mode in force is {mode}: {why}")?;
                if found.iter().any(|change| change.key == "mode") {
                    writeln!(out, "  another mode in the file ends what was said of it")?;
                }
            }
        }
    }
    out.flush()?;
    if found.is_empty() { Ok(()) } else { Err(Different.into()) }
}
