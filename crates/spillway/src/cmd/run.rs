//! `spillway run`: watch live flow export.

use std::path::PathBuf;

use crate::cli::Context;
use crate::config::DEFAULT_PATH;
use crate::daemon;

/// Watch live flow export: listens, finds attacks, derives filters, answers questions on its API
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It prints one JSON line when it serves. SIGTERM ends it, SIGHUP checks the configuration and takes it.

Examples:
  spillway init -c spillway.toml && spillway run -c spillway.toml
  curl -s http://127.0.0.1:8646/api/v1/attacks")]
pub struct Args {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
}

/// Runs until a signal.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    daemon::run(&args.config)
}
