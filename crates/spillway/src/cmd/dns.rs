//! `spillway dns status|divert|restore|history`: names whose addresses are exchanged for an absorber's, by hand.

mod text;

use base::Span;

use super::asked::{self, Daemon, Why};
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::dns::order::Order;
use crate::output::{self, Format};

/// Divert names to an absorber by DNS, for those without address space of their own; and put back what was there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The addresses of a name (A and AAAA) are exchanged for those of an absorber that proxies or forwards, by signed dynamic update
(RFC 2136, TSIG) at the zone's primary, and put back with their TTLs. Only names that a section [dns.NAME] lists are touched, only
while the records are what was seen last, and what was there is in a journal in the state folder before anything is sent: it comes
back after a restart, too. A diversion ends by itself (--for), while the daemon runs; one whose end passes meanwhile is restored at
its next start. What somebody else changes meanwhile is said and left alone. Secondaries follow as the primary notifies them.

It is useless while the address of the origin is known to the attacker, who then needs no name: give the origin an address that was
never in the DNS, or let it take packets from the absorber alone (`spillway rules`, its provider's filter), before you rely on it.
Clients move as their resolvers let go: after the TTL that the records had before, so shorten that in peace (60s or so; `status`
shows it). Diverted records have the `ttl` of the section, which is how long clients still come to the absorber afterwards. Where a
family is added or taken off, resolvers may remember for the zone's negative TTL that there was none (RFC 2308).

Examples:
  spillway dns status
  spillway dns divert www.example.net --for 1h --reason 'attack 3f9a'
  spillway dns divert www.example.net --for 2h --reason 'goes on'      # renews it
  spillway dns restore www.example.net --reason 'over'
  spillway dns history")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Status(Status),
    Divert(Divert),
    Restore(Restore),
    History(History),
}

/// How all names are that may be diverted: their addresses and TTLs, what holds and until when, what is wrong
#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    daemon: Daemon,
}

/// Exchange a name's addresses for the absorber's; of one that is diverted already, the time is set anew
#[derive(Debug, clap::Args)]
struct Divert {
    /// A name of a section [dns.NAME]
    name: String,
    /// How long, like 1h, at most `lease_max`
    #[arg(long = "for", value_name = "TIME")]
    hold: Span,
    #[command(flatten)]
    why: Why,
}

/// Put back what was there
#[derive(Debug, clap::Args)]
struct Restore {
    /// The name
    name: String,
    #[command(flatten)]
    why: Why,
}

/// Who did what, when and why, newest first
#[derive(Debug, clap::Args)]
struct History {
    /// Lines at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    daemon: Daemon,
}

/// Asks the daemon and prints what it answers.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let (daemon, order, name) = args.command.order();
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let answer = control::names(&config.state_dir, order, asked::person(name))?;
    asked::show(&mut output::stdout(), context.format(Format::Text), &answer)
}

impl Command {
    /// Whom to ask, what, and in whose name.
    fn order(self) -> (Daemon, Order, Option<String>) {
        match self {
            Self::Status(Status { daemon }) => (daemon, Order::Status, None),
            Self::History(History { limit, daemon }) => (daemon, Order::History { limit }, None),
            Self::Divert(Divert { name, hold, why: Why { reason, person, daemon } }) => {
                (daemon, Order::Divert { name, hold: hold.secs(), reason }, person)
            }
            Self::Restore(Restore { name, why: Why { reason, person, daemon } }) => {
                (daemon, Order::Restore { name, reason }, person)
            }
        }
    }
}
