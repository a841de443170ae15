//! `spillway dataplane attach INTERFACE`.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use ::rules::{Action, RuleSet, parse};
use anyhow::Context as _;
use base::Prefix;
use dataplane::attachment::{self, Attachment, Mode};
use dataplane::decap::Decap;
use dataplane::{Allow, Attached, Block, Challenge, Engine, Policy, Protection, Stray};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::lists::{Entry, List};
use crate::cli::Context;
use crate::output::{self, Format};

/// Seconds in which a person has to say that all is well.
const CONFIRM_SECONDS: u16 = 30;

/// Put rules and lists in force on an interface; where programs are there already, replace what is in force at once
///
/// Allowed sources beat blocked ones, blocked ones beat rules. Without any rule or list everything is counted and passes.
/// Rules without an end hold until `detach`. This host's own addresses are never blocked as sources, neighbour discovery and
/// established connections to the management ports are never cut. On a terminal it asks whether all is well, and goes back after 30 seconds
/// without an answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway dataplane attach eth0
  spillway dataplane attach eth0 --rules rules.txt --allow friends.txt --block bad.txt
  spillway dataplane attach eth0 --rules rules.txt --protect 192.0.2.0/24 --dry-run
  spillway dataplane attach eth0 --profile wireguard=192.0.2.7 --profile dns-tc=192.0.2.53
  spillway dataplane attach eth0 --rules rules.txt --decap 198.51.100.0/24 \\
      --return '192.0.2.0/24=gre:203.0.113.1>203.0.113.9'")]
pub(super) struct Args {
    /// The interface on which packets arrive
    interface: String,
    /// Rules, one a line
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Rules of a profile, for a service at this place; see `spillway rules profile`
    #[arg(long, value_name = "NAME=PREFIX[:PORT]")]
    profile: Vec<String>,
    /// Sources that always pass, one prefix a line: `PREFIX [to PREFIX] [proto P] [port N] [ceiling RATE]`
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// Sources that are dropped, one prefix a line: `PREFIX [to PREFIX] [proto P] [port N]`
    #[arg(long, value_name = "FILE")]
    block: Option<PathBuf>,
    /// Destinations to which all this applies [default: all]
    #[arg(long, value_name = "PREFIX")]
    protect: Vec<Prefix>,
    /// Peers whose GRE and IP-in-IP tunnels to this box end here: what is inside meets the rules
    #[arg(long, value_name = "PREFIX")]
    decap: Vec<Prefix>,
    #[command(flatten)]
    returns: super::returns::Ways,
    /// Ports at which this host is administered: connections to them that are open now are never cut; nor is the one over
    /// which this is called
    #[arg(long, value_name = "PORT", default_values_t = [22])]
    management: Vec<u16>,
    /// Count what would be dropped, and let everything pass
    #[arg(long)]
    dry_run: bool,
    /// How rules that challenge do it [default: own addresses as `host`, forwarded ones as `gateway`]
    #[arg(long, value_enum, value_name = "MODE")]
    challenge: Option<Ask>,
    /// TCP packets without SYN that a challenge rule decides and whose source has proven nothing: pass, count them, or
    /// let so many a second to one destination pass, as in `1000pps`
    #[arg(long, value_name = "pass|count|RATE", default_value = "pass", value_parser = stray)]
    stray: Stray,
    /// Where the programs run: in the driver, or in the kernel's common path, which is slower [default: in the driver
    /// where it can]
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<Where>,
    /// Load the programs anew though those that are there are the same; counters begin at 0
    #[arg(long)]
    reload: bool,
    /// What finds the rule that decides, for tests and questions
    #[arg(long, value_enum, value_name = "ENGINE", default_value = "auto", hide = true)]
    engine: Finds,
    /// Do not ask, and do not go back
    #[arg(short, long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Where {
    /// In the driver
    Native,
    /// In the kernel's common path
    Generic,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Ask {
    /// SYN cookies of this machine's own listeners
    Host,
    /// SYN cookies, and the kernel's SYN proxy opens the connection; needs both directions here
    Gateway,
    /// A wrong answer, which real clients reset; needs only what arrives
    Reset,
    /// The first SYN is dropped, its repetition passes; needs only what arrives, and is the weakest
    First,
}

impl Ask {
    const fn challenge(self) -> Challenge {
        match self {
            Self::Host => Challenge::Host,
            Self::Gateway => Challenge::Gateway,
            Self::Reset => Challenge::Reset,
            Self::First => Challenge::First,
        }
    }
}

fn stray(text: &str) -> Result<Stray, String> {
    match (text, text.strip_suffix("pps").map(str::parse)) {
        ("pass", _) => Ok(Stray::Pass),
        ("count", _) => Ok(Stray::Count),
        (_, Some(Ok(most))) => Ok(Stray::Limit(most)),
        _ => Err("write pass, count, or a rate as in 1000pps".into()),
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Finds {
    /// The tree; maps where the kernel does not take it
    Auto,
    /// A program made from the rules
    Tree,
    /// A fixed program that reads the rules from maps
    Maps,
}

#[derive(Serialize)]
struct Report<'a> {
    interface: &'a str,
    mode: Option<&'static str>,
    already_attached: bool,
    programs_upgraded: bool,
    rules: usize,
    allow: usize,
    block: usize,
    sessions: usize,
    dry_run: bool,
    digest: String,
    instructions: usize,
    verified_instructions: u32,
    engine: &'static str,
    /// Why the rules became no tree, where that was tried.
    no_tree: Option<&'a str>,
    /// What the kernel's verifier walked of each fixed program.
    programs: Vec<Program>,
}

#[derive(Serialize)]
struct Program {
    name: &'static str,
    instructions: u32,
    verified_instructions: u32,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    super::check_name(&args.interface)?;
    let policy = policy(args)?;
    let modes: &[Mode] = match args.mode {
        None => &[Mode::Native, Mode::Generic],
        Some(Where::Native) => &[Mode::Native],
        Some(Where::Generic) => &[Mode::Generic],
    };
    let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !args.yes;
    if attachment::mount()? {
        eprintln!(
            "spillway: mounted the BPF file system on /sys/fs/bpf; under `ip netns exec` it ends with the command, \
             and so do the filters: use `nsenter --net=…` there"
        );
    }
    if asks {
        eprintln!(
            "spillway: attaching to {}; the driver may reset its queues and lose packets for a moment",
            args.interface
        );
    }
    let attached = Attachment::attach(&args.interface, &policy, modes, args.reload)
        .with_context(|| args.interface.clone())?;
    if let Some(reason) = &attached.no_native {
        eprintln!(
            "spillway: the driver of {} has no XDP ({reason}): the kernel's common path is used, which is slower",
            args.interface
        );
    }
    for lacking in &attached.lacking {
        eprintln!(
            "spillway: this kernel does not take the program `{}` ({}): rules that need it are refused",
            lacking.program, lacking.why
        );
    }
    if attached.proxy == Some(true) {
        eprintln!(
            "spillway: the kernel's SYN proxy stands behind {}: table inet spillway_gateway, \
             net.netfilter.nf_conntrack_tcp_loose=0; connections through this machine that nobody tracked until now \
             are cut where rules challenge",
            args.interface
        );
    }
    if let Some(reason) = &attached.installed.no_tree {
        eprintln!(
            "spillway: the kernel does not take the rules as a program ({reason}): they are read from maps, which is \
             several times slower; fewer rules or Linux 6.6 help"
        );
    }
    if let Some(reason) = &attached.not_kept {
        eprintln!("spillway: no copy of this set is kept for `rollback --to`: {reason}");
    }
    let challenges = policy.rules.rules().iter().any(|rule| matches!(rule.action, Action::Challenge(_)));
    let by_host = matches!(policy.protection.challenge, Challenge::Auto | Challenge::Host);
    if challenges && by_host && !attached.host.timestamps {
        eprintln!(
            "spillway: connections that are opened by a cookie go without window scaling and SACK: \
             net.ipv4.tcp_timestamps=2 keeps them for clients with timestamps"
        );
    }
    report(args, context, &policy, &attached)?;
    if asks && !confirmed()? {
        let back = match attached.mode {
            Some(_) => attachment::detach(&args.interface)?,
            None => Attachment::open(&args.interface)?.map_or(Ok(false), |a| a.roll_back())?,
        };
        anyhow::bail!(if back {
            "not confirmed: what was before is in force again; use --yes where nobody can answer"
        } else {
            "not confirmed, and there is nothing to go back to; see `spillway dataplane status`"
        });
    }
    Ok(())
}

/// The rules of a profile as it is asked for.
fn profile(asked: &str, number: usize) -> anyhow::Result<String> {
    let (name, place) = asked.split_once('=').ok_or_else(|| {
        crate::error::usage(format!("--profile {asked}: write NAME=PREFIX or NAME=PREFIX:PORT"))
    })?;
    let place = place.parse().map_err(|e| crate::error::usage(format!("--profile {e}")))?;
    // Several places may have the same profile, ids may not be the same.
    crate::profile::rules(name, &format!("{name}.{number}"), &place)
}

fn policy(args: &Args) -> anyhow::Result<Policy> {
    let mut digest = Sha256::new();
    let mut rules = match &args.rules {
        Some(path) => crate::cmd::rules::read(path)?,
        None => Vec::new(),
    };
    for (number, asked) in (1..).zip(&args.profile) {
        let text = profile(asked, number)?;
        rules.extend(parse::rules(&text).map_err(|e| anyhow::anyhow!("--profile {asked}: {e:?}"))?);
    }
    let rules = RuleSet::new(rules);
    rules.rules().iter().for_each(|rule| digest.update(format!("{rule}\n")));
    let mut list = |path: &Option<PathBuf>, name: &str, ceilings: bool| -> anyhow::Result<List> {
        let Some(path) = path else { return Ok(List::default()) };
        let list = super::lists::read(path, ceilings)?;
        digest.update(name);
        digest.update(&list.bytes);
        Ok(list)
    };
    let (allow, block) = (list(&args.allow, "allow", true)?, list(&args.block, "block", false)?);
    args.protect.iter().for_each(|prefix| digest.update(prefix.to_string()));
    args.decap.iter().for_each(|peer| digest.update(format!("decap {peer}")));
    // Tunnels are sent to addresses of this machine.
    let locals = sys::net::addresses()?.into_iter().filter(|address| !address.is_loopback()).collect();
    let decap = (!args.decap.is_empty()).then(|| Decap { peers: args.decap.clone(), locals });
    if args.dry_run {
        digest.update("dry");
    }
    let protect = (!args.protect.is_empty()).then(|| args.protect.clone());
    let allowed = |entry: Entry| Allow { source: entry.source, scope: entry.scope, ceiling: entry.ceiling };
    let blocked = |entry: Entry| Block { source: entry.source, scope: entry.scope };
    let protection = Protection {
        challenge: args.challenge.map_or(Challenge::Auto, Ask::challenge),
        stray: args.stray,
        ..Protection::default()
    };
    if protection != Protection::default() {
        digest.update(format!("{protection:?}"));
    }
    let returning = args.returns.returning();
    if let Some(returning) = &returning {
        digest.update(format!("{returning:?}"));
    }
    let engine = match args.engine {
        Finds::Auto => Engine::Auto,
        Finds::Tree => Engine::Tree,
        Finds::Maps => Engine::Maps,
    };
    let digest = digest.finalize().into();
    Ok(Policy {
        rules,
        allow: allow.whole,
        block: block.whole,
        allow_within: allow.within.into_iter().map(allowed).collect(),
        block_within: block.within.into_iter().map(blocked).collect(),
        protect,
        management: args.management.clone(),
        dry: args.dry_run,
        protection,
        digest,
        engine,
        decap,
        returning,
        ..Policy::default()
    })
}

fn report(args: &Args, context: &Context, policy: &Policy, attached: &Attached) -> anyhow::Result<()> {
    let programs = attached.programs.iter().map(|program| Program {
        name: program.name,
        instructions: program.instructions,
        verified_instructions: program.verified,
    });
    let report = Report {
        interface: &args.interface,
        mode: attached.mode.map(Mode::as_str),
        already_attached: attached.mode.is_none(),
        programs_upgraded: attached.upgraded,
        rules: policy.rules.rules().len(),
        allow: policy.allow.len() + policy.allow_within.len(),
        block: policy.block.len() + policy.block_within.len(),
        sessions: attached.sessions,
        dry_run: policy.dry,
        digest: super::status::hex(&policy.digest),
        instructions: attached.installed.instructions,
        verified_instructions: attached.installed.verified,
        engine: attached.installed.engine.as_str(),
        no_tree: attached.installed.no_tree.as_deref(),
        programs: programs.collect(),
    };
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &report)?,
        Format::Jsonl => output::line(&mut out, &report)?,
        Format::Text => {
            let how = match (report.mode, report.programs_upgraded) {
                (Some(mode), _) => format!("attached, {mode}"),
                (None, true) => "programs and rules replaced".into(),
                (None, false) => "rules replaced".into(),
            };
            let dry = if report.dry_run { ", dry run: everything passes" } else { "" };
            writeln!(
                out,
                "{}: {how}; {} rules, {} allowed, {} blocked{dry}",
                args.interface, report.rules, report.allow, report.block
            )?;
            if report.sessions > 0 {
                writeln!(
                    out,
                    "connections to the management ports that are open now, and are not cut: {}",
                    report.sessions
                )?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// Asks on the terminal.
fn confirmed() -> anyhow::Result<bool> {
    eprint!("spillway: is all well? Type yes within {CONFIRM_SECONDS} seconds: ");
    let stdin = std::io::stdin();
    let mut polled = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    if poll(&mut polled, PollTimeout::from(CONFIRM_SECONDS * 1000))? == 0 {
        eprintln!();
        return Ok(false);
    }
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    Ok(matches!(line.trim(), "yes" | "y"))
}
