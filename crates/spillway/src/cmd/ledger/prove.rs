//! `spillway ledger prove`: an entry and its proof, as files.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ::ledger::commitment::Salt;
use ::ledger::entry::Entry;
use ::ledger::opening::Opening;
use anyhow::{Context as _, bail};

use super::super::asked::Daemon;
use crate::cli::Context;
use crate::ledger::View;
use crate::output::{self, Format};

/// Write an entry and the proof that it stands in the log
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of the entry, from 0
    index: u64,
    /// Folder for the files
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    to: PathBuf,
    /// Also show what the entry commits to: whoever gets these files can read it
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    daemon: Daemon,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let view = View::at(&super::place(&args.daemon)?)?;
    let entry = view.entry(args.index)?;
    let proof = view.prove(args.index)?;
    let name = |end: &str| args.to.join(format!("{}.{end}", args.index));
    let (proof, file, content) = if args.open {
        let Some(secret) = view.secret(args.index)? else {
            bail!(
                "nothing is kept of entry {} beside the log: it was erased, or this is a copy of the log alone",
                args.index
            );
        };
        let salt = Salt::from_hex(&secret.salt).context("its salt is damaged")?;
        let proof = Opening::new(Entry::parse(&entry)?, salt, secret.record).attach(proof)?;
        let Some(content) = secret.content else {
            bail!("entry {} commits to a file of its own: `spillway disclosure show` names it", args.index);
        };
        (proof, name("content"), content.into_bytes())
    } else {
        (proof, name("json"), entry)
    };
    let said = name("tlog-proof");
    write(&file, &content)?;
    write(&said, proof.to_string().as_bytes())?;
    let mut out = output::stdout();
    if context.format(Format::Json) == Format::Text {
        writeln!(out, "{} and {}", file.display(), said.display())?;
        writeln!(out, "spillway ledger verify {} {} --policy POLICY", said.display(), file.display())?;
    } else {
        let shown = serde_json::json!({"index": args.index, "file": file, "proof": said, "size": view.checkpoint().size});
        output::line(&mut out, &shown)?;
    }
    Ok(out.flush()?)
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
