//! `spillway ledger head|prove|verify|export|report|record|erase`: the log of decisions and disclosures.

mod export;
mod prove;
mod record;
mod report;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use serde::Serialize;

use super::asked::Daemon;
use crate::cli::Context;
use crate::config::Config;
use crate::ledger::{Place, View};
use crate::output::{self, Format};

/// See the log of decisions and disclosures, prove what stands in it, check such proofs without a network
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The log can only grow: its operator signs heads, and every later head continues every earlier one. An entry holds kinds, counts and
salted hashes, never an address or a name. A proof is one text file (c2sp.org/tlog-proof@v1); who has it, the policy and the file
needs nothing else. The policy holds the log's public key: get it by another way than the proof.

Examples:
  spillway ledger head
  spillway ledger prove 17 --to /tmp/case            # 17.json, the entry, and 17.tlog-proof
  spillway ledger prove 17 --open --to /tmp/case     # 17.content, what the entry commits to, and its proof
  spillway ledger verify 17.tlog-proof 17.json --policy policy
  spillway ledger export -o jsonl > ledger.jsonl     # every entry, and the signed head
  spillway ledger report                             # reads every entry, recomputes every hash, counts by half-year")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Head(Head),
    Prove(prove::Args),
    Verify(verify::Args),
    Export(export::Args),
    Report(report::Args),
    Record(record::Args),
    Erase(Erase),
}

/// The newest head, and the key that signs
#[derive(Debug, clap::Args)]
struct Head {
    #[command(flatten)]
    daemon: Daemon,
}

/// Destroy what is kept of an entry beside the log, with its salt: the entry stays and says nothing any more
#[derive(Debug, clap::Args)]
struct Erase {
    /// Number of the entry, from 0
    index: u64,
    #[command(flatten)]
    why: super::asked::Why,
}

/// Looks at the log, or checks a proof.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Head(args) => head(&args, context),
        Command::Prove(args) => prove::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Report(args) => report::run(&args, context),
        Command::Record(args) => record::run(args, context),
        Command::Erase(args) => erase(args, context),
    }
}

/// The ledger of this configuration.
pub(super) fn place(daemon: &Daemon) -> anyhow::Result<Place> {
    config(daemon).map(|config| config.ledger_place())
}

/// The configuration itself.
pub(in crate::cmd) fn config(daemon: &Daemon) -> anyhow::Result<Config> {
    Config::load(&daemon.config).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", all.join("; "))
    })
}

#[derive(Serialize)]
struct Shown<'a> {
    origin: &'a str,
    size: u64,
    root: String,
    key: Vec<String>,
    policy: PathBuf,
    note: &'a str,
}

fn head(args: &Head, context: &Context) -> anyhow::Result<()> {
    let place = place(&args.daemon)?;
    let view = View::at(&place)?;
    let head = view.checkpoint();
    let shown = Shown {
        origin: &head.origin,
        size: head.size,
        root: head.root.base64(),
        key: view.policy().logs().iter().map(ToString::to_string).collect(),
        policy: place.policy(),
        note: view.note(),
    };
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &shown)?,
        Format::Jsonl => output::line(&mut out, &shown)?,
        Format::Text => {
            writeln!(out, "{}: {} entries, root {}", shown.origin, shown.size, shown.root)?;
            writeln!(out, "key     {}", shown.key.join(" "))?;
            writeln!(out, "policy  {} (give it to those who verify)", shown.policy.display())?;
        }
    }
    Ok(out.flush()?)
}

fn erase(args: Erase, context: &Context) -> anyhow::Result<()> {
    let config = config(&args.why.daemon)?;
    let person = super::asked::person(args.why.person);
    if !crate::ledger::erase(&config.ledger_place(), args.index, &args.why.reason, person.as_deref())? {
        bail!("nothing is kept of entry {} beside the log", args.index);
    }
    let mut out = output::stdout();
    if context.format(Format::Text) == Format::Text {
        writeln!(out, "entry {} says nothing any more; that it was erased stands in the ledger", args.index)?;
    } else {
        output::line(&mut out, &serde_json::json!({"erased": args.index}))?;
    }
    Ok(out.flush()?)
}
