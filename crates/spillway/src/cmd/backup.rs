//! `spillway backup create|verify`: one file from which a daemon goes on elsewhere.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::asked::Daemon;
use crate::backup::{self, Extent};
use crate::cli::Context;
use crate::daemon::clock::Clock;
use crate::output::{self, Format};

/// Make a backup while the daemon runs, or look whether one is whole
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A backup is a tar archive: copies of the databases, each of one instant; the ledger, which grows on meanwhile behind it; disclosures;
the configuration; and SHA256SUMS over all of it. Without --with-keys it holds no key and no secret of the configuration: what it
has is as pseudonymous as the state folder is, and a daemon that is restored from it learns anew, and needs the ledger's key from
elsewhere to write its ledger on. With it, keep it like a key. It has its name only once it is whole.

Examples:
  spillway backup create /mnt/backup/spillway.tar --with-keys
  spillway backup verify /mnt/backup/spillway.tar
  spillway restore /mnt/backup/spillway.tar --to /var/lib/spillway")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Create),
    Verify(Verify),
}

/// Make one, beside a running daemon or none
#[derive(Debug, clap::Args)]
struct Create {
    /// Where to; a new file
    file: PathBuf,
    /// Keys, too, and secrets of the configuration: of the ledger, of evidence, of the days' pseudonyms, of the API
    #[arg(long)]
    with_keys: bool,
    /// Flow samples, too (`history.quota` says how much that may be)
    #[arg(long)]
    with_flows: bool,
    /// Evidence of attacks, too (`evidence.space` likewise)
    #[arg(long)]
    with_evidence: bool,
    #[command(flatten)]
    daemon: Daemon,
}

/// Read all of a backup and hold it against its sums
#[derive(Debug, clap::Args)]
struct Verify {
    /// The backup
    file: PathBuf,
}

/// Makes or reads one.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let format = context.format(Format::Json);
    match args.command {
        Command::Create(args) => {
            let config = super::ledger::config(&args.daemon)?;
            let extent =
                Extent { keys: args.with_keys, flows: args.with_flows, evidence: args.with_evidence };
            let made = backup::create(&config, &args.file, extent, Clock::start().now())?;
            match format {
                Format::Json => output::document(&mut out, &made)?,
                Format::Jsonl => output::line(&mut out, &made)?,
                Format::Text => {
                    let keys = if extent.keys { "with keys: keep it like one" } else { "without keys" };
                    let (files, bytes) = (made.files, made.bytes);
                    writeln!(out, "{}: {files} files, {bytes} octets, {keys}", made.file.display())?;
                }
            }
        }
        Command::Verify(Verify { file }) => {
            let (head, files) = backup::verify(&file)?;
            let document = json!({"whole": true, "files": files, "backup": head});
            match format {
                Format::Json => output::document(&mut out, &document)?,
                Format::Jsonl => output::line(&mut out, &document)?,
                Format::Text => {
                    let keys = if head.extent.keys { "with keys" } else { "without keys" };
                    let (build, at) = (&head.build, &head.made_at);
                    writeln!(
                        out,
                        "{}: whole; {files} files, {keys}, made at {at} by {build}",
                        file.display()
                    )?;
                }
            }
        }
    }
    Ok(out.flush()?)
}
