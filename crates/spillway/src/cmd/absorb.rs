//! `spillway absorb`: take what is diverted, filter it, give back what is clean.

use std::io::Write as _;
use std::path::PathBuf;

use crate::absorb::keys::Key;
use crate::absorb::server;
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::{ABSORBER, Absorbing};
use crate::daemon::log;
use crate::output::{self, Format};

/// Where its configuration is looked for when the command line names none.
const DEFAULT_PATH: &str = "/etc/spillway/absorb.toml";

/// Take what a brain (`spillway run`) diverts here, filter it by the brain's rules, give back what is clean
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
It takes only prefixes that its configuration declares, only from brains whose keys it names, and only as leases: what the brain
does not renew ends by itself. It prints one JSON line when it serves; SIGTERM ends it, and what the kernel has ends with its leases.

Examples, the brain's machine first:
  spillway absorb keys /var/lib/spillway/absorbers.key     # prints the fingerprint for [brains] of the absorber
  spillway absorb keys /etc/spillway/absorb.key            # on the absorber: for [routing.absorbers.NAME] of the brain
  spillway absorb init > absorb.toml; spillway absorb -c absorb.toml --check
  spillway absorb -c absorb.toml
  spillway route absorbers; spillway route divert 198.51.100.0/24 --reason 'attack 3f9a'"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Check the configuration and its key, and do nothing
    #[arg(long)]
    check: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Keys(Keys),
    Init(Init),
}

/// Make a key where there is none, and print its fingerprint
#[derive(Debug, clap::Args)]
struct Keys {
    /// The file; it is readable by its owner alone
    file: PathBuf,
}

/// Print a commented configuration to start from
#[derive(Debug, clap::Args)]
struct Init {}

/// Serves until a signal, or does what the subcommand says.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match args.command {
        Some(Command::Init(Init {})) => {
            out.write_all(ABSORBER.as_bytes())?;
            return Ok(out.flush()?);
        }
        Some(Command::Keys(Keys { file })) => {
            let fingerprint = Key::load_or_make(&file)?.fingerprint().to_string();
            match context.format(Format::Text) {
                Format::Text => writeln!(out, "{fingerprint}")?,
                Format::Json | Format::Jsonl => {
                    output::line(&mut out, &serde_json::json!({ "fingerprint": fingerprint }))?;
                }
            }
            return Ok(out.flush()?);
        }
        None => {}
    }
    let config = match Absorbing::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    if args.check {
        let key = Key::load(&config.key)?;
        writeln!(out, "{}: ok; its fingerprint is {}", args.config.display(), key.fingerprint())?;
        return Ok(out.flush()?);
    }
    log::start(&config.log);
    server::run(&config)
}
