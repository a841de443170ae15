//! `spillway lab play reroute`.

use std::io::Write as _;
use std::time::Duration;

use crate::cli::Context;
use crate::error::usage;
use crate::lab::reroute::{Passed, by_hand};
use crate::lab::{By, exclusive, running_as_root};
use crate::output::{self, Format, Paint};

/// Plays it.
pub(super) fn run(by: By, length: Duration, context: &Context) -> anyhow::Result<()> {
    if !matches!(by, By::Rules) {
        return Err(usage("reroute is played --by rules".to_owned()));
    }
    running_as_root()?;
    context.interrupt.listen()?;
    let _held = exclusive()?;
    let format = context.format(Format::Text);
    let paint = Paint::stdout();
    let mut tell = |passed: &[Passed]| -> anyhow::Result<()> {
        if format == Format::Text {
            let mut out = output::stdout();
            for one in passed {
                writeln!(out, "{:6} {}", one.victim, super::play::measured(paint, &one.phase))?;
            }
            out.flush()?;
        }
        Ok(())
    };
    let played = by_hand(length, &context.interrupt, &mut tell)?;
    let mut out = output::stdout();
    match format {
        Format::Json => output::document(&mut out, &played)?,
        Format::Jsonl => played.iter().try_for_each(|one| output::line(&mut out, one))?,
        Format::Text => {}
    }
    Ok(out.flush()?)
}
