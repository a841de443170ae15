//! `spillway manual [PAGE]`: lists, prints, searches and writes the manual that the binary carries.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use manual::text::{self, Kind};
use serde_json::json;

use crate::cli::Context;
use crate::output::{self, Format, Paint};

/// Places that a search prints at most.
const HITS_MAX: usize = 30;

/// Read the manual of this version: list its pages, print one, search, or write them all as an mdBook
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway manual                                # what pages there are
  spillway manual no-flows                       # one of them
  spillway manual --search 'sampling rate'       # where these words are
  spillway manual --to book && mdbook build book # the same as a book for the web

The running daemon shows it at /manual/.")]
pub struct Args {
    /// The page: its path, like how-to/junos, or the last part of it
    #[arg(value_name = "PAGE", conflicts_with_all = ["search", "to"])]
    page: Option<String>,
    /// Find sections that have all of these words
    #[arg(long, value_name = "WORDS", conflicts_with = "to")]
    search: Option<String>,
    /// Write all pages into this folder, as an mdBook
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    if let Some(dir) = &args.to {
        return write(dir);
    }
    match (&args.search, &args.page) {
        (Some(words), _) => search(words, context),
        (None, Some(name)) => print(name, context),
        (None, None) => list(context),
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout_of(&["path", "title", "part"]);
    let pages = crate::manual::book().pages();
    let row = |page: &manual::Page| json!({"path": page.path, "title": page.title, "part": page.part});
    match context.format(Format::Text) {
        Format::Json => {
            output::document(&mut out, &json!({"items": pages.iter().map(row).collect::<Vec<_>>()}))?
        }
        Format::Jsonl => pages.iter().try_for_each(|page| output::line(&mut out, &row(page)))?,
        Format::Text => {
            let paint = Paint::stdout();
            let mut part = "";
            for page in pages {
                if page.part != part {
                    part = &page.part;
                    writeln!(out, "\n{}", paint.bold(part))?;
                }
                writeln!(out, "  {:<34} {}", page.path, page.title)?;
            }
            writeln!(
                out,
                "\n`spillway manual PAGE` prints one, `spillway manual --search WORDS` finds words."
            )?;
        }
    }
    Ok(out.flush()?)
}

fn print(name: &str, context: &Context) -> anyhow::Result<()> {
    let book = crate::manual::book();
    let page = book.find(name).ok_or_else(|| {
        let near = book.search(name, 1).first().map(|hit| hit.page.path.clone());
        let hint = near.map_or_else(String::new, |path| format!("; `{path}` speaks of it"));
        crate::error::usage(format!("the manual has no page `{name}`{hint}; `spillway manual` lists them"))
    })?;
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Text => {
            let paint = Paint::stdout();
            for (kind, text) in text::lines(page) {
                match kind {
                    Kind::Heading(_) => writeln!(out, "{}", paint.bold(&text))?,
                    Kind::Code | Kind::Text => writeln!(out, "{text}")?,
                }
            }
        }
        format => {
            let all =
                json!({"path": page.path, "title": page.title, "part": page.part, "markdown": page.text});
            if format == Format::Json {
                output::document(&mut out, &all)?;
            } else {
                output::line(&mut out, &all)?;
            }
        }
    }
    Ok(out.flush()?)
}

fn search(words: &str, context: &Context) -> anyhow::Result<()> {
    let hits = crate::manual::book().search(words, HITS_MAX);
    let mut out = output::stdout_of(&["page", "heading", "line"]);
    let row = |hit: &manual::Hit<'_>| json!({"page": hit.page.path, "heading": hit.heading, "line": hit.line.trim()});
    match context.format(Format::Text) {
        Format::Json => {
            output::document(&mut out, &json!({"items": hits.iter().map(row).collect::<Vec<_>>()}))?
        }
        Format::Jsonl => hits.iter().try_for_each(|hit| output::line(&mut out, &row(hit)))?,
        Format::Text => {
            let paint = Paint::stdout();
            for hit in &hits {
                writeln!(out, "{}  {}", paint.bold(&hit.page.path), hit.heading)?;
                writeln!(out, "    {}", hit.line.trim())?;
            }
        }
    }
    out.flush()?;
    if hits.is_empty() {
        anyhow::bail!("no section of the manual has all of these words: {words}; try fewer");
    }
    Ok(())
}

fn write(dir: &Path) -> anyhow::Result<()> {
    for (name, text) in crate::manual::book().files() {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    eprintln!("written into {}; `mdbook build {}` makes pages of it", dir.display(), dir.display());
    Ok(())
}
