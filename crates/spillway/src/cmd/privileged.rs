//! `spillway helper`: started by `run` before it gives up its privileges, not by people.

use std::path::PathBuf;

use crate::cli::Context;
use crate::enforce::privileged;

/// Put filters into the kernel for a daemon that has no privileges; started by `run`
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Serves until the daemon is gone.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    privileged::run(&args.config)
}
