//! `spillway target list|show|mode|value|group|profiles`.

mod group;

use std::io::Write;

use base::{Prefix, Span};
use serde_json::{Value, json};

use super::asked::{Daemon, Why};
use super::check::complain;
use super::policy::{self, items, word};
use crate::cli::Context;
use crate::config::Config;
use crate::config::target::ModeWord;
use crate::policy::Order;

/// Show what holds for a prefix and why, and how far to go for it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Values come, the strongest first, from people (while the daemon runs), [target.\"PREFIX\"] from the narrowest outwards, the customer,
the whole configuration, the profile `default`; a target's or customer's profile stands right behind it.

Examples:
  spillway target show 198.51.100.7
  spillway target show 2001:db8::/48 -o json
  spillway target mode 198.51.100.0/28 enforce --for 2h --reason 'ticket 12'
  spillway target mode 198.51.100.0/28 inherit --reason 'ticket 12 is done'
  spillway target group                            # customers and groups, with their networks and limits
  spillway target value 198.51.100.7               # what it is worth where not all can be kept")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Mode(Mode),
    Value(Worth),
    Group(group::Args),
    Profiles(List),
}

/// List prefixes of which something of their own is said, or what profiles there are
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Why this policy? Each value with where it comes from
#[derive(Debug, clap::Args)]
struct Show {
    /// A prefix or an address
    #[arg(value_name = "PREFIX")]
    prefix: Prefix,
    #[command(flatten)]
    daemon: Daemon,
}

/// Say how far to go for a prefix
#[derive(Debug, clap::Args)]
struct Mode {
    /// A prefix or an address
    #[arg(value_name = "PREFIX")]
    prefix: Prefix,
    /// How far; `inherit`: as the configuration has it
    #[arg(value_enum)]
    mode: Asked,
    /// For how long, like 2h [default: until somebody changes it]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    #[command(flatten)]
    why: Why,
}

/// What a target is worth where not all can be kept, and who says so: the order of sacrifice, the least first
///
/// The configuration says it (`value` in [routing.ladder.customers.NAME]); who has none is worth 1.
#[derive(Debug, clap::Args)]
struct Worth {
    /// A prefix or an address [default: all customers]
    #[arg(value_name = "PREFIX")]
    prefix: Option<Prefix>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Asked {
    /// Watch and tell
    Observe,
    /// Also show what rules would do
    Suggest,
    /// Also let them act
    Enforce,
    /// As the configuration has it
    Inherit,
}

impl Asked {
    const fn word(self) -> Option<ModeWord> {
        match self {
            Self::Observe => Some(ModeWord::Observe),
            Self::Suggest => Some(ModeWord::Suggest),
            Self::Enforce => Some(ModeWord::Enforce),
            Self::Inherit => None,
        }
    }
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(List { daemon }) => policy::ask(&daemon, None, Order::Targets, context, listed),
        Command::Group(args) => group::run(&args, context),
        Command::Value(Worth { prefix, daemon }) => worth(&daemon, prefix, context),
        Command::Profiles(List { daemon }) => policy::ask(&daemon, None, Order::Profiles, context, profiles),
        Command::Show(Show { prefix, daemon }) => {
            policy::ask(&daemon, None, Order::Show { prefix }, context, shown)
        }
        Command::Mode(Mode { prefix, mode, hold, why }) => {
            let (mode, hold, reason) = (mode.word(), hold.map(Span::secs), why.reason.clone());
            policy::change(&why, Order::Mode { prefix, mode, hold, reason }, context, policy::decision)
        }
    }
}

fn worth(daemon: &Daemon, prefix: Option<Prefix>, context: &Context) -> anyhow::Result<()> {
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let ladder = config.routing.as_ref().and_then(|routing| routing.ladder.as_ref());
    let items: Vec<Value> = match (prefix, ladder) {
        (Some(prefix), _) => {
            let customer = ladder.and_then(|ladder| ladder.customer(&prefix));
            let value = ladder.map_or(1.0, |ladder| ladder.value(&prefix));
            vec![
                json!({"prefix": prefix, "customer": customer.map(|customer| &customer.name), "value": value}),
            ]
        }
        (None, None) => Vec::new(),
        (None, Some(ladder)) => {
            let mut all: Vec<_> = ladder.customers.iter().collect();
            all.sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| a.name.cmp(&b.name)));
            let each = |one: &&crate::config::Customer| {
                let of =
                    |prefix: &Prefix| json!({"prefix": prefix, "customer": one.name, "value": one.value});
                one.networks.iter().map(of).collect::<Vec<_>>()
            };
            all.iter().flat_map(each).collect()
        }
    };
    policy::show(json!({"items": items}), context, valued)
}

fn valued(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    for one in items(document, "items") {
        writeln!(out, "{:<28} {:<16} {}", word(one, "prefix"), word(one, "customer"), word(one, "value"))?;
    }
    Ok(())
}

fn listed(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{:<28} {:<16} {:<12} {:<8} exceptions", "prefix", "customer", "profile", "mode")?;
    for one in items(document, "items") {
        let word = |key| word(one, key);
        let (prefix, customer) = (word("prefix"), word("customer"));
        writeln!(
            out,
            "{prefix:<28} {customer:<16} {:<12} {:<8} {}",
            word("profile"),
            word("mode"),
            word("exceptions")
        )?;
    }
    Ok(())
}

fn profiles(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    for one in items(document, "items") {
        writeln!(out, "{:<12} {}: {}", word(one, "name"), word(one, "title"), word(one, "why"))?;
    }
    Ok(())
}

fn shown(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}: {}", word(document, "prefix"), word(document, "acts"))?;
    if document.get("ours") == Some(&Value::Bool(false)) {
        writeln!(out, "it is not inside `networks`")?;
    }
    writeln!(out, "customer {}", word(document, "customer"))?;
    writeln!(out, "\n{:<16} {:<24} from", "value", "")?;
    let values = document.get("values").and_then(Value::as_object).into_iter().flatten();
    for (key, value) in values {
        let until = value.pointer("/from/until").and_then(Value::as_str);
        let until = until.map(|end| format!(" until {end}")).unwrap_or_default();
        writeln!(out, "{key:<16} {:<24} {}{until}", word(value, "value"), policy::origin(value))?;
    }
    for (title, key) in [("allowed", "allow"), ("exceptions", "exceptions"), ("rules by hand", "rules")] {
        if items(document, key).next().is_some() {
            writeln!(out, "\n{title}:")?;
            for one in items(document, key) {
                policy::decision(one, out)?;
            }
        }
    }
    for one in items(document, "inside") {
        writeln!(
            out,
            "inside: {} {} profile {}",
            word(one, "prefix"),
            word(one, "mode"),
            word(one, "profile")
        )?;
    }
    Ok(())
}
