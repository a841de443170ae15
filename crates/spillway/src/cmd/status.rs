//! `spillway status`: how the daemon is, in short.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::Context;
use crate::client::Reach;
use crate::output::{self, Format, Paint};

/// How the running daemon is, in short
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    reach: Reach,
}

/// Asks and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let status = args.reach.api()?.json("/api/v1/status")?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &status)?,
        Format::Jsonl => output::line(&mut out, &status)?,
        Format::Text => {
            let paint = Paint::stdout();
            let number = |key: &str| status.get(key).and_then(Value::as_u64).unwrap_or(0);
            let ready = status.get("ready").and_then(Value::as_bool) == Some(true);
            let state = if ready { paint.green("watching") } else { paint.red("not watching") };
            let version = status.get("version").and_then(Value::as_str).unwrap_or("?");
            let (attacks, rules) = (number("attacks_active"), number("rules"));
            let mode = status.get("mode").and_then(Value::as_str).unwrap_or("?");
            writeln!(
                out,
                "spillway {version}: {state}, mode {mode}, {attacks} attacks go on, {rules} rules"
            )?;
            if let Some(why) = status.get("mode_reason").and_then(Value::as_str) {
                writeln!(out, "  {}", paint.yellow(why))?;
            }
            for line in status.get("notes").and_then(Value::as_array).into_iter().flatten() {
                writeln!(out, "  {}", paint.yellow(line.as_str().unwrap_or_default()))?;
            }
        }
    }
    Ok(out.flush()?)
}
