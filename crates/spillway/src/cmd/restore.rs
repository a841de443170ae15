//! `spillway restore`: a state folder from a backup.

use std::io::Write as _;
use std::path::PathBuf;

use crate::backup;
use crate::cli::Context;
use crate::output::{self, Format};

/// Put a backup into an empty folder; refuses a damaged file, one of a newer build, and a folder that is not empty
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Stop the daemon, move its state folder away, restore, start it. The configuration of the backup is put into the folder's
`configuration`, and used by nobody: compare it with yours. Files belong to the owner of the folder, where that is there before.
`ledger.remember` on another disk still knows the newer head, and says so if the backup is older: that is what it is for.

Examples:
  install -d -m 700 -o spillway -g spillway /var/lib/spillway
  spillway restore /mnt/backup/spillway.tar --to /var/lib/spillway")]
pub struct Args {
    /// The backup
    file: PathBuf,
    /// The state folder: empty, or not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Restores.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let restored = backup::restore(&args.file, &args.to)?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &restored)?,
        Format::Jsonl => output::line(&mut out, &restored)?,
        Format::Text => {
            let to = args.to.display();
            writeln!(out, "{to}: {} files as of {}", restored.files, restored.head.made_at)?;
            if let Some(size) = restored.ledger {
                writeln!(out, "the ledger has {size} entries; `spillway ledger report` reads all of them")?;
            }
            if !restored.head.extent.keys {
                writeln!(
                    out,
                    "keys are not in it: put ledger/key, evidence.key and keys/ back from elsewhere before the daemon starts; without"
                )?;
                writeln!(
                    out,
                    "ledger/key, move {to}/ledger and {to}/ledger.head away, and it begins another ledger"
                )?;
            }
        }
    }
    Ok(out.flush()?)
}
