//! `spillway control`: change something in the running daemon.

use std::path::PathBuf;

use super::asked;
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::{Config, DEFAULT_PATH};
use crate::daemon::control::{Order, send};

/// Tell the running daemon to do something; goes through a socket in its state folder that only its user may open
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What
    #[arg(value_enum)]
    pub order: Order,
    /// Why; stands in the audit trail
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// In whose name, beside the user that the kernel names [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    pub person: Option<String>,
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
}

/// Sends it and waits for the answer.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    match Config::load(&args.config) {
        Ok(config) => send(&config.state_dir, args.order, asked::person(args.person), args.reason),
        // A file that is wrong may still say where the daemon is; but then there is nothing to reload.
        Err(problems) => complain(&problems),
    }
}
