//! `spillway version`.

use std::io::Write;

use serde::Serialize;

use crate::cli::Context;
use crate::output::{self, Format};

/// Print the version
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

/// Prints it.
pub fn run(_: Args, context: &Context) -> anyhow::Result<()> {
    let version = Version { name: "spillway", version: env!("CARGO_PKG_VERSION") };
    let mut out = output::stdout();
    match context.output {
        Some(Format::Json | Format::Jsonl) => output::line(&mut out, &version)?,
        Some(Format::Text) | None => writeln!(out, "{} {}", version.name, version.version)?,
    }
    Ok(out.flush()?)
}
