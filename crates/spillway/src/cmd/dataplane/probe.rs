//! `spillway dataplane probe`.

use std::io::Write;

use anyhow::Context as _;
use dataplane::{Buffers, Clock, Plane, attachment, probe};
use serde::Serialize;

use crate::cli::Context;
use crate::output::{self, Format};

/// What this kernel has of what the programs use, and what is missing without it
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

#[derive(Serialize)]
struct Report {
    kernel: String,
    features: Vec<Feature>,
    /// Instructions that the verifier walks, of each fixed program.
    programs: Vec<Program>,
    /// Programs that only some rules need, and the kernel does not take: such rules are refused.
    lacking: Vec<Lacking>,
    /// Why the programs do not load here.
    refused: Option<String>,
}

#[derive(Serialize)]
struct Feature {
    name: &'static str,
    since: &'static str,
    here: bool,
    used_for: &'static str,
    without: &'static str,
}

#[derive(Serialize)]
struct Lacking {
    name: &'static str,
    buffers: &'static str,
    why: String,
}

#[derive(Serialize)]
struct Program {
    name: &'static str,
    buffers: &'static str,
    verified_instructions: u32,
}

pub(super) fn run(_: &Args, context: &Context) -> anyhow::Result<()> {
    attachment::may_filter()?;
    let features = probe::probe().into_iter().map(|f| Feature {
        name: f.name,
        since: f.since,
        here: f.here,
        used_for: f.used_for,
        without: f.without,
    });
    let mut report = Report {
        kernel: probe::release(),
        features: features.collect(),
        programs: Vec::new(),
        lacking: Vec::new(),
        refused: None,
    };
    for (buffers, name) in [(Buffers::One, "one"), (Buffers::Several, "several")] {
        match Plane::load_for(Clock::Kernel, buffers) {
            Ok(plane) => {
                report.programs.extend(plane.programs().iter().map(|program| Program {
                    name: program.name,
                    buffers: name,
                    verified_instructions: program.verified,
                }));
                report.lacking.extend(plane.lacking().iter().map(|lacking| Lacking {
                    name: lacking.program,
                    buffers: name,
                    why: lacking.why.clone(),
                }));
            }
            Err(error) => report.refused = report.refused.or_else(|| Some(error.to_string())),
        }
    }
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &report)?,
        Format::Jsonl => output::line(&mut out, &report)?,
        Format::Text => text(&mut out, &report)?,
    }
    out.flush().context("standard output")
}

fn text(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    writeln!(out, "Linux {}", report.kernel)?;
    for f in &report.features {
        let (mark, then) = if f.here { ("yes", f.used_for) } else { ("no ", f.without) };
        writeln!(out, "  {mark} {:26} (Linux {:4}) {then}", f.name, f.since)?;
    }
    for p in &report.programs {
        writeln!(
            out,
            "  {}{}: {} instructions verified",
            p.name,
            frames(p.buffers),
            p.verified_instructions
        )?;
    }
    for l in &report.lacking {
        let why = l.why.strip_prefix(l.name).unwrap_or(&l.why);
        writeln!(out, "  {}{}: not taken, rules that need it are refused{why}", l.name, frames(l.buffers))?;
    }
    report.refused.as_ref().map_or(Ok(()), |why| writeln!(out, "  the programs do not load: {why}"))
}

/// Said behind the name of a program.
fn frames(buffers: &str) -> &'static str {
    if buffers == "one" { "" } else { ", frames in several buffers" }
}
