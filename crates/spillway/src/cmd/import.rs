//! `spillway import fastnetmon`.

mod fastnetmon;

use crate::cli::Context;

/// Carry the configuration of another program over
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway import fastnetmon /etc
  spillway import fastnetmon /etc -c - > spillway.toml")]
pub struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, clap::Subcommand)]
enum From {
    Fastnetmon(fastnetmon::Args),
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.from {
        From::Fastnetmon(args) => fastnetmon::run(&args, context),
    }
}
