//! `spillway completions SHELL`.

use std::io::Write;

use clap_complete::Shell;

use crate::cli::{self, Context};
use crate::output;

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(visible_alias = "completion")]
#[command(after_help = "\
Example:
  spillway completions bash > /etc/bash_completion.d/spillway")]
pub struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints it.
pub fn run(args: Args, _: &Context) -> anyhow::Result<()> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::definition(), "spillway", &mut script);
    let mut out = output::stdout();
    out.write_all(&script)?;
    Ok(out.flush()?)
}
