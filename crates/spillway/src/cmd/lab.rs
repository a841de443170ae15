//! `spillway lab list|play|up|down|check`.

mod check;
mod down;
mod list;
mod play;
mod reroute;
mod up;

use crate::cli::Context;

/// Play attacks in network namespaces of this machine, with real tools, and measure what filters do (root)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Attackers, honest clients, reflectors, a router and a protected server, IPv4 and IPv6. No packet leaves the namespaces; every
tool is bounded in rate and time. What a killed lab leaves is removed by `down`, and by the next `up` or `play`.

Examples:
  spillway lab check                          what is missing, and the line that installs it
  spillway lab list
  spillway lab play syn-flood
  spillway lab play syn-flood --by daemon     the daemon finds it and acts by itself
  spillway lab play dns-amplification --by found --seconds 40 -o json
  spillway lab play reroute --by daemon       floods led to absorbers, until one of three victims is given up
  spillway lab up; ip netns                   a look around
  spillway lab down")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Play(play::Args),
    Up(up::Args),
    Down(down::Args),
    Check(check::Args),
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(args) => list::run(&args, context),
        Command::Play(args) => play::run(&args, context),
        Command::Up(args) => up::run(&args),
        Command::Down(args) => down::run(&args),
        Command::Check(args) => check::run(&args, context),
    }
}
