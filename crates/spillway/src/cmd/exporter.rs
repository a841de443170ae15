//! `spillway exporter list|show`: who tells of traffic.

use std::io::Write as _;

use anyhow::bail;
use serde_json::Value;

use crate::cli::Context;
use crate::client::Reach;
use crate::output::{self, Format};

/// Who tells the running daemon of traffic, and how well
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway exporter list
  spillway exporter show 192.0.2.1 -o json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
}

/// All of them, by address
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
}

/// All that is known of one
#[derive(Debug, clap::Args)]
struct Show {
    /// Its address
    address: String,
    #[command(flatten)]
    reach: Reach,
}

/// Columns of a table.
const COLUMNS: [&str; 9] = [
    "address",
    "heard",
    "heard_since",
    "formats",
    "sampling_rate",
    "datagrams",
    "flows",
    "sequence_lost",
    "last_seen",
];

/// Asks and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let (reach, wanted) = match args.command {
        Command::List(List { reach }) => (reach, None),
        Command::Show(Show { address, reach }) => (reach, Some(address)),
    };
    let mut answer = reach.api()?.json("/api/v1/exporters")?;
    let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) else {
        bail!("the daemon's answer cannot be read; is it another version?");
    };
    let of = |one: &Value, key: &str| match one.get(key) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => "?".to_owned(),
        Some(other) => other.to_string(),
    };
    if let Some(address) = &wanted {
        items.retain(|one| of(one, "address") == *address);
        if items.is_empty() {
            bail!("no exporter has the address {address}; `spillway exporter list` shows all");
        }
    }
    let mut out = output::stdout_of(if wanted.is_some() { &[] } else { &COLUMNS });
    match (context.format(Format::Json), items.as_slice(), &wanted) {
        (Format::Json, [one], Some(_)) => output::document(&mut out, one)?,
        (Format::Json, ..) => output::document(&mut out, &answer)?,
        (Format::Jsonl, all, _) => all.iter().try_for_each(|one| output::line(&mut out, one))?,
        (Format::Text, [], _) => writeln!(out, "nobody has told of traffic yet; `spillway doctor` says why")?,
        (Format::Text, all, None) => {
            for one in all {
                writeln!(
                    out,
                    "{:<24} {:<8} 1:{:<8} {:>12} records, {} lost, last {}",
                    of(one, "address"),
                    of(one, "heard"),
                    of(one, "sampling_rate"),
                    of(one, "flows"),
                    of(one, "sequence_lost"),
                    of(one, "last_seen")
                )?;
            }
        }
        (Format::Text, all, Some(_)) => {
            for (key, value) in all.iter().filter_map(Value::as_object).flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                writeln!(out, "{key:<28} {value}")?;
            }
        }
    }
    Ok(out.flush()?)
}
