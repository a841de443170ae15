//! `spillway disclosure new|review|approve|send|mark|unseal|list|show`: how something leaves.

mod show;

use std::io::Write as _;
use std::path::PathBuf;

use ::ledger::Hash;
use ::ledger::disclosure::{Approval, ReviewPolicy};
use anyhow::{Context as _, bail};
use base::Timestamp;

use self::show::Shown;
use super::asked::{self, Daemon};
use super::ledger::config;
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::disclosure::{self, Case, Cases, EXAMPLE, Request, Route, Step};
use crate::error::usage;
use crate::output;

/// Hand something out: described, reviewed, in the ledger, then sent
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing leaves without a draft that names recipient, purpose and legal basis, without a review (two persons for TLP:AMBER and
higher, for law enforcement and for every order), and without its entry in the ledger, which is written before it is sent. Where
the ledger cannot be written, nothing is sent. Approvals are given for exact octets: a changed file has to be looked at again.

Examples:
  spillway disclosure new --example > case.toml
  spillway disclosure new case.toml --payload report.json
  spillway disclosure review ID; spillway disclosure approve ID --as alice
  spillway disclosure send ID --to-folder /srv/outgoing      # with its proof; or --eml mail.eml
  spillway disclosure mark ID acknowledged; spillway disclosure list")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    New(New),
    Review(One),
    Approve(Approve),
    Send(Send),
    Mark(Mark),
    Unseal(One),
    List(List),
    Show(One),
}

/// Begin one: what it is, and what would leave
#[derive(Debug, clap::Args)]
struct New {
    /// What it is, in TOML
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// What would leave, minimised already
    #[arg(long, value_name = "FILE", required_unless_present = "example")]
    payload: Option<PathBuf>,
    /// Print a file to begin with
    #[arg(long, conflicts_with_all = ["file", "payload"])]
    example: bool,
    /// In whose name [default: who called `sudo`, or the user]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Look at one: what would leave, to whom, and who has to agree; `unseal` opens its sealed entry once its embargo is over
#[derive(Debug, clap::Args)]
struct One {
    /// Its name
    id: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Agree to exactly what would leave now
#[derive(Debug, clap::Args)]
struct Approve {
    /// Its name
    id: String,
    /// In whose name [default: who called `sudo`, or the user]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    /// SHA-256 of what you looked at; refused where it is something else by now
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Write it into the ledger, then send it
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("route").required(true))]
struct Send {
    /// Its name
    id: String,
    /// Into this folder, with its proof and the policy
    #[arg(long, value_name = "FOLDER", group = "route")]
    to_folder: Option<PathBuf>,
    /// As a mail, into this file
    #[arg(long, value_name = "FILE", group = "route")]
    eml: Option<PathBuf>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Say what became of what was sent
#[derive(Debug, clap::Args)]
struct Mark {
    /// Its name
    id: String,
    /// What became of it: acknowledged, bounced, withdrawn, expired
    what: Step,
    /// In whose name [default: who called `sudo`, or the user]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// All of them
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Takes a step, or shows how far one has come.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::New(args) => new(args, context),
        Command::Review(args) | Command::Show(args) => {
            let desk = Desk::at(&args.daemon)?;
            let case = desk.cases.get(&args.id)?;
            desk.show(&case, context)
        }
        Command::Approve(args) => approve(args, context),
        Command::Send(args) => send(args, context),
        Command::Mark(args) => mark(args, context),
        Command::Unseal(args) => {
            let desk = Desk::at(&args.daemon)?;
            let mut case = desk.cases.get(&args.id)?;
            disclosure::unseal(&desk.config, &desk.cases, &mut case, desk.now)?;
            desk.show(&case, context)
        }
        Command::List(args) => {
            let desk = Desk::at(&args.daemon)?;
            desk.list(context)
        }
    }
}

struct Desk {
    config: Config,
    cases: Cases,
    policy: ReviewPolicy,
    now: Timestamp,
}

impl Desk {
    fn at(daemon: &Daemon) -> anyhow::Result<Self> {
        let config = config(daemon)?;
        let cases = Cases::new(&config.state_dir);
        let policy = ReviewPolicy { automatic_abuse_reports: config.ledger.automatic_abuse_reports };
        Ok(Self { config, cases, policy, now: Clock::start().now() })
    }

    fn shown<'a>(&self, case: &'a Case) -> anyhow::Result<Shown<'a>> {
        let missing = self.cases.reviewed(case, self.policy).err().map(|why| format!("{why:#}"));
        Ok(Shown {
            step: self.cases.step(case, self.policy, self.now)?.word(),
            payload: self.cases.payload_path(case)?,
            payload_sha256: Hash::of(&self.cases.payload(case)?),
            missing,
            due: case.draft.basis.time_limit().map(|limit| case.draft.created.plus(limit)),
            id: &case.draft.id,
            case,
        })
    }

    fn show(&self, case: &Case, context: &Context) -> anyhow::Result<()> {
        show::one(&self.shown(case)?, context)
    }

    fn list(&self, context: &Context) -> anyhow::Result<()> {
        let cases = self.cases.all()?;
        show::all(&cases.iter().map(|case| self.shown(case)).collect::<anyhow::Result<Vec<_>>>()?, context)
    }
}

fn new(args: New, context: &Context) -> anyhow::Result<()> {
    let (Some(file), Some(payload), false) = (args.file, args.payload, args.example) else {
        let mut out = output::stdout();
        out.write_all(EXAMPLE.as_bytes())?;
        return Ok(out.flush()?);
    };
    let desk = Desk::at(&args.daemon)?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let request: Request = toml::from_str(&text).map_err(|wrong| {
        let line = wrong
            .span()
            .map_or(1, |span| text.get(..span.start).map_or(0, |front| front.matches('\n').count()) + 1);
        usage(format!(
            "{}:{line}: {}; `spillway disclosure new --example` shows the form",
            file.display(),
            wrong.message()
        ))
    })?;
    let payload = std::fs::read(&payload).with_context(|| format!("cannot read {}", payload.display()))?;
    let [a, b, c, d] = crate::ledger::random::<4>()?;
    let day = desk.now.to_string();
    let id = format!("{}-{a:02x}{b:02x}{c:02x}{d:02x}", day.get(..10).unwrap_or_default());
    let draft = request.draft(id, person(args.person)?, desk.now);
    let case = desk.cases.begin(draft, request.counts, payload)?;
    desk.show(&case, context)
}

fn approve(args: Approve, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.daemon)?;
    let mut case = desk.cases.get(&args.id)?;
    if case.ledgered.is_some() {
        bail!("`{}` stands in the ledger already", args.id);
    }
    let payload = desk.cases.minimised(&case)?.payload_hash();
    if args.sha256.is_some_and(|looked_at| looked_at != payload.to_string()) {
        bail!("what would leave is {payload}, not what you looked at: look again");
    }
    // an earlier word of the same person was for what it was then
    let by = person(args.person)?;
    case.approvals.retain(|one| one.by != by && one.payload == payload);
    case.approvals.push(Approval { by, at: desk.now, payload });
    desk.cases.keep(&case)?;
    desk.show(&case, context)
}

fn send(args: Send, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.daemon)?;
    let mut case = desk.cases.get(&args.id)?;
    let route = match (args.to_folder, args.eml) {
        (Some(folder), _) => Route::Folder(folder),
        (None, Some(file)) => Route::Eml(file),
        (None, None) => return Err(usage("say how: --to-folder or --eml")),
    };
    disclosure::send(&desk.config, &desk.cases, &mut case, &route, desk.now)?;
    desk.show(&case, context)
}

fn mark(args: Mark, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.daemon)?;
    let mut case = desk.cases.get(&args.id)?;
    desk.cases.mark(&desk.config, &mut case, args.what, person(args.person)?, desk.now)?;
    desk.show(&case, context)
}

/// Who does it, with the user whom the kernel names.
fn person(named: Option<String>) -> anyhow::Result<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid())?;
    let user = user.map_or_else(|| nix::unistd::getuid().to_string(), |user| user.name);
    Ok(match asked::person(named) {
        Some(name) if name != user => format!("{name} ({user})"),
        _ => user,
    })
}
