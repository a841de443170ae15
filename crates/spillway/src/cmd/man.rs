//! `spillway man`: one page for the whole, one per command.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::{self, Context};
use crate::output;

/// Print the manual page, or write those of all commands into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway man | man -l -
  spillway man replay | man -l -
  spillway man --dir /usr/local/share/man/man1")]
pub struct Args {
    /// Page of this command instead of the overview
    #[arg(conflicts_with = "dir")]
    command: Vec<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes them.
pub fn run(args: Args, _: &Context) -> anyhow::Result<()> {
    let mut root = cli::definition();
    root.build();
    if let Some(dir) = args.dir {
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        return write_all(&dir, &root, "spillway");
    }
    let mut found = &root;
    for name in &args.command {
        found = found
            .find_subcommand(name)
            .ok_or_else(|| crate::error::usage(format!("no command `{name}`; see `spillway --help`")))?;
    }
    let mut out = output::stdout();
    out.write_all(&page(found, &title(&args.command))?)?;
    Ok(out.flush()?)
}

fn title(path: &[String]) -> String {
    std::iter::once("spillway").chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
}

fn page(command: &clap::Command, title: &str) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(title.to_uppercase())
        .source(concat!("spillway ", env!("CARGO_PKG_VERSION")))
        .manual("Spillway manual")
        .render(&mut page)?;
    // The generator does not know what stands below the options.
    Ok(String::from_utf8_lossy(&page).replace(".SH EXTRA\n", ".SH EXAMPLES\n").into_bytes())
}

fn write_all(dir: &Path, command: &clap::Command, title: &str) -> anyhow::Result<()> {
    let path = dir.join(format!("{title}.1"));
    fs::write(&path, page(command, title)?).with_context(|| path.display().to_string())?;
    for sub in command.get_subcommands() {
        write_all(dir, sub, &format!("{title}-{}", sub.get_name()))?;
    }
    Ok(())
}
