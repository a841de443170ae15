//! `spillway route peers|absorbers|list|announce|plan|…`: what routers are told, by hand.

pub(super) mod text;

use base::Span;

use super::asked::{self, Daemon, Why};
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::output::{self, Format};
use crate::routing::order::{Order, Request};

/// Tell routers what to filter, divert or discard, through the running daemon; see what they were told
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing is announced that is not yours (`networks`), that something depends on (`routing.never` and what fills itself in), or
beyond the caps of [routing]; what refuses says which rail and what to do. Every mitigation ends by itself (--for, else
`routing.lease`), is in the journal of the state folder before it is sent, and holds again after a restart until its end.
Orders go through the control socket, which only the daemon's user may open; with whose name is --as.

Examples:
  spillway route peers; spillway route absorbers; spillway route status; spillway route origin 203.0.113.9
  spillway route blackhole 198.51.100.7 --reason 'attack 3f9a' --for 30m --dry-run
  spillway route blackhole 198.51.100.7 --reason 'attack 3f9a' --for 30m
  spillway route announce 'ntp dst 198.51.100.7/32 proto udp src-port 123 -> drop' --reason 'ticket 12'
  spillway route plan --dry-run
  spillway route list; spillway route renew 4 --reason 'goes on'; spillway route withdraw 4 --reason 'over'
  spillway route approve 5 --reason 'checked' --as alice; spillway route confirm 5 --reason 'all is well' --as alice
  spillway route panic --reason 'wrong target'     # kill -USR2 does the same")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Peers(Peers),
    Status(Status),
    Absorbers(Absorbers),
    Playbook(Playbook),
    Origin(Origin),
    List(List),
    Announce(Announce),
    Blackhole(Blackhole),
    Divert(Divert),
    Plan(Plan),
    #[command(visible_alias = "rm")]
    Withdraw(Withdraw),
    Approve(Approve),
    Reject(Reject),
    Renew(Renew),
    Confirm(Confirm),
    Release(Release),
    Panic(Panic),
    Resume(Resume),
    History(History),
}

/// Where, and for how long.
#[derive(Debug, clap::Args)]
struct Where {
    /// How long, like 15m, at most `routing.lease_max` [default: `routing.lease`]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    /// Only at this peer; may be repeated [default: all that carry such announcements]
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
    /// Say what would be announced, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: Why,
}

/// How the sessions are
#[derive(Debug, clap::Args)]
struct Peers {
    #[command(flatten)]
    daemon: Daemon,
}

/// Who tells us of routes and of the RPKI, and how much
#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    daemon: Daemon,
}

/// Who takes what is diverted: state, load, head-room, prefixes, fingerprint
#[derive(Debug, clap::Args)]
struct Absorbers {
    #[command(flatten)]
    daemon: Daemon,
}

/// What diversions were measured to move: how much of which entry's traffic came to which absorber; plans count on it for 30 days
#[derive(Debug, clap::Args)]
struct Playbook {
    #[command(flatten)]
    daemon: Daemon,
}

/// To whom an address belongs, by what peers with `learn = true` and routers at `listen.bmp` tell
#[derive(Debug, clap::Args)]
struct Origin {
    /// The address
    address: std::net::IpAddr,
    #[command(flatten)]
    daemon: Daemon,
}

/// What is proposed and what holds
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Announce a rule for routers to filter by (FlowSpec)
#[derive(Debug, clap::Args)]
struct Announce {
    /// The rule, as `spillway rules` takes it
    rule: String,
    #[command(flatten)]
    place: Where,
}

/// Have all traffic to an address discarded upstream
#[derive(Debug, clap::Args)]
struct Blackhole {
    /// An address or a prefix of yours
    prefix: String,
    #[command(flatten)]
    place: Where,
}

/// Lead all traffic to a prefix of `routing.diversion` to the next hop of the peer's `diversion_next_hop`
#[derive(Debug, clap::Args)]
struct Divert {
    /// The prefix
    prefix: String,
    #[command(flatten)]
    place: Where,
}

/// Show the plan for what is attacked now, as `spillway plan --live`: who is kept, where it goes, who is given up, and why
#[derive(Debug, clap::Args)]
struct Plan {
    /// Only say it; it is never more than said
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    daemon: Daemon,
}

/// End a mitigation
#[derive(Debug, clap::Args)]
struct Withdraw {
    /// Its number
    id: u64,
    #[command(flatten)]
    why: Why,
}

/// Agree to a proposal
#[derive(Debug, clap::Args)]
struct Approve {
    /// Its number
    id: u64,
    #[command(flatten)]
    why: Why,
}

/// Do not agree to a proposal: it is gone
#[derive(Debug, clap::Args)]
struct Reject {
    /// Its number
    id: u64,
    #[command(flatten)]
    why: Why,
}

/// Let a mitigation go on for so long from now
#[derive(Debug, clap::Args)]
struct Renew {
    /// Its number
    id: u64,
    /// How long, like 15m [default: `routing.lease`]
    #[arg(long = "for", value_name = "TIME")]
    hold: Option<Span>,
    #[command(flatten)]
    why: Why,
}

/// Say that all is well with a mitigation: it does not revert after `routing.confirm`
#[derive(Debug, clap::Args)]
struct Confirm {
    /// Its number
    id: u64,
    #[command(flatten)]
    why: Why,
}

/// Let a mitigation out of quarantine: a peer did not survive it, or one sent with it
#[derive(Debug, clap::Args)]
struct Release {
    /// Its number
    id: u64,
    /// Only at this peer
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
    #[command(flatten)]
    why: Why,
}

/// Withdraw everything at once, and begin nothing until `resume`; no rule acts either: as `spillway panic`
#[derive(Debug, clap::Args)]
struct Panic {
    #[command(flatten)]
    why: Why,
}

/// Let things begin again after `panic`; as `spillway panic off`
#[derive(Debug, clap::Args)]
struct Resume {
    #[command(flatten)]
    why: Why,
}

/// Who did what, when and why, newest first
#[derive(Debug, clap::Args)]
struct History {
    /// Only of this mitigation
    id: Option<u64>,
    /// Lines at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    daemon: Daemon,
}

/// Asks the daemon and prints what it answers.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let (daemon, order, name) = args.command.order()?;
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let answer = control::route(&config.state_dir, order, asked::person(name))?;
    asked::show(&mut output::stdout(), context.format(Format::Text), &answer)
}

impl Command {
    /// Whom to ask, what, and in whose name.
    fn order(self) -> anyhow::Result<(Daemon, Order, Option<String>)> {
        let asked = |daemon, order| Ok((daemon, order, None));
        let changed = |Why { reason, person, daemon }: Why, order: fn(String) -> Order| {
            Ok((daemon, order(reason), person))
        };
        match self {
            Self::Peers(Peers { daemon }) => asked(daemon, Order::Peers),
            Self::Status(Status { daemon }) => asked(daemon, Order::Status),
            Self::Absorbers(Absorbers { daemon }) => asked(daemon, Order::Absorbers),
            Self::Playbook(Playbook { daemon }) => asked(daemon, Order::Playbook),
            Self::Origin(Origin { address, daemon }) => asked(daemon, Order::Origin { address }),
            Self::List(List { daemon }) => asked(daemon, Order::List),
            // a plan is said; people or the engine act on it elsewhere
            Self::Plan(Plan { dry_run: _, daemon }) => asked(daemon, Order::Plan),
            Self::History(History { id, limit, daemon }) => asked(daemon, Order::History { id, limit }),
            Self::Announce(Announce { rule, place }) => place.request("flowspec", rule),
            Self::Blackhole(Blackhole { prefix, place }) => {
                mine(&prefix)?;
                place.request("blackhole", prefix)
            }
            Self::Divert(Divert { prefix, place }) => {
                mine(&prefix)?;
                place.request("diversion", prefix)
            }
            Self::Withdraw(Withdraw { id, why }) => {
                Ok((why.daemon, Order::Withdraw { id, reason: why.reason }, why.person))
            }
            Self::Approve(Approve { id, why }) => {
                Ok((why.daemon, Order::Approve { id, reason: why.reason }, why.person))
            }
            Self::Reject(Reject { id, why }) => {
                Ok((why.daemon, Order::Reject { id, reason: why.reason }, why.person))
            }
            Self::Renew(Renew { id, hold, why }) => {
                let hold = hold.map(Span::secs);
                Ok((why.daemon, Order::Renew { id, hold, reason: why.reason }, why.person))
            }
            Self::Confirm(Confirm { id, why }) => {
                Ok((why.daemon, Order::Confirm { id, reason: why.reason }, why.person))
            }
            Self::Release(Release { id, peer, why }) => {
                Ok((why.daemon, Order::Release { id, peer, reason: why.reason }, why.person))
            }
            Self::Panic(Panic { why }) => changed(why, |reason| Order::Panic { reason }),
            Self::Resume(Resume { why }) => changed(why, |reason| Order::Resume { reason }),
        }
    }
}

impl Where {
    fn request(self, class: &str, what: String) -> anyhow::Result<(Daemon, Order, Option<String>)> {
        let Why { reason, person, daemon } = self.why;
        let request = Request {
            class: class.to_owned(),
            what,
            peers: self.peers,
            hold: self.hold.map(Span::secs),
            reason,
            dry_run: self.dry_run,
        };
        Ok((daemon, Order::Announce(request), person))
    }
}

/// Who sits at the other end of an SSH connection would cut it: both its ends are spared.
fn mine(prefix: &str) -> anyhow::Result<()> {
    let Ok(prefix) = prefix.parse::<base::Prefix>() else { return Ok(()) };
    let connection = std::env::var("SSH_CONNECTION").unwrap_or_default();
    let mut ends = connection.split(' ').filter_map(|word| word.parse::<std::net::IpAddr>().ok());
    match ends.find(|end| prefix.contains(*end)) {
        Some(end) => {
            anyhow::bail!("{prefix} touches {end}, an end of your own SSH connection; come from elsewhere")
        }
        None => Ok(()),
    }
}
