//! `spillway dataplane rollback INTERFACE`.

use dataplane::history::{self, hex};
use dataplane::{Attachment, Mode};

/// Fewer digits of a digest could mean anything.
const DIGITS_MIN: usize = 4;

/// Put the rules and lists before the last attach in force again, or those of a digest
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway dataplane rollback eth0
  spillway dataplane status eth0                    # lists the sets with their digests
  spillway dataplane rollback eth0 --to 3f9ac1d2")]
pub(super) struct Args {
    /// The interface
    interface: String,
    /// The set of this digest, its first digits
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    super::check_name(&args.interface)?;
    let name = &args.interface;
    let nothing = || anyhow::anyhow!("{name}: there is nothing to go back to; nothing has changed");
    let attachment = Attachment::open(name)?.ok_or_else(nothing)?;
    let Some(digits) = &args.to else {
        anyhow::ensure!(attachment.roll_back()?, nothing());
        println!("{name}: what was in force before is in force again");
        return Ok(());
    };
    let digest = find(name, &digits.to_ascii_lowercase())?;
    let force = attachment.plane().in_force()?;
    if force.digest == digest {
        println!("{name}: set {} is in force already", hex(&digest));
        return Ok(());
    }
    let instant = force.previous == Some(digest) && attachment.roll_back()?;
    if !instant {
        let policy = history::read(name, digest)?;
        drop(attachment);
        Attachment::attach(name, &policy, &[Mode::Native, Mode::Generic], false)?;
    }
    println!("{name}: set {} is in force again", hex(&digest));
    Ok(())
}

/// The one set whose digest begins so.
fn find(name: &str, digits: &str) -> anyhow::Result<[u8; 32]> {
    let all = history::list(name)?;
    let begins = |past: &&history::Past| hex(&past.digest).starts_with(digits);
    let mut found = all.iter().filter(begins);
    match (found.next(), found.next()) {
        (Some(past), None) if digits.len() >= DIGITS_MIN => Ok(past.digest),
        (None, _) => {
            let known: Vec<String> =
                all.iter().filter_map(|p| Some(hex(&p.digest).get(..16)?.to_owned())).collect();
            anyhow::bail!("{name}: no set {digits} is known; there are {}", known.join(", "))
        }
        _ => Err(crate::error::usage(format!(
            "--to {digits} is too short; see `spillway dataplane status {name}`"
        ))),
    }
}
