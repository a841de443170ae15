//! `spillway privacy show|sweep|reveal`: what is kept of others, until when, and under which name.

mod reveal;

use std::io::Write as _;

use ::ledger::entry::By;
use anyhow::{Context as _, bail};
use base::Timestamp;
use serde_json::json;

use super::asked::{self, Daemon};
use super::ledger::config;
use crate::cli::Context;
use crate::daemon::clock::Clock;
use crate::daemon::lock;
use crate::output::{self, Format};
use crate::privacy;

/// What is kept of others: see it, let go what is over, turn a pseudonym back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What attacks leave behind has pseudonyms instead of the addresses of others: two addresses of one /24 have pseudonyms of one /24, under
another key each day. A key is destroyed when `privacy.keys` is over; then nobody can say whose the pseudonyms were. Own networks and
what the configuration names stay as they are. In the clear, each with its retention: evidence, disclosures, journals, and what entries
of the ledger commit to. The daemon looks once an hour; `sweep` looks at once.

Examples:
  spillway privacy show
  spillway privacy sweep
  spillway privacy reveal 100.115.72.131 --day 2026-11-26 --reason 'case 17/2026'
  spillway evidence hold /var/lib/spillway/evidence/3f9a0c41d2e85b76 --reason 'case 17/2026'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Sweep(Sweep),
    Reveal(reveal::Args),
}

/// What there is of each class, and when it goes
#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    daemon: Daemon,
}

/// Let go what is over; safe to interrupt, and to call again
#[derive(Debug, clap::Args)]
struct Sweep {
    /// As if it were this time (RFC 3339, UTC), of a state folder that no daemon uses: what would go by then goes now
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// In whose name [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Show(args) => show(&args, context),
        Command::Sweep(args) => sweep(args, context),
        Command::Reveal(args) => reveal::run(args, context),
    }
}

fn show(args: &Show, context: &Context) -> anyhow::Result<()> {
    let classes = privacy::show(&config(&args.daemon)?)?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"classes": classes}))?,
        Format::Jsonl => classes.iter().try_for_each(|class| output::line(&mut out, class))?,
        Format::Text => {
            for class in &classes {
                if class.held == 0 {
                    writeln!(out, "{:<12} {:>5}  nothing  ({})", class.class, class.retention, class.what)?;
                    continue;
                }
                let day = |at: Option<Timestamp>| {
                    at.map_or_else(|| "–".to_owned(), |at| base::Day::of(at).to_string())
                };
                let hold =
                    if class.on_hold > 0 { format!(", {} on hold", class.on_hold) } else { String::new() };
                writeln!(
                    out,
                    "{:<12} {:>5}  {:>7}  from {} to {}, the first goes {}  ({}; addresses: {}{hold})",
                    class.class,
                    class.retention,
                    class.held,
                    day(class.first),
                    day(class.last),
                    day(class.goes),
                    class.what,
                    class.addresses,
                )?;
            }
        }
    }
    Ok(out.flush()?)
}

fn sweep(args: Sweep, context: &Context) -> anyhow::Result<()> {
    let config = config(&args.daemon)?;
    if !config.state_dir.is_dir() {
        bail!("{}: no state folder; the daemon never ran here", config.state_dir.display());
    }
    // A running daemon goes on with what is there today.
    let _lock = match args.now {
        Some(_) => Some(lock(&config.state_dir).context("--now is for a state folder that nobody uses")?),
        None => None,
    };
    let now = args.now.unwrap_or_else(|| Clock::start().now());
    let person = asked::person(args.person);
    let swept = privacy::sweep(&config, None, now, (By::Person, person.as_deref()));
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"gone": swept.gone, "errors": swept.errors}))?,
        Format::Jsonl => output::line(&mut out, &json!({"gone": swept.gone, "errors": swept.errors}))?,
        Format::Text => {
            for (class, count) in &swept.gone {
                writeln!(out, "{class:<12} {count:>7} gone")?;
            }
        }
    }
    out.flush()?;
    match swept.errors.as_slice() {
        [] => Ok(()),
        errors => bail!("{}; the rest is done, call again", errors.join("; ")),
    }
}
