//! `spillway dataplane top INTERFACE`.

use std::io::Write;
use std::time::{Duration, Instant};

use dataplane::{Attachment, Counts, Plane, Tally};
use serde::Serialize;

use crate::cli::Context;
use crate::output::{self, Format};

/// Rules that are shown, the busiest first.
const RULES_SHOWN: usize = 15;
/// Between two looks whether somebody wants it to end.
const LOOK: Duration = Duration::from_millis(50);

/// Watch what is dropped and passed, by place and by rule
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway dataplane top eth0
  spillway dataplane top eth0 --interval 5 -o jsonl")]
pub(super) struct Args {
    /// The interface
    interface: String,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
    /// End after so many looks [default: at Ctrl-C]
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
}

fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.1..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("0.1 to 3600 seconds".into()) }
}

#[derive(Serialize)]
struct View<'a> {
    interface: &'a str,
    /// Over which the rates are.
    seconds: f64,
    dry_run: bool,
    passed: Rate,
    dropped: Rate,
    packets: Vec<Place>,
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Rate {
    pps: f64,
    bps: f64,
}

#[derive(Serialize)]
struct Place {
    left: &'static str,
    #[serde(flatten)]
    rate: Rate,
}

#[derive(Serialize)]
struct Rule {
    id: String,
    #[serde(flatten)]
    rate: Rate,
    dropped_pps: f64,
}

/// Counters at one instant.
struct Look {
    at: Instant,
    set: [u8; 32],
    dry: bool,
    leaves: Vec<Tally>,
    rules: Vec<Counts>,
}

impl Look {
    fn at(plane: &Plane) -> anyhow::Result<Self> {
        let force = plane.in_force()?;
        let (leaves, rules) = (plane.leaves()?, plane.counts()?);
        Ok(Self { at: Instant::now(), set: force.digest, dry: force.dry, leaves, rules })
    }
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    super::check_name(&args.interface)?;
    context.interrupt.listen()?;
    let name = &args.interface;
    let open = || -> anyhow::Result<Attachment> {
        let there = Attachment::open(name)?;
        there.ok_or_else(|| {
            anyhow::anyhow!("{name}: nothing is attached; `spillway dataplane attach {name}` does it")
        })
    };
    let format = context.format(Format::Text);
    let clears = matches!(format, Format::Text) && output::is_terminal();
    let mut before = Look::at(open()?.plane())?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        while before.at.elapsed().as_secs_f64() < args.interval && !context.interrupt.asked() {
            let rest = Duration::from_secs_f64(args.interval).saturating_sub(before.at.elapsed());
            std::thread::sleep(rest.min(LOOK));
        }
        if context.interrupt.asked() {
            break;
        }
        // Opened each time: the programs may have been replaced.
        let now = Look::at(open()?.plane())?;
        let view = view(name, &before, &now);
        let mut out = output::stdout();
        match format {
            Format::Json | Format::Jsonl => output::line(&mut out, &view)?,
            Format::Text => {
                if clears {
                    write!(out, "\x1b[H\x1b[2J")?;
                }
                text(&mut out, &view)?;
            }
        }
        out.flush()?;
        before = now;
        left -= 1;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn view<'a>(interface: &'a str, before: &Look, now: &Look) -> View<'a> {
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(1e-3);
    // Programs that were replaced count anew.
    let per_second = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now) as f64 / seconds;
    let rate = |packets: (u64, u64), bytes: (u64, u64)| Rate {
        pps: per_second(packets.0, packets.1),
        bps: per_second(bytes.0, bytes.1) * 8.0,
    };
    let (mut passed, mut dropped) = (Rate::default(), Rate::default());
    let mut packets = Vec::new();
    for (now, before) in now.leaves.iter().zip(&before.leaves) {
        let rate = rate((now.packets, before.packets), (now.bytes, before.bytes));
        let sum = if now.is_drop() { &mut dropped } else { &mut passed };
        sum.pps += rate.pps;
        sum.bps += rate.bps;
        if rate.pps > 0.0 {
            packets.push(Place { left: now.place, rate });
        }
    }
    let same = now.set == before.set && now.rules.len() == before.rules.len();
    let pairs = now.rules.iter().zip(&before.rules).filter(|_| same);
    let mut rules: Vec<Rule> = pairs
        .map(|(now, before)| Rule {
            id: now.id.clone(),
            rate: rate((now.packets, before.packets), (now.bytes, before.bytes)),
            dropped_pps: per_second(now.dropped, before.dropped),
        })
        .filter(|rule| rule.rate.pps > 0.0)
        .collect();
    rules.sort_by(|a, b| b.rate.pps.total_cmp(&a.rate.pps).then_with(|| a.id.cmp(&b.id)));
    rules.truncate(RULES_SHOWN);
    View { interface, seconds, dry_run: now.dry, passed, dropped, packets, rules }
}

fn text(out: &mut impl Write, view: &View<'_>) -> std::io::Result<()> {
    let dry = if view.dry_run { " (dry run: everything passes)" } else { "" };
    writeln!(
        out,
        "{}{dry}: dropped {:.0} packets/s, {:.0} bit/s; passed {:.0} packets/s, {:.0} bit/s",
        view.interface, view.dropped.pps, view.dropped.bps, view.passed.pps, view.passed.bps
    )?;
    for place in &view.packets {
        writeln!(
            out,
            "  {:12} {:>14.0} packets/s {:>18.0} bit/s",
            place.left, place.rate.pps, place.rate.bps
        )?;
    }
    for rule in &view.rules {
        writeln!(
            out,
            "  rule {}: {:.0} packets/s, {:.0} bit/s; dropped {:.0} packets/s",
            rule.id, rule.rate.pps, rule.rate.bps, rule.dropped_pps
        )?;
    }
    Ok(())
}
