//! `spillway drill`: fire drills at the routers, through the running daemon.

use std::io::Write as _;
use std::time::Duration;

use anyhow::bail;

use super::asked::{self, Daemon};
use super::route::text;
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::interrupt::Interrupt;
use crate::output::{self, Format, Paint};
use crate::routing::order::{Answer, Drills, Order, Progress};

/// How often the daemon is asked how it goes.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// Prove in peace that blackholes, rules and diversions act at the routers, and that they end
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For each peer and each class that it carries, a spare address of [routing.drill] is announced with a lease of a minute, looked at, and
withdrawn. With `probe` in [routing.drill] packets have to arrive before, to stop meanwhile (a diversion: to arrive at the absorber), and to
arrive again; without it one sees that the session lives with it, and, where the router tells routes (`learn`, `listen.bmp`), that it was
taken. Only what probes showed counts as proven. Results are dated and kept; the choice of measures prefers those that passed lately.
Ctrl-C withdraws. Exit code 1: something failed or could not be proven to be sent.

Examples:
  spillway drill --reason 'monthly'
  spillway drill --peer upstream --class blackhole --reason 'new contract'
  spillway drill --list")]
pub struct Args {
    /// Only at this peer; may be repeated [default: all]
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
    /// Only announcements of this class; may be repeated [default: all that the peer carries]
    #[arg(long = "class", value_name = "CLASS", value_parser = ["blackhole", "flowspec", "diversion"])]
    classes: Vec<String>,
    /// While attacks go on, too
    #[arg(long)]
    anyway: bool,
    /// Only show how the last drills went
    #[arg(long, conflicts_with_all = ["peers", "classes", "anyway", "stop"])]
    list: bool,
    /// Only end the drills that somebody else runs
    #[arg(long, conflicts_with_all = ["peers", "classes", "anyway"])]
    stop: bool,
    /// Why; stands in the journal
    #[arg(long, value_name = "TEXT", default_value = "spillway drill")]
    reason: String,
    /// In whose name, beside the user that the kernel names [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Begins the drills and follows them to their end.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let config = match Config::load(&args.daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let name = asked::person(args.name);
    let ask = |order| control::route(&config.state_dir, order, name.clone());
    let format = context.format(Format::Text);
    let mut out = output::stdout();
    if args.list || args.stop {
        let order = if args.list { Order::DrillList } else { Order::DrillStop { reason: args.reason } };
        return asked::show(&mut out, format, &ask(order)?);
    }
    let interrupt = Interrupt::default();
    interrupt.listen()?;
    let drills =
        Drills { peers: args.peers, classes: args.classes, anyway: args.anyway, reason: args.reason };
    let mut progress = of(ask(Order::Drill(drills))?)?;
    let (mut known, mut stopped) = (0, false);
    loop {
        known += progress.lines.len();
        // Progress is for people; programs get the result.
        if format == Format::Text {
            progress.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            out.flush()?;
        }
        if !progress.running {
            break;
        }
        if interrupt.asked() && !stopped {
            stopped = true;
            ask(Order::DrillStop { reason: "interrupted".to_owned() })?;
        }
        std::thread::sleep(ASK_EVERY);
        progress = of(ask(Order::DrillProgress { after: known })?)?;
    }
    let Progress { records, unfinished, .. } = progress;
    let failed = records.iter().filter(|one| one.result == "failed").count();
    if format == Format::Text {
        let paint = Paint::stdout();
        writeln!(out)?;
        records.iter().try_for_each(|one| text::drilled(&mut out, paint, one))?;
        out.flush()?;
    } else {
        asked::show(&mut out, format, &Answer::Drills(records))?;
    }
    match (failed, unfinished) {
        (0, 0) => Ok(()),
        (0, _) => bail!("{unfinished} drills proved nothing; the lines above say why"),
        _ => bail!("{failed} drills failed, {unfinished} proved nothing; the daemon's log has the lines"),
    }
}

fn of(answer: Answer) -> anyhow::Result<Progress> {
    match answer {
        Answer::Drill(progress) => Ok(progress),
        _ => bail!("the daemon's answer is none about drills; is it of another version?"),
    }
}
