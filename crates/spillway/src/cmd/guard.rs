//! `spillway guard`: started by `run` in compat mode, not by people.

use std::path::PathBuf;

use crate::cli::Context;
use crate::daemon::guard;

/// Undo the bans of a daemon that was killed; started by `run`
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Waits for the end of standard input, then does its duty.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    guard::run(&args.config)
}
