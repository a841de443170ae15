//! `spillway notify list|test|schema`: the channels by which attacks, and what is amiss, are told.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use notify::{Kind, Message, Settings};
use serde::Serialize;
use store::{Outbox, Waiting};

use super::asked::Daemon;
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::clock::Clock;
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

/// One channel as it is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    kind: &'static str,
    to: String,
    fallback: Option<&'a str>,
    waiting: u64,
    dead: u64,
    /// What the other side said of the message that waits, or of the last one that was given up.
    last_failure: Option<String>,
}

fn list(config: &Config, context: &Context) -> anyhow::Result<()> {
    let outbox = Outbox::look(&config.state_dir)?;
    let waiting = outbox.as_ref().map(Outbox::waiting).transpose()?.unwrap_or_default();
    let mut listed = Vec::new();
    for channel in &config.channels {
        let Waiting { events, messages, dead } = waiting.get(&channel.name).copied().unwrap_or_default();
        let mut last_failure = None;
        if let Some(outbox) = &outbox {
            last_failure = outbox.head(&channel.name)?.and_then(|head| head.answer);
            if last_failure.is_none() {
                last_failure = outbox.dead(&channel.name)?.into_iter().next().and_then(|last| last.answer);
            }
        }
        listed.push(Listed {
            name: &channel.name,
            kind: channel.kind.name(),
            to: destination(channel),
            fallback: channel.fallback.as_ref().map(|(to, _)| to.as_str()),
            waiting: events + messages,
            dead,
            last_failure,
        });
    }
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &listed)?,
        Format::Jsonl => listed.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text if listed.is_empty() => {
            writeln!(out, "no channels; add a section [notify.NAME] to {}", config.path.display())?;
        }
        Format::Text => {
            for one in &listed {
                let Listed { name, kind, to, waiting, dead, .. } = one;
                write!(out, "{name:<16} {kind:<9} {to}  {waiting} wait, {dead} given up")?;
                if let Some(fallback) = one.fallback {
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

/// Where it leads, without what is secret.
fn destination(channel: &Settings) -> String {
    match &channel.kind {
        Kind::Webhook { url, .. } | Kind::Slack { url } => {
            // Scheme and host; the rest may be a token.
            url.reveal().split('/').take(3).collect::<Vec<_>>().join("/")
        }
        Kind::Telegram { chat, .. } => format!("chat {chat}"),
        Kind::Mail(mail) => format!("{} via {}:{}", mail.to.join(", "), mail.server, mail.port),
        Kind::Syslog(syslog) => match &syslog.target {
            notify::Target::Udp(to) => format!("udp://{to}"),
            notify::Target::Tcp(to) => format!("tcp://{to}"),
            notify::Target::Unix(path) => format!("unix://{}", path.display()),
        },
        Kind::Exec { path, .. } => path.display().to_string(),
    }
}

/// What came of a test.
#[derive(Debug, Serialize)]
struct Tried<'a> {
    channel: &'a str,
    id: &'a str,
    arrived: bool,
    answer: &'a str,
}

fn test(config: &Config, name: &str, context: &Context) -> anyhow::Result<()> {
    let Some(channel) = config.channels.iter().find(|channel| channel.name == name) else {
        let known: Vec<&str> = config.channels.iter().map(|channel| channel.name.as_str()).collect();
        if name == "exec" && config.notify.is_some() {
            bail!("[notify.exec] is fixed and may ban, so it is not tried; call its program by hand");
        }
        let known = if known.is_empty() {
            "none is configured".to_owned()
        } else {
            format!("known: {}", known.join(", "))
        };
        bail!("there is no channel `{name}`; {known}");
    };
    let sender = crate::daemon::sender();
    let mut way = notify::channel::make(channel, &sender).map_err(anyhow::Error::msg)?;
    let now = Clock::start().now();
    let message = Message::test(name, &sender, now);
    let result = way.send(&message, &message.json(), now);
    let answer = result.as_ref().map_or_else(|failure| failure.text.as_str(), String::as_str);
    let tried = Tried { channel: name, id: &message.id, arrived: result.is_ok(), answer };
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &tried)?,
        Format::Jsonl => output::line(&mut out, &tried)?,
        Format::Text if tried.arrived => writeln!(out, "{name}: arrived as {}: {answer}", message.id)?,
        Format::Text => {}
    }
    out.flush().context("cannot write to standard output")?;
    if let Err(failure) = result {
        bail!("{name}: the test did not arrive: {}", failure.text);
    }
    Ok(())
}
