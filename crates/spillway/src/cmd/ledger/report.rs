//! `spillway ledger report`: the transparency report, from the log itself.

use std::io::Write as _;

use ::ledger::Report;
use ::ledger::report::Counts;
use serde::Serialize;
use serde_json::json;

use super::super::asked::Daemon;
use crate::cli::Context;
use crate::ledger::View;
use crate::output::{self, Format};

/// Count what stands in the log by half-year, sealed entries too; every entry is read and every hash recomputed
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Serialize)]
struct Half<'a> {
    half: String,
    #[serde(flatten)]
    counts: &'a Counts,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let view = View::at(&super::place(&args.daemon)?)?;
    let mut report = Report::default();
    view.audit(|_, entry| report.add(entry))?;
    let head = view.checkpoint();
    let object = |(year, half): (u16, u8), counts| Half { half: format!("{year}-H{half}"), counts };
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => {
            let halves: Vec<_> = report.halves().map(|(half, counts)| object(half, counts)).collect();
            let root = head.root.base64();
            output::document(
                &mut out,
                &json!({"origin": head.origin, "entries": head.size, "root": root, "halves": halves}),
            )?;
        }
        Format::Jsonl => {
            for (half, counts) in report.halves() {
                output::line(&mut out, &object(half, counts))?;
            }
        }
        Format::Text => {
            writeln!(
                out,
                "{}: {} entries, all of them read; they add up to the signed root",
                head.origin, head.size
            )?;
            for ((year, half), counts) in report.halves() {
                writeln!(
                    out,
                    "\n{year}, {} half: {} entries",
                    if half == 1 { "first" } else { "second" },
                    counts.entries
                )?;
                let lines =
                    counts.decisions.iter().map(|(kind, count)| (format!("decision: {kind}"), *count));
                let sent = counts
                    .recipients
                    .iter()
                    .map(|(class, count)| (format!("disclosure to: {class}"), *count));
                let bases =
                    counts.bases.iter().map(|(basis, count)| (format!("  by basis: {basis}"), *count));
                let rest = [
                    ("disclosure, sealed", counts.sealed),
                    ("sealed ones opened", counts.unsealed),
                    ("not readable by this version", counts.unknown),
                ];
                let rest = rest.into_iter().map(|(name, count)| (name.to_owned(), count));
                for (name, count) in lines.chain(sent).chain(bases).chain(rest) {
                    writeln!(out, "  {name:<44} {count:>10}")?;
                }
            }
        }
    }
    Ok(out.flush()?)
}
