//! `spillway evidence verify`.

use std::io::Write;
use std::path::PathBuf;

use intel::bag::{self, Report};

use crate::cli::Context;
use crate::evidence::{contents, key};
use crate::output::{self, Format, Paint};

/// Check that a bag is as it was sealed, to the last bit, and by whom
///
/// Exit code 1 where anything was changed, added or taken away; each such file is named.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bag
    #[arg(value_name = "BAG")]
    bag: PathBuf,
    /// A key whose signature is believed: as `evidence verify` prints it of a bag of theirs, or a file with it; may be given again
    #[arg(long, value_name = "VKEY")]
    key: Vec<String>,
}

/// Checks and prints.
pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let keys = args.key.iter().map(|key| key::trusted(key)).collect::<anyhow::Result<Vec<_>>>()?;
    let report = bag::verify(&contents(&args.bag)?, &keys);
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &report)?,
        Format::Jsonl => output::line(&mut out, &report)?,
        Format::Text => text(&mut out, &report)?,
    }
    out.flush()?;
    let shown = args.bag.display();
    if let Some(fault) = report.faults.first() {
        let more = report.faults.len() - 1;
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        anyhow::bail!("{shown} is not what was sealed: {fault}{more}; ask for another copy");
    }
    if !keys.is_empty() && !report.trusted {
        anyhow::bail!("{shown} is whole, but not sealed by a key that was given; ask its sender for his key");
    }
    Ok(())
}

fn text(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let id = report.id.as_deref().unwrap_or("unknown");
    let seal = report.seal.as_deref().unwrap_or("none");
    if report.valid {
        writeln!(
            out,
            "{} attack {id}: {} files, {} octets",
            paint.bold("whole"),
            report.files,
            report.octets
        )?;
    }
    writeln!(out, "seal     {seal}")?;
    match (&report.signed_by, report.trusted) {
        (Some(key), true) => writeln!(out, "signed   {key}")?,
        (Some(key), false) => {
            writeln!(out, "signed   {key} (compare it with what its owner says, or give it with --key)")?
        }
        (None, _) => writeln!(out, "signed   by nobody")?,
    }
    writeln!(
        out,
        "stamped  {}",
        if report.stamped { "yes; `openssl ts -verify` says by whom" } else { "no" }
    )?;
    for fault in &report.faults {
        writeln!(out, "{} {fault}", paint.red("fault"))?;
    }
    Ok(())
}
