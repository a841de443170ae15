//! `spillway disclosure new|review|approve|send|mark|unseal|list|show`: how something leaves.

mod show;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ::ledger::Hash;
use ::ledger::disclosure::{Extent, ReviewPolicy};
use anyhow::Context as _;
use base::Timestamp;

use self::show::Shown;
use super::asked::Daemon;
use super::ledger::config;
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::disclosure::{self, Case, Cases, EXAMPLE, Request, Route, Step, person};
use crate::error::usage;
use crate::output;

/// Hand something out: described, reviewed, in the ledger, then sent
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing leaves without a draft that names recipient, purpose and legal basis, without a review (two persons for TLP:AMBER and
higher, for law enforcement and for every order), and without its entry in the ledger, which is written before it is sent. Where
the ledger cannot be written, nothing is sent. Approvals are given for exact octets: a changed file has to be looked at again.

A payload is looked into: who is honest, forged or unknown in the attack (`--attack`; without it, in any that is kept) does not
leave in a report. What a production or preservation order gets is packed from the sealed bag (`--bag`): all of it, or the `files`
that the order names.

Of two persons one may be who drafted it. A person is an account: who logged in, also behind sudo, or else the user who runs the command.
Names that are given with --as stand beside it and count for nothing, so those who share root's account are one person.

Examples:
  spillway disclosure new --example > case.toml
  spillway disclosure new case.toml --payload report.json --attack 3f9a0c41d2e85b76
  spillway disclosure new order.toml --bag 3f9a0c41d2e85b76
  spillway disclosure review ID; spillway disclosure approve ID --sha256 HEX
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
    #[arg(long, value_name = "FILE", required_unless_present_any = ["example", "bag"])]
    payload: Option<PathBuf>,
    /// The sealed bag that it is from: its folder, or its attack's id. What an order asks for is packed from there
    #[arg(long, value_name = "BAG|ATTACK")]
    bag: Option<String>,
    /// The attack with whose sources the payload is compared: its id, its folder, or its bag [default: all that are kept]
    #[arg(long, value_name = "FOLDER|ATTACK", conflicts_with = "bag")]
    attack: Option<String>,
    /// Print a file to begin with
    #[arg(long, conflicts_with_all = ["file", "payload", "bag", "attack"])]
    example: bool,
    /// A name to stand beside the account
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
    /// A name to stand beside the account
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
    /// A name to stand beside the account
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
            let (_held, mut case) = desk.cases.take(&args.id)?;
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
        let standing = self.cases.standing(case, self.policy, self.now)?;
        Ok(Shown {
            step: standing.step.word(),
            payload: self.cases.payload_path(case)?,
            payload_sha256: standing.payload,
            missing: standing.missing,
            due: case.due(),
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
    let (Some(file), false) = (args.file, args.example) else {
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
    let bag = args.bag.as_deref().map(|named| disclosure::find(&desk.config.state_dir, named)).transpose()?;
    let (payload, from) = chosen(&request, args.payload.as_deref(), bag.as_deref())?;
    let [a, b, c, d] = crate::ledger::random::<4>()?;
    let day = desk.now.to_string();
    let id = format!("{}-{a:02x}{b:02x}{c:02x}{d:02x}", day.get(..10).unwrap_or_default());
    let draft = request.draft(id, person(args.person.as_deref()), desk.now, from)?;
    let bag = bag.map(|bag| bag.display().to_string());
    let case = desk.cases.begin(draft, request.counts, payload, args.attack.or(bag).as_deref())?;
    desk.show(&case, context)
}

/// The seal of the bag that something is from, and the SHA-256 of what was packed from there.
type Origin = Option<(Hash, Option<Hash>)>;

/// What would leave: the file that was given, or what is packed from the bag for an order.
fn chosen(
    request: &Request,
    payload: Option<&Path>,
    bag: Option<&Path>,
) -> anyhow::Result<(Vec<u8>, Origin)> {
    if !request.files.is_empty() && (request.extent != Extent::NamedData || bag.is_none()) {
        return Err(usage(
            "`files` are those of a bag that an order names: extent = \"named-data\", and --bag",
        ));
    }
    match (request.extent, payload, bag) {
        (Extent::Minimised, Some(file), bag) => {
            Ok((read(file)?, bag.map(disclosure::seal).transpose()?.map(|seal| (seal, None))))
        }
        (Extent::NamedData, Some(file), None) => Ok((read(file)?, None)),
        (Extent::CompleteBag, None, Some(bag)) => Ok(packed(disclosure::pack(bag, None)?)),
        (Extent::NamedData, None, Some(bag)) if !request.files.is_empty() => {
            Ok(packed(disclosure::pack(bag, Some(&request.files))?))
        }
        (Extent::NamedData, None, Some(_)) => Err(usage("name the `files` of the bag that the order names")),
        (Extent::CompleteBag, _, None) => {
            Err(usage("the complete bag is packed from where it is: name it with --bag"))
        }
        (_, Some(_), Some(_)) => Err(usage("what an order gets is packed from the bag; leave --payload out")),
        (_, None, _) => Err(usage("name what would leave: --payload")),
    }
}

fn packed(packed: disclosure::Packed) -> (Vec<u8>, Origin) {
    let archive = Hash::of(&packed.archive);
    (packed.archive, Some((packed.seal, Some(archive))))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn approve(args: Approve, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.daemon)?;
    let by = person(args.person.as_deref());
    let case = desk.cases.approve(&args.id, by, args.sha256.as_deref(), desk.now)?;
    desk.show(&case, context)
}

fn send(args: Send, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.daemon)?;
    let (_held, mut case) = desk.cases.take(&args.id)?;
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
    let (_held, mut case) = desk.cases.take(&args.id)?;
    desk.cases.mark(&desk.config, &mut case, args.what, person(args.person.as_deref()), desk.now)?;
    desk.show(&case, context)
}
