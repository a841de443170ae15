//! `spillway plan`: who is kept when not all can be, and what is diverted where.

use std::io::Write;
use std::path::{Path, PathBuf};

use steer::planner::{self, Document, Effort, Mode, Plan, Solver};

use super::asked::{self, Daemon};
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::error::usage;
use crate::output::{self, Format, Paint};
use crate::routing::order::Order;

/// Larger files are refused before they are read.
const FILE_MAX: u64 = 1 << 30;

/// Plan which targets of an attack are kept, what is filtered and diverted where, and who is sacrificed
///
/// A target is kept if every entry that it uses carries what is left after rules and absorbers, and it bears what reaches it; a sacrificed
/// target's traffic leaves all links. The same file gives the same plan, in whatever order it is written. Nothing is announced.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
FILE is JSON; rates in bits/s and packets/s, shares 0 to 1. 0 is zero; a maximum that is left out (max_bps, max_pps, link_bps,
flowspec_slots, capacity_bps, capacity_pps) is no limit:
  {\"targets\":[{\"prefix\":\"198.51.100.7/32\",\"value\":2.0,\"max_bps\":1e9},{\"prefix\":\"2001:db8::9/128\",\"value\":7.0}],
   \"entries\":[{\"name\":\"e1\",\"link_bps\":10e9,\"flowspec_slots\":100}],
   \"absorbers\":[{\"name\":\"a1\",\"capacity_bps\":20e9,\"capacity_pps\":10e6,\"cost_per_gbps\":1.5,\"reaches\":[\"e1\"]}],
   \"attacks\":[{\"target\":\"198.51.100.7/32\",\"entry\":\"e1\",\"bps\":15e9,\"pps\":4e6,\"legit_bps\":200e6,
               \"rules\":[{\"id\":\"r1\",\"removes\":0.9,\"collateral\":0.01}]}]}
An attack may name its `absorbers`: of those that its entry reaches, only these may take it.

Examples:
  spillway plan attack.json --dry-run
  spillway plan attack.json --dry-run -o json --effort exact --mode share-the-pain
  spillway plan --live; spillway plan --live -o json     # of the running daemon, with the document that it planned from")]
pub struct Args {
    /// What is attacked, where, and what there is against it; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "live")]
    file: Option<PathBuf>,
    /// Only say the plan; needed, for nothing else is done with a plan from a file
    #[arg(long)]
    dry_run: bool,
    /// Show the plan of the running daemon for what is attacked now: who is kept, where it goes, who is given up, and why
    #[arg(long, conflicts_with_all = ["file", "dry_run", "effort", "mode"])]
    live: bool,
    #[command(flatten)]
    daemon: Daemon,
    /// How long to think: `quick` within 100 ms, `normal` about a second, `exact` longer, to prove that nothing is better
    #[arg(long, value_enum, default_value_t = Thought::Normal)]
    effort: Thought,
    /// What to be good at
    #[arg(long, value_enum, default_value_t = Aim::ProtectMostValuable)]
    mode: Aim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Thought {
    Quick,
    Normal,
    Exact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Aim {
    /// The most value, then the least cost
    ProtectMostValuable,
    /// The most targets, then the most value, then the least cost
    ShareThePain,
}

/// Plans and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Some(file) = args.file else { return live(&args.daemon, context) };
    if !args.dry_run {
        return Err(usage("a plan from a file is only said, not done; add --dry-run"));
    }
    let name = file.display();
    let document: Document = read(&file)?;
    let effort = match args.effort {
        Thought::Quick => Effort::Quick,
        Thought::Normal => Effort::Normal,
        Thought::Exact => Effort::Exact,
    };
    let mode = match args.mode {
        Aim::ProtectMostValuable => Mode::ProtectMostValuable,
        Aim::ShareThePain => Mode::ShareThePain,
    };
    let plan = planner::plan(&document, mode, effort)
        .map_err(|refused| anyhow::Error::msg(format!("{name}: {refused}")))?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &plan)?,
        Format::Jsonl => output::line(&mut out, &plan)?,
        Format::Text => text(&mut out, &plan)?,
    }
    Ok(out.flush()?)
}

/// Asks the daemon for its plan.
fn live(daemon: &Daemon, context: &Context) -> anyhow::Result<()> {
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let answer = control::route(&config.state_dir, Order::Plan, asked::person(None))?;
    asked::show(&mut output::stdout(), context.format(Format::Text), &answer)
}

fn read(path: &Path) -> anyhow::Result<Document> {
    let name = path.display();
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)?;
        bytes
    } else {
        let size = std::fs::metadata(path).map_or(0, |about| about.len());
        if size > FILE_MAX {
            anyhow::bail!("{name}: {size} octets are too many; plan parts of the network");
        }
        std::fs::read(path).map_err(|e| anyhow::Error::msg(format!("{name}: {e}; check the name")))?
    };
    serde_json::from_slice(&bytes).map_err(|wrong| {
        // serde_json ends with the place; ours goes first.
        let what = wrong.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        let (line, column) = (wrong.line(), wrong.column());
        anyhow::Error::msg(format!("{name}:{line}:{column}: {what}; `spillway plan --help` shows the form"))
    })
}

fn text(out: &mut impl Write, plan: &Plan) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let targets = plan.kept.len() + plan.sacrificed.len();
    let known = match (plan.solver, plan.bound) {
        (Solver::Exact, _) => "nothing is better".to_owned(),
        (Solver::Heuristic, Some(bound)) => {
            let gap = if bound > 0.0 { (1.0 - plan.value_kept / bound) * 100.0 } else { 0.0 };
            format!("at most {bound:.6} could be, so at most {gap:.2} % is missing")
        }
        (Solver::Heuristic, None) => "perhaps more is possible".to_owned(),
    };
    writeln!(
        out,
        "{} of {targets} targets kept, value {:.6} of {:.6}; {known}",
        plan.kept.len(),
        plan.value_kept,
        plan.value_total
    )?;
    for one in &plan.sacrificed {
        writeln!(out, "{} {}", paint.red("sacrificed"), one.why)?;
    }
    for one in &plan.diverted {
        writeln!(out, "{} {} at {} to {}", paint.cyan("diverted"), one.target, one.entry, one.absorber)?;
    }
    for one in &plan.rules {
        writeln!(out, "{} {} of {} at {}", paint.cyan("rule"), one.id, one.target, one.entry)?;
    }
    Ok(())
}
