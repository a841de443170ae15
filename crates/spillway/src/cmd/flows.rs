//! `spillway flows query|export|usage`: flow samples that were kept.

mod export;
mod query;
mod range;

use std::io::Write as _;
use std::path::PathBuf;

use ::history::{BadFilter, Filter, usage};
use base::Prefix;

use crate::cli::Context;
use crate::config::{Config, DEFAULT_PATH};
use crate::error::{complain, usage as wrong_use};
use crate::history::{folder, order};
use crate::output::{self, Format};

/// Ask flow samples that were kept: who sent most, over what time, by what
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The samples are Parquet files below `flows` in the state folder: DuckDB and pandas open them as they are. `query` asks the daemon where one
runs, for it has the newest minute in memory; else, and with --dir, the files are read. Beside the samples there are sums by minute (48 h)
and hour (90 days) of each own host by class and protocol: they answer questions for two hours and more that name nothing else.

A filter joins tests with `and`, `or`, `not` and parentheses. Fields: src, dst, src-port, dst-port, host and port by who sent and who
received; target (the own host), foreign (the other end), target-port, foreign-port, direction (in, out), proto, tcp-flags, class,
packets, bytes, rate, asn, country, attack, customer, exporter, input-if, output-if, time. Tests: = != < <= > >= in (…), not in (…),
tcp-flags has syn+ack; addresses match prefixes, texts may end in *, none is where nothing stands. A test of target or dst reads little.

Examples:
  spillway flows query 'dst in 198.51.100.0/24 and proto = udp' --by src --last 1h
  spillway flows query 'attack = 0123456789abcdef' --by asn,country --top 20
  spillway flows query 'target in 198.51.100.0/24' --by class --last 24h --step 1h -o csv
  spillway flows export 'src-port in (53, 123)' --last 1h --file reflected.parquet
  spillway flows usage")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Query(query::Args),
    Export(export::Args),
    Usage(Place),
}

/// How much is kept, and since when
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// The folder of the segments instead, without a configuration
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What a configuration says of the daemon that records.
struct State {
    folder: PathBuf,
    networks: Vec<Prefix>,
}

impl Place {
    /// Where the daemon's socket and its sums are; `None`: a folder of segments was named.
    fn state(&self) -> anyhow::Result<Option<State>> {
        if self.dir.is_some() {
            return Ok(None);
        }
        let config = self.config()?;
        Ok(Some(State { folder: config.state_dir, networks: config.networks }))
    }

    fn config(&self) -> anyhow::Result<Config> {
        Config::load(&self.config).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            wrong_use(format!("{first}; or name the folder of the segments with --dir"))
        })
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return if dir.is_dir() {
                Ok(dir.clone())
            } else {
                Err(wrong_use(format!(
                    "{} is no folder; name that of the segments, or leave --dir out",
                    dir.display()
                )))
            };
        }
        let config = self.config()?;
        if !config.history.enabled {
            complain("`history.enabled` is false: nothing new is kept");
        }
        Ok(folder(&config.state_dir))
    }
}

/// Asks, exports, or looks how much is there.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Query(args) => query::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Usage(place) => show_usage(&place, context),
    }
}

/// The filter, or where it is wrong.
fn filter(text: &str) -> anyhow::Result<Filter> {
    text.parse().map_err(|wrong: BadFilter| wrong_use(order::marked(text, &wrong)))
}

fn show_usage(place: &Place, context: &Context) -> anyhow::Result<()> {
    let there = usage(&place.folder()?)?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &there)?,
        Format::Jsonl => output::line(&mut out, &there)?,
        Format::Text => match (there.oldest, there.newest) {
            (Some(oldest), Some(newest)) => writeln!(
                out,
                "{} segments, {} octets, from {oldest} to {newest}; {} other files",
                there.segments, there.bytes, there.foreign
            )?,
            _ => writeln!(out, "no segments; {} other files", there.foreign)?,
        },
    }
    Ok(out.flush()?)
}
