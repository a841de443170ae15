//! What commands that ask the daemon have in common: which daemon, in whose name and why, and how its answer is printed.

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::config::DEFAULT_PATH;
use crate::output::{self, Format};

/// Which daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Daemon {
    /// The configuration of the daemon
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub(super) config: PathBuf,
}

/// Who and why.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// Why; stands in the journal
    #[arg(long, visible_alias = "why", value_name = "TEXT")]
    pub(super) reason: String,
    /// In whose name, beside the user that the kernel names [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    pub(super) person: Option<String>,
    #[command(flatten)]
    pub(super) daemon: Daemon,
}

/// In whose name something is asked.
pub(super) fn person(named: Option<String>) -> Option<String> {
    named.or_else(|| std::env::var("SUDO_USER").ok())
}

/// An answer that can be printed.
pub(in crate::cmd) trait Shown {
    /// One document, without the name of the kind of answer.
    fn document(&self) -> serde_json::Result<Value>;

    /// One object a line.
    fn lines(&self) -> serde_json::Result<Vec<Value>>;

    /// For people.
    fn text(&self, out: &mut impl Write) -> io::Result<()>;
}

/// Prints an answer as it was asked for.
pub(super) fn show(out: &mut impl Write, format: Format, answer: &impl Shown) -> anyhow::Result<()> {
    match format {
        Format::Json => output::document(out, &answer.document()?)?,
        Format::Jsonl => answer.lines()?.iter().try_for_each(|line| output::line(out, line))?,
        Format::Text => answer.text(out)?,
    }
    Ok(out.flush()?)
}
