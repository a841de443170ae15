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
    #[command(flatten)]
    asked: Asked,
}

/// Who asks, why, and whom.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Why; stands in the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// In whose name, beside the user that the kernel names [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

/// Sends it and waits for the answer.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    give(args.order, args.asked)
}

/// Has the daemon of this configuration do it.
pub(super) fn give(order: Order, asked: Asked) -> anyhow::Result<()> {
    match Config::load(&asked.config) {
        Ok(config) => send(&config.state_dir, order, asked::person(asked.person), asked.reason),
        // A file that is wrong may still say where the daemon is; but then there is nothing to reload.
        Err(problems) => complain(&problems),
    }
}
