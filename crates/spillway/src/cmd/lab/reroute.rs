//! `spillway lab play reroute`.

use std::io::Write as _;
use std::time::Duration;

use crate::cli::Context;
use crate::error::usage;
use crate::lab::reroute::{Killed, News, Ordeal, Rerouted, by_hand, by_itself, killed};
use crate::lab::{By, exclusive, running_as_root};
use crate::output::{self, Format, Paint};
use crate::progress::grouped;

/// Plays it.
pub(super) fn run(
    by: By,
    length: Duration,
    kills: Option<(usize, u64)>,
    context: &Context,
) -> anyhow::Result<()> {
    if !matches!(by, By::Rules | By::Daemon) {
        return Err(usage(
            "reroute is played --by daemon, or --by rules: an operator diverts by hand".to_owned(),
        ));
    }
    if kills.is_some() && by != By::Daemon {
        return Err(usage("--kills needs --by daemon: nobody else resumes anything".to_owned()));
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
            News::Killed(one) => one_killed(&mut out, paint, one)?,
        }
        Ok(out.flush()?)
    };
    if let Some((count, seed)) = kills {
        let ordeal = killed(count, seed, &context.interrupt, &mut tell)?;
        let mut out = output::stdout();
        match format {
            Format::Json => output::document(&mut out, &ordeal)?,
            Format::Jsonl => output::line(&mut out, &ordeal)?,
            Format::Text => all_killed(&mut out, paint, &ordeal)?,
        }
        out.flush()?;
        anyhow::ensure!(ordeal.broken == 0, "after {} of {count} kills a promise was broken", ordeal.broken);
        return Ok(());
    }
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

fn time(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{} ms", grouped(ms)))
}

fn one_killed(out: &mut impl std::io::Write, paint: Paint, one: &Killed) -> std::io::Result<()> {
    writeln!(
        out,
        "{} {} {} ms into {}, dead for {} ms; all as before after {}, visitors after {}, {} of {} requests lost",
        paint.dim(format!("kill {:<3}", one.number)),
        one.part,
        grouped(one.after_ms),
        one.moment,
        grouped(one.dead_ms),
        time(one.settled_ms),
        time(one.back_ms),
        one.lost,
        one.requests,
    )?;
    one.broken.iter().try_for_each(|why| writeln!(out, "         {}", paint.red(format!("broken: {why}"))))
}

fn all_killed(out: &mut impl std::io::Write, paint: Paint, ordeal: &Ordeal) -> std::io::Result<()> {
    writeln!(out, "\n{}", paint.bold("In the end"))?;
    writeln!(
        out,
        "{} killed (seed {}); all as before within {}, visitors back within {}; promises broken after {}",
        ordeal.kills.len(),
        ordeal.seed,
        time(ordeal.settled_ms_max),
        time(ordeal.back_ms_max),
        ordeal.broken,
    )
}

fn summary(out: &mut impl std::io::Write, paint: Paint, played: &Rerouted) -> std::io::Result<()> {
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
