//! `spillway panic`: nothing acts from now on, and all that does is withdrawn.

use std::io::Write as _;

use serde_json::json;

use super::asked::{self, Why};
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::output::{self, Format};
use crate::routing::order::{Answer, Order};

/// Withdraw everything now and keep observing: routes, rules in the kernel and those by hand; until `panic off`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything that is announced to routers is withdrawn, and no rule acts in the kernel, whoever made it; attacks are still seen and told.
It holds over restarts until `spillway panic off`. Rules by hand whose time is not over act again then.
`spillway route panic`, `kill -USR2` and the dashboard's button do the same. Names that were diverted by DNS stay: `spillway dns`.

Examples:
  spillway panic --reason 'a customer is cut off'
  spillway panic off --reason 'found it: rule m7'")]
pub struct Args {
    /// `on` or `off`
    #[arg(value_enum, default_value = "on")]
    which: Which,
    #[command(flatten)]
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Nothing acts
    On,
    /// Things may act again
    Off,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Args { which, why } = args;
    let config = match Config::load(&why.daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let reason = why.reason;
    let order = match which {
        Which::On => Order::Panic { reason },
        Which::Off => Order::Resume { reason },
    };
    let answer = control::route(&config.state_dir, order, asked::person(why.person))?;
    let withdrawn = match answer {
        Answer::Done(count) => count,
        _ => 0,
    };
    let panic = which == Which::On;
    let mut out = output::stdout();
    let document = json!({"panic": panic, "withdrawn": withdrawn});
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &document)?,
        Format::Jsonl => output::line(&mut out, &document)?,
        Format::Text if panic => {
            writeln!(
                out,
                "nothing acts any more: {withdrawn} announcements are withdrawn, and no rule holds in the kernel"
            )?;
            writeln!(
                out,
                "attacks are still seen and told; `spillway panic off --reason TEXT` lets things act again"
            )?;
        }
        Format::Text => {
            writeln!(out, "things may act again, as far as `spillway mode` says")?;
        }
    }
    Ok(out.flush()?)
}
