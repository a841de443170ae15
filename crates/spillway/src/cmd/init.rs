//! `spillway init`: a commented configuration to start from, which fits this machine and does not lock its administrator out.

mod around;
mod questions;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Prefix;
use nix::unistd::{User, geteuid};

use crate::cli::Context;
use crate::config::{self, DEFAULT_PATH, Start};
use crate::output;
pub(super) use around::own_networks;
use around::{Around, Why};
use questions::{Ask, Place};

/// Write a commented configuration to start from; finds this machine's networks, its gateway and its administrator's address
#[derive(Debug, clap::Args)]
#[command(after_help = "\
On a terminal it asks four questions; with --yes, or elsewhere, it takes what it finds. The address that you are logged in from (SSH)
and the gateways are put on the never-list: nothing cuts them, whatever looks like an attack. The file is written where every command looks for it;
who may not write there names another one with -c, for all of them.

Examples:
  sudo spillway init
  sudo spillway init --yes --for server          # this machine's own packets are looked at, on the interface of the default route
  spillway init -c spillway.toml                 # without root; then `spillway run -c spillway.toml`
  spillway init --yes --network 198.51.100.0/24 -c -")]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Prefixes to protect, instead of the networks of this machine
    #[arg(long, value_name = "PREFIX")]
    network: Vec<Prefix>,
    /// What is looked at: flow export of routers, or this machine's own packets [default: asked, else routers]
    #[arg(long = "for", value_name = "WHAT", value_enum)]
    place: Option<Place>,
    /// How far it may go [default: asked, else observe]
    #[arg(long, value_name = "MODE", value_enum)]
    mode: Option<questions::Mode>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
}

/// Where a new configuration goes.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Where to write it; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

/// Looks around, asks, writes the file and says what comes next.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    // before anything is asked
    args.target.may()?;
    let around = Around::look();
    let found =
        if args.network.is_empty() { own_networks() } else { base::prefix::aggregate(args.network.clone()) };
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    let to_stdout = args.target.config.as_os_str() == "-";
    let asks = !args.yes && stdin.is_terminal() && !to_stdout;
    let mut ask = Ask { input: stdin.lock(), output: &mut stderr, asks };
    let place = args.place.map_or_else(|| ask.place(&around), Ok)?;
    let networks = if args.network.is_empty() { ask.networks(&found)? } else { found };
    let mode = args.mode.map_or_else(|| ask.mode(), Ok)?;
    let webhook = ask.webhook()?;
    let interfaces = match place {
        Place::Server => around.interfaces.clone(),
        Place::Routers => Vec::new(),
    };
    if place == Place::Server && interfaces.is_empty() {
        bail!(
            "no interface has a default route, so there is none to look at; name one by hand: `dataplane.interfaces` in a file of `spillway init --for routers`"
        );
    }
    let start = Start {
        networks: networks.clone(),
        never: around.never().into_iter().map(|(prefix, _)| prefix).collect(),
        interfaces,
        mode: mode.into(),
        user: own_user().map(|user| user.name),
        webhook,
    };
    args.target.write(&config::starter_of(&start), &networks)?;
    if to_stdout {
        return Ok(());
    }
    let mut out = output::stdout();
    if args.network.is_empty() && networks == [around::example()] {
        writeln!(
            out,
            "no network of this machine was found: {} is an example; put yours into `networks`",
            around::example()
        )?;
    }
    for (prefix, why) in around.never() {
        let what = match why {
            Why::Administrator => "you are logged in from there",
            Why::Gateway => "the gateway",
        };
        writeln!(out, "never cut: {prefix} ({what})")?;
    }
    if !around.never().iter().any(|(_, why)| *why == Why::Administrator) {
        writeln!(
            out,
            "your own address is not known (no SSH): put it into `rules.never` if you come from elsewhere"
        )?;
    }
    if !start.interfaces.is_empty() {
        writeln!(out, "looked at: packets that arrive on {}", start.interfaces.join(", "))?;
    }
    Ok(out.flush()?)
}

impl Target {
    /// Whether the file may be written at all.
    fn may(&self) -> anyhow::Result<()> {
        let path = &self.config;
        if path == Path::new(DEFAULT_PATH) && !geteuid().is_root() {
            bail!("{DEFAULT_PATH} is for root to write: use sudo, or name another file with -c FILE");
        }
        if !self.force && path.as_os_str() != "-" && path.symlink_metadata().is_ok() {
            bail!("{} exists; write elsewhere with -c FILE, or replace it with --force", path.display());
        }
        Ok(())
    }

    /// Writes a configuration that protects these networks, and says what comes next.
    pub(super) fn write(&self, text: &str, networks: &[Prefix]) -> anyhow::Result<()> {
        let path = &self.config;
        let mut out = output::stdout();
        if path.as_os_str() == "-" {
            out.write_all(text.as_bytes())?;
            return Ok(out.flush()?);
        }
        if path == Path::new(DEFAULT_PATH)
            && let Some(folder) = path.parent()
        {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
            made.with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut options = OpenOptions::new();
        // It may come to hold secrets.
        options.write(true).mode(0o640);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                self.may()?;
                return Err(cause.into());
            }
            Err(cause) => {
                return Err(cause).with_context(|| format!("cannot write {}", path.display()));
            }
        };
        if let Some(user) = own_user() {
            // The daemon reads it again, as that user, when it is reloaded.
            fchown(&file, None, Some(user.gid.as_raw()))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        let shown: Vec<String> = networks.iter().take(NETWORKS_SHOWN).map(ToString::to_string).collect();
        let more = match networks.len().saturating_sub(NETWORKS_SHOWN) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        writeln!(out, "{} written; it protects {}{more}", path.display(), shown.join(", "))?;
        if path == Path::new(DEFAULT_PATH) && UNITS.iter().any(|unit| Path::new(unit).exists()) {
            writeln!(
                out,
                "next: edit it, then `sudo spillway check` and `sudo systemctl enable --now spillway`"
            )?;
        } else {
            writeln!(
                out,
                "next: edit it, then `spillway check -c {0}` and `spillway run -c {0}`",
                path.display()
            )?;
        }
        Ok(out.flush()?)
    }
}

/// The package's user, where root writes for it.
fn own_user() -> Option<User> {
    User::from_name(USER).ok().flatten().filter(|_| geteuid().is_root())
}

/// As whom the daemon of the Debian package runs.
const USER: &str = "spillway";
/// Its unit, as the package or somebody by hand put it there.
const UNITS: [&str; 2] = ["/usr/lib/systemd/system/spillway.service", "/etc/systemd/system/spillway.service"];
/// Networks named on the screen.
const NETWORKS_SHOWN: usize = 8;
