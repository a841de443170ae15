//! `spillway lab list`.

use std::io::Write;

use serde::Serialize;

use crate::cli::Context;
use crate::lab::{SCENARIOS, reroute};
use crate::output::{self, Format};

/// The scenarios
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    about: &'static str,
    /// What `replay` calls it; `null`: no attack.
    vector: Option<&'static str>,
    synthetic: Option<&'static str>,
    rules: Vec<&'static str>,
}

pub(super) fn run(_args: &Args, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let lines = SCENARIOS.iter().map(|one| Line {
        name: one.name,
        about: one.about,
        vector: one.vector,
        synthetic: one.synthetic,
        rules: one.rules.lines().collect(),
    });
    let reroute = Line {
        name: reroute::NAME,
        about: reroute::ABOUT,
        vector: Some("udp-flood"),
        synthetic: None,
        rules: Vec::new(),
    };
    let lines: Vec<Line> = lines.chain([reroute]).collect();
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &lines)?,
        Format::Jsonl => lines.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text => {
            for one in &lines {
                writeln!(out, "{:18} {}", one.name, one.about)?;
                if let Some(what) = one.synthetic {
                    writeln!(out, "{:18} (synthetic: {what})", "")?;
                }
            }
        }
    }
    out.flush()?;
    Ok(())
}
