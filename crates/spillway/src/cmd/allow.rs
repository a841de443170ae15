//! `spillway allow list|add|remove|check`.

use base::{Prefix, Span, Timestamp};

use super::asked::{Daemon, Why};
use super::policy;
use crate::cli::Context;
use crate::daemon::clock::Clock;
use crate::error::usage;
use crate::policy::Order;
use crate::policy::allow::{Ceiling, protocol};
use crate::policy::order;

/// Sources that are never filtered on their way to a prefix, up to a ceiling
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is above its ceiling is treated like any traffic, for attackers forge listed addresses. Entries of the configuration ([[allow]])
stand beside these and are changed there.

Examples:
  spillway allow add 203.0.113.0/24 --to 198.51.100.7 --proto tcp --port 443 --ceiling '5 kpps' --for 30d --reason 'payment provider'
  spillway allow check 203.0.113.9
  spillway allow remove 3 --reason 'contract ended'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Check(Check),
    Add(Add),
    #[command(visible_alias = "rm")]
    Remove(Remove),
}

/// Show all
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Show the entries by which a source passes
#[derive(Debug, clap::Args)]
struct Check {
    /// A prefix or an address
    #[arg(value_name = "SOURCE")]
    source: Prefix,
    #[command(flatten)]
    daemon: Daemon,
}

/// Let a source pass
#[derive(Debug, clap::Args)]
struct Add {
    /// A prefix or an address
    #[arg(value_name = "SOURCE")]
    source: Prefix,
    /// To this prefix of your networks
    #[arg(long = "to", value_name = "PREFIX")]
    destination: Prefix,
    /// Only this protocol: tcp, udp, icmp, icmp6, gre or its number
    #[arg(long = "proto", value_name = "PROTOCOL", value_parser = protocol)]
    protocol: Option<u8>,
    /// Only to this port, of tcp or udp
    #[arg(long, value_name = "N", requires = "protocol")]
    port: Option<u16>,
    /// How much: a rate like '5 kpps' or '8 Mbps', or none [default: `rules.allow_ceiling`, 1000 pps]
    #[arg(long, value_name = "RATE")]
    ceiling: Option<Ceiling>,
    /// For how long, like 30d [default: until it is removed]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    /// Until then, like 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "hold")]
    until: Option<Timestamp>,
    #[command(flatten)]
    why: Why,
}

/// Let a source pass no longer
#[derive(Debug, clap::Args)]
struct Remove {
    /// Its number
    id: u64,
    #[command(flatten)]
    why: Why,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(List { daemon }) => {
            policy::ask(&daemon, None, Order::Allowed { source: None }, context, policy::decisions)
        }
        Command::Check(Check { source, daemon }) => {
            policy::ask(&daemon, None, Order::Allowed { source: Some(source) }, context, policy::decisions)
        }
        Command::Add(Add { source, destination, protocol, port, ceiling, hold, until, why }) => {
            let hold = until.map_or(Ok(hold), |until| left(until).map(Some))?;
            let (hold, reason) = (hold.map(Span::secs), why.reason.clone());
            let allow =
                order::Allow { source, destination, protocol, port, ceiling, hold, reason, bounded: false };
            policy::change(&why, Order::Allow(allow), context, policy::decision)
        }
        Command::Remove(Remove { id, why }) => {
            let reason = why.reason.clone();
            policy::change(&why, Order::Disallow { id, reason }, context, policy::decision)
        }
    }
}

/// The time up to then.
fn left(until: Timestamp) -> anyhow::Result<Span> {
    let now = Clock::start().now();
    if until <= now {
        return Err(usage(format!("{until} is over; --until names a time that comes")));
    }
    Ok(until.since(now))
}
