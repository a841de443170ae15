//! `spillway lab check`.

use std::io::Write;

use crate::cli::Context;
use crate::lab::{apt_line, missing, running_as_root};
use crate::output::{self, Format};

/// What the lab needs and is not there, with the line that installs it
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, context: &Context) -> anyhow::Result<()> {
    let missing = missing(None);
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &missing)?,
        Format::Jsonl => missing.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text if missing.is_empty() => writeln!(out, "every program is there")?,
        Format::Text => {
            for one in &missing {
                writeln!(out, "missing: {} (package {})", one.program, one.package)?;
            }
            writeln!(out, "type: {}", apt_line(&missing))?;
        }
    }
    out.flush()?;
    running_as_root()?;
    anyhow::ensure!(missing.is_empty(), "{} programs are missing", missing.len());
    Ok(())
}
