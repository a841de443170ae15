//! `spillway ledger verify`: a file against its proof. Opens these three files and nothing else.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ::ledger::{Policy, Proof, policy, proof};
use anyhow::{Context as _, anyhow, bail};
use serde_json::json;

use crate::cli::Context;
use crate::output::{self, Format};

/// Octets of a file that is checked.
const FILE_MAX: u64 = 1 << 30;

/// Check without a network whether a file is an entry of the log, or what an entry commits to
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The proof, a `.tlog-proof` file
    proof: PathBuf,
    /// What is proven: an entry, or what one commits to
    file: PathBuf,
    /// Which log and which witnesses are believed (c2sp.org/tlog-policy)
    #[arg(long, value_name = "POLICY")]
    policy: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let named = |path: &Path| path.display().to_string();
    let policy = Policy::parse(&text(&args.policy, policy::FILE_MAX)?)
        .map_err(|why| anyhow!("{}: {why}", named(&args.policy)))?;
    let proof = Proof::parse(&text(&args.proof, proof::FILE_MAX)?)
        .map_err(|why| anyhow!("{}: {why}", named(&args.proof)))?;
    let file = read(&args.file, FILE_MAX)?;
    let verified = policy.verify(&proof, &file).map_err(|why| anyhow!("{}: {why}", named(&args.proof)))?;
    let receipt = &verified.receipt;
    let mut out = output::stdout();
    let shown = json!({
        "verified": true, "is_entry": verified.is_entry, "origin": receipt.origin(), "index": receipt.index(), "size": receipt.size(),
        "root": receipt.root().base64(), "time": verified.time,
    });
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &shown)?,
        Format::Jsonl => output::line(&mut out, &shown)?,
        Format::Text => {
            let is = if verified.is_entry { "is" } else { "is what was committed to by" };
            let when = verified.time.map(|time| format!(", written {time}")).unwrap_or_default();
            let (index, origin, size) = (receipt.index(), receipt.origin(), receipt.size());
            writeln!(out, "ok: {} {is} entry {index} of {origin} ({size} entries){when}", named(&args.file))?;
        }
    }
    Ok(out.flush()?)
}

fn text(path: &Path, most: usize) -> anyhow::Result<String> {
    let octets = read(path, u64::try_from(most).unwrap_or(u64::MAX))?;
    String::from_utf8(octets).map_err(|_| anyhow!("{}: is not text", path.display()))
}

fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let what = || format!("cannot read {}", path.display());
    let mut octets = Vec::new();
    std::fs::File::open(path)
        .with_context(what)?
        .take(most + 1)
        .read_to_end(&mut octets)
        .with_context(what)?;
    if octets.len() as u64 > most {
        bail!("{}: more than {most} octets", path.display());
    }
    Ok(octets)
}
