//! `spillway doctor`: what is wrong, and how to mend it.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use api::{Diagnosis, Finding, Gravity};

use crate::cli::Context;
use crate::client::Reach;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::control;
use crate::doctor::{examine, gather, unread};
use crate::output::{self, Format, Paint};

/// Say in plain words what is wrong with the daemon, the machine and the configuration, and what cures it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A running daemon is asked what it knows of exporters, peers, drops, ledger and notifications (as root or as its user, through its
control socket; or with --api and an operator's token). Without one, the configuration and this machine are looked at: ports, disk,
clock, privileges, interfaces.

Exit codes: 0 no error (with --strict: and no warning), 1 otherwise, 2 wrong use.

Examples:
  spillway doctor
  spillway doctor --strict -o json
  spillway doctor -o csv | grep warning")]
pub struct Args {
    /// Warnings end with exit code 1, too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Columns of a table.
const COLUMNS: [&str; 6] = ["severity", "check", "about", "what", "cure", "why"];

/// Looks, and says what it found.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let found = Diagnosis::of(look(&args.reach)?);
    let mut out = output::stdout_of(&COLUMNS);
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &found)?,
        Format::Jsonl => found.items.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text => {
            let paint = Paint::stdout();
            found.items.iter().try_for_each(|one| out.write_all(told(one, paint).as_bytes()))?;
        }
    }
    out.flush()?;
    let (errors, warnings) = (found.errors, found.warnings);
    if errors > 0 || (args.strict && warnings > 0) {
        bail!("{errors} errors and {warnings} warnings; each says what cures it");
    }
    Ok(())
}

/// All that was found.
pub(crate) fn look(reach: &Reach) -> anyhow::Result<Vec<Finding>> {
    if reach.api.is_some() {
        let document = reach.api()?.json("/api/v1/doctor")?;
        let found: Diagnosis = serde_json::from_value(document)
            .context("the daemon's answer cannot be read; is it another version?")?;
        return Ok(found.items);
    }
    let config = match Config::load(&reach.config) {
        Ok(config) => config,
        Err(problems) => return Ok(unread(&problems)),
    };
    let unheard = match control::doctor(&config.state_dir) {
        Ok(Some(found)) => return Ok(found),
        Ok(None) => None,
        Err(why) => Some(format!("{why:#}")),
    };
    Ok(examine(&gather(&config, Clock::start().now(), unheard)))
}

/// A finding for people.
pub(crate) fn told(one: &Finding, paint: Paint) -> String {
    let mark = match one.severity {
        Gravity::Error => paint.red("error  "),
        Gravity::Warning => paint.yellow("warning"),
        Gravity::Note => paint.cyan("note   "),
        Gravity::Ok => paint.green("ok     "),
    };
    let about = one.about.as_ref().map_or_else(String::new, |about| format!(" {}", paint.bold(plain(about))));
    let mut text = format!("{mark}  {}{about}: {}\n", one.check, plain(&one.what));
    for (name, line) in [("why", &one.why), ("cure", &one.cure)] {
        if let Some(line) = line {
            text.push_str(&format!("         {} {}\n", paint.dim(format!("{name:<4}")), plain(line)));
        }
    }
    text
}

/// What others told may hold anything; on a terminal it is text.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
