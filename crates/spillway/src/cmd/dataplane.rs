//! `spillway dataplane attach|status|top|capture|rollback|detach|probe`.

mod attach;
mod detach;
mod lists;
mod probe;
mod returns;
mod rollback;
mod status;
mod top;

use crate::cli::Context;

/// Filter packets in the kernel, on an interface of this machine; works without the daemon, and stays when this ends
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything is pinned under /sys/fs/bpf/spillway/INTERFACE/; bpftool can look and measure there.

Examples:
  spillway dataplane attach eth0 --rules rules.txt --block bad.txt
  spillway dataplane status eth0
  spillway dataplane top eth0
  spillway dataplane rollback eth0
  spillway dataplane detach eth0")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Attach(attach::Args),
    Status(status::Args),
    Top(top::Args),
    Capture(super::capture::Args),
    Rollback(rollback::Args),
    Detach(detach::Args),
    Probe(probe::Args),
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Attach(args) => attach::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Top(args) => top::run(&args, context),
        Command::Capture(args) => super::capture::run(args, context),
        Command::Rollback(args) => rollback::run(&args),
        Command::Detach(args) => detach::run(&args),
        Command::Probe(args) => probe::run(&args, context),
    }
}

/// A name that can be an interface and a folder.
pub(super) fn check_name(interface: &str) -> anyhow::Result<()> {
    let odd =
        interface.is_empty() || interface.len() > 15 || interface.contains('/') || interface.starts_with('.');
    if odd {
        return Err(crate::error::usage(format!(
            "`{interface}` is not the name of an interface; see `ip link`"
        )));
    }
    Ok(())
}
