//! `spillway flows export`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ::history::{Archive, Exported, Filter, HistoryError, Work, csv_header, csv_line, export, walk};
use anyhow::Context as _;
use base::Timestamp;
use serde_json::json;

use super::query::stopper;
use super::range::Range;
use super::{Place, filter};
use crate::cli::Context;
use crate::error::{complain, usage};
use crate::output::{self, Format};

/// Write samples into a file of their own: .parquet, or .csv
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which samples; all, without one
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// The file; it must not be there yet
    #[arg(long = "file", short = 'f', value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    place: Place,
}

/// Exports.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let (filter, bounds) = (filter(&args.filter)?, args.range.bounds()?);
    let folder = args.place.folder()?;
    let archive = Archive { folder: &folder, recent: None };
    let mut stop = stopper(args.range.within, context)?;
    let mut work = Work::until(&mut stop);
    let path = args.file.as_path();
    let done = match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => {
            let file = fresh(path)?;
            let (file, done) = export(archive, &filter, bounds, &mut work, (file, path))?;
            file.sync_all().with_context(|| format!("cannot write {}", path.display()))?;
            done
        }
        Some("csv") => csv(archive, &filter, bounds, &mut work, path)?,
        _ => return Err(usage(format!("{}: name a file that ends in .parquet or .csv", path.display()))),
    };
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Text => writeln!(out, "{}: {} samples", path.display(), done.rows)?,
        Format::Json | Format::Jsonl => {
            output::line(&mut out, &json!({"file": path, "samples": done.rows, "scanned": done.scanned}))?;
        }
    }
    out.flush()?;
    if let Some(why) = &done.scanned.partial {
        complain(&format!("this is not all: {why}"));
    }
    done.scanned.torn_ones.iter().for_each(|torn| complain(torn));
    Ok(())
}

fn fresh(path: &Path) -> anyhow::Result<File> {
    File::create_new(path).with_context(|| format!("cannot make {}; nothing is written over", path.display()))
}

fn csv(
    archive: Archive<'_>,
    filter: &Filter,
    bounds: (Timestamp, Timestamp),
    work: &mut Work<'_>,
    path: &Path,
) -> anyhow::Result<Exported> {
    let mut out = BufWriter::new(fresh(path)?);
    let refused = |cause| HistoryError::Disk { path: path.to_owned(), cause };
    out.write_all(csv_header().as_bytes()).map_err(refused)?;
    let mut rows = 0;
    let scanned = walk::<HistoryError>(archive, filter, bounds, work, &mut |sample| {
        rows += 1;
        out.write_all(csv_line(sample).as_bytes()).map_err(refused)
    })?;
    out.flush().map_err(refused)?;
    Ok(Exported { rows, scanned })
}
