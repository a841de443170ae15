//! `spillway top`: the running daemon, live.

use std::io::Write as _;
use std::time::Duration;

use crate::cli::Context;
use crate::client::Reach;
use crate::output::{self, Format};
use crate::top::live;

/// Watch the running daemon: what arrives and is dropped, attacks, targets, rules, exporters
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Keys: 1 to 4 or Tab choose attacks, targets, rules, exporters; arrows choose a row, Enter has its attack explained; s sorts, / filters,
? helps, q ends. Where the daemon does not answer, that is said, and it is asked again.

Examples:
  spillway top
  spillway top --once | less
  spillway top --once -o json")]
pub struct Args {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
    /// Print one frame as text, for pipes; it is so where standard output is no terminal
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    reach: Reach,
}

fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.1..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("0.1 to 3600 seconds".into()) }
}

/// Shows it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let (api, interval) = (args.reach.api()?, Duration::from_secs_f64(args.interval));
    match context.output.unwrap_or(Format::Text) {
        Format::Text if args.once || !output::is_terminal() => live::print(&api, live::once(&api, interval)?),
        Format::Text => live::run(&api, interval, &context.interrupt),
        format => {
            let view = live::once(&api, interval)?;
            let mut out = output::stdout();
            match format {
                Format::Json => output::document(&mut out, &view)?,
                _ => output::line(&mut out, &view)?,
            }
            Ok(out.flush()?)
        }
    }
}
