//! `spillway lab play NAME`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Context;
use crate::error::usage;
use crate::lab::{
    By, News, Options, Phase, Played, SCENARIOS, Scenario, exclusive, play, reroute, running_as_root,
};
use crate::output::{self, Format, Paint};
use crate::progress::grouped;

/// Play a scenario: ordinary traffic, an attack, a filter, the end of the attack; each measured
///
/// Honest clients ask the server for a page 100 times a second, over IPv4 and IPv6, and wait a second for each answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which; see `spillway lab list`
    name: String,
    /// All phases together; each takes at least two seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Who filters
    #[arg(long, value_enum, default_value_t = By::Rules, value_name = "WHO")]
    by: By,
    /// Kill the brain, absorbers and routers of `reroute` at so many drawn instants, and tell what came of each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    kills: Option<u64>,
    /// From which instants and parts are drawn
    #[arg(long, value_name = "N", default_value_t = 1, requires = "kills")]
    seed: u64,
    /// Write what attackers, clients, reflectors and server send, the first 256 octets of each packet (pcapng)
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    if args.name == reroute::NAME {
        let kills = args.kills.map(|count| (usize::try_from(count).unwrap_or(usize::MAX), args.seed));
        return super::reroute::run(args.by, Duration::from_secs(args.seconds), kills, context);
    }
    if args.kills.is_some() {
        return Err(usage(format!("--kills is for {}", reroute::NAME)));
    }
    let Some(scenario) = Scenario::find(&args.name) else {
        let names = SCENARIOS.iter().map(|one| one.name).chain([reroute::NAME]);
        let names: Vec<&str> = names.collect();
        return Err(usage(format!("no scenario `{}`; there are {}", args.name, names.join(", "))));
    };
    running_as_root()?;
    context.interrupt.listen()?;
    let _held = exclusive()?;
    let options =
        Options { by: args.by, length: Duration::from_secs(args.seconds), capture: args.capture.clone() };
    let format = context.format(Format::Text);
    let paint = Paint::stdout();
    let mut tell = |news: News<'_>| -> anyhow::Result<()> {
        if format == Format::Text {
            let mut out = output::stdout();
            story(&mut out, paint, &news)?;
            out.flush()?;
        }
        Ok(())
    };
    let played = play(scenario, &options, &context.interrupt, &mut tell)?;
    let mut out = output::stdout();
    match format {
        Format::Json => output::document(&mut out, &played)?,
        Format::Jsonl => output::line(&mut out, &played)?,
        Format::Text => summary(&mut out, paint, &played)?,
    }
    out.flush()?;
    Ok(())
}

fn story(out: &mut impl Write, paint: Paint, news: &News<'_>) -> std::io::Result<()> {
    let (lab, daemon) = (paint.dim("lab     "), paint.dim("daemon  "));
    match news {
        News::Ready(scenario) => {
            writeln!(out, "{}", paint.bold(format!("Spillway's lab: {}", scenario.name)))?;
            writeln!(
                out,
                "Five network namespaces of this machine, real programs in each; nothing leaves them."
            )?;
            if let Some(what) = scenario.synthetic {
                writeln!(out, "{}", paint.yellow(format!("Synthetic: {what}.")))?;
            }
            writeln!(out, "\n{lab} nginx serves; honest clients ask it for a page 100 times a second")
        }
        News::Attack(scenario) => {
            writeln!(out, "{lab} {}: {}", paint.red("the attack begins"), scenario.about)
        }
        News::Found(found) => {
            let (what, after) = (found.vectors.join(", "), grouped(found.after_ms));
            writeln!(out, "{daemon} found {after} ms after its first packet: {what} on {}", found.target)
        }
        News::Filter(rules) => {
            writeln!(out, "{lab} {}", paint.green("a filter is in force in the kernel:"))?;
            rules.lines().try_for_each(|line| writeln!(out, "{lab}   {}", paint.cyan(line)))
        }
        News::Over => writeln!(out, "{lab} the attack ends"),
        News::Phase(phase) => writeln!(out, "{}", measured(paint, phase)),
    }
}

fn measured(paint: Paint, phase: &Phase) -> String {
    format!(
        "{}; {} attack packets a second, {} dropped",
        answered(paint, phase),
        grouped(phase.attack_pps),
        grouped(phase.dropped)
    )
}

/// What visitors got.
pub(super) fn answered(paint: Paint, phase: &Phase) -> String {
    let share = format!("{:.1} %", 100.0 * phase.success());
    let share = if phase.success() > 0.99 { paint.green(share) } else { paint.red(share) };
    let median = phase.median_ms.map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms"));
    let lost = phase.unanswered_ms.filter(|_| phase.answered > 0).map_or_else(String::new, |[from, to]| {
        format!("; those that were not began {} to {} ms into it", grouped(from), grouped(to))
    });
    format!(
        "{} {:8} {:5.1} s: {} of requests answered, {:.0} a second, half of them within {median}{lost}",
        paint.dim("measured"),
        phase.name,
        phase.seconds,
        share,
        phase.answered_per_second(),
    )
}

fn summary(out: &mut impl Write, paint: Paint, played: &Played) -> std::io::Result<()> {
    writeln!(out, "\n{}", paint.bold("In the end"))?;
    played.phases.iter().try_for_each(|phase| writeln!(out, "{}", measured(paint, phase)))?;
    for rule in &played.rules {
        writeln!(
            out,
            "rule {}: decided {} packets, dropped {}",
            rule.id,
            grouped(rule.packets),
            grouped(rule.dropped)
        )?;
    }
    if played.challenged > 0 {
        writeln!(out, "{} SYNs were answered by a cookie", grouped(played.challenged))?;
    }
    if let Some(after) = played.acted_ms {
        writeln!(out, "the daemon filtered {} ms after the attack's first packet", grouped(after))?;
    }
    for found in &played.found {
        writeln!(out, "the daemon called it {} on {}", found.vectors.join(", "), found.target)?;
    }
    Ok(())
}
