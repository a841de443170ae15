//! `spillway lab play reroute`.

use std::io::Write as _;
use std::time::Duration;

use crate::cli::Context;
use crate::error::usage;
use crate::lab::reroute::{News, Rerouted, by_hand, by_itself};
use crate::lab::{By, exclusive, running_as_root};
use crate::output::{self, Format, Paint};
use crate::progress::grouped;

/// Plays it.
pub(super) fn run(by: By, length: Duration, context: &Context) -> anyhow::Result<()> {
    if !matches!(by, By::Rules | By::Daemon) {
        return Err(usage(
            "reroute is played --by daemon, or --by rules: an operator diverts by hand".to_owned(),
        ));
    }
    running_as_root()?;
    context.interrupt.listen()?;
    let _held = exclusive()?;
    let format = context.format(Format::Text);
    let paint = Paint::stdout();
    let mut tell = |news: News<'_>| -> anyhow::Result<()> {
        if format != Format::Text {
            return Ok(());
        }
        let mut out = output::stdout();
        match news {
            News::Says(who, what) => writeln!(out, "{} {what}", paint.dim(format!("{who:8}")))?,
            News::Passed(all) => {
                for one in all {
                    let got = super::play::answered(paint, &one.phase);
                    writeln!(out, "{got} ({}, value {})", one.victim, one.value)?;
                }
            }
        }
        Ok(out.flush()?)
    };
    let played = match by {
        By::Daemon => by_itself(&context.interrupt, &mut tell)?,
        _ => by_hand(length, &context.interrupt, &mut tell)?,
    };
    let mut out = output::stdout();
    match format {
        Format::Json => output::document(&mut out, &played)?,
        Format::Jsonl => output::line(&mut out, &played)?,
        Format::Text => summary(&mut out, paint, &played)?,
    }
    Ok(out.flush()?)
}

fn summary(out: &mut impl std::io::Write, paint: Paint, played: &Rerouted) -> std::io::Result<()> {
    let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{} ms", grouped(ms)));
    writeln!(out, "\n{}", paint.bold("In the end"))?;
    for one in &played.victims {
        write!(out, "{} (value {}): ", one.victim, one.value)?;
        match &one.sacrificed {
            Some(why) => writeln!(out, "given up: {why}")?,
            None => writeln!(
                out,
                "diverted {} and filtered {} after it was detected; {} packets dropped, {} given back, {} lost",
                time(one.diverted_ms),
                time(one.filtered_ms),
                grouped(one.filtered),
                grouped(one.returned),
                grouped(one.lost),
            )?,
        }
    }
    for one in &played.absorbers {
        writeln!(
            out,
            "{} ({}): {} bit/s at most, {} packets did not fit; of {} packets given back {} came to the edge",
            one.absorber,
            one.capacity,
            grouped(one.most_bps),
            grouped(one.overflowed),
            grouped(one.returned),
            grouped(one.arrived),
        )?;
    }
    if played.back_after_ms.is_some() {
        writeln!(
            out,
            "everything was as before {} after the last attacker stopped",
            time(played.back_after_ms)
        )?;
    }
    Ok(())
}
