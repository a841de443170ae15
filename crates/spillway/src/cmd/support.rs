//! `spillway support bundle`: what helps to find a fault.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use crate::cli::Context;
use crate::client::Reach;
use crate::daemon::clock::Clock;
use crate::output::{self, Format};
use crate::support::{gather, list, pack};

/// Gather what helps to find a fault, without secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway support bundle
  spillway support bundle --file fault.tar --log /var/log/spillway.log")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Bundle(Bundle),
}

/// Write an archive with version, configuration, doctor, counters, kernel facts and the last lines of the log, and list its content
#[derive(Debug, clap::Args)]
#[command(after_help = "\
No secret leaves: of the configuration only what is known to be harmless is kept, and what it hides is taken out of everything else,
with all tokens and keys. Addresses that are not in `networks` become numbers; which is which is not kept anywhere. Sources of attacks
are left out. Look at it before you send it: it is a plain tar archive, and README.txt in it says what is there.")]
struct Bundle {
    /// Where to write it [default: spillway-support-TIME.tar here]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file with the daemon's log [default: the journal of the unit `spillway`]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Keep addresses as they are
    #[arg(long)]
    with_addresses: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Writes it, and says what is in it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Command::Bundle(args) = args.command;
    let (pieces, missing) = gather(&args.reach, args.log.as_deref(), args.with_addresses)?;
    let now = Clock::start().now();
    let path = args.file.unwrap_or_else(|| {
        let time: String = now.to_string().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
        PathBuf::from(format!("spillway-support-{time}.tar"))
    });
    let shown = path.display();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot write {shown}; name another with --file"))?;
    pack(&pieces, now.secs(), &file)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {shown}"))?;
    let listed = list(&pieces);
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => {
            output::document(&mut out, &json!({"file": path, "content": listed, "missing": missing}))?
        }
        Format::Jsonl => listed.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text => {
            writeln!(out, "{shown}")?;
            for one in &listed {
                writeln!(out, "  {:<22} {:>9}  {}", one.file, one.bytes, one.what)?;
            }
            for line in &missing {
                writeln!(out, "  not there: {line}")?;
            }
        }
    }
    Ok(out.flush()?)
}
