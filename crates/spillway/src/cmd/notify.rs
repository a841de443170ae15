//! `spillway notify list|test|schema`: the channels by which attacks, and what is amiss, are told.

use std::io::Write as _;

use anyhow::{Context as _, bail};

use super::asked::Daemon;
use crate::channels;
use crate::cli::Context;
use crate::config::Config;
use crate::output::{self, Format};

/// Channels by which attacks are told: what waits, and whether they work
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Channels are the sections [notify.NAME] of the configuration (`spillway init` shows their keys): webhook, email, slack, telegram,
syslog and exec. All of them send one document, whose JSON Schema `spillway notify schema` prints; mail, chats and syslog show its
words. Every message is written down before it is sent, arrives at least once, in order, and has the same id in every attempt
(`Spillway-Id`, Message-ID): who has seen an id need not act again.

A webhook with a secret is signed: Spillway-Signature is `v1=` and HMAC-SHA-256 in hex over Spillway-Timestamp, a full stop and the
body. Compare in constant time, and refuse a timestamp older than five minutes.

They hear of attacks, and of trouble with what protects from them (exporters, BGP sessions, absorbers, disk, ledger) where `events` asks for
it. Nothing of a disclosure is ever notified, sealed or not. The fixed [notify.exec] is not listed here.

Examples:
  spillway notify list
  spillway notify test noc                # sends a marked test now, past the outbox; says what the other side answered
  spillway notify schema > notification-1.json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Test(Test),
    Schema(Schema),
}

/// All channels: where they lead, what waits, what was given up and why
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Send a message that is marked as a test; ends with 0 if it arrived
#[derive(Debug, clap::Args)]
struct Test {
    /// A section [notify.NAME]
    name: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Print the JSON Schema of what all channels send
#[derive(Debug, clap::Args)]
struct Schema {}

/// Shows, tries or prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(args) => list(&super::ledger::config(&args.daemon)?, context),
        Command::Test(args) => test(&super::ledger::config(&args.daemon)?, &args.name, context),
        Command::Schema(Schema {}) => {
            let mut out = output::stdout();
            out.write_all(notify::SCHEMA.as_bytes())?;
            Ok(out.flush()?)
        }
    }
}

fn list(config: &Config, context: &Context) -> anyhow::Result<()> {
    let listed = channels::listed(config)?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &listed)?,
        Format::Jsonl => listed.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text if listed.is_empty() => {
            writeln!(out, "no channels; add a section [notify.NAME] to {}", config.path.display())?;
        }
        Format::Text => {
            for one in &listed {
                let api::Channel { name, kind, to, waiting, dead, .. } = one;
                write!(out, "{name:<16} {kind:<9} {to}  {waiting} wait, {dead} given up")?;
                if let Some(fallback) = &one.fallback {
                    write!(out, ", then {fallback}")?;
                }
                writeln!(out)?;
                if let Some(why) = &one.last_failure {
                    writeln!(out, "{:<16} last failure: {why}", "")?;
                }
            }
        }
    }
    Ok(out.flush()?)
}

fn test(config: &Config, name: &str, context: &Context) -> anyhow::Result<()> {
    let tried = channels::tried(config, name)?;
    let answer = &tried.answer;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &tried)?,
        Format::Jsonl => output::line(&mut out, &tried)?,
        Format::Text if tried.arrived => writeln!(out, "{name}: arrived as {}: {answer}", tried.id)?,
        Format::Text => {}
    }
    out.flush().context("cannot write to standard output")?;
    if !tried.arrived {
        bail!("{name}: the test did not arrive: {answer}");
    }
    Ok(())
}
