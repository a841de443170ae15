//! `spillway dossier`: the folder of an attack that the daemon followed, over or not.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use intel::export::Tlp;
use serde_json::json;

use crate::cli::Context;
use crate::cmd::replay;
use crate::config::DEFAULT_PATH;
use crate::output::{self, Format};
use crate::witness::{Place, Setup, draft};

/// Write the folder of a live or past attack: its sources, documents for others, and its evidence
///
/// Of an attack that is over, the folder that the daemon has sealed is copied, with its bag. Of one that goes on, what is known by
/// now is written, with a sealed copy of its packets so far; its own bag stays open. `record = true` in [evidence] makes the daemon
/// keep packets.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway dossier 3f9a0c41d2e85b76
  spillway dossier 3f9a0c41d2e85b76 --to case-17
  spillway evidence verify 3f9a0c41d2e85b76/evidence")]
pub struct Args {
    /// The attack's id, as the API and notifications have it
    #[arg(value_name = "ATTACK")]
    attack: String,
    /// The daemon's configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// The folder to be made [default: one with the attack's id, here]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// How far documents for others may go, of an attack that goes on: clear, green, amber, amber+strict, red [default: the
    /// configuration's]
    #[arg(long, value_name = "LABEL")]
    tlp: Option<Tlp>,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut config = replay::load(&args.config)?;
    let id = &args.attack;
    let Some(place) = Place::of(&config.state_dir, id) else {
        bail!("`{id}` is no id of an attack: it has 16 hexadecimal digits");
    };
    let to = args.to.unwrap_or_else(|| PathBuf::from(id));
    let shown = to.display();
    if std::fs::read_dir(&to).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{shown}: has something in it already; name another folder with --to");
    }
    let live = place.is_open();
    if let (Some(tlp), true) = (args.tlp, place.is_sealed()) {
        bail!(
            "attack {id} is over: its documents were sealed with the label that they have, and TLP:{} is not given later; `tlp` in \
             [evidence] names that of attacks to come",
            tlp.name().to_ascii_uppercase()
        );
    }
    config.evidence.tlp = args.tlp.unwrap_or(config.evidence.tlp);
    if place.is_sealed() {
        copy(place.path(), &to)?;
    } else if live {
        draft(&Setup::of(&config), &place, &to)?;
    } else {
        bail!(
            "nothing was kept of an attack {id} in {}; `record = true` in [evidence] keeps what comes",
            place.path().display()
        );
    }
    let mut out = output::stdout();
    let document = json!({"attack": id, "folder": to, "over": !live});
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &document)?,
        Format::Jsonl => output::line(&mut out, &document)?,
        Format::Text => {
            let state = if live { "goes on, this is what is known by now" } else { "is over" };
            writeln!(out, "{shown}: attack {id}, which {state}")?;
        }
    }
    Ok(out.flush()?)
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("{}: cannot be copied to {}", from.display(), to.display());
    std::fs::create_dir_all(to).with_context(failed)?;
    for entry in std::fs::read_dir(from).with_context(failed)? {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&old, &new)?;
        } else {
            std::fs::copy(&old, &new).with_context(|| format!("{}: cannot be copied", old.display()))?;
        }
    }
    Ok(())
}
