//! `spillway user`: who may use the API. Works on the state folder, with the daemon or without it.

use std::io::{BufRead as _, Write as _};

use access::{Access, Actor, Deed, Outcome, Role, User, Via};
use anyhow::Context as _;
use base::{Prefix, Timestamp};
use serde_json::{Value, json};

use super::asked::{self, Daemon};
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::error::usage;
use crate::output::{self, Format};
use crate::routing::order::fits;

/// Users of the API: add, list, remove, give a password
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway user add alice --role operator --password < FILE
  spillway user add acme --role customer --prefix 192.0.2.0/24 --prefix 2001:db8::/48
  spillway token add alice --label laptop")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Add(Add),
    List(List),
    #[command(visible_alias = "rm")]
    Remove(Remove),
    Password(Password),
}

/// Add a user; without --password it has tokens only
#[derive(Debug, clap::Args)]
struct Add {
    /// Its name: a-z, 0-9, `.`, `_`, `-`
    name: String,
    /// viewer, operator, admin, customer or evidence-officer; `spillway roles` shows what each may do
    #[arg(long)]
    role: Role,
    /// What a customer sees
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Vec<Prefix>,
    /// A customer sees the networks that the configuration gives this one, as they are now
    #[arg(long, value_name = "NAME", conflicts_with = "prefixes")]
    customer: Option<String>,
    /// Read a password from the first line of standard input
    #[arg(long)]
    password: bool,
    #[command(flatten)]
    why: Why,
}

/// Show users
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    daemon: Daemon,
}

/// Remove a user with its tokens and sessions
#[derive(Debug, clap::Args)]
struct Remove {
    /// Its name
    name: String,
    #[command(flatten)]
    why: Why,
}

/// Give a user another password, from the first line of standard input; its sessions end
#[derive(Debug, clap::Args)]
struct Password {
    /// Its name
    name: String,
    #[command(flatten)]
    why: Why,
}

/// Why, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// Why; stands in the audit trail
    #[arg(long, value_name = "TEXT", default_value = "by hand, on this machine")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) daemon: Daemon,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Add(args) => add(args, context),
        Command::List(args) => {
            let desk = Desk::at(&args.daemon)?;
            let name = |user: &User| user.name.clone();
            show(&all(name, |after| Ok(desk.access.users(after, PAGE)?))?, context)
        }
        Command::Remove(args) => {
            let desk = Desk::at(&args.why.daemon)?;
            let before = desk.access.user(&args.name)?;
            let before = before.map(|user| json!({"role": user.role, "prefixes": user.prefixes}).to_string());
            let user = desk.change("user.remove", &args.name, &args.why.reason, before, |access| {
                let user = access.remove_user(&args.name)?;
                Ok((user, Value::Null))
            })?;
            show(&[user], context)
        }
        Command::Password(args) => {
            let (desk, password) = (Desk::at(&args.why.daemon)?, line()?);
            desk.change("user.password", &args.name, &args.why.reason, None, |access| {
                access.set_password(&args.name, &password)?;
                Ok(((), Value::Null))
            })
        }
    }
}

/// Things of one query.
pub(super) const PAGE: u32 = 1_000;

/// All pages; each begins after the last one's key.
pub(super) fn all<T>(
    key: impl Fn(&T) -> String,
    page: impl Fn(&str) -> anyhow::Result<Vec<T>>,
) -> anyhow::Result<Vec<T>> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let next = page(&all.last().map(&key).unwrap_or_default())?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

fn add(args: Add, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.why.daemon)?;
    let prefixes = match &args.customer {
        None => args.prefixes,
        Some(name) => {
            let found = desk.config.customers.iter().find(|(customer, _)| customer == name);
            let found =
                found.with_context(|| format!("there is no [customers.{name}] in the configuration"))?;
            found.1.clone()
        }
    };
    let password = args.password.then(line).transpose()?;
    let user = desk.change("user.add", &args.name, &args.why.reason, None, |access| {
        let user = access.add_user(&args.name, args.role, &prefixes, password.as_deref(), desk.now)?;
        let after = json!({"role": user.role, "prefixes": user.prefixes, "password": user.password});
        Ok((user, after))
    })?;
    show(&[user], context)
}

fn show(users: &[User], context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"items": users}))?,
        Format::Jsonl => users.iter().try_for_each(|user| output::line(&mut out, user))?,
        Format::Text => {
            for user in users {
                let prefixes = user.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                let password = if user.password { "password" } else { "tokens" };
                writeln!(out, "{:<32} {:<18} {password:<10} {prefixes}", user.name, user.role.name())?;
            }
        }
    }
    Ok(out.flush()?)
}

/// The first line of standard input.
fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() {
        return Err(usage("the password is the first line of standard input, and there is none"));
    }
    Ok(line)
}

/// The state folder, opened.
pub(super) struct Desk {
    pub(super) config: Config,
    pub(super) access: Access,
    pub(super) now: Timestamp,
}

impl Desk {
    pub(super) fn at(daemon: &Daemon) -> anyhow::Result<Self> {
        let config = Config::load(&daemon.config).map_err(|problems| {
            anyhow::Error::msg(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        if !config.state_dir.is_dir() {
            let folder = config.state_dir.display();
            anyhow::bail!("there is no state folder {folder} yet: `spillway run` makes it");
        }
        let access = Access::open(&config.state_dir)?;
        Ok(Self { config, access, now: Clock::start().now() })
    }

    /// Does it, and writes it into the audit trail, with what was `before` as JSON.
    pub(super) fn change<T>(
        &self,
        action: &str,
        object: &str,
        reason: &str,
        before: Option<String>,
        act: impl FnOnce(&Access) -> anyhow::Result<(T, Value)>,
    ) -> anyhow::Result<T> {
        fits(reason).map_err(usage)?;
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let user = user.map_or_else(|| format!("user {}", nix::unistd::getuid()), |user| user.name);
        let name = match asked::person(None) {
            Some(name) if name != user => format!("{name} ({user})"),
            _ => user,
        };
        // whoever may write the file may do everything
        let actor = Actor::new(name, Via::Local, Role::Admin, Vec::new());
        let deed = Deed {
            address: "local".to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            reason: reason.to_owned(),
            before,
        };
        let number = self.access.about_to(&actor, &deed, self.now)?;
        let done = act(&self.access);
        let (said, after) = match &done {
            Ok((_, after)) => (None, (!after.is_null()).then(|| after.to_string())),
            Err(why) => (Some(format!("{why:#}")), None),
        };
        self.access.came_of(number, &Outcome { at: self.now, done: done.is_ok(), said, after })?;
        done.map(|(answer, _)| answer)
    }
}
