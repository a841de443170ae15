//! `spillway check`: is this configuration right?

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;

use crate::cli::Context;
use crate::config::{Config, DEFAULT_PATH, Problem};
use crate::dossier::checked;
use crate::output::{self, Format};
use crate::routing::guards::Guards;

/// Check a configuration: says ok, or what is wrong, where, and what to do
///
/// The files that [intel] names are opened, too, as the daemon opens them: databases, table dumps, tables and lists.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Leave the files of [intel] closed: the daemon starts also without those that it cannot use
    #[arg(long)]
    pub without_files: bool,
}

/// Checks; the first problem is the error, further ones stand before it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut checked = Config::load(&args.config);
    let mut notes = Vec::new();
    if let (Ok(config), false) = (&checked, args.without_files) {
        let (wrong, said) = checked::files(config);
        notes = said;
        if !wrong.is_empty() {
            checked = Err(wrong);
        }
    }
    if context.output.is_some_and(|format| format != Format::Text) {
        let problems = checked.as_ref().err().cloned().unwrap_or_default();
        let mut report = serde_json::json!({ "ok": checked.is_ok(), "problems": problems });
        if let (Ok(config), Some(report)) = (&checked, report.as_object_mut())
            && let Some(never) = never_announced(config)
        {
            report.insert("never_announced".to_owned(), never.into());
        }
        if let (false, Some(report)) = (notes.is_empty(), report.as_object_mut()) {
            report.insert("notes".to_owned(), notes.clone().into());
        }
        let mut out = output::stdout();
        output::line(&mut out, &report)?;
        out.flush()?;
    }
    match checked {
        Ok(_) if context.output.is_some_and(|format| format != Format::Text) => Ok(()),
        Ok(config) => {
            let mut out = output::stdout();
            writeln!(out, "{}: ok", config.path.display())?;
            for what in never_announced(&config).into_iter().flatten() {
                writeln!(out, "never announced: {what}")?;
            }
            for note in notes {
                writeln!(out, "note: {note}")?;
            }
            out.flush()?;
            Ok(())
        }
        Err(problems) => complain(&problems),
    }
}

/// What the rails would refuse beside all that is not ours; `None`: no routers are spoken with.
fn never_announced(config: &Config) -> Option<Vec<String>> {
    let guards = Guards::of(config, config.routing.as_ref()?);
    Some(guards.list())
}

/// All problems, one line each; ends with exit code 1.
pub(crate) fn complain(problems: &[Problem]) -> anyhow::Result<()> {
    let Some((last, front)) = problems.split_last() else { return Ok(()) };
    for problem in front {
        eprintln!("{problem}");
    }
    bail!("{last}")
}
