//! `spillway exception list|end`.

use super::asked::{Daemon, Why};
use super::policy;
use crate::cli::Context;
use crate::policy::Order;

/// What people took back and is not set again for a while: list it, end it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`spillway rule withdraw` of a derived rule and `spillway route withdraw` of what the engine announced make one.

Examples:
  spillway exception list
  spillway exception end 5 --reason 'it was the attack after all'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    End(End),
}

/// Show all
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// The engine may set it again
#[derive(Debug, clap::Args)]
struct End {
    /// Its number
    id: u64,
    #[command(flatten)]
    why: Why,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(List { daemon }) => {
            policy::ask(&daemon, None, Order::Exceptions, context, policy::decisions)
        }
        Command::End(End { id, why }) => {
            let reason = why.reason.clone();
            policy::change(&why, Order::EndException { id, reason }, context, policy::decision)
        }
    }
}
