//! `spillway ledger export`: the whole log as one file, for those who audit it with their own programs.

use std::io::Write;

use ::ledger::Hash;
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::asked::Daemon;
use crate::cli::Context;
use crate::ledger::View;
use crate::output::{self, Format};

/// Write out every entry with the hash of its leaf, and the signed head that they add up to; all are read and checked before
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An entry is written as it was hashed, octet for octet: SHA-256 of an octet 0 and `entry` is its `leaf` (RFC 6962, section 2.1), and the
leaves add up to the head's root. Entries hold kinds, counts and salted hashes, never an address or a name; what is kept beside the log
(`ledger prove --open`) is not exported. The last line is the head.

Examples:
  spillway ledger export -o jsonl > ledger.jsonl
  spillway ledger export --from 1200 -o csv")]
pub(super) struct Args {
    /// From this entry on
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Serialize)]
struct Exported {
    index: u64,
    leaf: String,
    entry: Box<RawValue>,
}

/// The head, as the last line has it.
#[derive(Serialize)]
struct Head<'a> {
    origin: &'a str,
    size: u64,
    root: String,
    note: &'a str,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let view = View::at(&super::place(&args.daemon)?)?;
    // once through before anything is written: what is not what was signed is not handed on
    view.audit(|_, _| {})?;
    let checkpoint = view.checkpoint();
    let head = Head {
        origin: &checkpoint.origin,
        size: checkpoint.size,
        root: checkpoint.root.base64(),
        note: view.note(),
    };
    let mut out = output::stdout();
    let format = context.format(Format::Jsonl);
    if format == Format::Json {
        write!(out, "{{\"head\":{},\"entries\":[", serde_json::to_string(&head)?)?;
    }
    let mut failed = None;
    let mut first = true;
    view.audit(|index, entry| {
        if index < args.from || failed.is_some() {
            return;
        }
        failed = one(&mut out, format, index, entry, std::mem::take(&mut first)).err();
    })?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    match format {
        Format::Json => writeln!(out, "\n]}}")?,
        // laid out in columns, a head is no row
        Format::Jsonl if !output::is_laid_out() => output::line(&mut out, &head)?,
        Format::Jsonl => {}
        Format::Text => writeln!(out, "{}: {} entries, root {}", head.origin, head.size, head.root)?,
    }
    Ok(out.flush()?)
}

fn one(out: &mut impl Write, format: Format, index: u64, entry: &[u8], first: bool) -> anyhow::Result<()> {
    let leaf = Hash::leaf(entry).base64();
    let text = std::str::from_utf8(entry)?.to_owned();
    let exported = Exported { index, leaf, entry: RawValue::from_string(text)? };
    match format {
        Format::Json => {
            out.write_all(if first { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, &exported)?;
        }
        Format::Jsonl => output::line(out, &exported)?,
        Format::Text => writeln!(out, "{index:>8} {} {}", exported.leaf, exported.entry.get())?,
    }
    Ok(())
}
