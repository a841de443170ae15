//! `spillway audit`: who did what.

use std::io::Write as _;

use serde_json::json;

use super::asked::Daemon;
use super::user::Desk;
use crate::cli::Context;
use crate::output::{self, Format, Paint};

/// Show who asked for what through the API or for access on this machine, and what came of it; newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Lines at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Only lines before this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Prints it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let lines = Desk::at(&args.daemon)?.access.audit(args.before, args.limit)?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"items": lines}))?,
        Format::Jsonl => lines.iter().try_for_each(|line| output::line(&mut out, line))?,
        Format::Text => {
            let paint = Paint::stdout();
            for line in &lines {
                let came = match &line.outcome {
                    Some(outcome) if outcome.done => paint.green("done"),
                    Some(outcome) => paint.red(outcome.said.as_deref().unwrap_or("refused")),
                    None => paint.yellow("unknown"),
                };
                let (number, at, actor, via) = (line.number, line.at, &line.actor, &line.via);
                writeln!(out, "{number} {at} {actor} ({via}) {} {}: {came}", line.action, line.object)?;
                if !line.reason.is_empty() {
                    writeln!(out, "    {}", paint.dim(&line.reason))?;
                }
            }
        }
    }
    Ok(out.flush()?)
}
