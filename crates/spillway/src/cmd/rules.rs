//! `spillway rules compile|eval|profile`.

pub(super) mod compile;
mod eval;
mod profile;

use std::path::Path;

use ::rules::{Rule, parse};

use crate::cli::Context;

/// Compile rules for other machines, or count what they match in a capture
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A rule a line, # comments:
  ID @PRECEDENCE [dst PREFIX] [src PREFIX] [proto P] [src-port LIST] … -> pass|drop|rate RATE [per source|destination]|challenge [above RATE]|redirect ADDRESS|tunnel gre|ipip ADDRESS [sample 1/N] [for 15m]
  dns1 @10 dst 192.0.2.7/32 proto udp src-port 53 length >=468 -> drop

Examples:
  spillway rules eval rules.txt capture.pcap
  spillway rules compile rules.txt --to nftables | nft -f -")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Compile(compile::Args),
    Eval(eval::Args),
    Profile(profile::Args),
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Compile(args) => compile::run(&args, context),
        Command::Eval(args) => eval::run(&args, context),
        Command::Profile(args) => profile::run(&args, context),
    }
}

/// Reads a rule file; the first mistake is told with its place, the others are counted.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let name = path.display();
    let bytes =
        std::fs::read(path).map_err(|e| anyhow::Error::msg(format!("{name}: {e}; check the name")))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        anyhow::Error::msg(format!("{name}: not text, at octet {at}; give a rule file, one rule a line"))
    })?;
    parse::rules(&text).map_err(|errors| {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        let more = match errors.len() {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        anyhow::Error::msg(format!("{name}: {first}{more}"))
    })
}
