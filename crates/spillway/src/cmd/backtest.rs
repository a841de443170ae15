//! `spillway backtest`: what another configuration would have made of a recording.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use engine::report::Severity;
use engine::settings::{Floor, Profile};
use serde::Serialize;

use super::replay::load;
use crate::backtest::{Change, Incidents, Row, compare, table};
use crate::capture::content::Content;
use crate::cli::Context;
use crate::config::{Config, Detection, RuleSettings};
use crate::output::{self, Format, Paint};
use crate::replay::Feed;
use crate::replay::search::{Cut, search};

/// Show what another configuration would have made of recorded traffic
///
/// Replays the recording under both configurations and compares what they find: attacks that appear or vanish, how sure and
/// how soon each is, its rules and what they would hit. Partners have the same direction, overlap in time and have the same
/// target, or one's target lies inside the other's. Leases are not compared. Exit code 0 whether there is a difference or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway backtest --config new.toml monday.pcap
  spillway backtest --config new.toml --against /etc/spillway/spillway.toml export/*.dat -o json")]
pub struct Args {
    /// Recorded flow export (pcap, pcapng, *.dat) or packet captures, in order
    #[arg(required = true, value_name = "RECORDING")]
    files: Vec<PathBuf>,
    /// The configuration to try
    #[arg(long, value_name = "NEW")]
    config: PathBuf,
    /// The configuration to compare with [default: NEW's networks and exporters, everything else as documented]
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// How harm is judged [default: daemon for flow export and where a configuration sets [detection] or [groups], else capture]
    #[arg(long, value_enum, value_name = "PROFILE")]
    profile: Option<Judge>,
}

/// By whose measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Judge {
    /// As `spillway replay`: no floor, each packet counts
    Capture,
    /// As `spillway run`: with its floor and its limits
    Daemon,
}

/// One configuration and what it found.
#[derive(Debug, Serialize)]
struct Side {
    configuration: String,
    attacks: usize,
    suspicious: usize,
    packets: u64,
    bytes: u64,
    reports_left_out: u64,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Summary {
    event: &'static str,
    profile: &'static str,
    profile_reason: &'static str,
    old: Side,
    new: Side,
    appears: usize,
    vanishes: usize,
    differs: usize,
    split: usize,
    merged: usize,
    same: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    incidents: &'a [Row],
    summary: &'a Summary,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    #[serde(flatten)]
    row: &'a Row,
}

/// Replays twice and compares.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let new = load(&args.config)?;
    let (old, old_name) = match &args.against {
        Some(path) => (load(path)?, path.display().to_string()),
        None => (defaults(&new), "defaults".to_owned()),
    };
    let mut feed = Feed::open(&args.files, 2, &context.interrupt)?;
    let (profile, profile_reason) = profile(args.profile, feed.content(), &[&old, &new]);
    let (old, old_found) = side(&mut feed, old_name, &old, profile, context)?;
    let (new, new_found) = side(&mut feed, args.config.display().to_string(), &new, profile, context)?;
    let rows = compare(&old_found.into_sorted(), &new_found.into_sorted());
    let count = |change: Change| rows.iter().filter(|row| row.change == change).count();
    let summary = Summary {
        event: "summary",
        profile: profile.name(),
        profile_reason,
        old,
        new,
        appears: count(Change::Appears),
        vanishes: count(Change::Vanishes),
        differs: count(Change::Differs),
        split: count(Change::Split),
        merged: count(Change::Merged),
        same: count(Change::Same),
    };
    print(&rows, &summary, context.format(Format::Jsonl))?;
    feed.end()
}

/// What holds for `new` when nobody changes anything: where the networks and exporters are is no matter of taste.
fn defaults(new: &Config) -> Config {
    Config {
        detection: Detection::default(),
        rules: RuleSettings::default(),
        groups: Vec::new(),
        path: Path::new("defaults").into(),
        ..new.clone()
    }
}

/// How harm is judged, and why so. The capture profile knows no floor, budget or limits, so who sets one means the daemon.
fn profile(asked: Option<Judge>, content: Content, configs: &[&Config]) -> (Profile, &'static str) {
    let daemons = |config: &&Config| {
        let usual = Detection::default();
        Floor::from(config.detection.floor) != Floor::Default
            || config.detection.budget != usual.budget
            || !config.groups.is_empty()
    };
    match (asked, content) {
        (Some(Judge::Capture), _) => (Profile::Capture, "as asked"),
        (Some(Judge::Daemon), _) => (Profile::Daemon, "as asked"),
        (None, Content::FlowExport) => (Profile::Daemon, "flow export is judged as the daemon does"),
        (None, Content::Packets) if configs.iter().any(daemons) => {
            (Profile::Daemon, "a configuration sets what only the daemon has")
        }
        (None, Content::Packets) => (Profile::Capture, "packets are judged as `spillway replay` does"),
    }
}

/// One pass over the recording.
fn side(
    feed: &mut Feed,
    configuration: String,
    config: &Config,
    profile: Profile,
    context: &Context,
) -> anyhow::Result<(Side, Incidents)> {
    feed.watch(config);
    let mut incidents = Incidents::default();
    let cut = Cut { shards: 1, ..Cut::default() };
    let found = search(feed, &config.engine_as(profile), cut, |at, attack| {
        incidents.note(at, attack);
        Ok(())
    })?;
    if context.interrupt.asked() {
        bail!("interrupted; the two passes would not cover the same, so nothing is compared");
    }
    let side = Side {
        configuration,
        attacks: incidents.count(Severity::Attack),
        suspicious: incidents.count(Severity::Suspicious),
        packets: found.packets,
        bytes: found.bytes,
        reports_left_out: incidents.left_out,
    };
    Ok((side, incidents))
}

fn print(rows: &[Row], summary: &Summary, format: Format) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match format {
        Format::Json => output::document(&mut out, &Document { incidents: rows, summary })?,
        Format::Jsonl => {
            rows.iter().try_for_each(|row| output::line(&mut out, &Line { event: "incident", row }))?;
            output::line(&mut out, summary)?;
        }
        Format::Text => {
            let paint = Paint::stdout();
            writeln!(out, "profile {}: {}", paint.bold(summary.profile), summary.profile_reason)?;
            for (name, side) in [("old", &summary.old), ("new", &summary.new)] {
                let attacks = if side.attacks == 1 {
                    "1 attack".to_owned()
                } else {
                    format!("{} attacks", side.attacks)
                };
                let suspicious = side.suspicious;
                writeln!(
                    out,
                    "{name} {}: {attacks}, {suspicious} suspicious",
                    paint.bold(&side.configuration)
                )?;
                if side.reports_left_out > 0 {
                    writeln!(out, "  more incidents than can be compared; cut the recording into parts")?;
                }
            }
            writeln!(out)?;
            out.write_all(table::table(rows, paint).as_bytes())?;
        }
    }
    Ok(out.flush()?)
}
