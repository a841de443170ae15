//! `spillway rule list|show|preview|add|confirm|extend|disable|enable|withdraw|export`.

use std::io::Write as _;

use base::Span;
use serde_json::Value;

use super::asked::{Daemon, Why};
use super::rules::compile::{Target, say};
use super::{asked, check, policy, preview};
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::control;
use crate::output;
use crate::policy::{Order, order};

/// Rules in this machine's kernel: try one out, make one by hand, take one back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A rule made here acts in every mode until its end, also when the daemon is killed meanwhile. It needs a destination inside `networks`,
touches neither the never-list nor a connection over which this machine is administered, and, where it is wide (more than one
host, or all protocols), reverts after five minutes unless it is confirmed.
To withdraw a rule of the engine makes an exception (an hour, or --for): nothing that hits the same packets of that target is set again
until it ends; `spillway exception` lists and ends them.

Examples:
  spillway rule add 'dst 198.51.100.7/32 proto udp src-port 123 length >=468 -> drop' --for 1h --reason 'ticket 12'
  spillway rule add 'dst 2001:db8::/48 proto udp dst-port 27015 -> rate 20000pps' --for 30m --reason 'event' --dry-run
  spillway rule preview 'dst 198.51.100.7/32 proto udp -> drop' --capture attack.pcap
  spillway rule list
  spillway rule show m4
  spillway rule confirm m4 --reason 'all is well'
  spillway rule extend m4 --for 2h --reason 'it goes on'
  spillway rule export --to nftables > spillway.nft
  spillway rule disable 3f9a81c2 --for 2h --reason 'it hits the backup'
  spillway rule enable 3f9a81c2 --reason 'the backup is through'
  spillway rule withdraw m4 --reason 'over'
  spillway rule withdraw 3f9a81c2 --for 2h --reason 'it hits the backup'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Preview(preview::Args),
    Add(Add),
    Confirm(Confirm),
    Extend(Extend),
    Disable(Disable),
    Enable(Enable),
    Export(Export),
    #[command(visible_aliases = ["remove", "rm"])]
    Withdraw(Withdraw),
}

/// Show rules made by hand, and those of attacks that go on
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Show one rule: what it hits, whose it is, and until when
#[derive(Debug, clap::Args)]
struct Show {
    /// Its id
    id: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Let a rule made by hand go on for so long from now
#[derive(Debug, clap::Args)]
struct Extend {
    /// Its id
    id: String,
    /// How long from now, like 1h, at most a day
    #[arg(long = "for", value_name = "TIME")]
    hold: Span,
    #[command(flatten)]
    why: Why,
}

/// Let a rule of the engine, and what hits the same packets, not act until it is enabled, or for so long
#[derive(Debug, clap::Args)]
struct Disable {
    /// Its id
    id: String,
    /// For how long [default: 1h]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    #[command(flatten)]
    why: Why,
}

/// Let a rule of the engine act again that was disabled or withdrawn
#[derive(Debug, clap::Args)]
struct Enable {
    /// Its id
    id: String,
    #[command(flatten)]
    why: Why,
}

/// Say the rules that hold now in the language of another machine, as `spillway rules compile` does
#[derive(Debug, clap::Args)]
struct Export {
    /// Which language
    #[arg(long, value_enum, value_name = "TARGET")]
    to: Target,
    /// Only these [default: all]
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Make a rule
#[derive(Debug, clap::Args)]
struct Add {
    /// In the rule language; an id is not needed, it gets its own
    #[arg(value_name = "RULE")]
    rule: String,
    /// How long, like 1h, at most a day [default: what the rule says, else 15m]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    /// Say what would be, and what it would have hit in the last hour, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: Why,
}

/// All is well with a wide rule: it stays to its end
#[derive(Debug, clap::Args)]
struct Confirm {
    /// Its id
    id: String,
    #[command(flatten)]
    why: Why,
}

/// End a rule made by hand, or take back one of the engine
#[derive(Debug, clap::Args)]
struct Withdraw {
    /// Its id
    id: String,
    /// For how long the engine does not set it again [default: 1h]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    #[command(flatten)]
    why: Why,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(List { daemon }) => {
            policy::ask(&daemon, None, Order::Rules, context, policy::decisions)
        }
        Command::Show(Show { id, daemon }) => {
            let rules = rules(&daemon, std::slice::from_ref(&id))?;
            let [rule] = rules.as_slice() else { anyhow::bail!("there are several rules {id}") };
            policy::show(rule.clone(), context, policy::rule)
        }
        Command::Extend(Extend { id, hold, why }) => {
            let (hold, reason) = (hold.secs(), why.reason.clone());
            policy::change(&why, Order::ExtendRule { id, hold, reason }, context, policy::decision)
        }
        Command::Disable(Disable { id, hold, why }) => {
            let rules = rules(&why.daemon, std::slice::from_ref(&id))?;
            if rules.iter().any(|rule| policy::word(rule, "kind") != "derived") {
                anyhow::bail!(
                    "rule {id} was made by hand: `spillway rule withdraw {id}` ends it, `spillway rule add` makes it again"
                );
            }
            let (hold, reason) = (hold.map(Span::secs), why.reason.clone());
            policy::change(&why, Order::TakeBack { rule: id, hold, reason }, context, policy::decision)
        }
        Command::Enable(Enable { id: rule, why }) => {
            // several attacks may have had the same one
            taken_back(&why.daemon, &rule)?.into_iter().try_for_each(|id| {
                let reason = why.reason.clone();
                policy::change(&why, Order::EndException { id, reason }, context, policy::decision)
            })
        }
        Command::Export(Export { to, ids, daemon }) => export(&daemon, to, &ids),
        Command::Preview(args) => preview::run(args, context),
        Command::Add(Add { rule, hold, dry_run, why }) => {
            let made = order::Made {
                rule,
                hold: hold.map(Span::secs),
                reason: why.reason.clone(),
                dry_run,
                from: None,
                ssh: std::env::var("SSH_CONNECTION").ok(),
            };
            policy::change(&why, Order::MakeRule(made), context, policy::decision)
        }
        Command::Confirm(Confirm { id, why }) => {
            let reason = why.reason.clone();
            policy::change(&why, Order::ConfirmRule { id, reason }, context, policy::decision)
        }
        Command::Withdraw(Withdraw { id, hold, why }) => {
            let (hold, reason) = (hold.map(Span::secs), why.reason.clone());
            policy::change(&why, Order::TakeBack { rule: id, hold, reason }, context, policy::decision)
        }
    }
}

/// The rules that hold now, as documents; of these, where some are named.
fn rules(daemon: &Daemon, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return check::complain(&problems).map(|()| Vec::new()),
    };
    let listed = control::decided(&config.state_dir, Order::Rules, asked::person(None))?;
    let all: Vec<Value> = policy::items(&listed, "items").cloned().collect();
    if let Some(missing) = ids.iter().find(|id| !all.iter().any(|one| is(one, id))) {
        anyhow::bail!("there is no rule {missing}; `spillway rule list` lists them");
    }
    let wanted = |one: &Value| ids.is_empty() || ids.iter().any(|id| is(one, id));
    Ok(all.into_iter().filter(wanted).collect())
}

/// The exceptions that keep a rule from acting.
fn taken_back(daemon: &Daemon, rule: &str) -> anyhow::Result<Vec<u64>> {
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return check::complain(&problems).map(|()| Vec::new()),
    };
    let listed = control::decided(&config.state_dir, Order::Exceptions, asked::person(None))?;
    // an exception keeps the rule's text, from which its id follows
    let of = |one: &&Value| {
        let text = one.get("rule").and_then(Value::as_str).unwrap_or_default();
        ::rules::parse::rules(text).is_ok_and(|rules| rules.iter().any(|known| known.id == rule))
    };
    let found = policy::items(&listed, "items").filter(of);
    let found: Vec<u64> = found.filter_map(|one| one.get("id")?.as_u64()).collect();
    if found.is_empty() {
        anyhow::bail!("rule {rule} is not disabled; `spillway exception list` lists what is");
    }
    Ok(found)
}

fn is(rule: &Value, id: &str) -> bool {
    rule.get("rule").and_then(Value::as_str) == Some(id)
}

/// Rules of several attacks may be the same: each is said once.
fn export(daemon: &Daemon, to: Target, ids: &[String]) -> anyhow::Result<()> {
    let documents = rules(daemon, ids)?;
    let texts = documents.iter().filter_map(|one| one.get("text").and_then(Value::as_str));
    let mut read: Vec<::rules::Rule> = Vec::new();
    for text in texts {
        let parsed = ::rules::parse::rules(text).map_err(|_| {
            anyhow::anyhow!("the daemon's rule `{text}` cannot be read; is it another version?")
        })?;
        let new = |rule: &::rules::Rule| !read.iter().any(|known| known.id == rule.id);
        let mut fresh: Vec<::rules::Rule> = parsed.into_iter().filter(new).collect();
        read.append(&mut fresh);
    }
    let mut out = output::stdout();
    say(&mut out, to, &read)?;
    Ok(out.flush()?)
}
